"""Our servers and a real Medusa on the same PostgreSQL, Redis and secrets: sessions, from either side."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import psycopg
import pytest
from tests.faults.servers import told
from tests.medusa.beside import WITHIN, Beside, beside, cookie_of, login, session_id, until
from tests.medusa.real_medusa import RealMedusa

from medusa_auth.server.cookies import SessionCookie

pytestmark = pytest.mark.medusa

SIDES = pytest.mark.parametrize("first", ["ours", "medusa"])
ROUNDS = 60  # as many as were made against Medusa alone, of which 29 to 58 logouts were undone


@pytest.fixture(scope="module")
def both(real: RealMedusa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    with beside(real, tmp_path_factory.mktemp("shared")) as both:
        yield both


@SIDES
def test_a_login_on_either_side_is_a_session_on_both(both: Beside, first: str):
    here, _ = both.pair(first)
    cookie = here.log_in(both.real.login)
    assert both.statuses(Cookie=cookie) == [200, 200, 200]
    assert both.medusa.status("/admin/users", Cookie=cookie) == 200


@SIDES
@pytest.mark.parametrize("maker", ["ours", "medusa"])
def test_a_logout_on_either_side_ends_the_session_on_both(both: Beside, maker: str, first: str):
    cookie = both.pair(maker)[0].log_in(both.real.login)
    assert both.statuses(Cookie=cookie) == [200, 200, 200]
    both.pair(first)[0].log_out(cookie)
    until(lambda: both.statuses(Cookie=cookie) == [401, 401, 401])


def shape(value: Any) -> Any:
    """Types and the order of keys."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    return type(value)


def test_a_session_looks_in_redis_as_one_of_express_session(both: Beside):
    ours, theirs = (both.session(side.log_in(both.real.login)) for side in (both.ours, both.medusa))
    assert ours
    assert theirs
    assert theirs["cookie"].pop("sameSite") is False
    assert ours["cookie"].pop("sameSite") == "lax"
    assert shape(ours) == shape(theirs)
    assert ours["user_id"] == theirs["user_id"]
    for each in (ours, theirs):
        end = datetime.fromisoformat(each["cookie"].pop("expires"))
        assert abs(end - datetime.now(UTC) - timedelta(hours=10)) < timedelta(seconds=5)
    assert ours["cookie"] == theirs["cookie"]


def test_a_session_of_ours_is_written_back_by_medusa_as_it_was(both: Beside):
    cookie = both.ours.log_in(both.real.login)
    before = both.session(cookie)
    assert both.medusa.status(Cookie=cookie) == 200
    after = both.session(cookie)
    assert before
    assert after
    assert list(before) == list(after)
    assert before["cookie"].pop("expires") <= after["cookie"].pop("expires")
    assert before == after


class Copies:
    """Sessions as Medusa makes them, without the login, which takes a second here and there."""

    def __init__(self, both: Beside) -> None:
        self._both = both
        self._text = both.redis.get(both.key(both.medusa.log_in(both.real.login))) or b""
        self._cookies = SessionCookie([both.real.cookie_secret], "lax")

    def cookie(self) -> str:
        cookie = self._cookies.write(secrets.token_urlsafe(24), datetime.now(UTC), secure=False).partition(";")[0]
        self._both.redis.set(self._both.key(cookie), self._text, ex=36000)
        return cookie


# Logouts, while Medusa answers other requests with the same cookie


def undone(both: Beside, first: str, parallel: int, rounds: int = ROUNDS) -> tuple[int, list[float]]:
    """How many logouts did not hold, and how long Medusa's last writing back was there.

    As in Medusa's dashboard, which asks Medusa for other things at the same time.
    """
    here, _ = both.pair(first)
    copies = Copies(both)
    cookies, lasted = [], []
    with ThreadPoolExecutor(parallel) as threads:
        for number in range(rounds):
            cookie = copies.cookie()
            if number % 2:
                assert both.another.status(Cookie=cookie) == 200
            asking = [threads.submit(both.medusa.status, "/admin/auth", Cookie=cookie) for _ in range(parallel)]
            here.log_out(cookie)
            for each in asking:
                each.result()
            lasted.append(until(lambda: both.session(cookie) is None))  # noqa: B023
            cookies.append(cookie)
    # Had anything come later, it would be here by then.
    time.sleep(WITHIN)
    alive = [cookie for cookie in cookies if both.session(cookie) or both.statuses(Cookie=cookie) != [401, 401, 401]]
    return len(alive), lasted


