"""MedusaAuth: access tokens for an httpx2 client of any kind."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx2
import pytest

from medusa_auth import (
    AuthenticationError,
    InvalidRequestError,
    MedusaAuth,
    RateLimitError,
    SettingsError,
    UnexpectedAnswerError,
)

from .peer import RESET, Peer, Request, answer, json
from .samples import EMAIL, LOGIN, PASSWORD, jwt, token_body

NOW = 1795485483.0
LOGIN_PATH = "/admin/auth/token"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Backend:
    """Issues a new token at each login, and accepts those that it has not revoked."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        self.logins = 0
        self.refusals: list[bytes] = []
        self.seconds = 86400.0
        self.login_takes = 0.0
        self.before_login: Callable[[], object] = lambda: None
        self._valid: set[str] = set()
        self._clock = clock
        self._lock = threading.Lock()
        self._peer = peer
        peer.otherwise = self._answer

    @property
    def tokens_seen(self) -> list[str | None]:
        return [request.get("authorization") for request in self._peer.received if request.target != LOGIN_PATH]

    def revoke(self) -> None:
        self._valid.clear()

    def _answer(self, request: Request) -> bytes:
        if request.target == LOGIN_PATH:
            return self._log_in()
        token = (request.get("authorization") or "").removeprefix("Bearer ")
        return json('"yes"') if token in self._valid else answer(401, "Unauthorized")

    def _log_in(self) -> bytes:
        with self._lock:
            self.logins += 1
            number = self.logins
        self.before_login()
        time.sleep(self.login_takes)
        if self.refusals:
            return self.refusals.pop(0)
        token = jwt(jti=number, iat=self._clock.now, exp=self._clock.now + self.seconds)
        self._valid.add(token)
        return json(token_body(token))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(peer: Peer, clock: Clock) -> Backend:
    return Backend(peer, clock)


@pytest.fixture
def auth(peer: Peer, clock: Clock) -> MedusaAuth:
    return MedusaAuth(peer.url, EMAIL, PASSWORD, clock=clock)


@pytest.fixture
def client(peer: Peer, auth: MedusaAuth) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=peer.url, auth=auth) as client:
        yield client


@pytest.fixture
async def async_client(anyio_backend: str, peer: Peer, auth: MedusaAuth) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=peer.url, auth=auth) as client:
        yield client


def test_the_first_request_logs_in_and_the_others_use_its_token(
    peer: Peer, backend: Backend, client: httpx2.Client
) -> None:
    assert [client.get("/admin/users").status_code for _ in range(3)] == [200, 200, 200]
    login = peer.received[0]
    assert (login.method, login.target, login.body) == (
        "POST",
        LOGIN_PATH,
        b'{"email":"admin@medusa-test.com","password":"supersecret"}',
    )
    assert (login.get("authorization"), login.get("content-type")) == (None, "application/json")
    assert (backend.logins, len(peer.received), len(set(backend.tokens_seen))) == (1, 4, 1)


@pytest.mark.anyio
async def test_the_async_client_does_the_same(peer: Peer, backend: Backend, async_client: httpx2.AsyncClient) -> None:
    assert [(await async_client.get("/admin/users")).status_code for _ in range(3)] == [200, 200, 200]
    assert (backend.logins, len(peer.received), len(set(backend.tokens_seen))) == (1, 4, 1)


def test_a_prefix_of_the_base_url_is_kept(peer: Peer) -> None:
    peer.will(json(token_body("a.b.c")), json("{}"))
    with httpx2.Client(auth=MedusaAuth(f"{peer.url}/shop/", EMAIL, PASSWORD)) as client:
        client.get(f"{peer.url}/shop/admin/users")
    assert [request.target for request in peer.received] == ["/shop/admin/auth/token", "/shop/admin/users"]


@pytest.mark.parametrize(("seconds", "margin"), [(86400.0, 60.0), (120.0, 60.0), (100.0, 50.0), (1.0, 0.5)])
def test_a_token_is_renewed_a_minute_before_its_end_or_at_half_its_life(
    backend: Backend, client: httpx2.Client, clock: Clock, seconds: float, margin: float
) -> None:
    backend.seconds = seconds
    client.get("/admin/users")
    clock.now += seconds - margin - 0.1
    client.get("/admin/users")
    assert backend.logins == 1
    clock.now += 0.1
    client.get("/admin/users")
    assert backend.logins == 2
    assert len(set(backend.tokens_seen)) == 2


def test_a_token_that_does_not_say_when_it_ends_is_kept(peer: Peer, client: httpx2.Client, clock: Clock) -> None:
    peer.will(json(token_body("opaque")), json("{}"), json("{}"))
    client.get("/admin/users")
    clock.now += 1e9
    client.get("/admin/users")
    assert len(peer.received) == 3


def test_a_clock_that_is_wrong_does_no_harm(peer: Peer, backend: Backend) -> None:
    with httpx2.Client(
        base_url=peer.url, auth=MedusaAuth(peer.url, EMAIL, PASSWORD, clock=lambda: NOW + 1e7)
    ) as client:
        client.get("/admin/users")
        client.get("/admin/users")
    assert backend.logins == 1


