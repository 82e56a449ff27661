"""Users and invites keep to the contract also where the tables are Medusa's own, and ours were added."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
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


async def test_metadata_that_are_no_object_are_none(new_medusa_database: Callable[[], str]):
    """Medusa itself takes no others, but whoever writes to its table may have."""
    url, written = new_medusa_database(), ['"a text"', "5", "true", "[1]", "null"]
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for number, metadata in enumerate(written):
            values = [f"usr_{number}", f"{number}@example.com", metadata]
            connection.execute('INSERT INTO "user" (id, email, metadata) VALUES (%s, %s, %s)', values)
    stores = Stores(url)
    users = await stores.records.read(lambda tx: tx.users.list())
    stores.close()
    assert [user.metadata for user in users] == [None] * len(written)
