"""Access tokens, API tokens, and which of several credentials counts."""

import base64
import hmac
import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx2
import pytest
from tests.server.helpers import EMAIL, LOGIN, Running

from medusa_auth.core.users import Users
from medusa_auth.model import User


def test_a_token_has_medusas_claims_in_medusas_order_and_an_id(server: Running):
    header, payload, _ = server.access_token().split(".")
    assert _decoded(header) == {"alg": "HS256", "typ": "JWT"}
    claims = _decoded(payload)
    assert list(claims) == ["user_id", "domain", "iat", "exp", "jti", "epoch"]
    assert claims["user_id"] == server.user.id
    assert claims["domain"] == "admin"
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60


def test_a_token_sets_no_cookie_and_leaves_the_session_alone(server: Running):
    client = server.sign_in()
    assert "set-cookie" not in client.post("/admin/auth/token", json=LOGIN).headers
    assert client.get("/admin/auth").status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  ", "Bearer\t"])
def test_a_token_is_recognised(server: Running, scheme: str):
    assert server.get(Authorization=scheme + server.access_token()).json()["user"]["email"] == EMAIL


def test_a_token_ends_with_its_24_hours(server: Running):
    token = server.access_token()
    server.clock.advance(hours=24, seconds=-1)
    assert server.bearer(token).status_code == 200
    server.clock.advance(seconds=1)
    assert server.bearer(token).status_code == 401


@pytest.mark.asvs("7.4.1")
def test_a_logout_with_a_token_ends_it_and_no_other(server: Running):
    mine, other = server.access_token(), server.access_token()
    answer = httpx2.delete(f"{server.url}/admin/auth", headers={"Authorization": f"Bearer {mine}"})
    assert (answer.status_code, answer.text) == (200, "OK")
    assert "set-cookie" not in answer.headers
    assert server.bearer(mine).status_code == 401
    assert server.bearer(other).status_code == 200


