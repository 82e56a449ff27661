"""The real Medusa runs and answers as seen before, to plain HTTP and to the published medusa-js."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest
from tests.medusa.real_medusa import RealMedusa, real_medusa
from tests.peers.peer import run_peer

pytestmark = pytest.mark.medusa

UNAUTHORIZED = {
    "name": "Error",
    "message": "Request failed with status code 401",
    "code": None,
    "isAxiosError": True,
    "status": 401,
    "data": "Unauthorized",
}


@pytest.fixture
def http(real: RealMedusa) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=real.base_url, trust_env=False) as client:
        yield client


def medusa_js(real: RealMedusa, **more: object) -> dict[str, dict[str, Any]]:
    steps: dict[str, dict[str, Any]] = run_peer("medusa_js.js", {"base_url": real.base_url, **real.login, **more})
    return steps


def test_a_session_lives_from_login_to_logout(real, http):
    login = http.post("/admin/auth", json=real.login)
    assert login.status_code == 200
    assert login.headers["set-cookie"].startswith("connect.sid=s%3A")
    assert http.get("/admin/auth").json() == login.json()
    logout = http.delete("/admin/auth")
    assert (logout.status_code, logout.text) == (200, "OK")
    assert http.get("/admin/auth").status_code == 401


def test_an_access_token_opens(real, http):
    token = http.post("/admin/auth/token", json=real.login).json()["access_token"]
    answer = http.get("/admin/auth", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["user"]["email"] == real.email


def redis_size(real: RealMedusa) -> int:
    address = httpx2.URL(real.redis_url)
    with socket.create_connection((address.host, address.port or 0)) as connection:
        connection.sendall(b"DBSIZE\r\n")
        return int(connection.recv(64).removeprefix(b":"))


def test_sessions_are_in_redis(real, http):
    before = redis_size(real)
    http.post("/admin/auth", json=real.login)
    assert redis_size(real) == before + 1


def test_users_are_in_postgres(real, http):
    user = http.post("/admin/auth", json=real.login).json()["user"]
    with psycopg.connect(real.database_url) as connection:
        rows = connection.execute('SELECT id FROM "user"').fetchall()
    assert rows == [(user["id"],)]


def test_the_cookie_is_signed_as_express_session_does_it(real, http):
    http.post("/admin/auth", json=real.login)
    header = f"connect.sid={http.cookies['connect.sid']}"
    [sid] = run_peer("express_session.js", {"cookie_secret": real.cookie_secret, "read": [header]})["read"]
    [value] = run_peer("express_session.js", {"cookie_secret": real.cookie_secret, "sign": [sid]})["sign"]
    assert value == http.cookies["connect.sid"]


def test_the_access_token_is_one_of_jsonwebtoken(real, http):
    login = http.post("/admin/auth", json=real.login).json()
    token = http.post("/admin/auth/token", json=real.login).json()["access_token"]
    [answer] = run_peer("jsonwebtoken.js", {"verify": [{"token": token, "secret": real.jwt_secret}]})["verify"]
    claims = answer["claims"]
    assert list(claims) == ["user_id", "domain", "iat", "exp"]
    assert (claims["user_id"], claims["domain"]) == (login["user"]["id"], "admin")
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60


def test_the_password_hash_is_one_of_scrypt_kdf(real):
    with psycopg.connect(real.database_url) as connection:
        [[password_hash]] = connection.execute('SELECT password_hash FROM "user" LIMIT 1').fetchall()
    question = {"password": real.password, "hash_base64": password_hash}
    assert run_peer("scrypt_kdf.js", {"verify": [question]})["verify"] == [True]


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        '{"email":" ","password":" "}',
        '{"email":["a@b.co"],"password":{}}',
        '{"email":"a@b.co","password":"x","z":1,"a":2,"1":3,"":4}',
        '{"email":"a@b.co","email":"x","password":null}',
        '{"email":"x","password":1,"toString":1,"__proto__":{"y":1},"hasOwnProperty":null}',
    ],
)
def test_the_validation_peer_says_what_medusa_says(http, body):
    answer = http.post("/admin/auth", content=body, headers={"Content-Type": "application/json"})
    [message] = run_peer("validation.js", {"bodies": [body]})
    assert answer.status_code == 400
    assert answer.json() == {"type": "invalid_data", "message": message}


def test_medusa_js_in_node_has_cookies_only_when_told_and_no_token(real):
    steps = medusa_js(real)
    assert {name: step["status"] for name, step in steps.items()} == {
        "createSession": 200,
        "getSessionWithoutCookie": 401,
        "getSessionWithCookie": 200,
        "getToken": 200,
        "getSessionAfterToken": 401,
        "deleteSession": 200,
        "getSessionWithDeadCookie": 401,
        "createSessionWrongPassword": 401,
        "createSessionEmpty": 400,
    }
    assert steps["deleteSession"]["data"] == {"0": "O", "1": "K"}
    assert steps["createSessionWrongPassword"]["error"] == UNAUTHORIZED
    assert steps["createSessionEmpty"]["error"]["data"]["type"] == "invalid_data"


def test_medusa_js_in_a_browser_keeps_the_token(real):
    steps = medusa_js(real, window=True)
    assert steps["getSessionWithoutCookie"]["status"] == 401
    assert steps["getSessionAfterToken"]["status"] == 200
    assert steps["getSessionWithDeadCookie"]["status"] == 200


def test_medusa_js_sends_an_api_key(real, http):
    user = http.post("/admin/auth", json=real.login).json()["user"]
    http.post(f"/admin/users/{user['id']}", json={"api_token": "a-token-for-medusa-js"}).raise_for_status()
    steps = medusa_js(real, apiKey="a-token-for-medusa-js", maxRetries=2)
    assert steps["getSessionWithApiKey"]["data"]["user"]["id"] == user["id"]


def test_medusa_can_be_stopped_before_its_time():
    with real_medusa(email="another@medusa-test.com", password="another") as medusa:
        assert httpx2.post(f"{medusa.base_url}/admin/auth", json=medusa.login, trust_env=False).status_code == 200
        medusa.stop()
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{medusa.base_url}/health", trust_env=False)
