"""`medusa-auth users`: the administrators."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import UNSET

from medusa_auth.cli.common import (
    DataDirOption,
    EmailOption,
    JsonOption,
    PasswordStdinOption,
    escaped,
    output,
    read_password,
    show,
    warn,
    with_parts,
)
from medusa_auth.core.users import UserChanges
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import MailKind, Role, User
from medusa_auth.server.app import Parts
from medusa_auth.server.validation import is_new_email
from medusa_auth.store.base import Transaction

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
        if not is_new_email(email):
            raise InvalidRequestError(f"{email} is not an email address.")
        password = read_password(stdin=password_stdin, confirm=True)
        _warn_of(parts, password, email, first_name, last_name)
        password_hash = await parts.passwords.hash(password)

        def make(tx: Transaction) -> User:
            now = parts.clock()
            user = parts.users.create(
                tx,
                email=email,
                password_hash=password_hash,
                now=now,
                role=role,
                first_name=first_name,
                last_name=last_name,
            )
            parts.outbox.put_to_admins(tx, user, now)
            return user

        return await parts.records.write(make)

    user = with_parts(data_dir, work, mails=True)
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
        password = read_password(stdin=password_stdin, confirm=True)
        _warn_of(parts, password, user.email, user.first_name, user.last_name)
        password_hash = await parts.passwords.hash(password)

        def change(tx: Transaction) -> None:
            now = parts.clock()
            parts.users.set_password(tx, user, password_hash, now)
            parts.outbox.put(tx, MailKind.PASSWORD_CHANGED, user.email, user.id, now)

        await parts.records.write(change)
        return user

    user = with_parts(data_dir, work, mails=True)
    output.print(f"{user.email} has a new password; all sessions and access tokens have ended.", highlight=False)


@app.command("update")
def update(
    email: EmailOption,
    role: Annotated[Role | None, typer.Option(help="What the administrator may do from now on.")] = None,
    first_name: Annotated[str | None, typer.Option(help="Empty takes it away.")] = None,
    last_name: Annotated[str | None, typer.Option(help="Empty takes it away.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Change an administrator's role or names. This is also how a store of Medusa's gets its first admin."""

    async def work(parts: Parts) -> User:
        changes = UserChanges(
            role=UNSET if role is None else role,
            first_name=UNSET if first_name is None else first_name or None,
            last_name=UNSET if last_name is None else last_name or None,
        )
        return await parts.records.write(
            lambda tx: parts.users.update(tx, parts.users.find(tx, email), changes, parts.clock())
        )

    user = with_parts(data_dir, work)
    names = " ".join(name for name in (user.first_name, user.last_name) if name) or "no name"
    output.print(f"{user.email} is {user.role.value}, {escaped(names)}.", highlight=False, emoji=False, soft_wrap=True)


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


def _warn_of(parts: Parts, password: str, *own: str | None) -> None:
    """Whoever has this machine may choose any password, and is told what the rules say of it."""
    try:
        parts.password_rules.check(password, own)
    except InvalidRequestError as error:
        warn(error.message)
