"""A login: one answer and one cost, whatever was wrong."""

import pytest
from tests.core.house import EMAIL, PASSWORD, House
from tests.core.tools import MEDUSAS

from medusa_auth.core.passwords import Scrypt
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Context

pytestmark = pytest.mark.anyio


async def _hash(house: House) -> str | None:
    found = await house.records.read(lambda tx: tx.users.get_with_password(EMAIL))
    assert found
    return found[1]


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize(
    ("kept", "email", "password", "good"),
    [
        ("current", EMAIL, PASSWORD, True),
        ("current", EMAIL, "wrong", False),
        ("current", "nobody@example.com", PASSWORD, False),
        ("none", EMAIL, PASSWORD, False),
        ("medusas", EMAIL, "wrong", False),
        ("medusas", EMAIL, "supersecret", True),
        ("broken", EMAIL, PASSWORD, False),
    ],
)
async def test_every_login_runs_the_current_hasher_once(house: House, kept: str, email: str, password: str, good: bool):
    hashes = {"current": house.hasher.hash(PASSWORD), "none": "", "medusas": MEDUSAS, "broken": "broken"}
    await house.add_user(password_hash=hashes[kept])
    await house.passwords.prepare()
    # An old hash is first looked at by its own hasher; a cheap look of the current one at a foreign hash is none.
    foreign_looks = 1 if kept in {"medusas", "broken"} else 0
    house.hasher.runs = 0
    if good:
        await house.login.sign_in(email, password, Context(), house.now)
    else:
        with pytest.raises(AuthenticationError) as error:
            await house.login.sign_in(email, password, Context(), house.now)
        assert str(error.value) == "401 unauthorized: Unauthorized"
    assert house.hasher.runs == 1 + foreign_looks


async def test_an_old_hash_is_replaced_at_the_login_and_no_other_time(house: House):
    await house.add_user(password_hash=MEDUSAS)
    with pytest.raises(AuthenticationError):
        await house.sign_in("wrong")
    assert await _hash(house) == MEDUSAS
    await house.sign_in("supersecret")
    upgraded = await _hash(house)
    assert upgraded is not None
    assert house.hasher.owns(upgraded)
    await house.sign_in("supersecret")
    assert await _hash(house) == upgraded


async def test_a_token_replaces_an_old_hash_too(house: House):
    await house.add_user(password_hash=Scrypt(1, 1, 1).hash(PASSWORD))
    await house.login.issue_token(EMAIL, PASSWORD, house.now)
    assert house.hasher.owns(await _hash(house) or "")


async def test_the_address_is_compared_without_case_and_in_nfc(house: House):
    await house.add_user(email="Jose\u0301@Example.COM")
    for email in ("jos\u00e9@example.com", "JOSE\u0301@EXAMPLE.COM"):
        assert (await house.login.sign_in(email, PASSWORD, Context(), house.now)).user.email == "jos\u00e9@example.com"
