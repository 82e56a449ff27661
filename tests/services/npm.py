"""Packages from npm, as a package-lock.json names them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.services.process import run

NPM_CI = ("npm", "ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error")
PATIENCE = 900.0  # seconds; hundreds of megabytes come over the network


def install(folder: Path, log: Path) -> str:
    """Installs what package-lock.json in `folder` says, unless that was done before. Comes back with its hash."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    done = folder / "node_modules" / ".installed"
    if not done.exists() or done.read_text("utf-8") != lock:
        run(NPM_CI, log=log, cwd=folder, patience=PATIENCE)
        done.write_text(lock, "utf-8")
    return lock
