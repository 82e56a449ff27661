"""`medusa-auth users`: the administrators."""

from __future__ import annotations

from typing import Annotated

import typer

from medusa_auth.cli.common import (
    DataDirOption,
    EmailOption,
    JsonOption,
    PasswordStdinOption,
    output,
    read_password,
    show,
    with_parts,
)
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import Role, User
from medusa_auth.server.app import Parts
from medusa_auth.server.validation import is_email

__all__ = ["app"]

app = typer.Typer(help="The administrators.", no_args_is_help=True)


@app.command("create")
def create(
    email: EmailOption,
    role: Annotated[Role, typer.Option(help="What the administrator may do.")] = Role.ADMIN,
    first_name: Annotated[str | None, typer.Option()] = None,
    last_name: Annotated[str | None, typer.Option()] = None,
    password_stdin: PasswordStdinOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Make an administrator."""

    async def work(parts: Parts) -> User:
        if not is_email(email):
            raise InvalidRequestError(f"{email} is not an email address.")
        password_hash = await parts.passwords.hash(read_password(stdin=password_stdin, confirm=True))
        return await parts.records.write(
            lambda tx: parts.users.create(
                tx,
                email=email,
                password_hash=password_hash,
                now=parts.clock(),
                role=role,
                first_name=first_name,
                last_name=last_name,
            )
        )

    user = with_parts(data_dir, work)
    output.print(f"Made {user.email} ({user.id}), {user.role.value}.", highlight=False)


@app.command("list")
def list_(json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Show all administrators."""

    async def work(parts: Parts) -> list[User]:
        return list(await parts.records.read(lambda tx: tx.users.list()))

    show(with_parts(data_dir, work), ("id", "email", "role", "first_name", "last_name", "created_at"), json=json)


@app.command("set-password")
def set_password(
    email: EmailOption, password_stdin: PasswordStdinOption = False, data_dir: DataDirOption = None
) -> None:
    """Give an administrator a new password. Ends all sessions and access tokens of theirs; API tokens stay."""

    async def work(parts: Parts) -> User:
        user = await parts.records.read(lambda tx: parts.users.find(tx, email))
        password_hash = await parts.passwords.hash(read_password(stdin=password_stdin, confirm=True))
        await parts.records.write(lambda tx: parts.users.set_password(tx, user, password_hash, parts.clock()))
        return user

    user = with_parts(data_dir, work)
    output.print(f"{user.email} has a new password; all sessions and access tokens have ended.", highlight=False)


@app.command("delete")
def delete(
    email: EmailOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Delete an administrator. Ends all sessions, access tokens and API tokens of theirs."""

    async def work(parts: Parts) -> User:
        user = await parts.records.read(lambda tx: parts.users.find(tx, email))
        if not yes:
            typer.confirm(f"Delete {user.email}?", abort=True)
        await parts.records.write(lambda tx: parts.users.delete(tx, user, parts.clock()))
        return user

    user = with_parts(data_dir, work)
    output.print(f"Deleted {user.email}; all sessions and tokens have ended.", highlight=False)
