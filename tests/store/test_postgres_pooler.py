"""Announcements through a pooler may get lost, so that nothing that is cached may be believed there."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from tests.services.pgbouncer import pgbouncer

from medusa_auth.errors import UnavailableError
from medusa_auth.store.sql import postgres_changes
from medusa_auth.store.sql.postgres_changes import PostgresChanges


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_behind_a_pooler_nothing_is_believed_and_the_log_says_why(
    new_postgresql: Callable[[], str], mode, caplog: pytest.LogCaptureFixture
):
    with pgbouncer(new_postgresql(), mode) as url, closing(PostgresChanges(url)) as changes:
        with pytest.raises(UnavailableError):
            changes.poll()
        assert "leads to a pooler" in caplog.text


def test_a_pooler_that_stays_is_told_once(
    new_postgresql: Callable[[], str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres_changes, "LOOK_FOR_POOLER_EVERY", 0.01)
    with pgbouncer(new_postgresql(), "transaction") as url, closing(PostgresChanges(url)):
        # Time for some looks.
        time.sleep(0.5)
    assert caplog.text.count("leads to a pooler") == 1


def test_without_a_pooler_it_is_believed(new_postgresql: Callable[[], str]):
    with closing(PostgresChanges(new_postgresql())) as changes:
        assert changes.poll() is not None
