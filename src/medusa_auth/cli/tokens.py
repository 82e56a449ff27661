"""`medusa-auth tokens`: the API tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from medusa_auth.cli.common import DataDirOption, EmailOption, JsonOption, output, show, with_parts
from medusa_auth.errors import NotFoundError
from medusa_auth.model import ApiToken
from medusa_auth.server.app import Parts
from medusa_auth.setting_values import duration as parse_duration
from medusa_auth.wire import API_TOKEN_HEADER

__all__ = ["app"]

app = typer.Typer(help="The API tokens, for programs.", no_args_is_help=True)


def _life(value: str) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command("create")
def create(
    email: EmailOption,
    name: Annotated[str, typer.Option(help="What the token is for, to find it again.")],
    expires_in: Annotated[
        timedelta | None, typer.Option(parser=_life, metavar="DURATION", help="Such as 90d. Default: until revoked.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a token, and print it, once: only its hash is kept."""

    async def work(parts: Parts) -> tuple[str, ApiToken]:
        return await parts.records.write(
            lambda tx: parts.api_tokens.issue(tx, parts.users.find(tx, email), name, parts.clock(), expires_in)
        )

    token, record = with_parts(data_dir, work)
    typer.echo(f"{record.id} for {email}; send it as {API_TOKEN_HEADER}. It is not shown again:", err=True)
    typer.echo(token)


@app.command("list")
def list_(json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Show all tokens; never the secrets."""

    async def work(parts: Parts) -> list[ApiToken]:
        return list(await parts.records.read(parts.api_tokens.list))

    show(with_parts(data_dir, work), ("id", "name", "user_id", "created_at", "last_used_at", "expires_at"), json=json)


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `tokens list` shows it.")],
    data_dir: DataDirOption = None,
) -> None:
    """End a token, everywhere and at once."""

    async def work(parts: Parts) -> None:
        if not await parts.records.write(lambda tx: parts.api_tokens.revoke(tx, token_id, parts.clock())):
            raise NotFoundError(f"There is no API token {token_id}.")

    with_parts(data_dir, work)
    output.print(f"Revoked {token_id}.", highlight=False)
