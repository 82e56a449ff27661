"""The schema: made once, by whoever comes first, and nothing of Medusa's is touched."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from medusa_auth.errors import SettingsError
from medusa_auth.store.sql import migrate as module
from medusa_auth.store.sql.migrate import HEAD, migrate
from medusa_auth.store.sql.tables import metadata


def test_the_database_is_for_its_owner_alone(tmp_path: Path, url: str):
    assert stat.S_IMODE((tmp_path / "test.db").stat().st_mode) == 0o600


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_what_the_tables_say(url: str):
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "auth_schema_version"})
        assert compare_metadata(context, metadata) == []


def test_a_second_time_changes_nothing(tmp_path: Path, url: str):
    before = (tmp_path / "test.db").read_bytes()
    migrate(url)
    assert (tmp_path / "test.db").read_bytes() == before


def test_many_who_start_at_once_make_one_schema(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    program = "import sys; from medusa_auth.store.sql.migrate import migrate; migrate(sys.argv[1])"
    starting = [subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in starting] == [(b"", 0)] * 4


def test_where_medusas_tables_stand_only_ours_are_added(tmp_path: Path):
    path = tmp_path / "medusa.db"
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE "user" (id varchar PRIMARY KEY, email varchar NOT NULL, theirs text)')
        connection.execute("CREATE TABLE invite (id varchar PRIMARY KEY)")
        connection.execute("INSERT INTO \"user\" VALUES ('usr_1', 'a@b.co', 'kept')")
    connection.close()
    migrate(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    assert connection.execute('SELECT * FROM "user"').fetchall() == [("usr_1", "a@b.co", "kept")]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert tables - {"sqlite_sequence"} == {table.name for table in metadata.tables.values()} | {"auth_schema_version"}


def test_a_schema_of_a_newer_version_is_refused(tmp_path: Path, url: str):
    with sqlite3.connect(tmp_path / "test.db") as connection:
        connection.execute("UPDATE auth_schema_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SettingsError, match="newer"):
        migrate(url)


@pytest.mark.parametrize("kind", ["garbage", "folder"])
def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path, kind: str):
    path = tmp_path / "broken.db"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(SettingsError, match=r"broken\.db"):
        migrate(f"sqlite:///{path}")
