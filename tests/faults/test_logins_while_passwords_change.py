"""A login with a password that is being changed at that moment, on two machines whose clocks differ, with Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.login import Login, SignedIn
from medusa_auth.core.passwords import Argon2id, HashingPool, Passwords
from medusa_auth.core.sessions import SessionRules, Sessions
from medusa_auth.core.users import Users
from medusa_auth.errors import AuthenticationError, UnavailableError
from medusa_auth.model import Context, Role, User
from medusa_auth.store.base import Transaction
from medusa_auth.store.opening import Stores

pytestmark = pytest.mark.anyio

EMAIL = "admin@example.com"
OLD, NEW = "seven purple lamps on a river", "eight purple lamps on a river"
# What is revoked at a moment ends what began before it; a clock that is ahead begins later.
AHEAD = timedelta(seconds=30)
ROUNDS = 25
LOGINS = 4
TRIES = 10
CONTEXT = Context("127.0.0.1", "test")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Machine:
    stores: Stores
    passwords: Passwords
    ahead: timedelta

    def __post_init__(self) -> None:
        self.records = self.stores.records
        self.sessions = Sessions(SessionRules(life=timedelta(hours=10), idle=timedelta(hours=1)))
        tokens = AccessTokens(["k" * 32], Claims(subject="user_id", purpose={}), timedelta(hours=24))
        self.users = Users(tokens)
        self.login = Login(self.records, self.passwords, self.sessions, tokens)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def sign_in(self) -> SignedIn | None:
        with suppress(AuthenticationError, UnavailableError):
            return await self.login.sign_in(EMAIL, OLD, CONTEXT, self.now())
        return None

    async def is_good(self, signed_in: SignedIn) -> bool:
        return bool(await self.records.read(lambda tx: self.sessions.find_with_users(tx, [signed_in.session_id])))

    async def set_password(self, password_hash: str) -> None:
        def change(tx: Transaction) -> None:
            user = self.users.find(tx, EMAIL)
            self.users.set_password(tx, user, password_hash, self.now())

        for _ in range(TRIES):
            # On a slow machine so many logins at once may be in its way for too long.
            with suppress(UnavailableError):
                return await self.records.write(change)
        raise AssertionError

    async def create(self, password_hash: str) -> User:
        return await self.records.write(
            lambda tx: self.users.create(tx, email=EMAIL, password_hash=password_hash, now=self.now(), role=Role.ADMIN)
        )


@pytest.fixture
async def machines(
    new_postgresql: Callable[[], str], new_redis: Callable[[], tuple[str, str]]
) -> AsyncIterator[Sequence[Machine]]:
    database, redis = new_postgresql(), new_redis()
    passwords = Passwords(Argon2id(memory_kib=8, passes=1), (), HashingPool(threads=2, queue=100))
    stores = [Stores(database, *redis) for _ in range(2)]
    yield [Machine(stores[0], passwords, timedelta()), Machine(stores[1], passwords, AHEAD)]
    passwords.close()
    for each in stores:
        each.close()


async def test_no_session_of_an_old_password_outlives_it(machines: Sequence[Machine]):
    here, ahead = machines
    old, new = [Argon2id(memory_kib=8, passes=1).hash(password) for password in (OLD, NEW)]
    await here.create(old)
    begun = 0
    for number in range(ROUNDS):
        logins = [asyncio.create_task(ahead.sign_in()) for _ in range(LOGINS)]
        # A little later each time: so that the change comes before, amid and after what the logins do.
        await asyncio.sleep(0.001 * number)
        await here.set_password(new)
        signed_in = [each for each in await asyncio.gather(*logins) if each is not None]
        begun += len(signed_in)
        assert not [each for each in signed_in if await here.is_good(each) or await ahead.is_good(each)]
        await here.set_password(old)
    print(f"{begun} of {ROUNDS * LOGINS} logins were in time")
    assert 0 < begun < ROUNDS * LOGINS
