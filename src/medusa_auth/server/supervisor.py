"""Keeps several workers: `python -m medusa_auth.server.supervisor SOCKET WORKERS`, on a socket that is bound already.

Each worker is a process of its own that accepts from the same socket. One that dies is replaced at once. One that
stands still is left alone: what is not scheduled for a while (a machine that was suspended, a process that was
stopped) is well when it goes on, and the others answer meanwhile.

The keys in force are the supervisor's, so that all workers have the same, whatever is in the files when they start.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable

import msgspec
import structlog

from medusa_auth.errors import SettingsError
from medusa_auth.server.control import MAX_LINE, Report
from medusa_auth.server.key_changes import KeyChanges
from medusa_auth.server.listening import answer_no_new_clients
from medusa_auth.server.logs import configure_logs
from medusa_auth.settings import Keys, from_env

# Workers end within 30 s, whatever happens; one that is stopped does not, and is killed.
KILL_AFTER_SECONDS = 35.0
# A worker that lived for less has to wait for its successor: longer each time, so that nothing spins.
SHORT_LIFE_SECONDS = 10.0
PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
# Keys are in use within milliseconds; a worker that is stopped takes them when it goes on, before anything else.
RELOADED_WITHIN_SECONDS = 1.0

_log = structlog.get_logger()


class Worker:
    """A process, and the line to it."""

    def __init__(self, process: Process, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self._process = process
        self._reader, self._writer = line
        self._reloaded = asyncio.Event()
        self.was_ready = False
        self.failure: str | None = None

    @classmethod
    async def start(cls, listening: socket.socket, keys: Keys) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            line = await asyncio.open_connection(sock=ours, limit=MAX_LINE)
            numbers = (listening.fileno(), theirs.fileno())
            if numbers[0] < 0:
                # Closed meanwhile, for the server ends.
                line[1].close()
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "medusa_auth.server.worker", *map(str, numbers)), pass_fds=numbers
            )
        worker = cls(process, line)
        worker.use_keys(keys)
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    def use_keys(self, keys: Keys) -> None:
        self._reloaded.clear()
        self._writer.write(msgspec.json.encode(keys) + b"\n")

    async def uses_keys(self) -> bool:
        """Whether it says so soon. One that is not ready yet takes them before it is."""
        if not self.was_ready:
            return True
        try:
            await asyncio.wait_for(self._reloaded.wait(), RELOADED_WITHIN_SECONDS)
        except TimeoutError:
            return False
        return True

    async def life(self, when_ready: Callable[[Worker], None]) -> int:
        """Its status, when it has ended."""
        try:
            while line := await self._reader.readline():
                self._heard(msgspec.json.decode(line, type=Report), when_ready)
        except ConnectionError:
            pass
        self._writer.close()
        return await self._process.wait()

    def _heard(self, report: Report, when_ready: Callable[[Worker], None]) -> None:
        self.failure = report.failed
        if report.ready:
            self.was_ready = True
            when_ready(self)
        if report.reloaded:
            self._reloaded.set()

    def end(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


class Supervisor:
    """Keeps `count` workers until it is told to stop."""

    def __init__(self, listening: socket.socket, count: int, changes: KeyChanges) -> None:
        self._listening = listening
        self._count = count
        self._changes = changes
        self._workers: set[Worker] = set()
        self._is_ending = asyncio.Event()
        self._has_served = False
        # The last one that the log tells of: once is enough.
        self._failure: str | None = None
        self._reloading: asyncio.Task[None] | None = None

    async def run(self) -> int:
        """The status to end with: 0 after a signal, 1 if no worker could ever start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        # Blocked since before this process began: one that came meanwhile comes now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        await asyncio.gather(*(self._keep() for _ in range(self._count)))
        return 0 if self._has_served or self._failure is None else 1

    async def _keep(self) -> None:
        """One worker after the other."""
        short_lives = 0
        while not self._is_ending.is_set():
            began_at = time.monotonic()
            await self._one_life()
            if not self._has_served and not self._is_ending.is_set():
                # What no worker can start with is wrong with all of them, and whoever started them is to know.
                self._end()
            short_lives = short_lives + 1 if time.monotonic() < began_at + SHORT_LIFE_SECONDS else 0
            await self._pause(PAUSES[min(max(short_lives - 1, 0), len(PAUSES) - 1)])

    async def _one_life(self) -> None:
        keys = self._changes.keys
        try:
            worker = await Worker.start(self._listening, keys)
        except OSError as error:
            if not self._is_ending.is_set():
                self._tell_of_failure(f"no process can be made: {error.strerror}")
            return
        self._workers.add(worker)
        if self._changes.keys is not keys:
            # Replaced while it was being started, when nobody could tell it.
            worker.use_keys(self._changes.keys)
        if self._is_ending.is_set():
            worker.end()
        status = await worker.life(self._is_ready)
        self._workers.discard(worker)
        if not self._is_ending.is_set():
            self._tell_of_end(worker, status)

    def _is_ready(self, worker: Worker) -> None:
        self._has_served = True
        self._failure = None
        _log.info("worker ready", pid=worker.pid)

    def _tell_of_end(self, worker: Worker, status: int) -> None:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        if worker.was_ready:
            _log.error("worker ended, another one takes its place", pid=worker.pid, how=how)
        else:
            self._tell_of_failure(worker.failure or how)

    def _tell_of_failure(self, failure: str) -> None:
        if failure != self._failure:
            _log.error("worker cannot start" if self._has_served else "the server cannot start", reason=failure)
        self._failure = failure

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._is_ending.wait(), seconds)
        except TimeoutError:
            return

    def _told_to_end(self) -> None:
        """Asked once, each worker finishes what it has begun; asked twice, nothing is waited for."""
        if self._is_ending.is_set():
            self._kill()
        else:
            self._end()

    def _end(self) -> None:
        self._is_ending.set()
        answer_no_new_clients(self._listening)
        # Before the workers: the last of them takes all who are connected, and then nobody can be.
        self._listening.close()
        for worker in self._workers:
            worker.end()
        asyncio.get_running_loop().call_later(KILL_AFTER_SECONDS, self._kill)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def _reload(self) -> None:
        if not self._is_ending.is_set() and self._changes.read():
            workers = tuple(self._workers)
            for worker in workers:
                worker.use_keys(self._changes.keys)
            self._reloading = asyncio.create_task(self._tell_of_reload(workers))

    async def _tell_of_reload(self, workers: tuple[Worker, ...]) -> None:
        late = [
            worker.pid
            for worker, uses in zip(workers, await asyncio.gather(*(w.uses_keys() for w in workers)), strict=True)
            if not uses
        ]
        if late:
            _log.warning("workers that do not answer take the new keys when they go on", pids=late)
        self._changes.log()


def main(listening: socket.socket, count: int) -> int:
    # Before the supervisor listens to signals there is nothing to finish, and Python would show a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    configure_logs("auto")
    try:
        settings = from_env()
    except SettingsError as error:
        _log.error("the server cannot start", reason=str(error))
        return 1
    configure_logs(settings.log_format)

    async def supervise() -> int:
        return await Supervisor(listening, count, KeyChanges(settings)).run()

    return asyncio.run(supervise())


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])))