def test_a_logout_ends_the_session_and_the_token_that_come_together(server: Running):
    client, token = server.sign_in(), server.access_token()
    cookie = client.cookies["connect.sid"]
    assert client.delete("/admin/auth", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert server.bearer(token).status_code == 401
    assert server.get(Cookie=f"connect.sid={cookie}").status_code == 401


def test_a_logout_with_an_api_token_leaves_it_good(server: Running):
    headers = {"x-medusa-access-token": server.api_token()[0]}
    assert httpx2.delete(f"{server.url}/admin/auth", headers=headers).text == "OK"
    assert server.get(**headers).status_code == 200


def test_an_api_token_is_recognised_until_it_is_revoked(server: Running):
    token, record = server.api_token()
    headers = {"x-medusa-access-token": token}
    assert server.get(**headers).json()["user"]["api_token"] is None
    server.write(lambda tx: server.parts.api_tokens.revoke(tx, record.id, server.clock()))
    assert server.get(**headers).status_code == 401


def test_api_tokens_are_compared_exactly(server: Running):
    token, _ = server.api_token()
    assert server.get(**{"x-medusa-access-token": token.upper()}).status_code == 401
    assert server.get(**{"x-medusa-access-token": ""}).status_code == 401
    twice = [("x-medusa-access-token", token), ("x-medusa-access-token", token)]
    assert httpx2.get(f"{server.url}/admin/auth", headers=twice).status_code == 401


def test_white_space_round_an_api_token_is_none_of_it(server: Running):
    token, _ = server.api_token()

    def status(sent: str) -> int:
        # Not with httpx2, which sends no such header.
        with closing(HTTPConnection(server.url.removeprefix("http://"), timeout=10)) as connection:
            connection.request("GET", "/admin/auth", headers={"x-medusa-access-token": sent})
            return connection.getresponse().status

    assert [status(sent) for sent in (f"{token} ", f"{token}\t", f" \t{token} \t")] == [200] * 3
    assert status(" \t") == 401


def test_the_first_good_credential_wins_and_bad_ones_are_ignored(server: Running):
    other = _other_user(server)
    api_token, _ = server.write(lambda tx: server.parts.api_tokens.issue(tx, other, "other", server.clock()))
    cookie, token = server.sign_in().cookies["connect.sid"], server.access_token()
    good = {"Cookie": f"connect.sid={cookie}", "Authorization": f"Bearer {token}", "x-medusa-access-token": api_token}
    bad = {"Cookie": "connect.sid=bad", "Authorization": "Bearer bad", "x-medusa-access-token": "bad"}

    def email(**headers: str) -> str:
        return str(server.get(**headers).json()["user"]["email"])

    assert email(**good) == EMAIL
    assert email(**good | {"Cookie": bad["Cookie"]}) == EMAIL
    assert email(**good | {"Cookie": bad["Cookie"], "Authorization": bad["Authorization"]}) == other.email
    assert email(**bad | {"Authorization": good["Authorization"]}) == EMAIL
    assert server.get(**bad).status_code == 401


@pytest.mark.asvs("7.4.2")
@pytest.mark.parametrize("deed", ["delete", "set_password"])
def test_a_deleted_user_or_a_changed_password_ends_sessions_and_tokens_at_the_next_request(server: Running, deed: str):
    cookie = {"Cookie": f"connect.sid={server.sign_in().cookies['connect.sid']}"}
    bearer = {"Authorization": f"Bearer {server.access_token()}"}
    assert [server.get(**cookie).status_code, server.get(**bearer).status_code] == [200, 200]
    server.write(lambda tx: _do(server.parts.users, deed, tx, server))
    assert [server.get(**cookie).status_code, server.get(**bearer).status_code] == [401, 401]


def test_an_api_token_survives_a_changed_password_but_not_its_user(server: Running):
    headers = {"x-medusa-access-token": server.api_token()[0]}
    server.write(lambda tx: _do(server.parts.users, "set_password", tx, server))
    assert server.get(**headers).status_code == 200
    server.write(lambda tx: _do(server.parts.users, "delete", tx, server))
    assert server.get(**headers).status_code == 401


@pytest.mark.asvs("9.1.2")
@pytest.mark.parametrize(
    ("algorithm", "digest", "status"),
    [("HS256", "sha256", 200), ("HS384", "sha384", 401), ("HS512", "sha512", 401), ("none", None, 401)],
)
def test_no_other_algorithm_is_accepted(server: Running, algorithm: str, digest: str | None, status: int):
    header, payload, _ = server.access_token().split(".")
    signed = f"{_encoded(_decoded(header) | {'alg': algorithm})}.{payload}"
    key = server.parts.settings.jwt_keys[0].encode()
    signature = hmac.digest(key, signed.encode(), digest) if digest else b""
    assert server.bearer(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}").status_code == status


def test_a_signing_key_can_be_replaced_without_logging_anyone_out(start):
    old, new = "o" * 20 + "1234567890ab", "n" * 20 + "1234567890ab"
    token = start(JWT_SECRET=old).access_token()
    assert start(JWT_SECRET=new, MEDUSA_AUTH_JWT_SECRET_PREVIOUS=old).bearer(token).status_code == 200
    assert start(JWT_SECRET=new).bearer(token).status_code == 401


def test_what_one_server_revokes_the_other_on_the_same_file_refuses_at_once(start):
    one, two = start(), start()
    cookie = {"Cookie": f"connect.sid={one.sign_in().cookies['connect.sid']}"}
    for _ in range(20):
        assert two.get(**cookie).status_code == 200
    httpx2.delete(f"{one.url}/admin/auth", headers=cookie)
    assert two.get(**cookie).status_code == 401


def _do(users: Users, deed: str, tx, server: Running) -> None:
    if deed == "delete":
        users.delete(tx, server.user, server.clock())
    else:
        users.set_password(tx, server.user, "a hash", server.clock())


def _other_user(server: Running) -> User:
    make = server.parts.users.create
    return server.write(lambda tx: make(tx, email="other@example.com", password_hash=None, now=server.clock()))


def _decoded(part: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return decoded


def _encoded(header: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("header", [{"alg": "HS256", "crit": None}, {"alg": "HS256", "crit": [{}]}, ["alg"]])
def test_a_forged_token_with_an_odd_header_is_refused_and_no_error(server: Running, header: Any):
    assert server.bearer(f"{_encoded(header)}.e30.AAAA").status_code == 401
