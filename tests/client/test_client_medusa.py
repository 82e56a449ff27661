"""Both drivers, on asyncio and trio, against a server on a real socket."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest

from medusa_auth import (
    AsyncMedusa,
    AuthenticationError,
    ConnectionError,  # noqa: A004 - this package's
    Cookies,
    InvalidRequestError,
    Medusa,
    MedusaAuthError,
    NotFoundError,
    TimeoutError,  # noqa: A004 - this package's
    UnavailableError,
    UnexpectedAnswerError,
)

from .conftest import close, done
from .peer import RESET, SILENCE, Peer, Request, answer, json
from .samples import COOKIE, EMAIL, LOGIN, NOT_FOUND, PASSWORD, USER, token_body

pytestmark = pytest.mark.anyio

Connect = Callable[..., Any]

COOKIE_PAIR = COOKIE.partition(";")[0]
UNAUTHORIZED = answer(401, "Unauthorized")
OK = answer(200, "OK", "Content-Type: text/plain; charset=utf-8")


class Noted(list[float]):
    """A sleep for both drivers, which takes no time and notes what it was asked for."""

    def __call__(self, seconds: float) -> Noted:
        self.append(seconds)
        return self

    def __await__(self) -> Iterator[None]:
        return iter(())


async def test_a_session_from_login_to_logout(peer: Peer, connect: Connect) -> None:
    """create_session, get_session and delete_session work by the cookie, which goes with the session."""
    medusa = connect(peer.url)
    peer.will(json(USER, 200, f"Set-Cookie: {COOKIE}"), json(USER), OK, UNAUTHORIZED)
    session = await done(medusa.admin.auth.create_session(LOGIN))
    assert (session.user.email, session.response.status) == (EMAIL, 200)
    assert (await done(medusa.admin.auth.get_session())).user.id == session.user.id
    assert (await done(medusa.admin.auth.delete_session())).response.status == 200
    with pytest.raises(AuthenticationError):
        await done(medusa.admin.auth.get_session())
    assert [(request.method, request.target) for request in peer.received] == [
        ("POST", "/admin/auth"),
        ("GET", "/admin/auth"),
        ("DELETE", "/admin/auth"),
        ("GET", "/admin/auth"),
    ]
    assert [request.get("cookie") for request in peer.received] == [None, COOKIE_PAIR, COOKIE_PAIR, None]


async def test_the_request_on_the_wire(peer: Peer, connect: Connect) -> None:
    """A login is these bytes and headers, and no others."""
    medusa = connect(peer.url)
    peer.will(json(USER))
    await done(medusa.admin.auth.create_session(email=EMAIL, password=PASSWORD))
    (request,) = peer.received
    assert request.body == b'{"email":"admin@medusa-test.com","password":"supersecret"}'
    assert {name.lower(): value for name, value in request.headers} == {
        "host": peer.url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": request.get("user-agent"),
        "content-type": "application/json",
        "content-length": str(len(request.body)),
    }


async def test_a_token_is_sent_by_its_client_only_until_logout(peer: Peer, connect: Connect) -> None:
    one, other = connect(peer.url), connect(peer.url)
    peer.will(json(token_body("a.b.c")), json(USER), UNAUTHORIZED, json(token_body("d.e.f")), OK, UNAUTHORIZED)
    assert (await done(one.admin.auth.get_token(LOGIN))).access_token == "a.b.c"
    await done(one.admin.auth.get_session())
    with pytest.raises(AuthenticationError):
        await done(other.admin.auth.get_session())
    await done(one.admin.auth.get_token(LOGIN))
    await done(one.admin.auth.delete_session())
    with pytest.raises(AuthenticationError):
        await done(one.admin.auth.get_session())
    assert [request.get("authorization") for request in peer.received] == [
        None,
        "Bearer a.b.c",
        None,
        None,
        "Bearer d.e.f",
        None,
    ]


async def test_keys_are_sent_as_options_say(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url, api_key="api", publishable_api_key="pub", custom_headers={"X-Forwarded-Proto": "https"})
    peer.will(json(USER), json(USER))
    await done(medusa.admin.auth.get_session({"X-Other": "1"}))
    await done(medusa.admin.auth.create_session(LOGIN))
    names = ("x-medusa-access-token", "x-publishable-api-key", "x-forwarded-proto", "x-other")
    assert [[request.get(name) for name in names] for request in peer.received] == [
        ["api", "pub", "https", "1"],
        [None, "pub", "https", None],
    ]


@pytest.mark.parametrize("prefix", ["", "/", "/shop", "/shop/"])
async def test_a_base_url_may_have_a_prefix_and_a_slash_at_its_end(peer: Peer, connect: Connect, prefix: str) -> None:
    medusa = connect(peer.url + prefix)
    peer.will(json(USER))
    await done(medusa.admin.auth.get_session())
    assert peer.received[0].target == prefix.rstrip("/") + "/admin/auth"


async def test_cookies_are_kept_below_a_prefix(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url + "/shop")
    peer.will(json(USER, 200, "Set-Cookie: a=1; Path=/shop", "Set-Cookie: b=2; Path=/other"), json(USER))
    await done(medusa.admin.auth.create_session(LOGIN))
    await done(medusa.admin.auth.get_session())
    assert peer.received[1].get("cookie") == "a=1"


async def test_a_cookie_goes_back_as_the_bytes_that_came(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url)
    peer.will(json(USER, 200, 'Set-Cookie: name="\u6625; Path=/'), json(USER))
    await done(medusa.admin.auth.create_session(LOGIN))
    await done(medusa.admin.auth.get_session())
    assert str(peer.received[1].get("cookie")).encode("latin-1") == 'name="\u6625'.encode()


async def test_each_cookie_is_sent_once(peer: Peer, connect: Connect) -> None:
    """httpx2's own jar is out of use: it would send the same cookies again, and others."""
    medusa = connect(peer.url)
    peer.will(json(USER, 200, "Set-Cookie: a=1; Path=/; Expires=broken", "Set-Cookie: b=2; Path=/"), json(USER))
    await done(medusa.admin.auth.create_session(LOGIN))
    await done(medusa.admin.auth.get_session())
    assert peer.received[1].get("cookie") == "a=1; b=2"
    assert len(medusa._http.cookies) == 0


