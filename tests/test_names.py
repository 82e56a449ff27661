"""What a module says that it has, it has; ruff sees to the order (RUF022)."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import medusa_auth

MODULES = [
    module.name
    for module in pkgutil.walk_packages(medusa_auth.__path__, "medusa_auth.")
    if "migrations" not in module.name and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["medusa_auth", *MODULES])
def test_all_is_true(name: str):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public)


def test_a_server_on_sqlite_loads_neither_the_client_nor_what_other_servers_need(tmp_path: Path):
    """Each takes one to ten megabytes of every worker's memory."""
    program = (
        "import sys; from pathlib import Path\n"
        "from medusa_auth.server.app import create_app\nfrom medusa_auth.settings import from_env\n"
        "create_app(from_env({}, data_dir=Path(sys.argv[1])))\nprint(*sys.modules)"
    )
    for _ in range(2):
        # The first start migrates, with all that takes.
        command = [sys.executable, "-c", program, str(tmp_path / "data")]
        loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    unwanted = {"httpx2", "typer", "alembic", "aiosmtplib", "psycopg", "sqlalchemy.dialects.postgresql"}
    assert loaded & unwanted == set()
