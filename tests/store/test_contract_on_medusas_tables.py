"""Users and invites keep to the contract also where the tables are Medusa's own, and ours were added."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.store.conftest import Store
from tests.store.test_contract import TestUsers as TestUsersOnMedusasTables  # noqa: F401 - collected here
from tests.store.test_contract_people import TestInvites as TestInvitesOnMedusasTables  # noqa: F401
from tests.store.test_contract_people import TestUsers as TestUserListsOnMedusasTables  # noqa: F401
from tests.store.test_contract_people import people  # noqa: F401 - a fixture

from medusa_auth.store.opening import Stores
from medusa_auth.store.sql.migrate import migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(new_medusa_database: Callable[[], str]) -> Iterator[Store]:
    url = new_medusa_database()
    assert migrate(url).medusas == ("invite", "user")
    stores = Stores(url)
    yield Store(stores.records, stores.listen)
    stores.close()
