"""The database of the commands that a test runs."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def environment(database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them have the same."""
    for name, value in database.items():
        monkeypatch.setenv(name, value)
