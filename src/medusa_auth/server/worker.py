"""A process that serves: `python -m medusa_auth.server.worker SOCKET [CONTROL]`, on a socket that is bound already.

Settings come from the environment. CONTROL is a socket to the supervisor, where there is one: over it come the keys,
at the start and whenever they are replaced, and over it the worker says that it is ready, or why it cannot be.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import msgspec
import structlog
import uvicorn
import uvloop

from medusa_auth.errors import MedusaAuthError, SettingsError
from medusa_auth.server.app import Application, app_from_env
from medusa_auth.server.control import Report
from medusa_auth.server.http import BoundedHttpProtocol
from medusa_auth.server.key_changes import KeyChanges
from medusa_auth.server.listening import HANDSHAKE_SECONDS, accepted, answer_no_new_clients
from medusa_auth.server.logs import configure_logs
from medusa_auth.settings import Keys

# What is being answered when the server is told to stop has this long to finish.
GRACE_SECONDS = 30


class OrderlyServer(uvicorn.Server):
    """uvicorn's server, with an orderly end: whoever was let in is answered, and the process ends with status 0."""

    def __init__(
        self, application: Application, when_ready: Callable[[], None] = lambda: None, *, is_alone: bool = False
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=BoundedHttpProtocol,
                ws="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._when_ready = when_ready
        # Whether nobody else listens to the same sockets, or all who do end as well.
        self._is_alone = is_alone

    def end(self) -> None:
        """As a signal does, when all who listen end."""
        self._is_alone = True
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for end in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(end, self.handle_exit, end, None)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What is there now stays: to look through it for garbage every now and then held up all requests.
            gc.collect()
            gc.freeze()
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._let_in_the_last(sockets or [])
        await super().shutdown(sockets)

    async def _let_in_the_last(self, sockets: Sequence[socket.socket]) -> None:
        """Stop to listen, and take all who are connected by then: see `server.listening`."""
        if self._is_alone:
            for each in sockets:
                answer_no_new_clients(each)
        await asyncio.sleep(HANDSHAKE_SECONDS)
        last: list[socket.socket] = []
        queues = [each.dup() for each in sockets]
        for server in self.servers:
            server.close()
        # The event loop closes its own at its next turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for queue, listening in zip(queues, sockets, strict=True):
            listening.close()
            last += accepted(queue)
            queue.close()
        for connection in last:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> BoundedHttpProtocol:
        return BoundedHttpProtocol(self.config, self.server_state, self.lifespan.state)


async def serve_alone(listening: socket.socket) -> None:
    """Until a signal says to stop. HUP reads the keys anew. Raises SettingsError and UnavailableError."""
    application = app_from_env()
    changes = KeyChanges(application.parts.settings)

    def reload() -> None:
        if changes.read():
            application.use_keys(changes.keys)
            changes.log()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    # Blocked since before this process began: one that came meanwhile comes now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    await OrderlyServer(application, is_alone=True).serve([listening])


async def serve_for_supervisor(listening: socket.socket, control: socket.socket) -> int:
    """Until a signal says to stop, or the supervisor is gone; the status to end with."""
    # A terminal's goes to all of its processes.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _, line = await asyncio.get_running_loop().create_connection(_Line, sock=control)
    try:
        application = app_from_env(await line.first_keys)
    except MedusaAuthError as error:
        line.report(failed=str(error))
        await line.close()
        return uvicorn.config.STARTUP_FAILURE
    server = OrderlyServer(application, lambda: line.report(ready=True))
    line.follow(application.use_keys)

    def end(_: object) -> None:
        if not server.should_exit:
            structlog.get_logger().error("the supervisor is gone, and so this worker ends")
            server.end()

    line.over.add_done_callback(end)
    await server.serve([listening])
    return 0


class _Line(asyncio.Protocol):
    """The line to the supervisor. What comes over it is done when it is read, before any request that is read with it.

    So a process that was stopped while the keys were replaced answers nobody with those before.
    """

    def __init__(self) -> None:
        self.first_keys: asyncio.Future[Keys] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = b""
        self._use_keys: Callable[[Keys], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._do_received()

    def _do_received(self) -> None:
        while b"\n" in self._received and (self._use_keys or not self.first_keys.done()):
            line, _, self._received = self._received.partition(b"\n")
            keys = msgspec.json.decode(line, type=Keys)
            if self._use_keys is None:
                self.first_keys.set_result(keys)
            else:
                self._use_keys(keys)
                self.report(reloaded=True)

    def connection_lost(self, _: Exception | None) -> None:
        self.over.set_result(None)
        if not self.first_keys.done():
            self.first_keys.set_exception(SettingsError("The supervisor is gone."))

    def follow(self, use_keys: Callable[[Keys], None]) -> None:
        """Give them to `use_keys` from now on, and those that have come since the first."""
        self._use_keys = use_keys
        self._do_received()

    async def close(self) -> None:
        """What was reported has gone when this returns."""
        self._transport.close()
        await self.over

    def report(self, **what: Any) -> None:
        self._transport.write(msgspec.json.encode(Report(**what)) + b"\n")


def main(arguments: Sequence[str]) -> int:
    # Before the server listens to signals there is nothing to finish, and Python would show a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    listening, *control = (socket.socket(fileno=int(number)) for number in arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if control:
            return runner.run(serve_for_supervisor(listening, control[0]))
        try:
            runner.run(serve_alone(listening))
        except MedusaAuthError as error:
            configure_logs("auto")
            structlog.get_logger().error("the server cannot start", reason=str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
