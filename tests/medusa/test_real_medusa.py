"""Our client against a real Medusa."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import httpx2
import pytest
from tests.medusa.real_medusa import RealMedusa, real_medusa

from medusa_auth import (
    AsyncMedusa,
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the package's
    Cookies,
    InvalidRequestError,
    Medusa,
    MedusaAuth,
    NotFoundError,
)

pytestmark = pytest.mark.medusa

NOTHING_SENT = (
    "email should not be empty, email must be an email, password should not be empty, password must be a string"
)


@pytest.fixture
def medusa(real: RealMedusa) -> Iterator[Medusa]:
    with Medusa(real.base_url, max_retries=3) as client:
        yield client


def test_a_session_lives_from_login_to_logout(real, medusa):
    session = medusa.admin.auth.create_session(real.login)
    assert session.user.id.startswith("usr_")
    assert session.user.email == real.email
    assert session.response.status == 200
    assert session.response.headers["content-type"] == "application/json; charset=utf-8"
    assert medusa.admin.auth.get_session().user == session.user
    assert medusa.admin.auth.delete_session().response.status == 200
    with pytest.raises(AuthenticationError):
        medusa.admin.auth.get_session()


def test_a_login_takes_keywords_too(real, medusa):
    assert medusa.admin.auth.create_session(**real.login).user.email == real.email


def test_the_email_is_taken_in_any_case(real, medusa):
    assert medusa.admin.auth.create_session(email=real.email.upper(), password=real.password).user.email == real.email


def test_a_session_goes_on_in_the_next_run(real, medusa):
    medusa.admin.auth.create_session(real.login)
    kept = Cookies()
    kept.load(medusa.cookies.dump())
    with Medusa(real.base_url, cookies=kept) as another:
        assert another.admin.auth.get_session().user.email == real.email


def test_a_logout_ends_the_session_on_the_server(real, medusa):
    medusa.admin.auth.create_session(real.login)
    kept = Cookies()
    kept.load(medusa.cookies.dump())
    medusa.admin.auth.delete_session()
    with Medusa(real.base_url, cookies=kept) as another, pytest.raises(AuthenticationError):
        another.admin.auth.get_session()


def test_a_second_logout_is_refused(real, medusa):
    medusa.admin.auth.create_session(real.login)
    medusa.admin.auth.delete_session()
    with pytest.raises(AuthenticationError):
        medusa.admin.auth.delete_session()


@pytest.mark.parametrize(
    "login", [{"password": "wrong"}, {"email": "nobody@medusa-test.com"}], ids=["password", "email"]
)
@pytest.mark.parametrize("call", ["create_session", "get_token"])
def test_wrong_credentials_are_refused(real, medusa, login, call):
    with pytest.raises(AuthenticationError) as caught:
        getattr(medusa.admin.auth, call)(real.login | login)
    assert (caught.value.status, caught.value.message, caught.value.body) == (401, "Unauthorized", b"Unauthorized")


def test_nobody_is_logged_in_at_first(medusa):
    with pytest.raises(AuthenticationError) as caught:
        medusa.admin.auth.get_session()
    assert caught.value.body == b"Unauthorized"


@pytest.mark.parametrize("call", ["create_session", "get_token"])
def test_a_malformed_email_is_refused_in_medusas_words(medusa, call):
    with pytest.raises(InvalidRequestError) as caught:
        getattr(medusa.admin.auth, call)({"email": "not an address", "password": "x"})
    error = caught.value
    assert (error.status, error.type, error.code, error.message) == (
        400,
        "invalid_data",
        None,
        "email must be an email",
    )


def test_what_is_refused_before_it_is_sent_is_what_medusa_refuses(medusa):
    with pytest.raises(InvalidRequestError) as ours:
        medusa.admin.auth.create_session({})
    with pytest.raises(InvalidRequestError) as medusas:
        medusa.request("POST", "/admin/auth", json={})
    assert ours.value.message == medusas.value.message == NOTHING_SENT


def test_malformed_json_is_an_error_that_can_be_read(medusa):
    with pytest.raises(InvalidRequestError) as caught:
        medusa.request("POST", "/admin/auth", json="not an object")
    assert caught.value.message.startswith("SyntaxError: Unexpected token '\"'")


def test_an_access_token_is_kept_and_sent(real, medusa):
    token = medusa.admin.auth.get_token(real.login).access_token
    assert token.count(".") == 2
    medusa.cookies.clear()
    assert medusa.admin.auth.get_session().user.email == real.email
    with Medusa(real.base_url) as another, pytest.raises(AuthenticationError):
        another.admin.auth.get_session()


def test_an_access_token_is_forgotten_at_logout(real, medusa):
    medusa.admin.auth.get_token(real.login)
    medusa.admin.auth.delete_session()
    with pytest.raises(AuthenticationError):
        medusa.admin.auth.get_session()


def test_the_rest_of_the_admin_api_can_be_called(real, medusa):
    session = medusa.admin.auth.create_session(real.login)
    answer = medusa.request("GET", "/admin/users", params={"limit": 1})
    assert [user["id"] for user in answer.data["users"]] == [session.user.id]
    assert (answer.data["limit"], answer.response.status) == (1, 200)


def test_what_is_not_there_is_an_error(real, medusa):
    medusa.admin.auth.create_session(real.login)
    with pytest.raises(NotFoundError) as caught:
        medusa.request("GET", "/admin/users/usr_none")
    assert (caught.value.type, caught.value.message) == ("not_found", "User with id: usr_none was not found")


def test_an_api_token_opens_without_a_login(real, medusa):
    user = medusa.admin.auth.create_session(real.login).user
    medusa.request("POST", f"/admin/users/{user.id}", json={"api_token": "a-token-for-our-client"})
    with Medusa(real.base_url, api_key="a-token-for-our-client") as another:
        assert another.admin.auth.get_session().user.id == user.id
    with Medusa(real.base_url, api_key="another-token") as another, pytest.raises(AuthenticationError):
        another.admin.auth.get_session()


def test_another_address_of_the_server_is_not_medusas(real):
    with (
        Medusa(f"{real.base_url}/elsewhere") as wrong,
        pytest.raises(NotFoundError, match="Cannot POST /elsewhere/admin/auth"),
    ):
        wrong.admin.auth.create_session(real.login)


def test_the_guard_of_an_httpx_client_logs_in_by_itself(real):
    with httpx2.Client(base_url=real.base_url, auth=MedusaAuth(real.base_url, real.email, real.password)) as http:
        users = http.get("/admin/users").raise_for_status().json()["users"]
    assert [user["email"] for user in users] == [real.email]


def test_the_guard_of_an_httpx_client_says_when_the_password_is_wrong(real):
    with (
        httpx2.Client(base_url=real.base_url, auth=MedusaAuth(real.base_url, real.email, "wrong")) as http,
        pytest.raises(AuthenticationError),
    ):
        http.get("/admin/users")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_client_does_the_same(real, backend):
    async def use() -> None:
        async with AsyncMedusa(real.base_url, max_retries=3) as medusa:
            session = await medusa.admin.auth.create_session(real.login)
            assert (session.user.email, session.response.status) == (real.email, 200)
            assert (await medusa.admin.auth.get_session()).user == session.user
            assert (await medusa.request("GET", "/admin/users")).data["count"] == 1
            await medusa.admin.auth.delete_session()
            with pytest.raises(AuthenticationError):
                await medusa.admin.auth.get_session()
            assert (await medusa.admin.auth.get_token(real.login)).access_token
            assert (await medusa.admin.auth.get_session()).user == session.user
            with pytest.raises(AuthenticationError):
                await medusa.admin.auth.create_session(real.login | {"password": "wrong"})
            with pytest.raises(InvalidRequestError, match="email must be an email"):
                await medusa.admin.auth.create_session({"email": "x", "password": "x"})

    anyio.run(use, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_guard_of_an_async_httpx_client_logs_in_by_itself(real, backend):
    async def use() -> None:
        auth = MedusaAuth(real.base_url, real.email, real.password)
        async with httpx2.AsyncClient(base_url=real.base_url, auth=auth) as http:
            assert (await http.get("/admin/users")).raise_for_status().json()["count"] == 1

    anyio.run(use, backend=backend)


def test_a_medusa_that_is_gone_is_a_connection_error():
    with real_medusa() as running, Medusa(running.base_url) as medusa:
        medusa.admin.auth.create_session(running.login)
        running.stop()
        with pytest.raises(ConnectionError):
            medusa.admin.auth.get_session()
