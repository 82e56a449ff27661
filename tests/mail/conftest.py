"""Servers of ours whose mails go to a mail server of a test's."""

from tests.server.conftest import password_hash, start

__all__ = ["password_hash", "start"]
