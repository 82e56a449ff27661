"""`medusa-auth login`, `whoami`, `logout`: a session of one's own with any Medusa backend, kept between commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from medusa_auth.cli.common import EmailOption, PasswordStdinOption, errors_shown, escaped, output, read_password
from medusa_auth.errors import AuthenticationError, MedusaAuthError
from medusa_auth.settings import state_dir

if TYPE_CHECKING:
    from medusa_auth.client import Medusa

__all__ = ["login", "logout", "whoami"]

MAX_RETRIES = 2


class NotSignedInError(MedusaAuthError):
    """There is no session to go on with."""

    def __init__(self) -> None:
        super().__init__("Not signed in: `medusa-auth login URL --email EMAIL` signs in.")


class StateFileError(MedusaAuthError):
    """The file of the session cannot be read or written."""


class _Kept(msgspec.Struct):
    """What the state file holds."""

    url: str
    cookies: list[dict[str, Any]]


def login(
    url: Annotated[str, typer.Argument(help="Where Medusa, or this server, answers.")],
    email: EmailOption,
    password_stdin: PasswordStdinOption = False,
) -> None:
    """Sign in, and keep the session for the next commands."""
    with errors_shown(), _client(url) as medusa:
        user = medusa.admin.auth.create_session(email=email, password=read_password(stdin=password_stdin)).user
        try:
            _keep(_Kept(url, medusa.cookies.dump()))
        except StateFileError:
            # Nobody could end it any more.
            medusa.admin.auth.delete_session()
            raise
    output.print(f"Signed in to {url} as {escaped(user.email)}.", highlight=False, soft_wrap=True)


def whoami() -> None:
    """Show who is signed in, and where."""
    with errors_shown():
        kept = _kept()
        try:
            with _medusa(kept) as medusa:
                user = medusa.admin.auth.get_session().user
        except AuthenticationError:
            raise NotSignedInError from None
    output.print(escaped(f"{user.email} ({user.id}), {user.role}, at {kept.url}"), highlight=False, soft_wrap=True)


def logout() -> None:
    """Sign out. The kept session is thrown away once the server has ended it, or says that it is over."""
    with errors_shown():
        kept = _kept()
        try:
            with _medusa(kept) as medusa:
                medusa.admin.auth.delete_session()
        except AuthenticationError:
            pass
        with _file(_path()) as path:
            path.unlink(missing_ok=True)
    output.print(f"Signed out of {kept.url}.", highlight=False, soft_wrap=True)


def _client(url: str) -> Medusa:
    # Loaded here, for `serve` has no use for it.
    from medusa_auth.client import Medusa  # noqa: PLC0415

    return Medusa(url, max_retries=MAX_RETRIES)


def _medusa(kept: _Kept) -> Medusa:
    medusa = _client(kept.url)
    medusa.cookies.load(kept.cookies)
    return medusa


def _path() -> Path:
    return state_dir() / "session.json"


@contextmanager
def _file(path: Path) -> Iterator[Path]:
    """Raises StateFileError for what cannot be done to it."""
    try:
        yield path
    except OSError as error:
        raise StateFileError(f"{path}, where the session is kept, cannot be used: {error.strerror}.") from None


def _keep(kept: _Kept) -> None:
    """For its owner alone from the first moment on: never written to a file that others can read."""
    with _file(_path()) as path:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept))
        new.replace(path)


def _kept() -> _Kept:
    with _file(_path()) as path:
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            raise NotSignedInError from None
