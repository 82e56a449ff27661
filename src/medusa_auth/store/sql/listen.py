"""Who hears of changes, by the database's URL."""

from __future__ import annotations

from collections.abc import Callable

from medusa_auth.store.base import Changes
from medusa_auth.store.sql.changes import SqliteChanges
from medusa_auth.store.sql.engines import is_postgresql
from medusa_auth.store.sql.records import SqlRecords

__all__ = ["listen"]


def listen(
    url: str, records: SqlRecords | None = None, end_sessions: Callable[[str, float], None] | None = None
) -> Changes:
    """Hears of what is announced in the database of `url` from now on; of what `records` announces, at once.

    `end_sessions`: see `PostgresChanges`. Raises UnavailableError.
    """
    if is_postgresql(url):
        # Here and not above: its driver is an extra.
        from medusa_auth.store.sql.postgres_changes import PostgresChanges  # noqa: PLC0415

        changes = PostgresChanges(url, end_sessions=end_sessions)
        if records is not None:
            records.when_announced = changes.hear
        return changes
    return SqliteChanges(url)
