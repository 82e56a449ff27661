"""docs/differences.md keeps together: its table, its sections, and the tests that it names."""

from __future__ import annotations

import re

import pytest
from tests.conformance.document import ROOT, Document

DOCUMENT = Document.load()


def test_the_table_counts_what_the_sections_list():
    assert list(DOCUMENT.counts().items()) == [(kind, len(names)) for kind, (_, names) in DOCUMENT.kinds().items()]


@pytest.mark.parametrize("kind", DOCUMENT.kinds())
def test_every_kind_is_explained(kind: str):
    said, _ = DOCUMENT.kinds()[kind]
    assert "Medusa" in said
    assert re.search(r"\b([Hh]ere|we|ours)\b", said)


def test_the_tests_that_are_named_exist():
    assert DOCUMENT.proofs()
    for file, name in DOCUMENT.proofs():
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


@pytest.mark.parametrize("claim", DOCUMENT.claims())
def test_nothing_is_claimed_without_a_test_that_shows_it(claim: str):
    assert Document(claim).proofs()
