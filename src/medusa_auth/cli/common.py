"""What the commands share."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from medusa_auth.errors import AnswerError, MedusaAuthError, UnavailableError
from medusa_auth.server.app import Parts
from medusa_auth.server.logs import configure_logs
from medusa_auth.settings import DATA_DIR_VARIABLE, from_env

__all__ = [
    "DataDirOption",
    "EmailOption",
    "JsonOption",
    "PasswordStdinOption",
    "errors_shown",
    "escaped",
    "output",
    "read_password",
    "show",
    "warn",
    "with_parts",
]

T = TypeVar("T")

# How long a command waits for the mail server.
MAIL_SECONDS = 10.0

output = Console()
_errors = Console(stderr=True)

DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help=f"The data folder. Default: ${DATA_DIR_VARIABLE}, else .medusa-auth here."),
]
EmailOption = Annotated[str, typer.Option("--email", help="The administrator's email.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input and do not ask.")
]


@contextmanager
def errors_shown() -> Iterator[None]:
    """An error becomes a line on stderr and the exit status 1."""
    try:
        yield
    except AnswerError as error:
        _fail(error.message)
    except MedusaAuthError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    _errors.print(f"[bold red]Error:[/] {escaped(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def warn(message: str) -> None:
    """A line on stderr; the command goes on."""
    _errors.print(f"[bold yellow]Warning:[/] {escaped(message)}", highlight=False, soft_wrap=True)


def escaped(text: str) -> str:
    """Square brackets are rich's markup, and control characters the terminal's."""
    return "".join(char if char.isprintable() else "?" for char in text).replace("[", r"\[")


def with_parts(data_dir: Path | None, work: Callable[[Parts], Awaitable[T]], *, mails: bool = False) -> T:
    """The result of `work` with the parts of this data folder; errors are shown, and the command ends.

    `mails`: what `work` has put into the outbox goes out before the end.
    """
    with errors_shown():
        settings = from_env(data_dir=data_dir)
        configure_logs(settings.log_format)
        parts = Parts.of(settings)
        try:
            return asyncio.run(_awaited(work, parts, mails=mails))
        finally:
            parts.close()
    raise typer.Exit(1)


async def _awaited(work: Callable[[Parts], Awaitable[T]], parts: Parts, *, mails: bool) -> T:
    result = await work(parts)
    if mails:
        # Perhaps no server runs that would send them. What does not go out now is left to one: the work is done.
        with suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(MAIL_SECONDS):
                await parts.mailer.deliver_due()
    return result


def read_password(*, stdin: bool, confirm: bool = False) -> str:
    """The first line of standard input, or what is typed at a prompt that does not show it. Never empty."""
    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        with _interruptible():
            password = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm)
    if not password:
        raise typer.BadParameter("The password is empty.")
    return str(password)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends what waits for a person: asyncio would let it wait on, and cancel what comes after."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def show(rows: Sequence[Any], columns: Sequence[str], *, json: bool) -> None:
    """The attributes `columns` of `rows`: a table for people, or a JSON array."""
    picked = [{name: getattr(row, name) for name in columns} for row in rows]
    if json:
        print(msgspec.json.format(msgspec.json.encode(picked), indent=2).decode())  # noqa: T201 - for a program
        return
    headers = (Column(name.replace("_", " "), no_wrap=True) for name in columns)
    table = Table(*headers, box=None, header_style="bold", pad_edge=False)
    for row in picked:
        table.add_row(*(_cell(row[name]) for name in columns))
    # As wide as it has to be: an id that is cut off is of no use.
    wide = output.options.update(max_width=10_000)
    Console(width=max(output.width, output.measure(table, options=wide).maximum)).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return escaped(str(value))
