"""Redis behind a network that fails, and Redis that fails: cookies are 503, soon, what SQL knows is served, and what
was revoked stays revoked, whatever comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.faults.proxy import How, Proxy
from tests.faults.servers import Answer, Headers, Server, Store, at_once, login, serving, store_of, told, until
from tests.services.redis import RedisServer, redis_server

FAULTS = [How.BLACK_HOLE, How.REFUSE, How.RESET, How.SLOW]
# The aim is one second; a slow machine gets another one.
SOON = 2.0
# While it stays away nobody waits for it any more.
AT_ONCE = 0.5
RECOVERED_WITHIN = 5.0
AWAY = "Sessions cannot be reached right now."
NEW_PASSWORD = "seven purple lamps on a river"
REDIS_PASSWORD = "a-secret-of-redis"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    # So that a test may say where its snapshot goes.
    with redis_server("--enable-protected-configs", "yes") as server:
        yield server


@pytest.fixture(scope="module")
def line(redis: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(redis.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def store(
    new_postgresql: Callable[[], str],
    redis: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
    password_hash: str,
) -> Iterator[Store]:
    with store_of(tmp_path_factory.mktemp("store"), new_postgresql(), password_hash, redis.url) as store:
        yield store


@pytest.fixture(scope="module")
def one_server(store: Store, line: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    redis = f"redis://127.0.0.1:{line.port}"
    with serving(tmp_path_factory.mktemp("server"), store.url, redis=redis) as server:
        yield server


@pytest.fixture
def server(one_server: Server, line: Proxy, store: Store) -> Iterator[Server]:
    """The same process for all tests: after each fault it has to come back by itself."""
    until(partial(is_whole, one_server, store), "the server does not work", RECOVERED_WITHIN)
    yield one_server
    line.switch(How.PASS)
    until(one_server.is_ready, "the server has not come back", RECOVERED_WITHIN)


def is_whole(server: Server, store: Store) -> bool:
    return server.is_ready() and server.get(store.cookie()) == 200


def requests(server: Server, cached: Headers, fresh: Headers) -> dict[str, Callable[[], Answer]]:
    return {
        "check of a remembered session": partial(server.call, "GET", "/admin/auth", cached),
        "check of a new session": partial(server.call, "GET", "/admin/auth", fresh),
        "login": partial(server.call, "POST", "/admin/auth", None, login()),
        "logout of a remembered session": partial(server.call, "DELETE", "/admin/auth", cached),
        "logout of a new session": partial(server.call, "DELETE", "/admin/auth", fresh),
        "list of users": partial(server.call, "GET", "/admin/users", cached),
    }


def is_away(answer: Answer) -> bool:
    return (answer.status, answer.headers.get("retry-after"), answer.json()["message"]) == (503, "1", AWAY)


def lines(server: Server) -> list[str]:
    """What the server has logged of Redis."""
    logged = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line["event"] for line in logged if "Redis" in line["event"]]


@pytest.mark.parametrize("fault", FAULTS)
def test_without_redis_cookies_are_503_soon_and_tokens_are_served(
    server: Server, store: Store, line: Proxy, fault: How
):
    cached, fresh = store.cookie(), store.cookie()
    tokens, many = [store.bearer(), store.api_key()[0]], [store.cookie() for _ in range(16)]
    assert [server.get(each) for each in (cached, *tokens)] == [200] * 3
    line.switch(fault)
    # Before the server has noticed.
    cookies = [partial(server.call, "GET", "/admin/auth", each) for each in (cached, fresh, *many, *many, *many)]
    served = [partial(server.call, "GET", "/admin/auth", each) for each in tokens]
    first = at_once([*cookies, *served * 5])
    until(lambda: server.get(cached) == 503, "the cache is still believed", SOON)
    later = at_once([*cookies, *served * 5])
    answers = {name: work() for name, work in requests(server, cached, fresh).items()}
    for which, crowd in (("at first", first), ("later", later)):
        print(told(f"{fault.name}, {which}: cookies", [answer.seconds for answer in crowd[:50]]))
        print(told(f"{fault.name}, {which}: tokens", [answer.seconds for answer in crowd[50:]]))
        assert {answer.status for answer in crowd[50:]} == {200}
        assert max(answer.seconds for answer in crowd) < SOON
    for name, answer in answers.items():
        print(f"{fault.name}: {name}: {answer.status} after {answer.seconds:.3f} s")
        assert is_away(answer), name
        assert answer.seconds < AT_ONCE
    # What was remembered may be believed for as long as the listener's last answer is: then nobody waits.
    assert all(is_away(answer) for answer in first if answer.status != 200)
    assert all(is_away(answer) for answer in later[:50])
    ready = server.call("GET", "/ready")
    assert (ready.status, ready.json()["stores"]) == (503, {"database": True, "redis": False})
    assert server.call("GET", "/health").status == 200
    assert server.call("POST", "/admin/auth/token", None, login()).status == 200, "a token needs no Redis"
    line.switch(How.PASS)
    print(f"{fault.name}: back after {until(server.is_ready, 'not ready', RECOVERED_WITHIN):.2f} s")
    assert [server.get(cached), server.get(fresh)] == [200, 200], "no logout was confirmed"
    assert server.call("DELETE", "/admin/auth", cached).status == 200
    assert [server.get(cached), server.get(fresh)] == [401, 200]


def test_what_is_logged_of_a_redis_that_is_away_is_a_few_lines_however_many_ask(
    server: Server, store: Store, line: Proxy
):
    cookie, before = store.cookie(), len(lines(server))
    line.switch(How.REFUSE)
    until(lambda: server.get(cookie) == 503, "it is not away", SOON)
    at_once([partial(server.get, cookie)] * 50)
    line.switch(How.PASS)
    until(server.is_ready, "not ready", RECOVERED_WITHIN)
    told = lines(server)[before:]
    assert told[-1] == "Redis answers again"
    assert "Redis cannot be used: it cannot be reached" in told
    assert len(told) == len(set(told))


def test_a_logout_that_was_confirmed_has_happened_whatever_became_of_redis(server: Server, store: Store, line: Proxy):
    statuses: list[int] = []
    cookies = [store.cookie() for _ in range(36)]

    def log_out(cookie: Headers) -> int:
        return server.call("DELETE", "/admin/auth", cookie).status

    def interfere(fault: How) -> int:
        line.switch(fault)
        return 503

    for number, fault in enumerate([How.RESET, How.BLACK_HOLE, How.RESET]):
        works = [partial(log_out, cookie) for cookie in cookies[12 * number : 12 * number + 12]]
        statuses += at_once(works[:4])
        statuses += at_once([*works[4:], partial(interfere, fault)])[:-1]
        line.switch(How.PASS)
        until(partial(is_whole, server, store), "not ready", RECOVERED_WITHIN)
    assert set(statuses) == {200, 503}
    after = [server.get(cookie) for cookie in cookies]
    assert {now for status, now in zip(statuses, after, strict=True) if status == 200} == {401}


def test_no_password_is_hashed_for_a_login_while_redis_is_away(
    store: Store, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # One at a time may hash, and none may wait: of many that came so far, most would be told that they are too many.
    monkeypatch.setenv("MEDUSA_AUTH_HASHING_THREADS", "1")
    monkeypatch.setenv("MEDUSA_AUTH_HASHING_QUEUE", "0")
    with serving(tmp_path / "server", store.url, redis=redis.url) as server:
        log_in = partial(server.call, "POST", "/admin/auth", None, login())
        wrong = partial(server.call, "POST", "/admin/auth", None, login("nobody@example.com"))
        assert "Too many logins at once." in {answer.json().get("message") for answer in at_once([log_in] * 20)}
        memory(redis, size=1)
        try:
            full = at_once([log_in, wrong] * 10)
        finally:
            memory(redis, size=0)
        redis.pause()
        try:
            away = at_once([log_in, wrong] * 10)
        finally:
            redis.resume()
    assert all(is_away(answer) for answer in [*full, *away])


def test_no_password_is_hashed_for_a_reset_while_redis_is_away(
    store: Store, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEDUSA_AUTH_HASHING_THREADS", "1")
    monkeypatch.setenv("MEDUSA_AUTH_HASHING_QUEUE", "0")
    user = store.user("forgot@example.com")
    token = store.write(lambda tx: store.parts.resets.issue(tx, user, store.parts.clock()))
    with serving(tmp_path / "server", store.url, redis=redis.url) as server:
        body = {"token": token, "password": NEW_PASSWORD}
        reset = partial(server.call, "POST", "/admin/users/reset-password", None, body)
        redis.pause()
        try:
            answers = at_once([reset] * 20)
        finally:
            redis.resume()
        assert all(is_away(answer) for answer in answers)
        until(lambda: reset().status == 200, "no reset", RECOVERED_WITHIN)


def test_a_redis_that_stood_still_for_a_while_is_missed_soon_and_used_again(
    server: Server, store: Store, redis: RedisServer
):
    cookie = store.cookie()
    assert server.get(cookie) == 200
    redis.pause()
    try:
        stopped_at = time.monotonic()
        until(lambda: server.get(cookie) == 503, "the cache is still believed", SOON)
        answers = [server.call("GET", "/admin/auth", cookie) for _ in range(20)]
        assert all(is_away(answer) for answer in answers)
        assert max(answer.seconds for answer in answers) < AT_ONCE
        time.sleep(max(0.0, stopped_at + 3 - time.monotonic()))
        assert server.get(cookie) == 503
    finally:
        redis.resume()
    until(lambda: server.get(cookie) == 200, "the session is not good again", RECOVERED_WITHIN)


def wrong_password(redis: RedisServer) -> None:
    redis.say("CONFIG", "SET", "requirepass", REDIS_PASSWORD)
    redis.say("CLIENT", "KILL", "TYPE", "NORMAL", password=REDIS_PASSWORD)


def no_password(redis: RedisServer) -> None:
    redis.say("CONFIG", "SET", "requirepass", "", password=REDIS_PASSWORD)


def becomes_replica(redis: RedisServer) -> None:
    redis.say("REPLICAOF", "127.0.0.1", "1")


def becomes_primary(redis: RedisServer) -> None:
    redis.say("REPLICAOF", "NO", "ONE")


def memory(redis: RedisServer, size: int) -> None:
    redis.say("CONFIG", "SET", "MAXMEMORY", size)


def not_on_disk(redis: RedisServer) -> None:
    # It may not write its snapshot, and says so to whoever writes.
    redis.say("CONFIG", "SET", "save", "3600 1", "dbfilename", "folder")
    (redis.folder / "folder").mkdir()
    redis.say("BGSAVE")
    until(lambda: bool(redis.say("INFO")["rdb_last_bgsave_status"] == "err"), "the snapshot was written")


def on_disk(redis: RedisServer) -> None:
    redis.say("CONFIG", "SET", "save", "", "dbfilename", "dump.rdb")
    (redis.folder / "folder").rmdir()


# What it does, how that ends, whether sessions can still be checked, and what an operator is told.
REFUSALS: dict[str, tuple[Callable[[RedisServer], None], Callable[[RedisServer], None], int, str]] = {
    "READONLY": (becomes_replica, becomes_primary, 503, "it is a replica, which takes no writes"),
    "NOAUTH": (wrong_password, no_password, 503, "it refuses the user or the password in REDIS_URL"),
    "OOM": (partial(memory, size=1), partial(memory, size=0), 200, "its memory is full (maxmemory), and nothing may"),
    "MISCONF": (not_on_disk, on_disk, 200, "it cannot write to its disk, and takes no writes"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_redis_refuses_is_503_and_an_operator_is_told_why_once(
    server: Server, store: Store, redis: RedisServer, refusal: str
):
    begin, end, check, why = REFUSALS[refusal]
    cookie, before = store.cookie(), len(lines(server))
    begin(redis)
    try:
        until(lambda: server.get(cookie) == check, "the server has not noticed", SOON)
        log_in = partial(server.call, "POST", "/admin/auth", None, login())
        answers = at_once([log_in] * 10 + [partial(server.call, "DELETE", "/admin/auth", cookie)] * 10)
        assert all(is_away(answer) for answer in (answers if check == 503 else answers[:10]))
        assert {answer.status for answer in answers} <= {200, 401, 503}
        assert [server.get(each) for each in (store.bearer(), store.api_key()[0])] == [200, 200]
    finally:
        end(redis)
    until(lambda: log_in().status == 200, "no login", RECOVERED_WITHIN)
    told = lines(server)[before:]
    print(told)
    assert sum(why in line for line in told) == 1
    assert len(told) < 6
    assert REDIS_PASSWORD not in server.log.read_text()


def test_while_redis_loads_its_data_cookies_are_503_and_then_good_again(
    server: Server, store: Store, redis: RedisServer
):
    cookies = [store.cookie() for _ in range(200)]
    redis.say("SAVE")
    redis.kill()
    # Five milliseconds for each key, and every now and then it answers that it is loading.
    redis.start("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    before = len(lines(server))
    answer = server.call("GET", "/admin/auth", cookies[0])
    assert is_away(answer)
    assert server.call("GET", "/ready").json()["stores"]["redis"] is False
    until(lambda: {server.get(cookie) for cookie in cookies[:3]} == {200}, "they are not back", RECOVERED_WITHIN)
    print(lines(server)[before:])
    (redis.folder / "dump.rdb").unlink()


@pytest.mark.parametrize("how", ["FLUSHALL", "restart"])
def test_an_empty_redis_knows_no_session_and_takes_new_ones(server: Server, store: Store, redis: RedisServer, how: str):
    user = store.user(f"{how.lower()}@example.com")
    old, revoked = store.cookie(user), store.bearer(user)
    assert [server.get(each) for each in (old, revoked)] == [200, 200]
    assert server.call("DELETE", "/admin/auth", revoked).status == 200
    if how == "restart":
        redis.kill()
        redis.start()
    else:
        redis.say("FLUSHALL")
    took = until(lambda: server.get(old) == 401, "the old session", RECOVERED_WITHIN)
    print(f"{how}: 401 after {took:.3f} s")
    answer = server.call("POST", "/admin/auth", None, login(user.email))
    assert answer.status == 200
    new = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert [server.get(each) for each in (old, revoked, new)] == [401, 401, 200]
    assert server.call("DELETE", "/admin/auth", old).status == 401, "as on every store"
    assert server.call("POST", f"/admin/users/{user.id}", new, {"first_name": "A"}).status == 200


def test_what_was_revoked_stays_revoked_when_an_old_copy_of_redis_comes_back(
    server: Server, store: Store, redis: RedisServer
):
    users = [store.user(f"copy{number}@example.com") for number in range(3)]
    changed, deleted, kept = users
    cookies = {user.email: [store.cookie(user) for _ in range(3)] for user in users}
    logged_out = store.cookie(kept)
    everything = [*(cookie for each in cookies.values() for cookie in each), logged_out]
    assert {server.get(cookie) for cookie in everything} == {200}
    redis.say("SAVE")
    admin = store.bearer()
    assert server.call("DELETE", "/admin/auth", logged_out).status == 200
    token = store.write(lambda tx: store.parts.resets.issue(tx, changed, store.parts.clock()))
    body = {"token": token, "password": NEW_PASSWORD}
    assert server.call("POST", "/admin/users/reset-password", None, body).status == 200
    assert server.call("DELETE", f"/admin/users/{deleted.id}", admin).status == 200
    new = server.call("POST", "/admin/auth", None, login(changed.email, NEW_PASSWORD))
    assert new.status == 200
    redis.kill()
    redis.start()
    (redis.folder / "dump.rdb").unlink()
    until(partial(is_whole, server, store), "not ready", RECOVERED_WITHIN)
    assert redis.say("DBSIZE") > len(everything), "the old copy is back"
    for user, expected in ((changed, 401), (deleted, 401), (kept, 200)):
        assert {server.get(cookie) for cookie in cookies[user.email]} == {expected}, user.email
    assert server.get(logged_out) == 401
    # The newest session is not in the old copy.
    assert server.get({"Cookie": new.headers["set-cookie"].partition(";")[0]}) == 401
    assert server.call("POST", "/admin/auth", None, login(changed.email, NEW_PASSWORD)).status == 200


def gone_by_hand(redis: RedisServer) -> None:
    keys: Sequence[bytes] = redis.say("KEYS", "medusa-auth:session:*")
    redis.say("DEL", *keys)


def evicted(redis: RedisServer) -> None:
    redis.say("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 1)
    until(lambda: redis.say("DBSIZE") == 0, "nothing was evicted")
    redis.say("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction")


@pytest.mark.parametrize("how", [gone_by_hand, evicted])
def test_a_session_that_went_from_redis_by_itself_is_refused_soon(
    server: Server, store: Store, redis: RedisServer, how: Callable[[RedisServer], None]
):
    cookie = store.cookie()
    assert [server.get(cookie) for _ in range(3)] == [200] * 3
    how(redis)
    took = until(lambda: server.get(cookie) == 401, "it is still good", 1.0)
    print(f"{how.__name__}: refused after {took:.3f} s")
    assert server.call("POST", "/admin/auth", None, login()).status == 200


def test_a_listening_connection_that_is_closed_again_and_again_costs_no_answer(
    server: Server, store: Store, redis: RedisServer
):
    cookie, token = store.cookie(), store.bearer()
    statuses = []
    for _ in range(30):
        listening = [client for client in clients(redis) if client["name"] == "medusa-auth-changes"]
        for client in listening:
            redis.say("CLIENT", "KILL", "ID", client["id"])
        statuses += [server.get(cookie), server.get(token)]
        time.sleep(0.02)
    assert set(statuses) == {200}


def clients(redis: RedisServer) -> Sequence[dict[str, str]]:
    found: Sequence[dict[str, str]] = redis.say("CLIENT LIST")
    return found


def succeed(old: RedisServer, new: RedisServer) -> None:
    """`new` has what `old` has, and is the primary; `old` lives on as its replica, and cuts nobody off."""
    old.say("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    new.say("REPLICAOF", "127.0.0.1", old.port)
    until(lambda: b"connected" in new.say("ROLE"), "nothing is copied")
    new.say("REPLICAOF", "NO", "ONE")
    old.say("REPLICAOF", "127.0.0.1", new.port)


def test_when_the_address_leads_to_a_new_primary_the_old_one_is_asked_no_more(store: Store, tmp_path: Path):
    with (
        redis_server() as old,
        redis_server() as new,
        closing(Proxy(old.port)) as line,
        serving(tmp_path / "server", store.url, redis=f"redis://127.0.0.1:{line.port}") as server,
    ):
        log_in = partial(server.call, "POST", "/admin/auth", None, login())
        # Over several connections, each of which has to be left.
        cookies = [{"Cookie": answer.headers["set-cookie"].partition(";")[0]} for answer in at_once([log_in] * 8)]
        succeed(old, new)
        line.lead_to(new.port)
        took = until(lambda: "Redis answers again" in lines(server), "it does not answer", RECOVERED_WITHIN)
        print(f"used again after {took:.2f} s")
        ended = [partial(server.call, "DELETE", "/admin/auth", cookie) for cookie in cookies]
        assert {answer.status for answer in at_once([*[log_in] * 8, *ended])} == {200}
        assert {server.get(cookie) for cookie in cookies} == {401}


def test_a_redis_that_answers_byte_by_byte_is_not_ready_soon(server: Server, line: Proxy):
    line.switch(How.TRICKLE)
    # Of those that ask on, the first may still be answered over a connection that is there.
    answers = [server.call("GET", "/ready") for _ in range(3)]
    assert max(answer.seconds for answer in answers) < SOON
    assert (answers[-1].status, answers[-1].json()["stores"]) == (503, {"database": True, "redis": False})
