"""Those who look something up at the same time are answered together, and none suffers from another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence

import anyio
import pytest

from medusa_auth.errors import UnavailableError
from medusa_auth.store import turns
from medusa_auth.store.turns import KEYS_AT_ONCE, LOOKERS, Turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def pool() -> Iterator[Turns]:
    pool = Turns(readers=1, writers=1)
    yield pool
    pool.close()


class Finder:
    """Finds the lengths of words; the first question waits until it is told to go on."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def find(self, words: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(words)
        if len(self.asked) == 1:
            self.begun.set()
            self.go_on.wait(5)
        if "unavailable" in words:
            raise UnavailableError
        if "bad" in words:
            raise ValueError(words)
        return {word: len(word) for word in words if word != "nothing"}


async def _answers(pool: Turns, finder: Finder, *words: str) -> list[object]:
    """Of `words`, which are asked while the first question is being answered."""
    first = asyncio.create_task(pool.look("lengths", "first", finder.find))
    await asyncio.to_thread(finder.begun.wait, 5)
    tasks = [asyncio.create_task(pool.look("lengths", word, finder.find)) for word in words]
    await anyio.wait_all_tasks_blocked()
    finder.go_on.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert await first == 5
    return list(answers)


async def test_those_who_come_meanwhile_are_answered_by_one_question(pool: Turns):
    finder = Finder()
    assert await _answers(pool, finder, "a", "bb", "nothing", "bb") == [1, 2, None, 2]
    assert finder.asked == [["first"], ["a", "bb", "nothing"]]


async def test_who_comes_later_is_asked_about_anew(pool: Turns):
    finder = Finder()
    finder.go_on.set()
    assert [await pool.look("lengths", "a", finder.find) for _ in range(3)] == [1, 1, 1]
    assert finder.asked == [["a"]] * 3


async def test_so_many_are_asked_about_at_once_and_no_more(pool: Turns):
    finder = Finder()
    words = [f"{number}" for number in range(2 * KEYS_AT_ONCE + 1)]
    assert await _answers(pool, finder, *words) == [len(word) for word in words]
    assert [len(asked) for asked in finder.asked] == [1, KEYS_AT_ONCE, KEYS_AT_ONCE, 1]


async def test_one_key_that_cannot_be_looked_up_hinders_no_other(pool: Turns):
    first, bad, last = await _answers(pool, Finder(), "a", "bad", "ccc")
    assert (first, last) == (1, 3)
    assert isinstance(bad, ValueError)


async def test_a_store_that_is_away_is_not_asked_again_for_each_of_them(pool: Turns):
    finder = Finder()
    answers = await _answers(pool, finder, "a", "unavailable", "ccc")
    assert all(isinstance(answer, UnavailableError) for answer in answers)
    assert len(finder.asked) == 2


async def test_who_goes_away_is_not_asked_about_and_takes_the_answer_from_nobody(pool: Turns):
    finder = Finder()
    first = asyncio.create_task(pool.look("lengths", "first", finder.find))
    await asyncio.to_thread(finder.begun.wait, 5)
    gone, stays = (asyncio.create_task(pool.look("lengths", word, finder.find)) for word in ("gone", "stays"))
    await anyio.wait_all_tasks_blocked()
    for task in (first, gone):
        task.cancel()
    await asyncio.wait([first, gone])
    finder.go_on.set()
    assert await stays == 5
    assert finder.asked == [["first"], ["stays"]]


async def test_who_gets_no_answer_in_time_is_told_so_and_the_next_are_answered(
    pool: Turns, monkeypatch: pytest.MonkeyPatch
):
    finder = Finder()
    monkeypatch.setattr(turns, "ANSWER_WITHIN", 0.01)
    for word in ("first", "second"):
        with pytest.raises(UnavailableError):
            await pool.look("lengths", word, finder.find)
    monkeypatch.undo()
    finder.go_on.set()
    assert await pool.look("lengths", "third", finder.find) == 5
    assert finder.asked == [["first"], ["third"]]


async def test_who_waits_is_told_so_when_nobody_is_left_to_answer(pool: Turns):
    finder = Finder()
    waiting = asyncio.create_task(pool.look("lengths", "first", finder.find))
    await asyncio.to_thread(finder.begun.wait, 5)
    [answering] = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == "_run"]
    answering.cancel()
    with anyio.fail_after(5), pytest.raises(UnavailableError):
        await waiting
    finder.go_on.set()


async def test_each_is_given_all_of_its_time_however_they_come(pool: Turns, monkeypatch: pytest.MonkeyPatch):
    finder, loop = Finder(), asyncio.get_running_loop()
    monkeypatch.setattr(turns, "ANSWER_WITHIN", 0.02)

    async def waited(word: str) -> float:
        begun = loop.time()
        with pytest.raises(UnavailableError):
            await pool.look("lengths", word, finder.find)
        return loop.time() - begun

    tasks = []
    for word in ("first", "second", "third"):
        tasks.append(asyncio.create_task(waited(word)))
        await asyncio.sleep(0.008)
    # The timer's clock is coarse.
    assert min(await asyncio.gather(*tasks)) > 0.019
    finder.go_on.set()


async def test_other_kinds_are_answered_while_some_are_slow(pool: Turns):
    quick, slow = Finder(), [Finder() for _ in range(LOOKERS - 1)]
    quick.go_on.set()
    waiting = [asyncio.create_task(pool.look(finder, "a", finder.find)) for finder in slow]
    for finder in slow:
        await asyncio.to_thread(finder.begun.wait, 5)
    assert await pool.look("quick", "bb", quick.find) == 2
    for finder in slow:
        finder.go_on.set()
    assert await asyncio.gather(*waiting) == [1] * len(slow)


async def test_readers_and_writers_hold_no_looker_up(pool: Turns):
    finder, go_on = Finder(), threading.Event()
    finder.go_on.set()
    tasks = [asyncio.create_task(work(lambda: go_on.wait(5))) for work in (pool.read, pool.write) for _ in range(5)]
    await anyio.wait_all_tasks_blocked()
    assert await pool.look("lengths", "a", finder.find) == 1
    go_on.set()
    await asyncio.gather(*tasks)


async def test_after_the_close_nothing_is_looked_up():
    pool = Turns(readers=1, writers=1)
    pool.close()
    with pytest.raises(UnavailableError):
        await pool.look("lengths", "a", Finder().find)
