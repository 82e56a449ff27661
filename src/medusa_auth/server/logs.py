"""Structured logs: one line an event, JSON or for a terminal, on stderr. No line ever holds a secret."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, TextIO

import msgspec
import structlog
from structlog.types import EventDict, Processor

from medusa_auth.settings import LogFormat

__all__ = ["configure_logs"]

# Short enough for a person who watches.
BATCH_SECONDS = 0.02


def configure_logs(log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Send what structlog and the standard library log to `stream` (default: stderr) in `log_format`."""
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
    ]
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.RichTracebackFormatter(show_locals=False))
        if console
        else structlog.processors.JSONRenderer(_encode)
    )
    if console:
        # The console draws exceptions itself.
        shared.pop()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=_CONSOLE_LOGGER if console else _JSON_LOGGER,
        logger_factory=structlog.WriteLoggerFactory(stream) if console else partial(_logger, _Batches(stream)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _info(self: Any, event: str, **fields: Any) -> None:
    """What the chain of processors makes, in one step: every request has such a line.

    Only a name and fields: no `exc_info`, nothing to put into the name.
    """
    fields["event"], fields["level"] = event, "info"
    self._logger.info(_encode(_stamp(None, "", {**self._context, **fields})))


_CONSOLE_LOGGER = structlog.make_filtering_bound_logger(logging.INFO)
_JSON_LOGGER = type("JsonLogger", (_CONSOLE_LOGGER,), {"info": _info})


class _Batches:
    """A logger that writes what is logged within one turn of the event loop at once.

    A write for each line would cost a request a tenth of its time. Outside of an event loop, each line is written as it
    comes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        # What was logged last, while the event loop was ending.
        atexit.register(self._write_all)

    def info(self, line: str) -> None:
        self._lines.append(line + "\n")
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(BATCH_SECONDS, self._write_all)
            except RuntimeError:
                self._write_all()

    # structlog calls a logger by the name of the level.
    warning = error = critical = exception = info

    def _write_all(self) -> None:
        lines, self._lines = self._lines, []
        self._stream.write("".join(lines))
        self._stream.flush()


def _logger(batches: _Batches, *_: object) -> _Batches:
    """The same for all who log: a factory of structlog's."""
    return batches


def _stamp(_: object, __: str, line: EventDict) -> EventDict:
    second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
    line["timestamp"] = f"{_second(second)}.{microsecond:06d}Z"
    return line


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    """Written once for all the lines of a second: it takes longer than the rest of a line."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


_encoder = msgspec.json.Encoder(enc_hook=repr)


def _encode(line: Any, **_: Any) -> str:
    return _encoder.encode(line).decode()
