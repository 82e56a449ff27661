"""A crowd is let through a few at a time, and holds up nobody who only asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send

from medusa_auth.server.edge import Edge
from medusa_auth.server.origins import Origins
from medusa_auth.server.proxies import Proxies
from medusa_auth.server.turnstile import EACH_TURN, Turnstile

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def turns_until(done: Callable[[], bool]) -> int:
    """How many turns of the event loop that takes."""
    turns = 0
    while not done():
        await asyncio.sleep(0)
        turns += 1
        assert turns < 1000
    return turns


async def test_where_there_is_no_crowd_nobody_waits():
    turnstile = Turnstile(each_turn=2)
    for _ in range(2):
        with pytest.raises(StopIteration):
            turnstile.wait().send(None)
    third = turnstile.wait()
    assert third.send(None) is not None
    third.close()


async def test_a_crowd_goes_through_in_its_order_and_a_few_in_each_turn():
    turnstile, through = Turnstile(each_turn=8), []

    async def go(number: int) -> None:
        await turnstile.wait()
        through.append(number)

    tasks = [asyncio.create_task(go(number)) for number in range(100)]
    before, most = 0, 0
    while len(through) < 100:
        await asyncio.sleep(0)
        most, before = max(most, len(through) - before), len(through)
    assert most == 8
    assert through == list(range(100))
    await asyncio.gather(*tasks)


async def test_who_comes_later_does_not_overtake():
    turnstile, through = Turnstile(each_turn=1), []

    async def go(name: str) -> None:
        await turnstile.wait()
        through.append(name)

    tasks = [asyncio.create_task(go("early")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(go("late")))
    await asyncio.gather(*tasks)
    assert through == ["early"] * 5 + ["late"]


async def test_who_has_gone_away_takes_nobodys_place():
    turnstile, through = Turnstile(each_turn=1), []

    async def go(number: int) -> None:
        await turnstile.wait()
        through.append(number)

    tasks = [asyncio.create_task(go(number)) for number in range(200)]
    await asyncio.sleep(0)
    for task in tasks[1:199]:
        task.cancel()
    assert await turns_until(lambda: len(through) == 2) < 10
    assert through == [0, 199]
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_after_a_crowd_the_event_loop_is_at_rest(monkeypatch: pytest.MonkeyPatch):
    turnstile, turns = Turnstile(each_turn=2), []
    next_turn = turnstile._next_turn

    def counted() -> None:
        turns.append(1)
        next_turn()

    monkeypatch.setattr(turnstile, "_next_turn", counted)
    await asyncio.gather(*(turnstile.wait() for _ in range(10)))
    for _ in range(5):
        await asyncio.sleep(0)
    before = len(turns)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(turns) == before
    assert 5 <= before <= 7
    # And a second crowd is let through as the first was.
    await asyncio.wait_for(asyncio.gather(*(turnstile.wait() for _ in range(10))), 5)


def edge(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Edge:
    return Edge(app, proxies=Proxies(()), origins=Origins(()), hsts="off")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_check_among_five_hundred_who_write_waits_for_a_few_of_them(method: str):
    answered: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answered.append(scope["method"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(_: object) -> None: ...

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    whole = edge(app)

    def request(method: str) -> asyncio.Task[None]:
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": "/admin/auth",
            "headers": [],
            "client": ("127.0.0.1", 1),
        }
        return asyncio.create_task(whole(scope, receive, send))

    tasks = [*(request(method) for _ in range(500)), request("GET")]
    await asyncio.gather(*tasks)
    assert len(answered) == 501
    assert answered.index("GET") <= EACH_TURN
