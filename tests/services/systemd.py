"""A systemd that is the first process of namespaces of its own, on a copy of this machine's files that is forgotten."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.services.debian import program
from tests.services.process import PAUSE, run, running, wait_until

BOOT = Path(__file__).with_name("systemd-boot")
PATIENCE = 60.0
GONE_WITHIN = 10.0
UNSHARE = ("unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child")


class Systemd:
    """Commands are run in its namespaces, by root. It has the network of this machine."""

    def __init__(self, pid: int, log: Path) -> None:
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--root", "--wd"]
        self._log = log

    def run(self, *command: str) -> None:
        """To its end, which has to be a good one. Raises StartupError with what it said."""
        run([*self._enter, *command], log=self._log, patience=PATIENCE)

    def told(self, *command: str) -> str:
        """What it says, however it ends."""
        done = subprocess.run([*self._enter, *command], capture_output=True, text=True, timeout=PATIENCE, check=False)
        return done.stdout

    def write(self, path: str, text: str) -> None:
        subprocess.run([*self._enter, "tee", path], input=text.encode(), stdout=subprocess.DEVNULL, check=True)


def can_be_run() -> bool:
    """Whether this process may make such namespaces."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def systemd(folder: Path, read_as: Mapping[Path, str]) -> Iterator[Systemd]:
    """Needs root. `folder` is empty; each folder in `read_as` is read under that name, too.

    Installs Debian's `systemd` when there is none. Raises StartupError.
    """
    program("systemctl", package="systemd")
    log = folder.with_suffix(".log")
    bound = [f"{path}:{name}" for path, name in read_as.items()]
    with (
        _group() as group,
        # Systemd does not end because it is asked to: with its first process the namespaces end, and all in them.
        running([*_in_group(group), *UNSHARE, BOOT, folder, *bound], log=log, end=signal.SIGKILL) as process,
    ):
        first: list[int] = []

        def is_up() -> bool:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            first[:] = [int(each) for each in children]
            return bool(first) and Systemd(first[0], log).told("systemctl", "is-active", "nothing.target") == "active\n"

        wait_until(is_up, process, log, "systemd")
        yield Systemd(first[0], log)


@contextmanager
def _group() -> Iterator[Path]:
    """A control group of its own, which is gone afterwards, with those that were made in it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    root = Path(next(where for _, where, kind, *_ in mounts if kind == "cgroup2"))
    group = root / f"medusa-auth-test-{secrets.token_hex(8)}"
    group.mkdir()
    try:
        yield group
    finally:
        until = time.monotonic() + GONE_WITHIN
        while "populated 1" in (group / "cgroup.events").read_text() and time.monotonic() < until:
            time.sleep(PAUSE)
        for each in sorted(group.rglob("*/"), reverse=True):
            each.rmdir()
        group.rmdir()


def _in_group(group: Path) -> list[str]:
    return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(group)]
