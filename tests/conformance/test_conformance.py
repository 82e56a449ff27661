"""Our answers beside Medusa's: they are the same, but for what docs/differences.md lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conformance.compare import EVERYWHERE, differences
from tests.conformance.exchanges import Answer, load
from tests.conformance.replay import replay

DOCUMENT = Path(__file__).parents[2] / "docs" / "differences.md"
EXCHANGES = load()
NAME = re.compile(r"`((?:login|session|get|logout|token|method|path|cors)\.[^`]+)`")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    return replay(EXCHANGES, tmp_path_factory.mktemp("replay") / "data")


def test_the_document_lists_every_difference_and_no_other(answers: dict[str, Answer]):
    seen: dict[str, set[str]] = {}
    for exchange in EXCHANGES:
        for kind in differences(exchange, answers[exchange.name]):
            seen.setdefault(kind, set()).add(exchange.name)
    assert _documented() == seen, "The lists that are true now:\n" + _lists(seen)


def test_half_of_the_answers_to_credentials_differ_in_nothing_but_the_anonymous_cookie(answers: dict[str, Answer]):
    same = [e for e in EXCHANGES if differences(e, answers[e.name]) <= {"no-anonymous-cookie", "same-site"}]
    assert len(same) >= len(EXCHANGES) / 2


def test_what_every_answer_has_is_what_the_document_says(answers: dict[str, Answer]):
    section = DOCUMENT.read_text(encoding="utf-8").split("## On every answer")[1].split("\n## ")[0].lower()
    for answer in answers.values():
        names = {name.lower() for name, _ in answer.headers}
        assert names & EVERYWHERE["medusa"] <= {"connection"}
        assert EVERYWHERE["ours"] <= names
    for name in EVERYWHERE["ours"] | EVERYWHERE["medusa"]:
        assert name in section


def test_credentials_are_let_through_by_cors_for_listed_origins_only(answers: dict[str, Answer]):
    for answer in answers.values():
        allowed = answer.header("access-control-allow-origin")
        assert (answer.header("access-control-allow-credentials") == "true") == (allowed is not None)


def _documented() -> dict[str, set[str]]:
    """The names in each section `### `kind``."""
    sections = re.split(r"^### `([a-z-]+)`.*$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        kind: set(NAME.findall(text.split("\n## ")[0]))
        for kind, text in zip(sections[::2], sections[1::2], strict=True)
    }


def _lists(seen: dict[str, set[str]]) -> str:
    return "\n".join(f"{kind}: " + ", ".join(f"`{name}`" for name in sorted(names)) for kind, names in seen.items())
