"""`medusa-auth migrate`."""

from __future__ import annotations

from medusa_auth.cli.common import DataDirOption, errors_shown, escaped, output
from medusa_auth.settings import from_env
from medusa_auth.store.sql.engines import place
from medusa_auth.store.sql.migrate import HEAD, Schema
from medusa_auth.store.sql.shared import prepare

__all__ = ["migrate"]


def migrate(data_dir: DataDirOption = None) -> None:
    """Bring the database's schema up to date, and say what was done. Every start does so too.

    In a store's own database only tables that begin with auth_ are added; Medusa's stay as they are. In shared mode its
    table of users gets a trigger, too.
    """
    with errors_shown():
        settings = from_env(data_dir=data_dir)
        before = prepare(settings.database_url, shared=settings.shared)
        for line in _told(before, place(settings.database_url)):
            output.print(escaped(line), highlight=False, emoji=False, soft_wrap=True)


def _told(before: Schema, where: str) -> list[str]:
    if before.version == HEAD:
        return [f"Nothing to do: the schema of {where} is version {HEAD}."]
    if before.version is not None:
        return [f"Migrated {where} from version {before.version} to {HEAD}."]
    lines = [f"Made the schema, version {HEAD}, in {where}."]
    if before.medusas:
        stood = " and ".join(before.medusas)
        lines.append(f"Medusa's {stood} stood there already, and nothing of it changed: only ours, auth_*, were added.")
    return lines
