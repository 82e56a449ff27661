"""Our client's users and invites, against a real Medusa."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import anyio
import psycopg
import pytest
from tests.medusa.real_medusa import RealMedusa, real_medusa

from medusa_auth import AsyncMedusa, InvalidRequestError, Medusa, NotFoundError, ServerError

pytestmark = pytest.mark.medusa


@pytest.fixture(scope="module")
def people() -> Iterator[RealMedusa]:
    """A Medusa of its own: the other tests count their one user."""
    with real_medusa() as running:
        yield running


@pytest.fixture
def medusa(people: RealMedusa) -> Iterator[Medusa]:
    with Medusa(people.base_url) as client:
        client.admin.auth.create_session(people.login)
        yield client


def reset_token(people: RealMedusa, user_id: str, email: str) -> str:
    """What Medusa mails: a JWT (HS256) whose key is the hash of the user's password."""
    with psycopg.connect(people.database_url) as connection:
        [(key,)] = connection.execute('SELECT password_hash FROM "user" WHERE id = %s', [user_id]).fetchall()
    now = int(time.time())
    claims = {"user_id": user_id, "email": email, "exp": now + 900, "iat": now}
    signed = _base64url({"alg": "HS256", "typ": "JWT"}) + b"." + _base64url(claims)
    signature = base64.urlsafe_b64encode(hmac.digest(key.encode(), signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + signature).decode()


def _base64url(part: dict[str, object]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def test_a_user_from_its_making_to_its_end(people, medusa):
    users = medusa.admin.users
    made = users.create(email="Ada@medusa-test.com", password="first", first_name="Ada").user
    assert (made.email, made.first_name, made.role, made.api_token) == ("ada@medusa-test.com", "Ada", "member", None)
    assert users.retrieve(made.id).user == made
    changed = users.update(made.id, first_name=None, last_name="L", role="admin", metadata={"a": 1}).user
    assert (changed.first_name, changed.last_name, changed.role, changed.metadata) == (None, "L", "admin", {"a": 1})
    assert users.update(made.id, {}).user.last_name == "L"
    deleted = users.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "user", True)
    with pytest.raises(NotFoundError):
        users.retrieve(made.id)


def test_a_user_with_an_api_token_does_not_show_it(people, medusa):
    user = medusa.admin.users.create(email="token@medusa-test.com", password="x").user
    answer = medusa.admin.users.update(user.id, api_token="an-api-token")
    assert answer.user.api_token == "an-api-token"
    assert "an-api-token" not in repr(answer)
    with Medusa(people.base_url, api_key="an-api-token") as another:
        assert another.admin.users.retrieve(user.id).user.id == user.id


def test_an_email_is_taken_once(people, medusa):
    with pytest.raises(InvalidRequestError, match="A user with the same email already exists"):
        medusa.admin.users.create(people.login)


def test_an_id_stays_in_its_segment(medusa):
    with pytest.raises(NotFoundError, match=r"User with id: a/b\?c#d was not found"):
        medusa.admin.users.retrieve("a/b?c#d")


def test_a_list_is_asked_for_as_medusa_reads_it(medusa):
    users = medusa.admin.users
    ids = [users.create(email=f"list-{n}@medusa-test.com", password="x", role="developer").user.id for n in range(3)]

    def found(**query: object) -> list[str]:
        return [user.id for user in users.list(query).users]

    assert found(q="list-1@") == found(email="list-1@medusa-test.com") == [ids[1]]
    assert sorted(found(id=ids[:2])) == sorted(ids[:2])
    assert found(role="developer", order="email") == ids
    assert found(role="developer", order="-email", offset=1, limit=1) == [ids[1]]
    assert found(role="developer", created_at={"lt": "2020-01-01T00:00:00Z"}) == []
    assert found(role="developer", created_at={"gt": "2020-01-01T00:00:00Z"}, order="email") == ids
    page = users.list({"role": "developer", "limit": 1})
    assert (page.count, page.offset, page.limit, len(page.users)) == (3, 0, 1, 1)


def test_a_list_of_some_fields(people, medusa):
    [user] = medusa.admin.users.list({"fields": "email", "email": people.email}).users
    assert user.id.startswith("usr_")
    assert (user.email, user.role, user.updated_at) == (people.email, None, None)


def test_a_new_password(people, medusa):
    user = medusa.admin.users.create(email="reset@medusa-test.com", password="old").user
    with Medusa(people.base_url) as another:
        assert another.admin.users.send_reset_password_token(email=user.email).response.status == 204
        assert another.admin.users.send_reset_password_token(email="nobody@medusa-test.com").response.status == 204
        token = reset_token(people, user.id, user.email)
        assert another.admin.users.reset_password(token=token, password="new", email=user.email).user.id == user.id
        assert another.admin.auth.create_session(email=user.email, password="new").user.id == user.id
        with pytest.raises(ServerError):  # Medusa does not catch what its verifier raises
            another.admin.users.reset_password(token=token, password="newer")
        with pytest.raises(InvalidRequestError, match="invalid token"):
            another.admin.users.reset_password(token="a.b.c", password="newer")


def test_an_invite_that_is_accepted(people, medusa):
    invites = medusa.admin.invites
    assert invites.create(user="new@medusa-test.com", role="developer").response.status == 200
    [invite] = invites.list().invites
    assert (invite.user_email, invite.role, invite.accepted) == ("new@medusa-test.com", "developer", False)
    assert invites.resend(invite.id).response.status == 200
    [invite] = invites.list().invites
    assert invite.token
    assert invite.token not in repr(invite)
    with Medusa(people.base_url) as another:
        who = {"password": "pass", "first_name": "Ada", "last_name": "L"}
        assert another.admin.invites.accept(token=invite.token, user=who).response.status == 200
        assert another.admin.auth.create_session(email=invite.user_email, password="pass").user.first_name == "Ada"
        with pytest.raises(InvalidRequestError, match="Invalid invite"):
            another.admin.invites.accept(token=invite.token, user=who)
    assert invites.list().invites == []


def test_an_invite_that_is_withdrawn(medusa):
    medusa.admin.invites.create({"user": "withdrawn@medusa-test.com", "role": "member"})
    [invite] = medusa.admin.invites.list().invites
    deleted = medusa.admin.invites.delete(invite.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (invite.id, "invite", True)
    with pytest.raises(InvalidRequestError, match="Invite doesn't exist"):
        medusa.admin.invites.resend(invite.id)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_client_does_the_same(people, backend):
    async def use() -> None:
        async with AsyncMedusa(people.base_url) as medusa:
            await medusa.admin.auth.create_session(people.login)
            users, invites = medusa.admin.users, medusa.admin.invites
            user = (await users.create(email=f"{backend}@medusa-test.com", password="x")).user
            assert (await users.retrieve(user.id)).user == user
            assert (await users.update(user.id, first_name="A")).user.first_name == "A"
            assert (await users.list({"id": [user.id]})).count == 1
            assert (await users.send_reset_password_token({"email": user.email})).response.status == 204
            token = reset_token(people, user.id, user.email)
            assert (await users.reset_password(token=token, password="y")).user.id == user.id
            assert (await users.delete(user.id)).deleted
            await invites.create(user=f"invited-{backend}@medusa-test.com", role="member")
            [invite] = (await invites.list()).invites
            await invites.resend(invite.id)
            [invite] = (await invites.list()).invites
            await invites.accept(token=invite.token or "", user={"password": "x", "first_name": "A", "last_name": "B"})
            assert (await invites.delete(invite.id)).deleted

    anyio.run(use, backend=backend)
