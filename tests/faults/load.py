"""Requests without end, over connections that are kept and over new ones, and what became of each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

from tests.faults.servers import Headers, Server, ask, login, until

Outcomes = Counter[int | str]
"""How often there was each status, or each error, by its name."""

CHECK = ("GET", "/admin/auth")
LOGIN = ("POST", "/admin/auth")
REFUSED = "ConnectionRefusedError"


class Load:
    """Threads that ask. One that is refused a connection ends; after any other error it goes on with a new one."""

    def __init__(self, server: Server, headers: Headers) -> None:
        self.outcomes: Outcomes = Counter()
        self._server = server
        self._headers = headers
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(64)
        self._working: list[Future[None]] = []

    def begin(self, kept: int, new: int, logins: int) -> None:
        ways: Sequence[Callable[[], None]] = (
            *[self._ask_over_kept] * kept,
            *[partial(self._ask_over_new, CHECK)] * new,
            *[partial(self._ask_over_new, LOGIN)] * logins,
        )
        self._working = [self._threads.submit(self._until_over, way) for way in ways]
        self.goes_on(2 * len(ways))

    def goes_on(self, more: int) -> None:
        """Returns when `more` have been answered."""
        before = self.outcomes[200]
        until(lambda: self.outcomes[200] >= before + more, "nothing is answered any more")

    def end(self) -> Outcomes:
        self._over.set()
        return self.ended()

    def ended(self) -> Outcomes:
        """When all threads have ended by themselves."""
        for each in self._working:
            each.result(60)
        return self.outcomes

    def close(self) -> None:
        self._over.set()
        self._threads.shutdown()

    def _until_over(self, way: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                way()
            except OSError as error:
                self._count(type(error).__name__)
                if isinstance(error, ConnectionRefusedError):
                    return

    def _ask_over_kept(self) -> None:
        with closing(self._server.connect()) as connection:
            while not self._over.is_set():
                answer = ask(connection, *CHECK, self._headers)
                self._count(answer.status)
                if answer.headers.get("connection") == "close":
                    return

    def _ask_over_new(self, request: tuple[str, str]) -> None:
        body = login() if request == LOGIN else None
        self._count(self._server.call(*request, None if body else self._headers, body).status)

    def _count(self, outcome: int | str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1


@contextmanager
def load(server: Server, headers: Headers, *, kept: int = 6, new: int = 6, logins: int = 2) -> Iterator[Load]:
    """Has begun: each thread has been answered, more or less."""
    begun = Load(server, headers)
    try:
        begun.begin(kept, new, logins)
        yield begun
    finally:
        begun.close()