async def test_a_cookie_header_of_the_caller_wins(peer: Peer, connect: Connect) -> None:
    """`{"Cookie": "connect.sid=..."}` in custom_headers is how medusa-js keeps a session in Node."""
    medusa = connect(peer.url)
    peer.will(json(USER, 200, f"Set-Cookie: {COOKIE}"), json(USER))
    await done(medusa.admin.auth.create_session(LOGIN))
    await done(medusa.admin.auth.get_session({"Cookie": "connect.sid=mine"}))
    assert peer.received[1].get("cookie") == "connect.sid=mine"


async def test_a_session_can_be_carried_over_to_another_client(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url)
    peer.will(json(USER, 200, f"Set-Cookie: {COOKIE}"), json(USER))
    await done(medusa.admin.auth.create_session(LOGIN))
    cookies = Cookies()
    cookies.load(medusa.cookies.dump())
    await done(connect(peer.url, cookies=cookies).admin.auth.get_session())
    assert peer.received[1].get("cookie") == COOKIE_PAIR


async def test_errors_are_typed_and_keep_the_answer(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url)
    peer.will(json(NOT_FOUND, 404))
    with pytest.raises(NotFoundError, match="User with id: usr_nope was not found") as caught:
        await done(medusa.request("GET", "/admin/users/usr_nope"))
    assert (caught.value.status, caught.value.type, caught.value.body) == (404, "not_found", NOT_FOUND.encode())


async def test_a_503_is_tried_again_after_what_it_asks_for(peer: Peer, connect: Connect) -> None:
    waits = Noted()
    medusa = connect(peer.url, max_retries=3, sleep=waits)
    peer.will(answer(503, "", "Retry-After: 3"), answer(503), json(USER))
    session = await done(medusa.admin.auth.create_session(LOGIN))
    assert session.user.email == EMAIL
    assert (waits[0], 0.75 <= waits[1] <= 1.5) == (3.0, True)
    assert len({(request.get("idempotency-key"), request.body) for request in peer.received}) == 1
    assert peer.received[0].get("idempotency-key")


