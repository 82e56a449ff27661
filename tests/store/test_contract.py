"""What every store keeps to, method by method of `store.base`; `conftest.STORES` says which stores there are."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import anyio
import pytest
from tests.store.conftest import Store

from medusa_auth.core.ids import secret_hash
from medusa_auth.errors import DuplicateError, UnavailableError
from medusa_auth.model import ApiToken, Role, Session, User
from medusa_auth.store.base import Changes, Records, TokenState, Transaction

pytestmark = pytest.mark.anyio


def heard(changes: Changes) -> Collection[str] | None:
    """What is told once everything that was acknowledged has arrived."""
    time.sleep(changes.delay)
    return changes.poll()


NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
LATER = NOW + timedelta(hours=1)
ADA = User("usr_1", "ada@example.com", Role.ADMIN, NOW, NOW, "Ada", "L", {"a": {"b": [1, None, "ü"]}})
BOB = User("usr_2", "bob@example.com", Role.MEMBER, LATER, LATER)
SESSION = Session("hash_1", ADA.id, NOW, NOW, LATER, "192.0.2.1", "curl")
TOKEN = ApiToken("tok_1", ADA.id, "job", NOW, None, LATER)


async def add(records: Records, *users: User) -> None:
    def work(tx: Transaction) -> None:
        for user in users:
            tx.users.add(user, f"hash of {user.id}")

    await records.write(work)


async def announce(records: Records, user_id: str, now: datetime = NOW) -> None:
    await records.write(lambda tx: tx.announce(user_id, now))


class TestUsers:
    async def test_a_user_comes_back_as_it_was_added(self, store: Store):
        for user in (ADA, BOB, replace(BOB, id="usr_3", email="c@example.com", role=Role.DEVELOPER, metadata={})):
            await add(store.records, user)
            assert await store.records.read(lambda tx, user=user: tx.users.get(user.id)) == user  # type: ignore[misc]

    async def test_many_addresses_find_their_users_together(self, store: Store):
        eve = replace(BOB, id="usr_3", email="eve@example.com")
        await add(store.records, ADA, BOB, eve)
        await store.records.write(lambda tx: tx.users.delete(eve.id, LATER))
        asked = [BOB.email, "nobody@example.com", ADA.email, eve.email, "\0"]
        expected = {user.email: (user, f"hash of {user.id}") for user in (ADA, BOB)}
        assert await store.records.read(lambda tx: tx.users.find_with_passwords(asked)) == expected
        assert await store.records.read(lambda tx: tx.users.find_with_passwords([])) == {}

    async def test_an_address_finds_its_user_with_the_hash_and_only_in_its_stored_form(self, store: Store):
        await add(store.records, ADA, BOB)
        read = store.records.read
        assert await read(lambda tx: tx.users.get_with_password(BOB.email)) == (BOB, "hash of usr_2")
        assert await read(lambda tx: tx.users.get_with_password(BOB.email.upper())) is None
        assert await read(lambda tx: tx.users.get_with_password("%")) is None

    @pytest.mark.asvs("1.2.4")
    @pytest.mark.parametrize("text", ["' OR 1=1 --", '"; DROP TABLE "user"; --', "a\\'b", "%", "_", "ü🔑"])
    async def test_text_is_text_and_nothing_else(self, store: Store, text: str):
        await add(store.records, ADA)
        assert await store.records.read(lambda tx: tx.users.get(text)) is None
        assert await store.records.read(lambda tx: tx.users.get_with_password(text)) is None
        odd = replace(BOB, email=text, first_name=text, metadata={text: text})
        await add(store.records, odd)
        assert await store.records.read(lambda tx: tx.users.list()) == [ADA, odd]

    async def test_nobody_has_an_id_or_an_address_with_a_character_that_no_text_has(self, store: Store):
        assert await store.records.read(lambda tx: tx.users.get("\0")) is None
        assert await store.records.read(lambda tx: tx.users.get_with_password("\0")) is None

    async def test_all_are_listed_oldest_first(self, store: Store):
        await add(store.records, BOB, ADA)
        assert await store.records.read(lambda tx: tx.users.list()) == [ADA, BOB]

    async def test_a_user_may_have_no_password(self, store: Store):
        await store.records.write(lambda tx: tx.users.add(ADA, None))
        assert await store.records.read(lambda tx: tx.users.get_with_password(ADA.email)) == (ADA, None)

    async def test_a_taken_address_is_a_duplicate_and_nothing_of_the_transaction_stays(self, store: Store):
        await add(store.records, ADA)

        def add_twin(tx: Transaction) -> None:
            tx.sessions.add(SESSION, "the id")
            tx.users.add(replace(BOB, email=ADA.email), None)

        with pytest.raises(DuplicateError):
            await store.records.write(add_twin)
        assert await store.records.read(lambda tx: tx.users.list()) == [ADA]
        assert await store.records.read(lambda tx: tx.sessions.get(SESSION.id_hash)) is None

    async def test_the_address_of_a_deleted_user_can_be_taken_again_and_again(self, store: Store):
        for number in range(3):
            user = replace(ADA, id=f"usr_{number}")
            await add(store.records, user)
            assert await store.records.read(lambda tx: tx.users.list()) == [user]
            assert await store.records.write(partial(_delete_user, user.id))

    async def test_a_deleted_user_is_not_found_by_anything(self, store: Store):
        await add(store.records, ADA, BOB)
        assert await store.records.write(lambda tx: tx.users.delete(ADA.id, LATER))
        assert await store.records.read(lambda tx: tx.users.get(ADA.id)) is None
        assert await store.records.read(lambda tx: tx.users.get_with_password(ADA.email)) is None
        assert await store.records.read(lambda tx: tx.users.list()) == [BOB]

    async def test_there_is_somebody_as_long_as_somebody_lives(self, store: Store):
        exist = [await store.records.read(lambda tx: tx.users.exist())]
        await add(store.records, ADA)
        exist.append(await store.records.read(lambda tx: tx.users.exist()))
        assert await store.records.write(partial(_delete_user, ADA.id))
        exist.append(await store.records.read(lambda tx: tx.users.exist()))
        assert exist == [False, True, False]

    async def test_only_who_lives_can_be_deleted(self, store: Store):
        await add(store.records, ADA)
        assert [await store.records.write(lambda tx: tx.users.delete(ADA.id, LATER)) for _ in range(2)] == [True, False]
        assert not await store.records.write(lambda tx: tx.users.delete("usr_0", LATER))

    async def test_a_new_hash_is_of_one_user_and_a_change_only_if_told_so(self, store: Store):
        await add(store.records, ADA, BOB)
        await store.records.write(lambda tx: tx.users.set_password_hash(ADA.id, "better"))
        assert await store.records.read(lambda tx: tx.users.get_with_password(ADA.email)) == (ADA, "better")
        await store.records.write(lambda tx: tx.users.set_password_hash(ADA.id, "new", LATER))
        changed = replace(ADA, updated_at=LATER)
        assert await store.records.read(lambda tx: tx.users.get_with_password(ADA.email)) == (changed, "new")
        assert await store.records.read(lambda tx: tx.users.get_with_password(BOB.email)) == (BOB, "hash of usr_2")

    async def test_metadata_is_a_copy_of_what_was_given_and_of_what_is_kept(self, store: Store):
        given: dict[str, Any] = {"a": [1]}
        await add(store.records, replace(ADA, metadata=given))
        given["a"].append(2)
        for _ in range(2):
            found = await store.records.read(lambda tx: tx.users.get(ADA.id))
            assert found
            assert found.metadata == {"a": [1]}
            found.metadata["a"].append(2)

    async def test_nobody_deleted_has_a_password_or_gets_one(self, store: Store):
        await add(store.records, ADA)
        await store.records.write(lambda tx: tx.users.delete(ADA.id, LATER))
        await store.records.write(lambda tx: tx.users.set_password_hash(ADA.id, "new", LATER))
        assert await store.records.read(lambda tx: tx.users.get_password_hash(ADA.id)) is None
        assert await store.records.read(lambda tx: tx.users.get_with_password(ADA.email)) is None


class TestReadableTokens:
    async def test_a_token_finds_its_user_and_the_other_way_round(self, store: Store):
        await add(store.records, BOB, ADA)
        for user, token in ((ADA, "secret a"), (BOB, "secret b")):
            await store.records.write(partial(_set_readable_token, user.id, token))
            assert await store.records.read(partial(_by_readable_token, token)) == user
            assert await store.records.read(partial(_readable_token, user.id)) == token
        listed = await store.records.read(lambda tx: list(tx.users.list_readable_tokens()))
        assert listed == [(ADA, "secret a"), (BOB, "secret b")]

    async def test_a_token_is_one_user_s_or_nobody_s(self, store: Store):
        await add(store.records, ADA, BOB)
        for user in (ADA, BOB):
            await store.records.write(partial(_set_readable_token, user.id, "secret"))
        assert await store.records.read(partial(_by_readable_token, "secret")) is None
        await store.records.write(partial(_set_readable_token, ADA.id, None))
        assert await store.records.read(partial(_by_readable_token, "secret")) == BOB

    async def test_of_many_those_are_found_that_are_one_users_alone(self, store: Store):
        eve = replace(BOB, id="usr_3", email="eve@example.com")
        await add(store.records, ADA, BOB, eve)
        for user, token in ((ADA, "hers alone"), (BOB, "of two"), (eve, "of two")):
            await store.records.write(partial(_set_readable_token, user.id, token))
        asked = ["of two", "hers alone", "nobody's", "\0"]
        assert await store.records.read(lambda tx: tx.users.find_by_readable_tokens(asked)) == {"hers alone": ADA}
        assert await store.records.read(lambda tx: tx.users.find_by_readable_tokens([])) == {}

    async def test_who_has_none_or_was_deleted_is_not_found(self, store: Store):
        await add(store.records, ADA, BOB)
        await store.records.write(partial(_set_readable_token, ADA.id, "secret"))
        await store.records.write(lambda tx: tx.users.delete(ADA.id, LATER))
        for token in ("secret", "", "\0"):
            assert await store.records.read(partial(_by_readable_token, token)) is None
        assert [await store.records.read(partial(_readable_token, user.id)) for user in (ADA, BOB)] == [None, None]
        assert await store.records.read(lambda tx: list(tx.users.list_readable_tokens())) == []


def _set_readable_token(user_id: str, token: str | None, tx: Transaction) -> None:
    tx.users.set_readable_token(user_id, token)


def _by_readable_token(token: str, tx: Transaction) -> User | None:
    return tx.users.find_by_readable_tokens([token]).get(token)


def _readable_token(user_id: str, tx: Transaction) -> str | None:
    return tx.users.get_readable_token(user_id)


def _delete_user(user_id: str, tx: Transaction) -> bool:
    return tx.users.delete(user_id, LATER)


class TestSessions:
    async def test_a_session_comes_back_as_it_was_added(self, store: Store):
        bare = Session("hash_2", ADA.id, NOW, NOW, LATER)
        for session in (SESSION, bare):
            await store.records.write(partial(_add_session, session))
        assert await store.records.read(lambda tx: [tx.sessions.get(f"hash_{n}") for n in (1, 2, 3)]) == [
            SESSION,
            bare,
            None,
        ]

    async def test_a_touch_moves_one_forward_and_never_back(self, store: Store):
        for session in (SESSION, replace(SESSION, id_hash="hash_2")):
            await store.records.write(partial(_add_session, session))
        for seen, expected in ((LATER, LATER), (NOW, LATER), (LATER + TICK, LATER + TICK)):
            await store.records.write(partial(_touch_session, seen))
            found = await store.records.read(lambda tx: tx.sessions.get("hash_1"))
            assert found == replace(SESSION, last_seen_at=expected)
        other = await store.records.read(lambda tx: tx.sessions.get("hash_2"))
        assert other
        assert other.last_seen_at == NOW

    async def test_a_touch_does_not_bring_an_ended_session_back(self, store: Store):
        await store.records.write(lambda tx: tx.sessions.add(SESSION, "the id"))
        await store.records.write(lambda tx: tx.sessions.delete("hash_1"))
        await store.records.write(partial(_touch_session, LATER))
        assert await store.records.read(lambda tx: tx.sessions.get("hash_1")) is None

    async def test_a_deletion_tells_whose_it_was_once(self, store: Store):
        await store.records.write(lambda tx: tx.sessions.add(SESSION, "the id"))
        told = [await store.records.write(lambda tx: tx.sessions.delete("hash_1")) for _ in range(2)]
        assert told == [ADA.id, None]

    async def test_all_of_a_user_end_and_no_others(self, store: Store):
        for number, user_id in enumerate((ADA.id, ADA.id, BOB.id)):
            await store.records.write(partial(_add_session, replace(SESSION, id_hash=str(number), user_id=user_id)))
        told = [await store.records.write(lambda tx: tx.sessions.delete_of_user(ADA.id)) for _ in range(2)]
        assert told == [2, 0]
        assert await store.records.read(lambda tx: [tx.sessions.get(n) is None for n in "012"]) == [True, True, False]

    async def test_those_are_expired_whose_end_is_now_or_was_before(self, store: Store):
        for number, ends in enumerate((NOW - TICK, NOW, LATER)):
            await store.records.write(partial(_add_session, replace(SESSION, id_hash=str(number), expires_at=ends)))
        await store.records.write(lambda tx: tx.sessions.delete_expired(NOW))
        gone = await store.records.read(lambda tx: [tx.sessions.get(n) is None for n in "012"])
        # Where another program may keep one for ever, it has to be known as over.
        assert gone == ([False] * 3 if store.is_shared else [True, True, False])

    async def test_many_are_found_together_each_with_its_user(self, store: Store):
        await add(store.records, ADA, BOB)
        ids = {f"id_{number}": secret_hash(f"id_{number}") for number in range(7)}
        owners = [ADA.id, BOB.id, ADA.id, "usr_nobody", "", ADA.id]
        for (session_id, id_hash), user_id in zip(ids.items(), owners, strict=False):
            session = replace(SESSION, id_hash=id_hash, user_id=user_id)
            await store.records.write(partial(_add_session_of_id, session, session_id))
        await store.records.write(lambda tx: tx.sessions.delete(ids["id_2"], "id_2"))
        expected = {f"id_{number}": (ids[f"id_{number}"], user) for number, user in ((0, ADA), (1, BOB), (5, ADA))}
        found = await store.records.read(lambda tx: tx.sessions.find_with_users(ids))
        assert {name: (session.id_hash, user) for name, (session, user) in found.items()} == expected
        assert all(session.user_id == user.id for session, user in found.values())
        await store.records.write(lambda tx: tx.users.delete(BOB.id, LATER))
        found = await store.records.read(lambda tx: tx.sessions.find_with_users(ids))
        assert found.keys() == {"id_0", "id_5"}
        assert await store.records.read(lambda tx: tx.sessions.find_with_users({})) == {}


def _add_session_of_id(session: Session, session_id: str, tx: Transaction) -> None:
    tx.sessions.add(session, session_id)


def _add_session(session: Session, tx: Transaction) -> None:
    tx.sessions.add(session, "the id")


def _touch_session(seen: datetime, tx: Transaction) -> None:
    tx.sessions.touch("hash_1", seen)


class TestAccessTokens:
    async def test_of_whom_nothing_has_ended_there_is_no_moment(self, store: Store):
        await store.records.write(lambda tx: tx.access_tokens.set_not_before(BOB.id, NOW))
        assert await store.records.read(lambda tx: tx.access_tokens.not_before(ADA.id)) is None

    async def test_the_moment_that_was_set_last_stands(self, store: Store):
        for moment in (NOW, LATER):
            await store.records.write(partial(_set_not_before, moment))
            assert await store.records.read(lambda tx: tx.access_tokens.not_before(ADA.id)) == moment

    async def test_a_revoked_token_is_known_until_it_would_have_ended(self, store: Store):
        await store.records.write(lambda tx: tx.access_tokens.revoke("jti_1", ADA.id, LATER))
        await store.records.write(lambda tx: tx.access_tokens.revoke("jti_2", ADA.id, LATER + TICK))
        assert await store.records.write(lambda tx: tx.access_tokens.delete_expired(LATER - TICK)) == 0
        assert await _revoked(store.records) == [True, True, False]
        assert await store.records.write(lambda tx: tx.access_tokens.delete_expired(LATER)) == 1
        assert await _revoked(store.records) == [False, True, False]

    async def test_revoking_twice_is_no_error(self, store: Store):
        for _ in range(2):
            await store.records.write(lambda tx: tx.access_tokens.revoke("jti_1", ADA.id, LATER))
        assert await _revoked(store.records) == [True, False, False]

    @pytest.mark.asvs("2.3.4")
    async def test_revoking_many_times_at_once_is_no_error(self, store: Store):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(store.records.write, lambda tx: tx.access_tokens.revoke("jti_1", ADA.id, LATER))
        assert await _revoked(store.records) == [True, False, False]

    async def test_of_many_is_known_together_whose_they_are_and_what_has_ended(self, store: Store):
        await add(store.records, ADA, BOB)
        await store.records.write(lambda tx: tx.access_tokens.set_not_before(BOB.id, LATER))
        asked = [(ADA.id, "jti_1"), (ADA.id, "jti_2"), (BOB.id, "jti_3"), ("usr_nobody", "jti_4"), ("\0", "jti_5")]
        for revoked in ("", "jti_2", "jti_4"):
            if revoked:
                await store.records.write(partial(_revoke, revoked))
            found = await store.records.read(lambda tx: tx.access_tokens.find_users(asked))
            assert found == {
                asked[0]: TokenState(ADA, None, is_revoked=False),
                asked[1]: TokenState(ADA, None, is_revoked=revoked != ""),
                asked[2]: TokenState(BOB, LATER, is_revoked=False),
            }
        await store.records.write(lambda tx: tx.users.delete(ADA.id, LATER))
        assert (await store.records.read(lambda tx: tx.access_tokens.find_users(asked))).keys() == {asked[2]}
        assert await store.records.read(lambda tx: tx.access_tokens.find_users([])) == {}


def _revoke(token_id: str, tx: Transaction) -> None:
    tx.access_tokens.revoke(token_id, ADA.id, LATER)


def _set_not_before(moment: datetime, tx: Transaction) -> None:
    tx.access_tokens.set_not_before(ADA.id, moment)


async def _revoked(records: Records) -> list[bool]:
    return await records.read(lambda tx: [tx.access_tokens.is_revoked(f"jti_{number}") for number in (1, 2, 3)])


class TestApiTokens:
    async def test_a_token_is_found_by_its_hash_as_it_was_added(self, store: Store):
        endless = ApiToken("tok_2", BOB.id, "", LATER, LATER, None)
        await store.records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash_1"))
        await store.records.write(lambda tx: tx.api_tokens.add(endless, "hash_2"))
        assert await store.records.read(lambda tx: tx.api_tokens.get_by_hash("hash_1")) == TOKEN
        assert await store.records.read(lambda tx: tx.api_tokens.get_by_hash("hash_2")) == endless
        assert await store.records.read(lambda tx: tx.api_tokens.get_by_hash("tok_1")) is None

    async def test_all_are_listed_oldest_first(self, store: Store):
        newer = replace(TOKEN, id="tok_0", created_at=LATER)
        await store.records.write(lambda tx: tx.api_tokens.add(newer, "hash_2"))
        await store.records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash_1"))
        assert await store.records.read(lambda tx: tx.api_tokens.list()) == [TOKEN, newer]

    async def test_a_touch_moves_one_forward_and_never_back(self, store: Store):
        other = replace(TOKEN, id="tok_2")
        await store.records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash_1"))
        await store.records.write(lambda tx: tx.api_tokens.add(other, "hash_2"))
        for used, expected in ((NOW, NOW), (LATER, LATER), (NOW, LATER)):
            await store.records.write(partial(_touch_token, used))
            assert await store.records.read(lambda tx: tx.api_tokens.get_by_hash("hash_1")) == replace(
                TOKEN, last_used_at=expected
            )
        assert await store.records.read(lambda tx: tx.api_tokens.get_by_hash("hash_2")) == other

    async def test_a_deletion_tells_whose_it_was_once(self, store: Store):
        await store.records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash_1"))
        told = [await store.records.write(lambda tx: tx.api_tokens.delete("tok_1")) for _ in range(2)]
        assert told == [ADA.id, None]

    async def test_all_of_a_user_end_and_no_others(self, store: Store):
        other = replace(TOKEN, id="tok_2", user_id=BOB.id)
        await store.records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash_1"))
        await store.records.write(lambda tx: tx.api_tokens.add(other, "hash_2"))
        assert await store.records.write(lambda tx: tx.api_tokens.delete_of_user(ADA.id)) == 1
        assert await store.records.read(lambda tx: tx.api_tokens.list()) == [other]

    async def test_many_are_found_together_each_with_its_user(self, store: Store):
        await add(store.records, ADA, BOB)
        of_bob, of_nobody = (replace(TOKEN, id=f"tok_{user_id}", user_id=user_id) for user_id in (BOB.id, "usr_3"))
        for token, token_hash in ((TOKEN, "hash_1"), (of_bob, "hash_2"), (of_nobody, "hash_3")):
            await store.records.write(partial(_add_token, token, token_hash))
        hashes = [f"hash_{number}" for number in range(5)]
        expected = {"hash_1": (TOKEN, ADA), "hash_2": (of_bob, BOB)}
        assert await store.records.read(lambda tx: tx.api_tokens.find_with_users(hashes)) == expected
        await store.records.write(lambda tx: tx.users.delete(ADA.id, LATER))
        del expected["hash_1"]
        assert await store.records.read(lambda tx: tx.api_tokens.find_with_users(hashes)) == expected
        assert await store.records.read(lambda tx: tx.api_tokens.find_with_users([])) == {}


def _add_token(token: ApiToken, token_hash: str, tx: Transaction) -> None:
    tx.api_tokens.add(token, token_hash)


def _touch_token(used: datetime, tx: Transaction) -> None:
    tx.api_tokens.touch("tok_1", used)


class TestLooks:
    async def test_a_key_that_a_database_cannot_be_asked_about_is_no_failure_of_the_store_and_hinders_no_other(
        self, store: Store
    ):
        await store.records.write(lambda tx: tx.api_tokens.add(TOKEN, "hash_1"))

        def find(tx: Transaction, hashes: Sequence[str]) -> Mapping[str, ApiToken]:
            found = {each: tx.api_tokens.get_by_hash(each) for each in hashes}
            return {each: token for each, token in found.items() if token is not None}

        keys = ["hash_1", "hash of a secret\0", "hash_1", "hash_2"]
        answers = await asyncio.gather(*(store.records.look(find, key) for key in keys), return_exceptions=True)
        assert [answers[0], *answers[2:]] == [TOKEN, TOKEN, None]
        # PostgreSQL has no text with NUL.
        assert not isinstance(answers[1], UnavailableError)
        # Such an error is logged.
        assert "hash of a secret" not in str(answers[1])


class TestTransactions:
    async def test_the_result_of_the_work_is_given(self, store: Store):
        assert await store.records.read(lambda _: "read") == "read"
        assert await store.records.write(lambda _: "written") == "written"

    @pytest.mark.asvs("2.3.3")
    async def test_of_work_that_fails_nothing_stays_and_the_error_is_told(self, store: Store):
        def fail(tx: Transaction) -> None:
            tx.users.add(ADA, None)
            tx.sessions.add(SESSION, "the id")
            tx.api_tokens.add(TOKEN, "hash")
            tx.access_tokens.revoke("jti_1", ADA.id, LATER)
            tx.access_tokens.set_not_before(ADA.id, NOW)
            raise LookupError("at the end")

        with pytest.raises(LookupError, match="at the end"):
            await store.records.write(fail)

        def remains(tx: Transaction) -> list[Any]:
            return [
                tx.users.list(),
                tx.sessions.get("hash_1"),
                tx.api_tokens.list(),
                tx.access_tokens.is_revoked("jti_1"),
                tx.access_tokens.not_before(ADA.id),
            ]

        assert await store.records.read(remains) == [[], None, [], False, None]

    async def test_work_sees_what_it_has_written_itself(self, store: Store):
        def work(tx: Transaction) -> bool:
            tx.users.add(ADA, None)
            return tx.users.get(ADA.id) == ADA

        assert await store.records.write(work)

    async def test_a_reader_sees_one_moment_although_another_commits_meanwhile(self, store: Store):
        await add(store.records, ADA)
        reading, written = threading.Event(), threading.Event()

        def read(tx: Transaction) -> list[int]:
            before = len(tx.users.list())
            reading.set()
            assert written.wait(5)
            return [before, len(tx.users.list())]

        async def write() -> None:
            await asyncio.to_thread(reading.wait, 5)
            await add(store.records, BOB)
            written.set()

        seen: list[int] = []

        async def keep() -> None:
            seen.extend(await store.records.read(read))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep)
            tasks.start_soon(write)
        assert seen == [1, 1]

    @pytest.mark.asvs("15.4.2")
    async def test_what_is_read_and_written_in_one_transaction_is_not_overtaken(self, store: Store):
        await store.records.write(lambda tx: tx.users.add(ADA, "0"))

        def count(tx: Transaction) -> None:
            found = tx.users.get_with_password(ADA.email)
            assert found
            tx.users.set_password_hash(ADA.id, str(int(found[1] or 0) + 1))

        # Ten in a queue come to their turns in time, also on a slow machine.
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(store.records.write, count)
        assert await store.records.read(lambda tx: tx.users.get_with_password(ADA.email)) == (ADA, "30")

    async def test_work_whose_caller_goes_away_is_done_as_a_whole_and_its_turn_ends(self, store: Store):
        go = threading.Event()

        def work(tx: Transaction) -> None:
            tx.users.add(ADA, None)
            go.wait(5)
            tx.users.add(BOB, None)

        task = asyncio.create_task(store.records.write(work))
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        found: list[User] = []
        with anyio.fail_after(5):
            while not found:
                found = list(await store.records.read(lambda tx: tx.users.list()))
        assert found == [ADA, BOB]

    async def test_a_store_that_is_there_answers_a_ping(self, store: Store):
        await store.records.ping()

    async def test_a_store_that_was_closed_is_unavailable_and_may_be_closed_again(self, store: Store):
        store.records.close()
        for ask in (store.records.read, store.records.write):
            with pytest.raises(UnavailableError):
                await ask(lambda tx: tx.users.list())
        with pytest.raises(UnavailableError):
            await store.records.ping()
        store.records.close()

    @pytest.mark.parametrize("hours", [-12, 0, 5.75, 14])
    async def test_a_time_of_whatever_zone_comes_back_as_the_same_moment_in_utc(self, store: Store, hours: float):
        elsewhere = NOW.astimezone(timezone(timedelta(hours=hours)))
        await add(store.records, replace(ADA, created_at=elsewhere, updated_at=elsewhere))
        found = await store.records.read(lambda tx: tx.users.get(ADA.id))
        assert found
        assert (found.created_at, found.created_at.tzinfo) == (NOW, UTC)

    @pytest.mark.parametrize("microsecond", [0, 1, 999_999])
    async def test_times_are_kept_to_the_microsecond(self, store: Store, microsecond: int):
        moment = NOW.replace(microsecond=microsecond)
        await store.records.write(lambda tx: tx.access_tokens.set_not_before(ADA.id, moment))
        assert await store.records.read(lambda tx: tx.access_tokens.not_before(ADA.id)) == moment


class TestChanges:
    async def test_who_was_announced_before_is_not_told(self, store: Store):
        await announce(store.records, "usr_1")
        assert heard(store.listen()) in ((), set())

    async def test_who_was_announced_is_told_once_to_each_who_listens(self, store: Store):
        ears = [store.listen() for _ in range(2)]
        for user_id in ("usr_1", "usr_2", "usr_1"):
            await announce(store.records, user_id)
        assert [set(heard(changes) or ()) for changes in ears] == [{"usr_1", "usr_2"}] * 2
        assert [set(heard(changes) or ()) for changes in ears] == [set()] * 2

    async def test_every_announcement_is_heard_as_soon_as_it_is_acknowledged(self, store: Store):
        changes = store.listen()
        for number in range(5 if changes.delay else 30):
            await announce(store.records, f"usr_{number}")
            assert heard(changes) == {f"usr_{number}"}

    async def test_a_commit_without_an_announcement_is_no_alarm(self, store: Store):
        changes = store.listen()
        await add(store.records, ADA)
        await store.records.write(lambda tx: tx.sessions.add(SESSION, "the id"))
        polled = heard(changes)
        assert polled is not None
        # Where sessions are elsewhere, each that is written is told of.
        assert set(polled) <= {SESSION.id_hash, secret_hash("the id")}

    async def test_what_is_undone_is_not_heard(self, store: Store):
        changes = store.listen()

        def fail(tx: Transaction) -> None:
            tx.announce("usr_1", NOW)
            raise LookupError

        with pytest.raises(LookupError):
            await store.records.write(fail)
        assert not heard(changes)
        await announce(store.records, "usr_2")
        assert heard(changes) == {"usr_2"}

    async def test_whoever_slept_through_what_is_no_longer_kept_is_told_that_some_were_missed(self, store: Store):
        await announce(store.records, "usr_0")
        changes = store.listen()
        await announce(store.records, "usr_1")
        await announce(store.records, "usr_2", NOW + timedelta(hours=2))
        # A store that keeps nothing has told it already.
        assert heard(changes) in (None, {"usr_1", "usr_2"})
        await announce(store.records, "usr_3", NOW + timedelta(hours=2))
        assert heard(changes) == {"usr_3"}

    @pytest.mark.asvs("7.4.1")
    async def test_whoever_listened_before_the_first_announcement_is_told_of_a_gap_too(self, store: Store):
        changes = store.listen()
        await announce(store.records, "usr_1")
        await announce(store.records, "usr_2", NOW + timedelta(hours=2))
        assert heard(changes) in (None, {"usr_1", "usr_2"})

    async def test_an_hour_of_announcements_is_kept(self, store: Store):
        await announce(store.records, "usr_0")
        changes = store.listen()
        await announce(store.records, "usr_1", NOW)
        await announce(store.records, "usr_2", NOW + timedelta(hours=1))
        assert heard(changes) == {"usr_1", "usr_2"}
