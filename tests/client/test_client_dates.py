"""Dates as servers write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth.client.dates import parse_date

VECTORS = Path(__file__).parents[1] / "data" / "http_state" / "http_state_dates.json"
FORMAT = "%a, %d %b %Y %H:%M:%S GMT"
DATES = json.loads(VECTORS.read_text("utf-8"))


def moment(text: str | None) -> float | None:
    return None if text is None else datetime.strptime(text, FORMAT).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("vector", DATES, ids=lambda vector: vector["test"])
def test_each_date_of_the_http_state_working_group_is_read_as_it_says(vector: dict[str, str | None]) -> None:
    assert parse_date(vector["test"] or "") == moment(vector["expected"])


def test_all_fifteen_dates_are_here() -> None:
    assert len(DATES) == 15


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_forms_of_rfc_9110_name_one_moment(text: str) -> None:
    assert parse_date(text) == moment("Sun, 06 Nov 1994 08:49:37 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sun, 06 Nov 1994",
        "Wed, 30 Feb 2011 00:00:00 GMT",
        "Wed, 01 Feb 1600 00:00:00 GMT",
        "Wed, 01 Feb 2011 24:00:00 GMT",
        "Wed, 01 Feb 2011 00:00:60 GMT",
        "Wed, 01 Feb 20111 00:00:00 GMT",
        "Wed, 01 \u017fep 2011 00:00:00 GMT",
    ],
)
def test_what_names_no_moment_is_none(text: str) -> None:
    assert parse_date(text) is None


@given(st.text() | st.from_regex(r"\A[0-9:;, A-Za-z\u017f-]{0,60}\Z"))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    parse_date(text)


@given(st.datetimes(min_value=datetime.fromisoformat("1601-01-01")))
def test_every_moment_is_read_back_as_it_was_written(when: datetime) -> None:
    written = when.replace(microsecond=0, tzinfo=UTC)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    text = f"Mon, {written.day:02} {months[written.month - 1]} {written.year:04} {written:%H:%M:%S} GMT"
    assert parse_date(text) == written.timestamp()
