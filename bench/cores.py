"""What is measured runs on one core, and the load and the stores on another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LOAD_CORE", "SERVER_CORE", "cpu_seconds", "move", "on_core", "running"]

SERVER_CORE, LOAD_CORE = 0, max(0, (os.cpu_count() or 1) - 1)


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Whatever is started meanwhile stays on this core; None: on all of them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(program: str, core: int) -> None:
    """Move every descendant of this process that runs `program`, with its threads, to `core`."""
    for pid in running(program):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def running(program: str) -> list[int]:
    """The process ids of the descendants of this process that run `program`."""
    return [pid for pid in _descendants(os.getpid()) if program in Path(f"/proc/{pid}/comm").read_text()]


def cpu_seconds(*pids: int) -> float:
    """What the threads of these processes have had of a core so far."""
    threads = (each for pid in pids for each in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = each.read_text().rpartition(")")[2].split()
            parents[int(each.parent.name)] = int(fields[1])
    return _descendants_of(pid, parents)


def _descendants_of(pid: int, parents: dict[int, int]) -> list[int]:
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [each for child in found for each in _descendants_of(child, parents)]
