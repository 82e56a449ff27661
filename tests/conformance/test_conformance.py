"""Our answers beside Medusa's: they are the same, but for what docs/differences.md lists."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.conformance import compare
from tests.conformance.document import Document, name_list
from tests.conformance.exchanges import Answer, load
from tests.conformance.kinds import KINDS, sorted_by_kind
from tests.conformance.people import replay_people
from tests.conformance.replay import Replayed, replay
from tests.databases import SETUPS, settings_of

# On every answer of both, and never the same twice.
OF_THE_MOMENT = {"date"}
# Compared by `compare`, or by a test below.
COMPARED = {
    *compare.HEADERS,
    "set-cookie",
    "content-type",
    "content-length",
    "etag",
    "access-control-allow-credentials",
}
# Express's way to send its bare 401 and its pages: see the sections `typed-401` and `json-errors`.
FRAMING = {"transfer-encoding"}
OF_PAGES = {"content-security-policy", "x-content-type-options"}


@pytest.fixture(scope="module", params=SETUPS)
def two_databases(request: pytest.FixtureRequest) -> list[dict[str, str]]:
    return [settings_of(request), settings_of(request)]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, two_databases: list[dict[str, str]]) -> list[Replayed]:
    for_sessions, for_people = two_databases
    sessions = replay(load("sessions.json"), tmp_path_factory.mktemp("sessions") / "data", for_sessions)
    people = replay_people(load("people.json"), tmp_path_factory.mktemp("people") / "data", for_people)
    return sessions + people


def test_every_difference_is_of_one_kind(replayed: list[Replayed]):
    _, unexplained = sorted_by_kind(replayed)
    assert not unexplained, "Say in kinds.py and in the document what explains these:\n" + "\n".join(unexplained)


def test_the_document_lists_every_difference_and_no_other(replayed: list[Replayed]):
    found, _ = sorted_by_kind(replayed)
    listed = {kind: names for kind, (_, names) in Document.load().kinds().items()}
    news = [_news(kind, listed.get(kind, set()), found.get(kind, set())) for kind in {**listed, **found}]
    assert listed == found, "What follows is to be pasted into the document:\n" + "\n".join(filter(None, news))


def test_every_kind_is_shown_by_an_exchange(replayed: list[Replayed]):
    assert set(sorted_by_kind(replayed)[0]) == set(KINDS)


def test_the_table_of_headers_is_what_every_answer_has(replayed: list[Replayed]):
    medusas = _always(each.exchange.answer for each in replayed)
    ours = _always(each.ours for each in replayed)
    names = (set(medusas) | set(ours)) - OF_THE_MOMENT
    seen = {name: (medusas.get(name, "-"), ours.get(name, "-")) for name in names}
    documented = Document.load().headers()
    # Where no two answers have the same value, the document describes it in words.
    described = {name: tuple(_constant(value) for value in row) for name, row in documented.items()}
    assert described == seen


def test_no_other_header_is_left_out(replayed: list[Replayed]):
    documented = Document.load().headers()
    for each in replayed:
        ours = {name.lower() for name, _ in each.ours.headers}
        assert ours <= COMPARED | OF_THE_MOMENT | {name for name, row in documented.items() if row[1] != "-"}
        medusas = {name.lower() for name, _ in each.exchange.answer.headers}
        of_medusa = {name for name, row in documented.items() if row[0] != "-"}
        assert medusas <= COMPARED | OF_THE_MOMENT | of_medusa | FRAMING | OF_PAGES


def test_medusa_lets_every_page_send_credentials_and_we_those_of_the_list(replayed: list[Replayed]):
    for each in replayed:
        medusa, ours = each.exchange.answer, each.ours
        assert (medusa.header("access-control-allow-credentials") == "true") == (
            "Origin" in (medusa.header("vary") or "")
        )
        allowed = ours.header("access-control-allow-origin") is not None
        assert ours.header("access-control-allow-credentials") == ("true" if allowed else None)


def _always(answers: Iterable[Answer]) -> dict[str, str]:
    """The headers that are on all answers, with their value; `...` where it changes."""
    first, *others = ({name.lower(): value for name, value in answer.headers} for answer in answers)
    common = {name for name in first if all(name in other for other in others)}
    return {name: first[name] if all(other[name] == first[name] for other in others) else "..." for name in common}


def _constant(value: str) -> str:
    return "..." if value.startswith("random") else value


def _news(kind: str, listed: set[str], found: set[str]) -> str:
    if listed == found:
        return ""
    changes = [f"+ {name}" for name in sorted(found - listed)] + [f"- {name}" for name in sorted(listed - found)]
    return "\n".join(["", f"### `{kind}`", *changes, "", name_list(found)])
