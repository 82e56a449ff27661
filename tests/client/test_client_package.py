"""What the package offers."""

from __future__ import annotations

import importlib.metadata

import medusa_auth
from medusa_auth import client, errors, wire


def test_the_package_offers_what_client_errors_and_wire_offer() -> None:
    assert set(medusa_auth.__all__) == {*client.__all__, *errors.__all__, *wire.__all__, "__version__"}
    assert all(hasattr(medusa_auth, name) for name in medusa_auth.__all__)


def test_the_version_is_that_of_the_installed_package() -> None:
    assert medusa_auth.__version__ == importlib.metadata.version("medusa-auth")
