"""A PgBouncer of its own for a test, before a PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url
from tests.services.debian import program
from tests.services.process import free_port, running, wait_until

# PgBouncer refuses to be run by root; its package has this user.
USER = "postgres"


@contextmanager
def pgbouncer(url: str, mode: Literal["session", "transaction"]) -> Iterator[str]:
    """The address of the database of `url`, behind a PgBouncer that leaves the settings of a connection out.

    Installs Debian's `pgbouncer` when there is none. Raises StartupError.
    """
    executable = program("pgbouncer", package="pgbouncer", folders="usr/sbin")
    direct, port = make_url(url), free_port()
    user = USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="medusa-auth-pgbouncer-") as name:
        folder = Path(name)
        (folder / "users").write_text(f'"{direct.username}" "{direct.password}"\n', "utf-8")
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": folder / "users",
            "pool_mode": mode,
            "ignore_startup_parameters": "options",
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        databases = f"[databases]\n* = host=127.0.0.1 port={direct.port}\n[pgbouncer]\n"
        (folder / "settings").write_text(databases + "\n".join(lines), "utf-8")
        if user is not None:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        log = folder / "log"
        with running([executable, folder / "settings"], log=log, cwd=folder, user=user) as process:
            wait_until(lambda: _accepts(port), process, log, "PgBouncer")
            yield direct.set(port=port).render_as_string(hide_password=False)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
