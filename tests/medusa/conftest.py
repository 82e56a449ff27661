from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.medusa.real_medusa import RealMedusa, real_medusa


@pytest.fixture(scope="session")
def real() -> Iterator[RealMedusa]:
    """One real Medusa for all tests: it takes ten seconds to start."""
    with real_medusa() as running:
        yield running
