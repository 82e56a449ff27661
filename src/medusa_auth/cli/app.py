"""All commands."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

from medusa_auth.cli import invites, session, tokens, users
from medusa_auth.cli.import_ import import_
from medusa_auth.cli.migrate import migrate
from medusa_auth.cli.serve import serve

__all__ = ["app"]

# A traceback with the values of variables would show passwords.
app = typer.Typer(
    help="Admin authentication for Medusa stores.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
app.add_typer(users.app, name="users")
app.add_typer(invites.app, name="invites")
app.add_typer(tokens.app, name="tokens")
app.command()(serve)
app.command()(migrate)
app.command("import")(import_)
app.command()(session.login)
app.command()(session.whoami)
app.command()(session.logout)


def _version(value: bool) -> None:  # noqa: FBT001 - called by typer
    if value:
        typer.echo(importlib.metadata.version("medusa-auth"))
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass
