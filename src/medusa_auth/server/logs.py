"""Structured logs: one line an event, JSON or for a terminal, on stderr. No line ever holds a secret."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
from datetime import UTC, datetime
from io import StringIO
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
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream if console else _Batches(stream)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _Batches(StringIO):
    """Writes what is logged within one turn of the event loop at once: a write for each line would cost a request a
    tenth of its time. Outside of an event loop, each line is written as it comes.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        # What was logged last, while the event loop was ending.
        atexit.register(self._write_all)

    def write(self, line: str) -> int:
        self._lines.append(line)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(BATCH_SECONDS, self._write_all)
            except RuntimeError:
                self._write_all()
        return len(line)

    def flush(self) -> None:
        pass

    def _write_all(self) -> None:
        lines, self._lines = self._lines, []
        self._stream.write("".join(lines))
        self._stream.flush()


def _stamp(_: object, __: str, line: EventDict) -> EventDict:
    line["timestamp"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
    return line


_encoder = msgspec.json.Encoder(enc_hook=repr)


def _encode(line: Any, **_: Any) -> str:
    return _encoder.encode(line).decode()
