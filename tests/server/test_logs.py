"""What is written when something fails: the trace, and none of the values in it."""

from __future__ import annotations

import asyncio
import io

import msgspec
import pytest
import structlog

from medusa_auth.server import logs
from medusa_auth.server.logs import configure_logs


@pytest.fixture(autouse=True)
def as_before():
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.asvs("16.2.5")
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_trace_shows_no_value_of_a_variable(log_format):
    stream = io.StringIO()
    configure_logs(log_format, stream)

    def sign_in(password: str) -> None:
        raise RuntimeError("broken")

    try:
        sign_in("a secret " + "password")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    assert "broken" in stream.getvalue()
    assert "sign_in" in stream.getvalue()
    assert "a secret password" not in stream.getvalue()


def test_lines_of_one_moment_are_written_at_once_and_none_is_lost():
    writes = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    configure_logs("json", Stream())
    log = structlog.get_logger()
    log.info("before the loop")

    async def work() -> None:
        log.info("one")
        log.info("two")
        assert len(writes) == 1
        await asyncio.sleep(logs.BATCH_SECONDS * 3)

    asyncio.run(work())
    assert [[msgspec.json.decode(line)["event"] for line in text.splitlines()] for text in writes] == [
        ["before the loop"],
        ["one", "two"],
    ]


def test_a_usual_line_has_what_every_other_has():
    stream = io.StringIO()
    configure_logs("json", stream)
    log = structlog.get_logger().bind(part="edge")
    log.info("request", status=200, client=None)
    log.warning("request", status=200, client=None)
    usual, other = (msgspec.json.decode(line) for line in stream.getvalue().splitlines())
    assert list(usual) == list(other) == ["part", "status", "client", "event", "level", "timestamp"]
    assert usual["timestamp"] <= other["timestamp"]
    assert {**usual, "timestamp": ""} == {**other, "level": "info", "timestamp": ""}