def test_a_revoked_token_is_renewed_and_the_request_sent_again(backend: Backend, client: httpx2.Client) -> None:
    client.get("/admin/users")
    backend.revoke()
    assert client.get("/admin/users").status_code == 200
    assert backend.logins == 2
    assert backend.tokens_seen[1] == backend.tokens_seen[0] != backend.tokens_seen[2]


@pytest.mark.anyio
async def test_the_async_client_renews_a_revoked_token_too(backend: Backend, async_client: httpx2.AsyncClient) -> None:
    await async_client.get("/admin/users")
    backend.revoke()
    assert (await async_client.get("/admin/users")).status_code == 200
    assert backend.logins == 2


def test_a_request_is_sent_again_once_only(peer: Peer, client: httpx2.Client) -> None:
    login, refused = json(token_body("a.b.c")), answer(401, "Unauthorized")
    peer.will(login, json("{}"), refused, json(token_body("d.e.f")), refused)
    client.get("/admin/users")
    assert client.get("/admin/users").status_code == 401
    assert len(peer.received) == 5


def test_a_token_that_was_just_issued_is_not_renewed(peer: Peer, client: httpx2.Client) -> None:
    peer.will(json(token_body("a.b.c")), answer(401, "Unauthorized"))
    assert client.get("/admin/users").status_code == 401
    assert len(peer.received) == 2


def test_a_body_is_sent_again_even_when_it_is_a_stream(peer: Peer, backend: Backend, client: httpx2.Client) -> None:
    client.get("/admin/users")
    backend.revoke()
    assert client.post("/admin/users", content=iter([b"a", b"b"])).status_code == 200
    assert [request.body or request.headers for request in peer.received if request.method == "POST"][-1]
    assert [request.target for request in peer.received].count("/admin/users") == 3


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (answer(401, "Unauthorized"), AuthenticationError),
        (answer(429, "", "Retry-After: 30"), RateLimitError),
        (json('{"type":"invalid_data","message":"email must be an email"}', 400), InvalidRequestError),
        (answer(200, "<html>", "Content-Type: text/html"), UnexpectedAnswerError),
        (answer(302, "", "Location: /login"), UnexpectedAnswerError),
    ],
    ids=["401", "429", "400", "page", "redirect"],
)
def test_a_refused_login_is_a_typed_error_and_the_next_request_tries_again(
    backend: Backend, client: httpx2.Client, refusal: bytes, error: type[Exception]
) -> None:
    backend.refusals.append(refusal)
    with pytest.raises(error):
        client.get("/admin/users")
    assert backend.tokens_seen == []
    assert client.get("/admin/users").status_code == 200
    assert backend.logins == 2


@pytest.mark.anyio
async def test_the_async_client_raises_the_same(backend: Backend, async_client: httpx2.AsyncClient) -> None:
    backend.refusals.append(answer(401, "Unauthorized"))
    with pytest.raises(AuthenticationError):
        await async_client.get("/admin/users")
    assert (await async_client.get("/admin/users")).status_code == 200


def test_a_login_without_an_answer_leaves_nothing_locked(peer: Peer, backend: Backend, client: httpx2.Client) -> None:
    peer.will(RESET)
    with pytest.raises(httpx2.TransportError):
        client.get("/admin/users")
    assert client.get("/admin/users").status_code == 200


@pytest.mark.anyio
async def test_a_cancelled_login_leaves_nothing_locked(backend: Backend, async_client: httpx2.AsyncClient) -> None:
    backend.login_takes = 0.1
    with anyio.move_on_after(0.02) as scope:
        await async_client.get("/admin/users")
    assert scope.cancelled_caught
    backend.login_takes = 0.0
    assert (await async_client.get("/admin/users")).status_code == 200


def test_a_login_has_the_time_limit_of_the_request_that_waits_for_it(backend: Backend, client: httpx2.Client) -> None:
    backend.login_takes = 0.1
    with pytest.raises(httpx2.TimeoutException):
        client.get("/admin/users", timeout=0.02)


def test_threads_that_come_together_share_one_login(backend: Backend, client: httpx2.Client) -> None:
    backend.login_takes = 0.05
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.get("/admin/users").status_code, range(20)))
    assert (answers, backend.logins) == ([200] * 20, 1)


def test_threads_that_are_refused_together_share_one_renewal(backend: Backend, client: httpx2.Client) -> None:
    client.get("/admin/users")
    backend.revoke()
    backend.login_takes = 0.05
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.get("/admin/users").status_code, range(20)))
    assert (answers, backend.logins) == ([200] * 20, 2)


async def statuses(client: httpx2.AsyncClient, count: int) -> list[Any]:
    """What `count` requests at once are answered: a status or an error."""
    found: list[Any] = []

    async def ask() -> None:
        try:
            found.append((await client.get("/admin/users")).status_code)
        except AuthenticationError as error:
            found.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(ask)
    return found


@pytest.mark.anyio
async def test_tasks_that_come_together_share_one_login(backend: Backend, async_client: httpx2.AsyncClient) -> None:
    backend.login_takes = 0.05
    assert await statuses(async_client, 20) == [200] * 20
    assert backend.logins == 1


