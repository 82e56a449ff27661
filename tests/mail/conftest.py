"""Servers of ours whose mails go to a mail server of a test's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.server.conftest import password_hash, start

from medusa_auth.server import mail

__all__ = ["impatient_sender", "password_hash", "start"]


@pytest.fixture(scope="module", autouse=True)
def impatient_sender() -> Iterator[None]:
    """It looks into the outbox more often: most of these tests wait for a mail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail, "LOOK_EVERY", 0.05)
        yield
