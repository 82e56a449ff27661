"""docs/performance.md, made of what was found."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.aims import aims
from bench.results import Results

__all__ = ["page"]

LIBRARIES = ("uvicorn", "starlette", "uvloop", "msgspec", "sqlalchemy", "psycopg", "redis", "argon2-cffi")


def page(results: Results, minutes: float, *, quick: bool) -> str:
    """The whole page: `make bench` writes it anew."""
    machine = (
        f"{os.cpu_count()} cores ({_processor()}), {_memory():.0f} GiB, {platform.system()}; "
        f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}"
    )
    rough = "**It was a short run (`--quick`): its figures are rough.** " if quick else ""
    head = f"""# Performance

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, in one run of {minutes:.0f} minutes. {rough}What is compared
ran on the same machine, in turns, and each figure is the median of short rounds. Machines are noisy, and yours is
another one: **read the ratios, not the numbers.** *Rounds* are the least and the greatest ratio of a round.

The machine: {machine}. PostgreSQL and Redis are Debian's, on the same machine, and do not wait for a disk
(`fsync=off`); SQLite waits for its disk.

"""
    return head + "\n".join(table.markdown() for table in [aims(results), *results])


def _processor() -> str:
    found = re.search(r"model name\s+: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