@pytest.mark.anyio
async def test_tasks_that_are_refused_together_share_one_renewal(
    backend: Backend, async_client: httpx2.AsyncClient
) -> None:
    await async_client.get("/admin/users")
    backend.revoke()
    backend.login_takes = 0.05
    assert await statuses(async_client, 20) == [200] * 20
    assert backend.logins == 2


@pytest.mark.anyio
async def test_a_wrong_password_is_tried_once_for_all_who_wait(
    backend: Backend, async_client: httpx2.AsyncClient
) -> None:
    backend.login_takes = 0.05
    backend.refusals = [answer(401, "Unauthorized")] * 20
    found = await statuses(async_client, 20)
    assert [type(error) for error in found] == [AuthenticationError] * 20
    assert backend.logins == 1


def test_a_wrong_password_is_tried_once_for_all_threads(backend: Backend, client: httpx2.Client) -> None:
    backend.login_takes = 0.05
    backend.refusals = [answer(401, "Unauthorized")] * 20
    arrived = threading.Semaphore(0)
    backend.before_login = lambda: [arrived.acquire(timeout=1) for _ in range(20)]

    def body() -> Iterator[bytes]:
        """MedusaAuth reads it before it waits for its turn."""
        arrived.release()
        yield b""

    def ask(_: int) -> type[Exception]:
        with pytest.raises(AuthenticationError) as caught:
            client.post("/admin/users", content=body())
        return caught.type

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, range(20))) == [AuthenticationError] * 20
    assert backend.logins == 1


def test_one_instance_serves_clients_of_both_kinds_and_loop_after_loop(
    peer: Peer, backend: Backend, client: httpx2.Client, auth: MedusaAuth
) -> None:
    async def ask() -> int:
        async with httpx2.AsyncClient(base_url=peer.url, auth=auth) as other:
            return (await other.get("/admin/users")).status_code

    assert client.get("/admin/users").status_code == 200
    assert [anyio.run(ask, backend=name) for name in ("asyncio", "trio", "asyncio")] == [200, 200, 200]
    assert backend.logins == 1


@pytest.mark.anyio
async def test_the_async_client_sends_no_token_to_another_origin_either(peer: Peer, anyio_backend: str) -> None:
    peer.will(json("{}"))
    async with httpx2.AsyncClient(auth=MedusaAuth("http://shop.example.com", EMAIL, PASSWORD)) as client:
        await client.get(f"{peer.url}/admin/users")
    assert [(request.target, request.get("authorization")) for request in peer.received] == [("/admin/users", None)]


@pytest.mark.parametrize("change", ["scheme", "host", "port"])
def test_the_token_goes_to_no_other_origin(change: str) -> None:
    asked: list[httpx2.Request] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={"access_token": "a.b.c"})

    other = {
        "scheme": "http://shop.example.com:9000/admin/users",
        "host": "https://other.example.com:9000/admin/users",
        "port": "https://shop.example.com/admin/users",
    }[change]
    auth = MedusaAuth("https://shop.example.com:9000", EMAIL, PASSWORD)
    with httpx2.Client(auth=auth, transport=httpx2.MockTransport(answers)) as client:
        client.get(other)
        assert [str(request.url) for request in asked] == [other]
        client.get("https://SHOP.example.com:9000/admin/users")
        client.get(other)
    assert ["authorization" in request.headers for request in asked] == [False, False, True, False]


def test_the_default_port_is_the_same_origin(peer: Peer) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"access_token": "a.b.c"}))
    with httpx2.Client(auth=MedusaAuth("https://shop.example.com:443", EMAIL, PASSWORD), transport=transport) as client:
        response = client.get("https://shop.example.com/admin/users")
    assert response.request.headers["authorization"] == "Bearer a.b.c"


def test_a_redirect_to_another_origin_does_not_take_the_token_along() -> None:
    asked: list[httpx2.Request] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if request.url.path == "/admin/users":
            return httpx2.Response(302, headers={"location": "https://other.example.com/"})
        return httpx2.Response(200, json={"access_token": "a.b.c"})

    auth = MedusaAuth("https://shop.example.com", EMAIL, PASSWORD)
    with httpx2.Client(auth=auth, transport=httpx2.MockTransport(answers), follow_redirects=True) as client:
        client.get("https://shop.example.com/admin/users")
    assert "authorization" not in asked[-1].headers


def test_what_cannot_be_a_login_is_refused_at_once() -> None:
    with pytest.raises(InvalidRequestError):
        MedusaAuth("http://localhost", EMAIL, "")
    with pytest.raises(SettingsError):
        MedusaAuth("localhost", EMAIL, PASSWORD)


def test_no_repr_shows_the_password_or_the_token(peer: Peer, auth: MedusaAuth, client: httpx2.Client) -> None:
    peer.will(json(token_body("a-secret")), json("{}"))
    client.get("/admin/users")
    assert repr(auth) == f"MedusaAuth('{peer.url}', 'admin@medusa-test.com', password=...)"
    assert LOGIN["password"] not in repr(auth)
    assert "a-secret" not in repr(auth._held)