async def test_a_connection_that_is_reset_is_made_again(peer: Peer, connect: Connect) -> None:
    waits = Noted()
    medusa = connect(peer.url, max_retries=3, sleep=waits)
    peer.will(RESET, RESET, json(USER))
    await done(medusa.admin.auth.create_session(LOGIN))
    assert (len(peer.received), len(waits)) == (3, 2)


async def test_when_the_retries_are_used_up_the_last_answer_counts(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url, max_retries=1, sleep=Noted())
    peer.will(answer(503), answer(503, "", "Retry-After: 7"))
    with pytest.raises(UnavailableError) as caught:
        await done(medusa.admin.auth.get_session())
    assert (caught.value.retry_after, len(peer.received)) == (7.0, 2)


async def test_without_retries_a_reset_is_a_connection_error(peer: Peer, connect: Connect) -> None:
    peer.will(RESET)
    with pytest.raises(ConnectionError, match="no answer to POST http://127") as caught:
        await done(connect(peer.url).admin.auth.create_session(LOGIN))
    assert not isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value.__cause__, httpx2.TransportError)


async def test_a_port_where_nobody_listens_is_a_connection_error(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    waits = Noted()
    medusa = connect(f"http://127.0.0.1:{port}", max_retries=2, sleep=waits)
    with pytest.raises(ConnectionError, match="no answer to GET"):
        await done(medusa.admin.auth.get_session())
    assert len(waits) == 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".invalid"])
async def test_a_name_that_is_unknown_is_a_connection_error(connect: Connect, host: str) -> None:
    with pytest.raises(ConnectionError):
        await done(connect(f"http://{host}").admin.auth.get_session())


async def test_a_server_that_never_answers_is_given_up(peer: Peer, connect: Connect) -> None:
    """A login is not sent again then, for the server may still be at it; a GET is."""
    medusa = connect(peer.url, max_retries=1, timeout=0.05, sleep=Noted())
    peer.will(SILENCE, SILENCE, SILENCE)
    with pytest.raises(TimeoutError, match="no answer in time to POST"):
        await done(medusa.admin.auth.create_session(LOGIN))
    with pytest.raises(TimeoutError):
        await done(medusa.admin.auth.get_session())
    peer.wait_for(3)
    assert sorted(request.method for request in peer.received) == ["GET", "GET", "POST"]


async def test_a_redirect_is_not_followed(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url, api_key="api")
    peer.will(answer(308, "", "Location: https://other.example.com/admin/auth"))
    with pytest.raises(UnexpectedAnswerError, match=r"a redirect to https://other\.example\.com/admin/auth"):
        await done(medusa.admin.auth.create_session(LOGIN))
    assert len(peer.received) == 1


# httpx2 leaves the rest of such a body to the garbage collector, which trio warns of.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_body_in_the_wrong_encoding_is_an_unexpected_answer(peer: Peer, connect: Connect) -> None:
    peer.will(json(USER, 200, "Content-Encoding: gzip"))
    with pytest.raises(UnexpectedAnswerError, match="not in the encoding that it says"):
        await done(connect(peer.url).admin.auth.get_session())


async def test_a_compressed_answer_is_read(peer: Peer, connect: Connect) -> None:
    peer.will(answer(200, gzip.compress(USER.encode()), "Content-Type: application/json", "Content-Encoding: gzip"))
    assert (await done(connect(peer.url).admin.auth.get_session())).user.email == EMAIL


