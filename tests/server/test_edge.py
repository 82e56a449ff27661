"""What every answer has, paths and methods that are not there, and what a log line may say."""

import json
import re

import httpx2
import pytest
import structlog
from tests.server.helpers import LOGIN, PASSWORD, Running


@pytest.fixture(scope="module")
def server(shared_server: Running) -> Running:
    return shared_server


@pytest.mark.asvs("3.4.4")
@pytest.mark.asvs("3.4.6")
@pytest.mark.asvs("14.3.2")
@pytest.mark.parametrize("path", ["/health", "/ready", "/admin/auth", "/admin/nope", "/nope", "/docs", "/openapi.json"])
def test_every_answer_has_the_headers_that_protect_it(server: Running, path: str):
    headers = server.client().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert re.fullmatch("[0-9a-f]{12}-[0-9a-f]+", headers["x-request-id"])
    assert "server" not in headers


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"])
@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/admin/nope", "/ADMIN/auth/nope", "/admin/%61uth", "/admin/./auth"]
)
def test_unknown_paths_under_admin_ask_for_a_credential_first(server: Running, method: str, path: str):
    assert server.raw(_request(method, path)).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/nope", "/admin/%61uth", "/admin/auth;x", "/admin///auth", "/admin/./auth"]
)
def test_and_are_then_not_found_in_json(server: Running, path: str):
    cookie = f"Cookie: connect.sid={server.sign_in().cookies['connect.sid']}"
    head, _, body = server.raw(_request("GET", path, cookie)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert json.loads(body) == {"type": "not_found", "message": f"Cannot GET {path}"}


@pytest.mark.asvs("4.1.4")
@pytest.mark.asvs("13.4.4")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "PURGE"])
def test_methods_that_a_path_does_not_have_are_not_found(server: Running, method: str):
    cookie = f"Cookie: connect.sid={server.sign_in().cookies['connect.sid']}"
    for path in ("/admin/auth", "/admin/auth/token"):
        assert server.raw(_request(method, path, cookie)).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("path", ["/admin/auth/", "/admin/auth//", "/admin//auth", "/ADMIN/AUTH", "/admin/auth?x=1"])
def test_the_ways_in_which_express_matches_a_path_all_match(server: Running, path: str):
    cookie = f"Cookie: connect.sid={server.sign_in().cookies['connect.sid']}"
    assert server.raw(_request("GET", path, cookie)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "path", ["/nope", "/", "/administrator", "//admin/auth", "/admin%2fauth", "/health//", "/store/nope"]
)
def test_everything_else_is_not_found(server: Running, path: str):
    assert server.raw(_request("GET", path)).startswith(b"HTTP/1.1 404 ")


def test_health_is_medusas(server: Running):
    answer = server.client().get("/health")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "OK", "text/html; charset=utf-8")
    assert server.client().options("/health").headers["allow"] == "GET,HEAD"
    assert server.client().post("/health").status_code == 404


def test_head_is_get_without_the_body(server: Running):
    client = server.sign_in()
    head, get = client.head("/admin/auth"), client.get("/admin/auth")
    assert head.content == b""
    for name in ("content-length", "content-type", "etag"):
        assert head.headers[name] == get.headers[name]


def test_a_client_that_has_the_answer_is_not_sent_it_again(server: Running):
    client = server.sign_in()
    etag = client.get("/admin/auth").headers["etag"]
    for known in (etag, etag.removeprefix("W/"), "*", f'"x", {etag}'):
        answer = client.get("/admin/auth", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/admin/auth", headers={"If-None-Match": '"x"'}).status_code == 200
    fresh = {"If-None-Match": etag, "Cache-Control": "no-cache"}
    assert client.get("/admin/auth", headers=fresh).status_code == 200


@pytest.mark.asvs("16.2.5")
def test_a_log_line_tells_who_and_what_and_no_secret(server: Running, monkeypatch: pytest.MonkeyPatch):
    with structlog.testing.capture_logs() as lines:
        client = server.sign_in()
        token, (api_token, _) = server.access_token(), server.api_token()
        client.get("/admin/auth", params={"password": PASSWORD})
        server.bearer(token)
        server.get(**{"x-medusa-access-token": api_token})
        client.post(
            "/admin/auth", content=b'{"password":"' + PASSWORD.encode(), headers={"Content-Type": "application/json"}
        )
        client.post("/admin/auth", json=LOGIN | {"email": PASSWORD})
        cookie = client.cookies["connect.sid"]
        client.delete("/admin/auth")
    written = json.dumps(lines)
    for secret in (PASSWORD, token, api_token, cookie, cookie[4:36]):
        assert secret not in written
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 8
    assert dict(requests[2]) | {"ms": 0, "request_id": ""} == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/admin/auth",
        "status": 200,
        "client": "127.0.0.1",
        "user_id": server.user.id,
        "credential": "session",
        "ms": 0,
        "request_id": "",
    }


@pytest.mark.asvs("16.4.1")
def test_a_path_cannot_write_a_line_of_its_own(server: Running):
    with structlog.testing.capture_logs() as lines:
        httpx2.get(f"{server.url}/nope%0a%7b%22event%22%3a%22forged")
    assert lines[0]["path"] == "/nope%0a%7b%22event%22%3a%22forged"


def _request(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()
