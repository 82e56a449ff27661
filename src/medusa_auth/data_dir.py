"""The data folder: for its owner alone, with the secrets that were made at the first start."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from medusa_auth.errors import SettingsError

__all__ = ["DataDir"]

# 256 bits: RFC 7518, section 3.2 asks for no less with HS256.
SECRET_BYTES = 32


class DataDir:
    """The folder at `path`, as an absolute path."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Make the folder with mode 0700, if it is missing. Raises SettingsError if it cannot be used."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"The data folder {self.path} cannot be made: {error.strerror}.") from None
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            raise SettingsError(f"The data folder {self.path} cannot be written by this user.")

    def secrets(self, name: str, *, make: bool = True) -> tuple[str, ...]:
        """The secrets in the file `name`, one a line: the first signs, all verify. Made, mode 0600, if it is missing.

        Raises SettingsError if the file cannot be read, is empty, can be read by others, or is missing and not to be
        made.
        """
        path = self.path / name
        if make and not path.exists():
            self._make_secret(path)
        try:
            lines = path.read_text(encoding="utf-8").split()
            others = path.stat().st_mode & 0o077
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}.") from None
        if others:
            raise SettingsError(f"{path} can be read by others: `chmod 600 {path}`, and think of making a new secret.")
        if not lines:
            raise SettingsError(
                f"{path} is empty: put a secret into it, or remove it and start again to have one made."
            )
        return tuple(lines)

    def _make_secret(self, path: Path) -> None:
        """Written whole and then linked, so that of two first starts at once both read the same secret."""
        with tempfile.NamedTemporaryFile("w", dir=self.path, encoding="utf-8") as file:  # mode 0600
            file.write(secrets.token_urlsafe(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, path)
            except FileExistsError:
                return
            except OSError as error:
                raise SettingsError(f"{path} cannot be made: {error.strerror}.") from None
