"""What every store keeps to, of users as a list, of invites, password resets and the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from tests.store.conftest import Store

from medusa_auth.errors import DuplicateError
from medusa_auth.model import ApiToken, Invite, Mail, MailKind, PasswordReset, Role, TimeRange, User, UserQuery
from medusa_auth.store.base import Transaction

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADA = User("usr_1", "ada@example.com", Role.ADMIN, NOW, NOW, "Ada", "Lovelace", {"a": 1})
BOB = User("usr_2", "bob@example.com", Role.MEMBER, NOW + HOUR, NOW + HOUR, "Bob", "50%")
CAL = User("usr_3", "cal@example.com", Role.ADMIN, NOW + 2 * HOUR, NOW + 2 * HOUR)
INVITE = Invite("invite_1", "new@example.com", Role.DEVELOPER, NOW, NOW, NOW + HOUR)
RESET = PasswordReset("reset_1", ADA.id, "digest", NOW + HOUR)


async def write(store: Store, work: Callable[[Transaction], Any]) -> Any:
    return await store.records.write(work)


async def read(store: Store, work: Callable[[Transaction], Any]) -> Any:
    return await store.records.read(work)


async def found(store: Store, **query: Any) -> list[str]:
    users, _ = await read(store, lambda tx: tx.users.search(UserQuery(**query)))
    return [user.id for user in users]


def _add(user: User, tx: Transaction) -> None:
    tx.users.add(user, None)


def _add_token(token: ApiToken, tx: Transaction) -> None:
    tx.api_tokens.add(token, f"hash of {token.id}")


@pytest.fixture
async def people(store: Store) -> Store:
    for user in (ADA, BOB, CAL):
        await write(store, partial(_add, user))
    return store


class TestUsers:
    async def test_all_are_found_the_newest_first(self, people: Store):
        assert await found(people) == ["usr_3", "usr_2", "usr_1"]

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ({"text": "ADA"}, ["usr_1"]),
            ({"text": "love"}, ["usr_1"]),
            ({"text": "bob"}, ["usr_2"]),
            ({"text": "50%"}, ["usr_2"]),
            ({"text": "5_%"}, []),
            ({"text": "%"}, ["usr_2"]),
            ({"text": "' OR 1=1 --"}, []),
            ({"ids": ["usr_3", "usr_1", "usr_9"]}, ["usr_3", "usr_1"]),
            ({"ids": []}, []),
            ({"email": "bob@example.com"}, ["usr_2"]),
            ({"first_name": "Ada"}, ["usr_1"]),
            ({"last_name": "ada"}, []),
            ({"role": Role.ADMIN}, ["usr_3", "usr_1"]),
            ({"role": Role.ADMIN, "text": "cal"}, ["usr_3"]),
            ({"created_at": TimeRange(gt=NOW)}, ["usr_3", "usr_2"]),
            ({"created_at": TimeRange(gte=NOW + HOUR, lt=NOW + 2 * HOUR)}, ["usr_2"]),
            ({"updated_at": TimeRange(lte=NOW)}, ["usr_1"]),
            ({"order_by": "email", "descending": False}, ["usr_1", "usr_2", "usr_3"]),
            ({"order_by": "first_name", "descending": True, "role": Role.ADMIN}, ["usr_3", "usr_1"]),
            ({"order_by": "first_name", "descending": False, "role": Role.ADMIN}, ["usr_1", "usr_3"]),
            ({"limit": 1}, ["usr_3"]),
            ({"limit": 1, "offset": 1}, ["usr_2"]),
            ({"limit": 0, "offset": 1}, ["usr_2", "usr_1"]),
            ({"offset": 9}, []),
        ],
    )
    async def test_a_query_finds_what_it_asks_for(self, people: Store, query: dict[str, Any], ids: list[str]):
        assert await found(people, **query) == ids

    async def test_the_count_is_without_limit_and_offset(self, people: Store):
        _, count = await read(people, lambda tx: tx.users.search(UserQuery(limit=1, offset=2)))
        assert count == 3

    async def test_deleted_users_are_found_by_when_they_were_deleted_and_by_nothing_else(self, people: Store):
        await write(people, lambda tx: tx.users.delete(BOB.id, NOW + 3 * HOUR))
        assert await found(people) == ["usr_3", "usr_1"]
        users, _ = await read(people, lambda tx: tx.users.search(UserQuery(deleted_at=TimeRange(gt=NOW))))
        assert [(user.id, user.deleted_at) for user in users] == [(BOB.id, NOW + 3 * HOUR)]

    async def test_a_range_of_deletion_without_an_end_finds_who_lives_too(self, people: Store):
        await write(people, lambda tx: tx.users.delete(BOB.id, NOW + 3 * HOUR))
        assert await found(people, deleted_at=TimeRange()) == ["usr_3", "usr_2", "usr_1"]
        assert await found(people, deleted_at=TimeRange(), order_by="deleted_at", descending=False) == [
            "usr_2",
            "usr_1",
            "usr_3",
        ]

    async def test_a_changed_user_comes_back_as_it_was_given(self, people: Store):
        changed = replace(BOB, role=Role.DEVELOPER, first_name=None, last_name="B", metadata={}, updated_at=NOW)
        await write(people, lambda tx: tx.users.update(changed))
        assert await read(people, lambda tx: tx.users.get(BOB.id)) == changed

    async def test_a_deleted_user_is_not_changed(self, people: Store):
        await write(people, lambda tx: tx.users.delete(BOB.id, NOW))
        await write(people, lambda tx: tx.users.update(replace(BOB, first_name="Rob")))
        users, _ = await read(people, lambda tx: tx.users.search(UserQuery(deleted_at=TimeRange(gte=NOW))))
        assert users[0].first_name == "Bob"

    async def test_admins_are_those_who_live(self, people: Store):
        assert await write(people, lambda tx: tx.users.count_admins()) == 2
        assert await read(people, lambda tx: list(tx.users.admin_emails())) == [ADA.email, CAL.email]
        await write(people, lambda tx: tx.users.delete(CAL.id, NOW))
        assert await write(people, lambda tx: tx.users.count_admins()) == 1

    async def test_a_password_hash_is_found_by_id(self, people: Store):
        await write(people, lambda tx: tx.users.set_password_hash(BOB.id, "hash"))
        assert await read(people, lambda tx: tx.users.get_password_hash(BOB.id)) == "hash"
        assert await read(people, lambda tx: tx.users.get_password_hash(ADA.id)) is None
        assert await read(people, lambda tx: tx.users.get_password_hash("usr_9")) is None


class TestInvites:
    async def test_an_invite_is_found_by_its_id_its_address_and_its_token(self, store: Store):
        await write(store, lambda tx: tx.invites.put(INVITE, "hash"))
        assert await read(store, lambda tx: tx.invites.get(INVITE.id)) == INVITE
        assert await read(store, lambda tx: tx.invites.get_by_email(INVITE.user_email)) == INVITE
        assert await read(store, lambda tx: tx.invites.get_by_token_hash("hash")) == INVITE
        assert await read(store, lambda tx: list(tx.invites.list())) == [INVITE]

    async def test_an_invite_that_is_put_again_has_the_new_token_alone(self, store: Store):
        again = replace(INVITE, role=Role.ADMIN, expires_at=NOW + 2 * HOUR)
        await write(store, lambda tx: tx.invites.put(INVITE, "old"))
        await write(store, lambda tx: tx.invites.put(again, "new"))
        assert await read(store, lambda tx: tx.invites.get_by_token_hash("old")) is None
        assert await read(store, lambda tx: tx.invites.get_by_token_hash("new")) == again

    async def test_an_address_has_one_invite(self, store: Store):
        await write(store, lambda tx: tx.invites.put(INVITE, "hash"))
        with pytest.raises(DuplicateError):
            await write(store, lambda tx: tx.invites.put(replace(INVITE, id="invite_2"), "other"))

    async def test_an_invite_that_is_put_again_may_not_take_the_address_of_another(self, store: Store):
        other = replace(INVITE, id="invite_2", user_email="other@example.com")
        await write(store, lambda tx: tx.invites.put(INVITE, "hash"))
        await write(store, lambda tx: tx.invites.put(other, "other"))
        with pytest.raises(DuplicateError):
            await write(store, lambda tx: tx.invites.put(replace(other, user_email=INVITE.user_email), "new"))
        assert await read(store, lambda tx: tx.invites.get_by_token_hash("other")) == other

    async def test_a_deleted_invite_is_gone_and_its_address_is_free(self, store: Store):
        await write(store, lambda tx: tx.invites.put(INVITE, "hash"))
        assert await write(store, lambda tx: tx.invites.delete(INVITE.id)) is True
        assert await write(store, lambda tx: tx.invites.delete(INVITE.id)) is False
        assert await read(store, lambda tx: tx.invites.get_by_token_hash("hash")) is None
        await write(store, lambda tx: tx.invites.put(replace(INVITE, id="invite_2"), "other"))


class TestPasswordResets:
    async def test_a_reset_comes_back_until_it_is_over_or_its_users_are_ended(self, store: Store):
        await write(store, lambda tx: tx.password_resets.add(RESET))
        assert await read(store, lambda tx: tx.password_resets.get(RESET.id_hash)) == RESET
        assert await write(store, lambda tx: tx.password_resets.delete_expired(NOW)) == 0
        assert await write(store, lambda tx: tx.password_resets.delete_of_user("usr_9")) == 0
        assert await write(store, lambda tx: tx.password_resets.delete_of_user(ADA.id)) == 1
        assert await read(store, lambda tx: tx.password_resets.get(RESET.id_hash)) is None

    async def test_a_reset_that_is_over_is_taken_away(self, store: Store):
        await write(store, lambda tx: tx.password_resets.add(RESET))
        assert await write(store, lambda tx: tx.password_resets.delete_expired(RESET.expires_at)) == 1


class TestOutbox:
    async def put(self, store: Store, recipient: str = "a@example.com", now: datetime = NOW) -> None:
        await write(store, lambda tx: tx.outbox.add(MailKind.INVITE, recipient, "invite_1", now))

    async def claim(self, store: Store, now: datetime) -> Mail | None:
        claimed: Mail | None = await write(store, lambda tx: tx.outbox.claim(now, now + HOUR))
        return claimed

    async def test_a_mail_is_claimed_once_and_again_when_the_claim_is_over(self, store: Store):
        await self.put(store)
        assert not await read(store, lambda tx: tx.outbox.has_due(NOW - HOUR))
        assert await read(store, lambda tx: tx.outbox.has_due(NOW))
        first = await self.claim(store, NOW)
        assert first == Mail(first.id if first else 0, MailKind.INVITE, "a@example.com", "invite_1", NOW, 1)
        assert await self.claim(store, NOW) is None
        again = await self.claim(store, NOW + HOUR)
        assert first is not None
        assert again == replace(first, attempts=2)

    async def test_the_one_that_is_due_for_the_longest_comes_first(self, store: Store):
        for recipient, now in (("b@example.com", NOW), ("a@example.com", NOW - HOUR), ("c@example.com", NOW)):
            await self.put(store, recipient, now)
        claimed = [await self.claim(store, NOW) for _ in range(3)]
        assert [mail and mail.recipient for mail in claimed] == ["a@example.com", "b@example.com", "c@example.com"]

    async def test_a_mail_that_was_sent_is_counted_and_never_due(self, store: Store):
        await self.put(store)
        mail = await self.claim(store, NOW)
        assert mail is not None
        await write(store, lambda tx: tx.outbox.set_sent(mail.id, NOW))
        assert not await read(store, lambda tx: tx.outbox.has_due(NOW + 100 * HOUR))

    @pytest.mark.parametrize(
        ("other", "since", "count"),
        [
            ({}, NOW - HOUR, 1),
            ({}, NOW, 0),
            ({"kind": MailKind.PASSWORD_RESET}, NOW - HOUR, 0),
            ({"recipient": "b@example.com"}, NOW - HOUR, 0),
        ],
    )
    async def test_those_like_another_one_are_counted_since_a_moment(
        self, store: Store, other: dict[str, Any], since: datetime, count: int
    ):
        await self.put(store)
        mail = await self.claim(store, NOW)
        assert mail is not None
        assert await read(store, lambda tx: tx.outbox.count_like(mail, since)) == 0, "it is no other one"
        another = replace(mail, id=mail.id + 1, **other)
        await write(store, lambda tx: tx.outbox.set_sent(mail.id, NOW))
        assert await read(store, lambda tx: tx.outbox.count_like(another, since)) == count

    async def test_a_mail_is_tried_again_when_it_was_told_to(self, store: Store):
        await self.put(store)
        mail = await self.claim(store, NOW)
        assert mail is not None
        await write(store, lambda tx: tx.outbox.set_next_try(mail.id, NOW + timedelta(seconds=5)))
        assert await self.claim(store, NOW + timedelta(seconds=4)) is None
        assert await self.claim(store, NOW + timedelta(seconds=5)) is not None

    async def test_old_mails_go_when_they_were_sent_and_others_stay(self, store: Store):
        await self.put(store)
        await self.put(store)
        mail = await self.claim(store, NOW)
        assert mail is not None
        await write(store, lambda tx: tx.outbox.set_sent(mail.id, NOW))
        assert await write(store, lambda tx: tx.outbox.delete_older(NOW)) == 0
        assert await write(store, lambda tx: tx.outbox.delete_older(NOW + HOUR)) == 1
        waiting = await self.claim(store, NOW)
        assert waiting is not None
        await write(store, lambda tx: tx.outbox.delete(waiting.id))
        assert await self.claim(store, NOW + 100 * HOUR) is None


class TestApiTokens:
    async def test_those_of_one_name_and_user_are_deleted_and_others_stay(self, people: Store):
        for number, (user, name) in enumerate([(ADA, "job"), (ADA, "other"), (BOB, "job")]):
            token = ApiToken(f"tok_{number}", user.id, name, NOW)
            await write(people, partial(_add_token, token))
        assert await write(people, lambda tx: tx.api_tokens.delete_named(ADA.id, "job")) == 1
        assert await read(people, lambda tx: [token.id for token in tx.api_tokens.list()]) == ["tok_1", "tok_2"]
