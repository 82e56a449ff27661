"""What a module says that it has, it has; ruff sees to the order (RUF022)."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import medusa_auth

MODULES = [
    module.name
    for module in pkgutil.walk_packages(medusa_auth.__path__, "medusa_auth.")
    if "migrations" not in module.name and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["medusa_auth", *MODULES])
def test_all_is_true(name: str):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public)
