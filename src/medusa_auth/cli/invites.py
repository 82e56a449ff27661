"""`medusa-auth invites`: who is asked to become an administrator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from medusa_auth.cli.common import DataDirOption, EmailOption, JsonOption, output, show, with_parts
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import Invite, MailKind, Role
from medusa_auth.server.app import Parts
from medusa_auth.server.validation import is_new_email
from medusa_auth.store.base import Transaction

__all__ = ["app"]

app = typer.Typer(help="Who is asked to become an administrator.", no_args_is_help=True)

LinkOption = Annotated[bool, typer.Option("--link", help="Show the link, this once, and send no mail.")]
IdArgument = Annotated[str, typer.Argument(help="The invite's id, of `invites list`.")]


@app.command("create")
def create(
    email: EmailOption,
    role: Annotated[Role, typer.Option(help="What the administrator will be allowed to do.")] = Role.MEMBER,
    link: LinkOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Invite somebody, or invite them again: an older link is over."""

    async def work(parts: Parts) -> tuple[Invite, str | None]:
        if not is_new_email(email):
            raise InvalidRequestError(f"{email} is not an email address.")

        def make(tx: Transaction) -> tuple[Invite, str | None]:
            invite = parts.invites.create(tx, email, role, parts.clock())
            return invite, _issued(parts, tx, invite, link=link)

        return await parts.records.write(make)

    _tell(*with_parts(data_dir, work, mails=not link))


@app.command("list")
def list_(json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Show all open invites."""

    async def work(parts: Parts) -> Sequence[Invite]:
        return await parts.records.read(lambda tx: tx.invites.list())

    show(with_parts(data_dir, work), ("id", "user_email", "role", "created_at", "expires_at"), json=json)


@app.command("resend")
def resend(invite_id: IdArgument, link: LinkOption = False, data_dir: DataDirOption = None) -> None:
    """Send an invite again, with a new link; the older one is over."""

    async def work(parts: Parts) -> tuple[Invite, str | None]:
        def renew(tx: Transaction) -> tuple[Invite, str | None]:
            invite = parts.invites.find(tx, invite_id)
            return invite, _issued(parts, tx, invite, link=link)

        return await parts.records.write(renew)

    _tell(*with_parts(data_dir, work, mails=not link))


@app.command("revoke")
def revoke(invite_id: IdArgument, data_dir: DataDirOption = None) -> None:
    """Withdraw an invite: its link is over."""

    async def work(parts: Parts) -> Invite:
        def delete(tx: Transaction) -> Invite:
            invite = parts.invites.find(tx, invite_id)
            tx.invites.delete(invite.id)
            return invite

        return await parts.records.write(delete)

    output.print(f"Withdrew the invite of {with_parts(data_dir, work).user_email}.", highlight=False)


def _issued(parts: Parts, tx: Transaction, invite: Invite, *, link: bool) -> str | None:
    """The link, if it is wanted; else a mail is asked for, which will have another one."""
    token = parts.invites.issue(tx, invite, parts.clock())
    if link:
        return parts.postman.link(MailKind.INVITE, token)
    parts.outbox.put(tx, MailKind.INVITE, invite.user_email, invite.id, parts.clock())
    return None


def _tell(invite: Invite, link: str | None) -> None:
    if link is None:
        output.print(f"Invited {invite.user_email} as {invite.role.value}, by mail.", highlight=False)
        return
    output.print(f"Invited {invite.user_email} as {invite.role.value}. The link is shown this once:", highlight=False)
    output.print(link, highlight=False, markup=False, soft_wrap=True)
