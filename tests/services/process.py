"""Starts programs for tests and stops them again, by their process group and by nothing else."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60.0  # seconds for a start, on a slow machine
GRACE = 10.0  # seconds for an orderly end
TAIL = 40  # lines of a log that usually tell what went wrong
PAUSE = 0.05  # seconds between two looks
# Below those that Linux gives to connections (ip_local_port_range), and above the last that Chromium refuses. A Redis
# Cluster's servers speak to each other on ports that are 10,000 higher: these are below, too, and not among these.
# Each process of a run has its own of them.
WORKER, WORKERS = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
PORTS = range(11_000, 21_000)[int(WORKER.removeprefix("gw")) :: int(WORKERS)]
TRIES = 1000

_given: set[int] = set()


class StartupError(Exception):
    """A program did not start; the message ends with the last lines of its log."""

    def __init__(self, reason: str, log: Path) -> None:
        super().__init__(f"{reason}; its log ends with:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of `log`; empty when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-TAIL:])


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on, given once, and none that the kernel gives to a connection."""
    for _ in range(TRIES):
        port = secrets.choice(PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise LookupError("there is no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    patience: float = PATIENCE,
) -> None:
    """Runs `command` to its end, its output added to `log`. Raises StartupError unless it ends well and in time."""
    with running(command, log=log, cwd=cwd, env=env, user=user) as process:
        try:
            status = process.wait(patience)
        except subprocess.TimeoutExpired:
            raise StartupError(f"{command[0]} took longer than {patience:.0f} s", log) from None
    if status:
        raise StartupError(f"{command[0]} ended with status {status}", log)


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `command` in a process group of its own, its output added to `log`, until the block is left."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process, end)


def stop(process: subprocess.Popen[bytes], end: signal.Signals = signal.SIGTERM) -> None:
    """Asks the group of `process` to end, and kills what is left of it after ten seconds."""
    if process.poll() is None:
        os.killpg(process.pid, end)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    """Comes back when `ready` says so. Raises StartupError when `process` ends before that, or after a minute."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None:
            raise StartupError(f"{name} ended with status {process.returncode}", log)
        if time.monotonic() > deadline:
            raise StartupError(f"{name} was not ready in {PATIENCE:.0f} s", log)
        time.sleep(PAUSE)