@SIDES
@pytest.mark.parametrize("parallel", [1, 2, 4, 12])
def test_a_logout_holds_although_medusa_writes_sessions_back(both: Beside, first: str, parallel: int):
    failed, lasted = undone(both, first, parallel)
    print(told(f"{parallel} beside a logout at {first}, until it was gone", lasted))
    assert failed == 0


@SIDES
def test_a_logout_holds_while_one_of_our_servers_does_not_run(both: Beside, first: str):
    assert both.another.process
    os.killpg(both.another.process.pid, signal.SIGSTOP)
    running = [both.medusa, both.ours]
    try:
        cookies = []
        with ThreadPoolExecutor(4) as threads:
            copies = Copies(both)
            for _ in range(20):
                cookie = copies.cookie()
                asking = [threads.submit(both.medusa.status, Cookie=cookie) for _ in range(4)]
                both.pair(first)[0].log_out(cookie)
                for each in asking:
                    each.result()
                cookies.append(cookie)
        until(lambda: not any(both.session(cookie) for cookie in cookies))
        assert {side.status(Cookie=cookie) for side in running for cookie in cookies} == {401}
    finally:
        os.killpg(both.another.process.pid, signal.SIGCONT)
    until(lambda: both.another.status("/ready") == 200, 5)
    assert {both.another.status(Cookie=cookie) for cookie in cookies} == {401}


@contextmanager
def slow(both: Beside, cookie: str) -> Iterator[None]:
    """Within it Medusa works on a request with `cookie`, which ends after it."""
    with psycopg.connect(both.real.database_url) as connection, ThreadPoolExecutor(1) as thread:
        connection.execute("LOCK TABLE product IN ACCESS EXCLUSIVE MODE")
        asking = thread.submit(both.medusa.status, "/admin/products", Cookie=cookie)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'product'::regclass"
        until(lambda: both.execute(waiting)[0][0] > 0, 5)
        yield
        connection.rollback()
        assert asking.result() == 200


@SIDES
def test_a_logout_holds_although_a_slow_request_ends_much_later(both: Beside, first: str):
    cookie = both.ours.log_in(both.real.login)
    with slow(both, cookie):
        both.pair(first)[0].log_out(cookie)
        assert both.statuses(Cookie=cookie) == [401, 401, 401]
        time.sleep(3)
    until(lambda: both.session(cookie) is None)
    assert both.statuses(Cookie=cookie) == [401, 401, 401]


def test_a_logout_that_medusa_undid_while_none_of_ours_ran_ends_when_one_is_back(both: Beside):
    cookie = both.ours.log_in(both.real.login)
    servers = [side.process.pid for side in (both.ours, both.another) if side.process]
    with slow(both, cookie):
        both.ours.log_out(cookie)
        for server in servers:
            os.killpg(server, signal.SIGSTOP)
        # As if they were gone: what they are told then is lost.
        for client in both.redis.client_list():
            if "t" in client["flags"]:
                both.redis.client_kill(client["addr"])
    assert both.session(cookie)
    for server in servers:
        os.killpg(server, signal.SIGCONT)
    until(lambda: both.session(cookie) is None, 5)
    until(lambda: both.statuses(Cookie=cookie) == [401, 401, 401], 5)


# What customers have in the same sessions


@pytest.fixture
def customer(both: Beside) -> dict[str, str]:
    who = login(f"customer-{secrets.token_hex(4)}@medusa-test.com")
    names = {"first_name": "Carla", "last_name": "Customer"}
    assert both.medusa.call("POST", "/store/customers", {**who, **names}).status == 200
    return who


def shop(both: Beside, customer: dict[str, str], cookie: str = "") -> str:
    """The cookie with which the customer is signed in."""
    answer = both.medusa.call("POST", "/store/auth", customer, **({"Cookie": cookie} if cookie else {}))
    assert answer.status == 200, answer.content
    return cookie_of(answer) or cookie


def in_shop(both: Beside, cookie: str) -> int:
    return both.medusa.status("/store/auth", Cookie=cookie)


