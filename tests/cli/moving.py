"""What the tests of `medusa-auth import` share: people in a Medusa's database, and the command."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "supersecret"
# Medusa's own, of that password, with N=2.
HASH = (
    "c2NyeXB0AAEAAAABAAAAAe/z++GphXoejRyNFxmf0S4IC75HE/LF5VSwSzFBbjDrlpJFZYVdkIBSeE4NLu7nzVvldYELkMPmt7CqOX+kSHF+90cfwqSW"
    "EPl9ETKFssCb"
)
API_TOKEN = "an-api-token-of-adas"

USERS = """
    INSERT INTO "user"
      (id, email, first_name, last_name, password_hash, api_token, created_at, updated_at, deleted_at, metadata, role)
    VALUES
      ('usr_ada', 'ada@example.com', 'Ada', 'Löve 🔑', %(hash)s, %(token)s, '2024-02-29 23:59:59.999999+00',
        '2025-01-01 00:00:00.000001+05:45', NULL, '{"a": {"b": [1, null, "ü", 1.5, 12345678901234567890]}}', 'admin'),
      ('usr_bob', 'bob@example.com', NULL, NULL, NULL, NULL, '2024-01-01Z', '2024-01-01Z', NULL, NULL, NULL),
      ('usr_dev', 'jürgen@example.com', '', '', %(hash)s, '', '2024-01-02Z', '2024-01-02Z', NULL, '{}', 'developer'),
      ('usr_old', 'ada@example.com', 'Old', NULL, %(hash)s, 'the-token-of-a-deleted-one', '2020-01-01Z', '2023-01-01Z',
        '2023-01-01Z', NULL, 'member'),
      ('usr_solo', 'Solo@Example.com', NULL, NULL, %(hash)s, NULL, '2024-01-03Z', '2024-01-03Z', NULL, 'null', 'member')
"""
INVITES = """
    INSERT INTO invite
      (id, user_email, role, accepted, created_at, updated_at, deleted_at, metadata, token, expires_at)
    VALUES
      ('invite_open', 'new@example.com', 'developer', false, '2024-01-01Z', '2024-01-02Z', NULL, '{"a": 1}', 'a.b.c',
        now() + interval '3 days'),
      ('invite_norole', 'NoRole@example.com', NULL, false, '2024-01-01Z', '2024-01-02Z', NULL, NULL, 'a.b.c',
        now() + interval '3 days'),
      ('invite_accepted', 'was@example.com', 'admin', true, now(), now(), NULL, NULL, 'a.b', now() + interval '1 day'),
      ('invite_over', 'late@example.com', 'admin', false, now(), now(), NULL, NULL, 'a.b.c', now()),
      ('invite_gone', 'gone@example.com', 'admin', false, now(), now(), now(), NULL, 'a.b.c', now() + interval '1 day'),
      ('invite_joined', 'ADA@example.com', 'admin', false, now(), now(), NULL, NULL, 'a.b.c', now() + interval '1 day'),
      ('invite_joined_2', 'solo@example.com', 'admin', false, now(), now(), NULL, NULL, 'a', now() + interval '1 day')
"""
# What each of the columns is kept as, in the order of the tables.
USER_COLUMNS = "id email first_name last_name password_hash api_token created_at updated_at deleted_at metadata role"
INVITE_COLUMNS = "id user_email role accepted created_at updated_at deleted_at metadata expires_at"


def add_people(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(USERS, {"hash": HASH, "token": API_TOKEN})
        connection.execute(INVITES)


def add_user(url: str, user_id: str, email: str, **values: Any) -> None:
    values = {"id": user_id, "email": email} | values
    columns = ", ".join(values)
    with psycopg.connect(url) as connection:
        places = ", ".join(["%s"] * len(values))
        connection.execute(f'INSERT INTO "user" ({columns}) VALUES ({places})', list(values.values()))


def add_many(url: str, count: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            """INSERT INTO "user" (id, email, first_name, password_hash, api_token, metadata)
               SELECT 'usr_' || lpad(i::text, 26, '0'), 'u' || i || '@example.com', 'N' || i, %s,
                 CASE WHEN i %% 100 = 0 THEN md5(i::text) END, CASE WHEN i %% 10 = 0 THEN '{"a": 1}'::jsonb END
               FROM generate_series(1, %s) AS i""",
            [HASH, count],
        )


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


@dataclass(frozen=True)
class Target:
    """Where people go to: a data folder, and perhaps a database beside it."""

    folder: Path
    database_url: str = ""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(query).fetchall()
        path = self.folder / "data" / "medusa-auth.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query).fetchall()

    def write(self, statement: str) -> None:
        if self.database_url:
            execute(self.database_url, statement)
            return
        with closing(sqlite3.connect(self.folder / "data" / "medusa-auth.db")) as connection, connection:
            connection.execute(statement)

    def users(self) -> list[dict[str, Any]]:
        return self._table("user", USER_COLUMNS)

    def invites(self) -> list[dict[str, Any]]:
        return self._table("invite", INVITE_COLUMNS)

    def tokens(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT user_id, name, token_hash FROM auth_api_token ORDER BY user_id")

    def _table(self, table: str, columns: str) -> list[dict[str, Any]]:
        names = columns.split()
        found = self.rows(f'SELECT {", ".join(names)} FROM "{table}" ORDER BY id')
        return [dict(zip(names, map(plain, names, row), strict=True)) for row in found]

    @property
    def environ(self) -> dict[str, str]:
        own = {"MEDUSA_AUTH_DATA_DIR": str(self.folder / "data")}
        return {**os.environ, **own, **({"DATABASE_URL": self.database_url} if self.database_url else {})}


def plain(name: str, value: Any) -> Any:
    """As Python has it, whichever database it comes from."""
    if name.endswith("_at") and isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if name == "metadata" and isinstance(value, str):
        return json.loads(value)
    return bool(value) if name == "accepted" else value


def source_users(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url) as connection:
        found = connection.execute(f'SELECT {", ".join(USER_COLUMNS.split())} FROM "user" ORDER BY id').fetchall()
    return [dict(zip(USER_COLUMNS.split(), row, strict=True)) for row in found]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "medusa_auth", *arguments]


def run_import(target: Target, source: str, *arguments: str, status: int = 0) -> str:
    """What is said. The source is told by the variable."""
    environ = target.environ | {"MEDUSA_AUTH_IMPORT_FROM": source}
    line = command("import", *arguments)
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def counts(said: str) -> dict[str, tuple[int, int]]:
    """The table at the end: users and invites of each outcome."""
    found = {}
    for line in said.splitlines():
        words = line.rsplit(maxsplit=2)
        if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
            found[words[0].strip()] = (int(words[1]), int(words[2]))
    return found