async def test_what_is_no_http_is_a_connection_error(peer: Peer, connect: Connect) -> None:
    peer.will(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    with pytest.raises(ConnectionError):
        await done(connect(peer.url).admin.auth.get_session())


async def test_any_call_of_the_api(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url)
    peer.will(json('{"users":[],"count":0}'), answer(204), OK)
    users = await done(
        medusa.request("GET", "/admin/users", params={"q": "a", "limit": 1}, custom_headers={"X-A": "1"})
    )
    assert (users.data, users.response.status) == ({"users": [], "count": 0}, 200)
    assert (await done(medusa.request("POST", "/admin/users/password-token", json={"email": EMAIL}))).data is None
    assert (await done(medusa.request("GET", "health"))).data == "OK"
    assert [(request.method, request.target, request.body) for request in peer.received] == [
        ("GET", "/admin/users?q=a&limit=1", b""),
        ("POST", "/admin/users/password-token", b'{"email":"admin@medusa-test.com"}'),
        ("GET", "/health", b""),
    ]
    assert peer.received[0].get("x-a") == "1"


async def test_nothing_is_sent_for_a_call_that_makes_no_request(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url)
    with pytest.raises(InvalidRequestError):
        await done(medusa.admin.auth.create_session({"email": EMAIL}))
    with pytest.raises(TypeError):
        await done(medusa.admin.auth.get_token(LOGIN, email=EMAIL))
    with pytest.raises(InvalidRequestError):
        await done(medusa.request("GET", f"{peer.url}/admin/auth"))
    assert peer.received == []


async def test_no_error_of_a_login_shows_the_password(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url, timeout=0.05)
    peer.will(UNAUTHORIZED, answer(500), RESET, SILENCE, json("{}"))
    for _ in range(5):
        with pytest.raises(MedusaAuthError) as caught:
            await done(medusa.admin.auth.create_session(LOGIN))
        shown: BaseException | None = caught.value
        while shown:
            assert PASSWORD not in f"{shown} {shown!r}"
            shown = shown.__cause__ or shown.__context__


async def test_a_closed_client_sends_nothing(peer: Peer, connect: Connect) -> None:
    medusa = connect(peer.url)
    await close(medusa)
    with pytest.raises(RuntimeError, match="closed"):
        await done(medusa.admin.auth.get_session())


def test_with_closes_the_client(peer: Peer) -> None:
    peer.will(json(USER))
    with Medusa(peer.url) as medusa:
        medusa.admin.auth.get_session()
    with pytest.raises(RuntimeError, match="closed"):
        medusa.admin.auth.get_session()


async def test_async_with_closes_the_client(peer: Peer) -> None:
    peer.will(json(USER))
    async with AsyncMedusa(peer.url) as medusa:
        await medusa.admin.auth.get_session()
    with pytest.raises(RuntimeError, match="closed"):
        await medusa.admin.auth.get_session()


def test_a_transport_takes_the_place_of_the_network() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, text=USER))
    with Medusa("https://shop.example.com", transport=transport) as medusa:
        assert medusa.admin.auth.get_session().user.email == EMAIL


def test_threads_may_share_a_client(peer: Peer) -> None:
    """Each call gets its own answer, and every cookie that was set is kept."""

    def echo(request: Request) -> bytes:
        name = request.target.rpartition("/")[2]
        return json(f'"{name}"', 200, f"Set-Cookie: {name}=1; Path=/")

    peer.otherwise = echo
    with Medusa(peer.url) as medusa, ThreadPoolExecutor(8) as pool:
        names = [f"c{number}" for number in range(40)]
        answers = list(pool.map(lambda name: medusa.request("GET", f"/admin/{name}").data, names))
        assert answers == names
        assert {cookie.name for cookie in medusa.cookies} == set(names)


async def test_tasks_may_share_a_client(peer: Peer) -> None:
    peer.otherwise = lambda request: json(f'"{request.target}"')
    answers: dict[str, Any] = {}
    async with AsyncMedusa(peer.url) as medusa, anyio.create_task_group() as tasks:

        async def ask(path: str) -> None:
            answers[path] = (await medusa.request("GET", path)).data

        for number in range(20):
            tasks.start_soon(ask, f"/admin/{number}")
    assert answers == {path: path for path in answers}
    assert len(answers) == 20


async def test_the_default_wait_is_a_real_one(peer: Peer, connect: Connect) -> None:
    class Hasty(Random):
        def uniform(self, a: float, b: float) -> float:
            return 0.1

    medusa = connect(peer.url, max_retries=1, random=Hasty())
    peer.will(answer(503), json(USER))
    started = time.monotonic()
    await done(medusa.admin.auth.get_session())
    assert time.monotonic() - started >= 0.05


async def test_an_async_wait_lets_other_tasks_run(peer: Peer) -> None:
    peer.will(answer(503, "", "Retry-After: 50"), json(USER))
    async with AsyncMedusa(peer.url, max_retries=1) as medusa, anyio.create_task_group() as tasks:
        tasks.start_soon(medusa.admin.auth.get_session)
        await anyio.to_thread.run_sync(peer.wait_for, 1)
        assert (await medusa.admin.auth.get_session()).user.email == EMAIL
        tasks.cancel_scope.cancel()
