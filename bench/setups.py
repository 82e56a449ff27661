"""What the server is measured on: SQLite, PostgreSQL, PostgreSQL and Redis."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.services.postgres import PostgresCluster, postgres_cluster
from tests.services.redis import redis_server

from bench.cores import LOAD_CORE, on_core
from medusa_auth.store.sql.migrate import migrate

__all__ = ["NAMES", "SQLITE", "Setups", "Store", "setups"]

NAMES = SQLITE, POSTGRESQL, REDIS = "SQLite", "PostgreSQL", "PostgreSQL + Redis"


@dataclass(frozen=True)
class Store:
    """`environ` are the settings of a server on it."""

    name: str
    environ: Mapping[str, str]

    @property
    def database_url(self) -> str:
        return self.environ["DATABASE_URL"]

    @property
    def redis_url(self) -> str | None:
        return self.environ.get("REDIS_URL")


@dataclass(frozen=True)
class Setups:
    names: tuple[str, ...]
    _new: Callable[[str, str], Store]

    def new(self, name: str, label: str) -> Store:
        """An empty store with our schema; `label` is part of its name."""
        return self._new(name, label)


@contextlib.contextmanager
def setups(folder: Path) -> Iterator[Setups]:
    """The stores share the core of the load: what is measured has one of its own."""
    with contextlib.ExitStack() as stack:
        with on_core(LOAD_CORE):
            postgres: PostgresCluster = stack.enter_context(postgres_cluster())

        numbers = itertools.count()

        def new(name: str, label: str) -> Store:
            label = f"{label}_{next(numbers)}"
            if name == SQLITE:
                environ = {"DATABASE_URL": f"sqlite:///{folder / label}.db"}
            else:
                environ = {"DATABASE_URL": postgres.create_database(label)}
            if name == REDIS:
                with on_core(LOAD_CORE):
                    environ["REDIS_URL"] = stack.enter_context(redis_server()).url
            migrate(environ["DATABASE_URL"])
            return Store(name, environ)

        yield Setups(NAMES, new)
