"""The store in memory, where it is another thing than a database: its entries are values, and its news is counted."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth.errors import DuplicateError
from medusa_auth.model import ApiToken, PasswordReset, Session
from medusa_auth.store.base import Transaction
from medusa_auth.store.memory.changes import MemoryChanges
from medusa_auth.store.memory.entries import LONGEST, Entries, Entry
from medusa_auth.store.memory.records import ANNOUNCEMENTS_KEPT, MemoryRecords

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def memory() -> Iterator[MemoryRecords]:
    records = MemoryRecords()
    yield records
    records.close()


def entry(number: int) -> Entry:
    # The last item cannot be compared, and is not.
    return ("table", number % 7, number, object())


def filled(numbers: range) -> Entries:
    entries = Entries()
    for number in numbers:
        entries = entries.add(entry(number))
    return entries


MANY = range(1000, 1000 + 2 * LONGEST)
FILLED = filled(MANY)
SORTED = sorted(map(entry, MANY), key=lambda each: each[:-1])


class TestEntries:
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 40))))
    def test_they_are_as_a_sorted_list_would_be_whatever_comes_and_goes(self, steps: list[tuple[bool, int]]):
        entries, expected = FILLED, SORTED.copy()
        for comes, number in steps:
            there = [each for each in expected if each[2] == number]
            if comes and not there:
                entries = entries.add(entry(number))
                insort(expected, entry(number), key=lambda each: each[:-1])
            elif there and not comes:
                entries = entries.remove(there[0])
                expected.remove(there[0])
        assert [each[:-1] for each in entries.starting(())] == [each[:-1] for each in expected]
        for beginning in (("table", 3), ("table", 3, 10), ("other",)):
            found = [each[:-1] for each in entries.starting(beginning)]
            assert found == [each[:-1] for each in expected if each[: len(beginning)] == beginning]

    def test_one_that_is_taken_out_is_found_at_the_edge_of_every_piece(self):
        entries = filled(range(5 * LONGEST))
        for each in list(entries.starting(())):
            assert list(entries.starting(each[:-1])) == [each]
            entries = entries.remove(each)
            assert not list(entries.starting(each[:-1]))
        assert not list(entries.starting(()))
        assert list(entries.add(entry(1)).starting(("table", 1)))

    def test_a_change_leaves_the_older_ones_as_they_were_and_shares_all_pieces_but_one(self):
        entries = filled(range(50 * LONGEST))
        before = list(entries.starting(()))
        for changed in (entries.add(entry(-1)), entries.remove(before[LONGEST])):
            assert list(entries.starting(())) == before
            shared = {id(piece) for piece in entries._pieces} & {id(piece) for piece in changed._pieces}
            assert len(shared) == len(entries._pieces) - 1
        assert max(len(piece) for piece in entries._pieces) <= LONGEST


@pytest.mark.anyio
class TestMemoryRecords:
    async def test_what_a_reader_writes_is_dropped(self, memory: MemoryRecords):
        session = Session("hash", "usr_1", NOW, NOW, NOW)
        await memory.read(lambda tx: tx.sessions.add(session, "the id"))
        assert await memory.read(lambda tx: tx.sessions.get("hash")) is None

    async def test_what_is_there_is_not_added_twice(self, memory: MemoryRecords):
        def add(tx: Transaction, token_id: str = "tok_1", token_hash: str = "hash") -> None:
            tx.api_tokens.add(ApiToken(token_id, "usr_1", "job", NOW), token_hash)

        def add_others(tx: Transaction) -> None:
            tx.sessions.add(Session("hash", "usr_1", NOW, NOW, NOW), "the id")

        def add_reset(tx: Transaction) -> None:
            tx.password_resets.add(PasswordReset("hash", "usr_1", "digest", NOW))

        for work in (add, add_others, add_reset):
            await memory.write(work)
            with pytest.raises(DuplicateError):
                await memory.write(work)
        with pytest.raises(DuplicateError):
            await memory.write(lambda tx: add(tx, "tok_1", "other"))
        with pytest.raises(DuplicateError):
            await memory.write(lambda tx: add(tx, "tok_2", "hash"))


@pytest.mark.anyio
class TestMemoryChanges:
    async def test_as_many_announcements_as_are_kept_are_told_and_one_more_is_a_gap(self, memory: MemoryRecords):
        for number, told in ((ANNOUNCEMENTS_KEPT, True), (ANNOUNCEMENTS_KEPT + 1, False)):
            changes = MemoryChanges(memory)
            users = [f"usr_{at}" for at in range(number)]

            def announce(tx: Transaction, users: list[str] = users) -> None:
                for user_id in users:
                    tx.announce(user_id, NOW)

            await memory.write(announce)
            assert changes.poll() == (set(users) if told else None)
            assert changes.poll() == set()
            assert len(memory.held.announced) == ANNOUNCEMENTS_KEPT
