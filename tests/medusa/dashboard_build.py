"""Medusa's dashboard, built from npm for the path /app of the same origin."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.services.npm import install
from tests.services.process import StartupError, run

HERE = Path(__file__).resolve().parent / "dashboard"
BUILD = ("node_modules/.bin/medusa-admin", "build", "--deployment", "--path", "/app", "--backend", "/")
PATIENCE = 900.0  # seconds; one minute where nothing else runs


def built_dashboard() -> Path:
    """The folder of its index.html. Built once for every package-lock.json: it takes minutes. Raises StartupError."""
    with tempfile.TemporaryDirectory(prefix="medusa-auth-dashboard-") as name:
        log = Path(name) / "log"
        lock = install(HERE, log)
        folder = HERE / "build"
        done = folder / ".built"
        if not done.exists() or done.read_text("utf-8") != lock:
            run(BUILD, log=log, cwd=HERE, patience=PATIENCE)
            # It ends well even when webpack does not.
            if not (folder / "index.html").exists():
                raise StartupError("Medusa's dashboard was not built", log)
            done.write_text(lock, "utf-8")
        return folder