def test_a_customer_stays_one_through_our_login_and_our_logout(both: Beside, customer: dict[str, str]):
    before = shop(both, customer)
    cookie = both.ours.log_in(both.real.login, before)
    assert session_id(cookie) != session_id(before)
    assert list(both.session(cookie) or ()) == ["cookie", "customer_id", "user_id"]
    assert (both.statuses(Cookie=cookie), in_shop(both, cookie)) == ([200, 200, 200], 200)
    after = cookie_of(both.ours.log_out(cookie))
    assert session_id(after) not in (session_id(cookie), session_id(before))
    assert list(both.session(after) or ()) == ["cookie", "customer_id"]
    assert (both.statuses(Cookie=after), in_shop(both, after)) == ([401, 401, 401], 200)
    assert both.statuses(Cookie=cookie) == [401, 401, 401]
    assert in_shop(both, cookie) == 401


def test_an_administrator_who_becomes_a_customer_stays_both_until_our_logout(both: Beside, customer: dict[str, str]):
    cookie = shop(both, customer, both.ours.log_in(both.real.login))
    assert (both.statuses(Cookie=cookie), in_shop(both, cookie)) == ([200, 200, 200], 200)
    after = cookie_of(both.another.log_out(cookie))
    assert (both.statuses(Cookie=after), in_shop(both, after)) == ([401, 401, 401], 200)


def test_a_customer_who_leaves_stays_an_administrator(both: Beside, customer: dict[str, str]):
    cookie = shop(both, customer, both.ours.log_in(both.real.login))
    assert both.medusa.call("DELETE", "/store/auth", Cookie=cookie).status == 200
    assert (both.statuses(Cookie=cookie), in_shop(both, cookie)) == ([200, 200, 200], 401)
    assert cookie_of(both.ours.log_out(cookie)) == ""


def test_an_administrator_who_leaves_in_medusa_stays_a_customer(both: Beside, customer: dict[str, str]):
    cookie = shop(both, customer, both.ours.log_in(both.real.login))
    assert both.ours.status(Cookie=cookie) == 200
    both.medusa.log_out(cookie)
    until(lambda: both.statuses(Cookie=cookie) == [401, 401, 401])
    assert in_shop(both, cookie) == 200


def test_what_others_keep_in_a_session_moves_with_it(both: Beside):
    before = cookie_of(both.medusa.call("GET", "/health"))
    text = both.session(before)
    assert text
    others = {"cart": {"ids": ["ü", 1, None]}, "seen": True}
    both.redis.set(both.key(before), json.dumps({**text, **others}), keepttl=True)
    cookie = both.ours.log_in(both.real.login, before)
    assert both.medusa.status(Cookie=cookie) == 200
    kept = both.session(cookie)
    assert kept
    assert {name: kept[name] for name in others} == others
    after = both.session(cookie_of(both.ours.log_out(cookie)))
    assert after
    assert list(after) == ["cookie", *others]


# Attacks


def test_a_customer_is_no_administrator(both: Beside, customer: dict[str, str]):
    cookie = shop(both, customer)
    token = both.medusa.call("POST", "/store/auth/token", customer).json()["access_token"]
    assert both.medusa.status("/store/auth", Authorization=f"Bearer {token}") == 200
    for path in ("/admin/auth", "/admin/users", "/admin/invites"):
        assert both.statuses(path, Cookie=cookie) == [401, 401, 401]
        assert both.statuses(path, Authorization=f"Bearer {token}") == [401, 401, 401]
    assert both.ours.call("DELETE", "/admin/auth", Cookie=cookie).status == 401
    assert in_shop(both, cookie) == 200


def test_a_session_that_was_there_before_the_login_does_not_become_the_administrators(both: Beside):
    """Session fixation: somebody else knows the cookie from before."""
    planted = cookie_of(both.medusa.call("GET", "/health"))
    cookie = both.ours.log_in(both.real.login, planted)
    assert session_id(cookie) != session_id(planted)
    assert both.statuses(Cookie=planted) == [401, 401, 401]


def test_nothing_that_a_customer_sends_names_a_user_in_the_session(both: Beside, customer: dict[str, str]):
    user_id = both.execute('SELECT id FROM "user" WHERE email = %s', both.real.email)[0][0]
    names = {"first_name": "C", "last_name": "C"}
    metadata = {"user_id": user_id, "cookie": {}, "session": {"user_id": user_id}, "__proto__": {"user_id": user_id}}
    for extra in ({"user_id": user_id}, {"session": {"user_id": user_id}}, {"__proto__": {"user_id": user_id}}, {}):
        who = login(f"customer-{secrets.token_hex(4)}@medusa-test.com") | names
        answer = both.medusa.call("POST", f"/store/customers?user_id={user_id}", {**who, **extra})
        cookies = [cookie_of(answer)]
        answer = both.medusa.call("POST", f"/store/auth?user_id={user_id}", {**customer, **extra})
        cookies.append(cookie_of(answer))
        if cookies[-1]:
            both.medusa.call("POST", "/store/customers/me", {"metadata": metadata, **extra}, Cookie=cookies[-1])
        for cookie in filter(None, cookies):
            assert both.statuses(Cookie=cookie) == [401, 401, 401]


