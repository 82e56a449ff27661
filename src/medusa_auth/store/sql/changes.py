"""`Changes` on SQLite.

`PRAGMA data_version`, on a connection of its own, tells in microseconds whether any other connection, of this process
or another, has committed; only then is the table of announcements read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from sqlalchemy.engine import make_url

from medusa_auth.errors import UnavailableError

__all__ = ["SqliteChanges"]

# Whoever asks is an event loop, where nobody is answered meanwhile.
BUSY_SECONDS = 0.1


class SqliteChanges:
    """Hears of what is announced in the SQLite file of `url` from now on."""

    delay = 0.0

    def __init__(self, url: str) -> None:
        try:
            self._connection = sqlite3.connect(
                make_url(url).database or "", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise UnavailableError(f"The database cannot be read: {error}.") from None
        try:
            self._connection.execute("PRAGMA query_only=ON")
            self._version = self._data_version()
            self._seq = self._last_seq()
        except sqlite3.Error as error:
            self._connection.close()
            raise UnavailableError(f"The database cannot be read: {error}.") from None

    def poll(self) -> Collection[str] | None:
        try:
            version = self._data_version()
            if version == self._version:
                return ()
            # A commit after this line changes the version again, and the next call looks again.
            rows = self._connection.execute(
                "SELECT seq, user_id FROM auth_change WHERE seq >= ? ORDER BY seq", (self._seq,)
            ).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(f"The database cannot be read: {error}.") from None
        # The last one that was heard is gone: what came after it may be, too.
        # Where nothing was announced yet, the first to come has the number 1.
        first = rows[0][0] if rows else 0
        missed = first != self._seq if self._seq else first > 1
        news = {user_id for seq, user_id in rows if seq > self._seq}
        self._version = version
        if rows:
            self._seq = rows[-1][0]
        return None if missed else news

    def close(self) -> None:
        self._connection.close()

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _last_seq(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(seq), 0) FROM auth_change").fetchone()[0])
