"""The peers meet the same servers as the tests of the server."""

from tests.server.conftest import password_hash, server, start

__all__ = ["password_hash", "server", "start"]