def test_an_id_that_has_ended_is_refused_however_it_is_presented(both: Beside):
    cookie = both.ours.log_in(both.real.login)
    value = cookie.partition("=")[2]
    plain = unquote(value)
    forms = [value, f'"{value}"', plain, f'"{plain}"', quote(plain, safe="").lower().replace("s%3a", "s%3A", 1)]
    forms += ["".join(f"%{byte:02x}" for byte in plain.encode()), plain.replace(":", "%3a", 1)]
    names = ["connect.sid={}", "a=b; connect.sid={}", "connect.sid={}; connect.sid=x"]
    good = [name.format(form) for form in forms for name in names]
    known = [each for each in good if both.ours.status(Cookie=each) == 200]
    assert len(known) >= 12
    both.ours.log_out(cookie)
    for each in good:
        assert both.statuses(Cookie=each) == [401, 401, 401]
    both.redis.set(both.key(cookie), "{}")
    until(lambda: both.redis.get(both.key(cookie)) is None)


def test_a_cookie_that_was_tampered_with_is_nobodys(both: Beside):
    cookie = both.ours.log_in(both.real.login)
    value = unquote(cookie.partition("=")[2])
    id_, _, signature = value[2:].partition(".")
    other = SessionCookie(["another secret"], "lax").write(id_, datetime.now(UTC), secure=False).partition(";")[0]
    tampered = [
        f"s:{id_}",
        f"s:{id_}.",
        f"s:{id_}.{signature[:-1]}",
        f"s:{id_}.{signature}=",
        f"s:{id_}x.{signature}",
        f"s:*.{signature}",
        f"S:{id_}.{signature}",
        id_,
        "j:{}",
        other.partition("=")[2],
    ]
    for each in tampered:
        for side in (both.ours, both.another):
            assert side.status(Cookie=f"connect.sid={quote(each, safe='%')}") == 401
    assert both.statuses(Cookie=cookie) == [200, 200, 200]


DAMAGED = {
    "no JSON": b"{",
    "no text": b'{"a":"\xff"}',
    "null": b"null",
    "a list": b"[]",
    "no cookie": b'{"user_id":"USER"}',
    "a cookie that is none": b'{"cookie":1,"user_id":"USER"}',
    "an empty cookie": b'{"cookie":{},"user_id":"USER"}',
    "no time": b'{"cookie":{"originalMaxAge":1,"expires":"x"},"user_id":"USER"}',
    "the first time": b'{"cookie":{"originalMaxAge":1,"expires":"0001-01-01T00:00:00Z"},"user_id":"USER"}',
    "the last time": b'{"cookie":{"originalMaxAge":1,"expires":"9999-12-31T23:59:59-12:00"},"user_id":"USER"}',
    "a user who is a number": b'{"cookie":COOKIE,"user_id":1}',
    "a user who is a list": b'{"cookie":COOKIE,"user_id":["USER"]}',
    "a user with NUL": b'{"cookie":COOKIE,"user_id":"USER\\u0000"}',
    "a user who does not exist": b'{"cookie":COOKIE,"user_id":"usr_0"}',
    "an endless user": b'{"cookie":COOKIE,"user_id":"' + b"u" * 2_000_000 + b'"}',
    "depth": b'{"cookie":COOKIE,"user_id":"USER","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_session_that_is_damaged_is_nobodys(both: Beside, kind: str):
    cookie = both.medusa.log_in(both.real.login)
    session = both.session(cookie)
    assert session
    written = DAMAGED[kind].replace(b"USER", session["user_id"].encode())
    both.redis.set(both.key(cookie), written.replace(b"COOKIE", json.dumps(session["cookie"]).encode()))
    assert [side.status(Cookie=cookie) for side in (both.ours, both.another)] == [401, 401]
    assert both.ours.call("DELETE", "/admin/auth", Cookie=cookie).status == 401
    fresh = both.ours.log_in(both.real.login, cookie)
    assert both.statuses(Cookie=fresh) == [200, 200, 200]
    both.redis.delete(both.key(cookie))
