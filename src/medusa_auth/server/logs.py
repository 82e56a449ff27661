"""Structured logs: one line an event, JSON or for a terminal, on stderr. No line ever holds a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.types import Processor

from medusa_auth.settings import LogFormat

__all__ = ["configure_logs"]


def configure_logs(log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Send what structlog and the standard library log to `stream` (default: stderr) in `log_format`."""
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(_encode)
    if console:
        # The console draws exceptions itself.
        shared.pop()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _encode(line: Any, **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode()
