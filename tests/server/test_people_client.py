"""Our client's users and invites against our server, over a socket: each method, of both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from inspect import isawaitable
from typing import Any

import pytest
from tests.server.helpers import EMAIL, LOGIN, Running
from tests.server.mailbox import Mailbox

from medusa_auth import (
    AdminCreateUserRequest,
    AdminDeleteUserRes,
    AdminInviteDeleteRes,
    AdminListInvitesRes,
    AdminPostInvitesInviteAcceptReq,
    AdminPostInvitesInviteAcceptUserReq,
    AdminPostInvitesReq,
    AdminResetPasswordRequest,
    AdminResetPasswordTokenRequest,
    AdminUpdateUserRequest,
    AdminUserRes,
    AdminUsersListRes,
    AsyncMedusa,
    AuthenticationError,
    ForbiddenError,
    InvalidRequestError,
    Medusa,
    NotFoundError,
)
from medusa_auth.wire import Answer, User, timestamp

pytestmark = pytest.mark.anyio

ADA = "ada@example.com"
FIRST = "a first password for ada"
SECOND = "a second password for ada"
NEW = {"email": ADA, "password": FIRST}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Person:
    """Somebody with a client of either kind; what a method of it returned is awaited where it has to be."""

    def __init__(self, client: Medusa | AsyncMedusa) -> None:
        self.client = client

    async def __call__(self, name: str, *args: Any, **keywords: Any) -> Any:
        resource, _, method = name.partition(".")
        returned = getattr(getattr(self.client.admin, resource), method)(*args, **keywords)
        return (await returned) if isawaitable(returned) else returned

    async def signed_in(self, email: str, password: str) -> User:
        answer = await self("auth.create_session", email=email, password=password)
        assert isinstance(answer.user, User)
        return answer.user


@pytest.fixture(params=[Medusa, AsyncMedusa])
async def nobody(request: pytest.FixtureRequest, anyio_backend: str, server: Running) -> AsyncIterator[Person]:
    """Not signed in."""
    client = request.param(server.url)
    yield Person(client)
    closed = client.aclose() if isinstance(client, AsyncMedusa) else client.close()
    if isawaitable(closed):
        await closed


@pytest.fixture
async def admin(nobody: Person) -> Person:
    """The same client, signed in as the admin."""
    await nobody("auth.create_session", LOGIN)
    return nobody


@pytest.fixture
def mailbox(server: Running) -> Mailbox:
    return Mailbox.of(server)


async def test_a_user_is_made_shown_changed_and_deleted(server: Running, admin: Person):
    made = await admin("users.create", AdminCreateUserRequest(**NEW, first_name="Ada", role="developer"))
    assert isinstance(made, AdminUserRes)
    assert (made.response.status, made.user.email, made.user.role) == (200, ADA, "developer")
    assert made.user.created_at == timestamp(server.clock())
    shown = await admin("users.retrieve", made.user.id)
    assert isinstance(shown, AdminUserRes)
    assert shown.user == made.user
    changes = AdminUpdateUserRequest(first_name=None, last_name="L", metadata={"a": [1, {"b": None}]})
    changed = await admin("users.update", made.user.id, changes)
    assert isinstance(changed, AdminUserRes)
    assert (changed.user.first_name, changed.user.last_name, changed.user.role) == (None, "L", "developer")
    assert changed.user.metadata == {"a": [1, {"b": None}]}
    deleted = await admin("users.delete", made.user.id)
    assert isinstance(deleted, AdminDeleteUserRes)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.user.id, "user", True)
    with pytest.raises(NotFoundError, match=f"User with id: {made.user.id} was not found"):
        await admin("users.retrieve", made.user.id)


async def test_users_are_listed_with_and_without_a_query(server: Running, admin: Person):
    ada = (await admin("users.create", **NEW, first_name="Ada")).user
    everybody = await admin("users.list")
    assert isinstance(everybody, AdminUsersListRes)
    assert (everybody.count, everybody.offset, everybody.limit) == (2, 0, 50)
    assert {user.email for user in everybody.users} == {ADA, EMAIL}
    moment = server.clock() - timedelta(seconds=1)
    queries = [{"q": "ADA"}, {"id": [ada.id]}, {"role": "member", "created_at": {"gt": moment.isoformat()}}]
    for query in [*queries, {"order": "email", "limit": 1}, {"order": "-email", "offset": 1}]:
        assert (await admin("users.list", query)).users == [ada]
    assert (await admin("users.list", {"updated_at": {"lt": moment.isoformat()}})).users == []


async def test_fields_that_a_query_leaves_out_are_none(admin: Person):
    [user] = (await admin("users.list", {"fields": "email"})).users
    assert isinstance(user, User)
    left_out = {getattr(user, name) for name in user.__struct_fields__ if name not in {"id", "created_at", "email"}}
    assert (user.email, left_out) == (EMAIL, {None})


async def test_an_api_token_that_a_user_chose_is_a_credential_until_it_is_taken_away(server: Running, admin: Person):
    ada = (await admin("users.create", **NEW)).user
    changed = await admin("users.update", ada.id, api_token="a token that ada chose")
    assert changed.user.api_token is None
    with Medusa(server.url, api_key="a token that ada chose") as client:
        assert client.admin.auth.get_session().user.id == ada.id
        await admin("users.update", ada.id, api_token=None)
        with pytest.raises(AuthenticationError):
            client.admin.auth.get_session()


async def test_a_reset_sets_the_password_of_its_reader_once(server: Running, nobody: Person, mailbox: Mailbox):
    asked = await nobody("users.send_reset_password_token", AdminResetPasswordTokenRequest(EMAIL))
    assert type(asked) is Answer
    assert asked.response.status == 204
    reset = AdminResetPasswordRequest(mailbox.token(EMAIL), SECOND, email=EMAIL)
    done = await nobody("users.reset_password", reset)
    assert isinstance(done, AdminUserRes)
    assert done.user.id == server.user.id
    with pytest.raises(AuthenticationError):
        await nobody("users.reset_password", reset)
    with pytest.raises(AuthenticationError):
        await nobody("auth.create_session", LOGIN)
    assert (await nobody.signed_in(EMAIL, SECOND)).id == server.user.id


async def test_an_invite_is_accepted_by_its_newest_link_alone(admin: Person, mailbox: Mailbox):
    created = await admin("invites.create", AdminPostInvitesReq(ADA, "developer"))
    assert (type(created), created.response.status) == (Answer, 200)
    older = mailbox.token(ADA)
    listed = await admin("invites.list")
    assert isinstance(listed, AdminListInvitesRes)
    [invite] = listed.invites
    assert (invite.user_email, invite.role, invite.accepted, invite.token) == (ADA, "developer", False, None)
    resent = await admin("invites.resend", invite.id)
    assert (type(resent), resent.response.status) == (Answer, 200)
    who = AdminPostInvitesInviteAcceptUserReq(FIRST, first_name="Ada")
    newer = mailbox.token(ADA)
    with pytest.raises(InvalidRequestError, match="Invalid invite"):
        await admin("invites.accept", AdminPostInvitesInviteAcceptReq(older, who))
    accepted = await admin("invites.accept", AdminPostInvitesInviteAcceptReq(newer, who))
    assert (type(accepted), accepted.response.status) == (Answer, 200)
    user = await admin.signed_in(ADA, FIRST)
    assert (user.role, user.first_name, user.last_name) == ("developer", "Ada", None)


async def test_an_address_with_letters_beyond_ascii_gets_its_mail(admin: Person, mailbox: Mailbox):
    await admin("invites.create", user="Zo\xeb@example.com", role="member")
    token = mailbox.token("zo\xeb@example.com")
    await admin("invites.accept", token=token, user={"password": FIRST})
    assert (await admin.signed_in("ZO\xcb@example.com", FIRST)).email == "zo\xeb@example.com"


async def test_an_address_that_is_another_one_once_it_is_kept_is_refused(admin: Person):
    with pytest.raises(InvalidRequestError, match="user must be an email"):
        await admin("invites.create", user="a\uff20example.org@example.com", role="admin")


async def test_an_invite_that_is_withdrawn_can_be_neither_accepted_nor_resent(admin: Person, mailbox: Mailbox):
    await admin("invites.create", user=ADA, role="member")
    token = mailbox.token(ADA)
    [invite] = (await admin("invites.list")).invites
    deleted = await admin("invites.delete", invite.id)
    assert isinstance(deleted, AdminInviteDeleteRes)
    assert (deleted.id, deleted.object, deleted.deleted) == (invite.id, "invite", True)
    with pytest.raises(InvalidRequestError, match="Invite doesn't exist"):
        await admin("invites.resend", invite.id)
    with pytest.raises(InvalidRequestError, match="Invalid invite"):
        await admin("invites.accept", token=token, user={"password": FIRST})
    assert (await admin("invites.list")).invites == []


async def test_what_a_role_may_not_do_is_a_forbidden_error_with_the_reason(admin: Person):
    await admin("users.create", **NEW, role="member")
    await admin.signed_in(ADA, FIRST)
    with pytest.raises(ForbiddenError, match="Your role, member, may not invite"):
        await admin("invites.create", user="b@example.com", role="admin")
    with pytest.raises(ForbiddenError, match="Your role, member, may not make, change and delete other users"):
        await admin("users.create", email="b@example.com", password=FIRST)


async def test_who_is_not_signed_in_may_do_nothing_that_needs_it(nobody: Person):
    users = [("list",), ("retrieve", "usr_1"), ("create", NEW), ("update", "usr_1", {}), ("delete", "usr_1")]
    invites = [("list",), ("create", {"user": ADA, "role": "admin"}), ("resend", "invite_1"), ("delete", "invite_1")]
    calls: list[Any] = [("users", *call) for call in users] + [("invites", *call) for call in invites]
    for resource, method, *args in calls:
        with pytest.raises(AuthenticationError):
            await nobody(f"{resource}.{method}", *args)
