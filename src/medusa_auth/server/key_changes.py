"""Reads the keys anew, when a signal says so, and tells the log what became of it; never a key."""

from __future__ import annotations

import structlog

from medusa_auth.errors import SettingsError
from medusa_auth.settings import Settings, reread_keys, unchangeable_keys

__all__ = ["KeyChanges"]

_log = structlog.get_logger()


class KeyChanges:
    """`keys` are those in force: at first those of `settings`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._before = self.keys = settings.keys

    def read(self) -> bool:
        """Whether `keys` are those in the files now; if those are no good, they stay, and the log says why."""
        for variable in unchangeable_keys():
            _log.warning(f"{variable} is in the environment, which cannot change while the server runs: start it again")
        try:
            keys = reread_keys(self._settings)
        except SettingsError as error:
            _log.error("keys not reloaded, those before stay in force", reason=str(error))
            return False
        self._before, self.keys = self.keys, keys
        return True

    def log(self) -> None:
        """That they are in use."""
        _log.info(
            "keys reloaded",
            jwt=_change(self._before.jwt, self.keys.jwt),
            jwt_keys=len(self.keys.jwt),
            cookie=_change(self._before.cookie, self.keys.cookie),
            cookie_keys=len(self.keys.cookie),
        )


def _change(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """What became of the keys of one kind."""
    if before == after:
        return "unchanged"
    changes = {
        "another signs": before[0] != after[0],
        "some were added": bool(set(after) - set(before)),
        "some were removed": bool(set(before) - set(after)),
    }
    return ", ".join(what for what, is_so in changes.items() if is_so) or "in another order"
