"""Fills a store with users and sessions, faster than the rules would."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import msgspec
import psycopg
import redis
from sqlalchemy.engine import make_url

from bench.setups import SQLITE, Store
from medusa_auth.core.ids import secret_hash
from medusa_auth.model import Session
from medusa_auth.store.redis.sessions import OF_USER_PREFIX, SESSION_PREFIX
from medusa_auth.store.sql.engines import psycopg_url

__all__ = ["bytes_per_session", "fill", "session_id", "user_id"]

BATCH = 10_000
LIFE = timedelta(hours=10)
# The columns of the table `auth_session` are in the same order.
_row = attrgetter(*(each.name for each in fields(Session)))


def user_id(number: int) -> str:
    return f"usr_{number:026}"


def session_id(number: int) -> str:
    return f"{number:032}"


def fill(store: Store, first: int, last: int) -> None:
    """Users and sessions from number `first` to before `last`, a session each."""
    if store.name == SQLITE:
        _fill_sqlite(store, first, last)
    else:
        _fill_postgresql(store, first, last)
    if store.redis_url:
        _fill_redis(store.redis_url, first, last)


def bytes_per_session(store: Store, count: int) -> float:
    """What one takes where it is kept, with its indexes."""
    if store.redis_url:
        with redis.from_url(store.redis_url) as client:
            return int(client.info("memory")["used_memory_dataset"]) / count
    if store.name == SQLITE:
        with sqlite3.connect(make_url(store.database_url).database or "") as connection:
            query = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%auth_session%' AND name NOT LIKE '%ended%'"
            return int(connection.execute(query).fetchone()[0]) / count
    with psycopg.connect(psycopg_url(store.database_url)) as connection:
        row = connection.execute("SELECT pg_total_relation_size('auth_session')").fetchone()
        return (row[0] if row else 0) / count


def _users(first: int, last: int) -> Iterator[tuple[str, str, str]]:
    return ((user_id(n), f"user-{n}@example.com", "member") for n in range(first, last))


def _sessions(first: int, last: int) -> Iterator[Session]:
    now = datetime.now(UTC)
    for n in range(first, last):
        yield Session(secret_hash(session_id(n)), user_id(n), now, now, now + LIFE, "192.0.2.1", "Mozilla/5.0 (bench)")


def _fill_sqlite(store: Store, first: int, last: int) -> None:
    def value(of: object) -> object:
        return of.replace(tzinfo=None).isoformat(" ") if isinstance(of, datetime) else of

    rows = ([value(each) for each in _row(session)] for session in _sessions(first, last))
    with sqlite3.connect(make_url(store.database_url).database or "") as connection:
        connection.executemany('INSERT INTO "user" (id, email, role) VALUES (?, ?, ?)', _users(first, last))
        connection.executemany("INSERT INTO auth_session VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
        connection.execute("ANALYZE")


def _fill_postgresql(store: Store, first: int, last: int) -> None:
    with psycopg.connect(psycopg_url(store.database_url)) as connection, connection.cursor() as cursor:
        with cursor.copy('COPY "user" (id, email, role) FROM STDIN') as copy:
            for user in _users(first, last):
                copy.write_row(user)
        if not store.redis_url:
            with cursor.copy("COPY auth_session FROM STDIN") as copy:
                for session in _sessions(first, last):
                    copy.write_row(_row(session))
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def _fill_redis(url: str, first: int, last: int) -> None:
    with redis.from_url(url) as client:
        connection = client.connection_pool.get_connection()
        try:
            for start in range(first, last, BATCH):
                commands = [*_commands(start, min(start + BATCH, last))]
                connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                for _ in commands:
                    connection.read_response()
        finally:
            client.connection_pool.release(connection)


def _commands(first: int, last: int) -> Iterator[tuple[str | bytes | int | float, ...]]:
    for s in _sessions(first, last):
        yield "SET", SESSION_PREFIX + s.id_hash, msgspec.json.encode(s), "PX", LIFE // timedelta(milliseconds=1)
        yield "ZADD", OF_USER_PREFIX + s.user_id, s.expires_at.timestamp(), s.id_hash
