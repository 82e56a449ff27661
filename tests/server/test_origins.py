"""Which pages may use an administrator's cookie."""

import pytest
from tests.server.conftest import Start
from tests.server.helpers import LOGIN, Running

DASHBOARD = "https://admin.example.com"


@pytest.fixture(scope="module")
def server(shared_start: Start) -> Running:
    return shared_start(ADMIN_CORS=f"{DASHBOARD},http://localhost:7001")


def test_a_page_of_the_list_may_read_the_answers(server: Running):
    for answer in (
        server.client().get("/admin/auth", headers={"Origin": DASHBOARD}),
        server.client().post("/admin/auth", json={}, headers={"Origin": DASHBOARD}),
        server.sign_in().get("/admin/auth", headers={"Origin": DASHBOARD}),
        server.client().get("/admin/nope", headers={"Origin": DASHBOARD}),
    ):
        assert answer.headers["access-control-allow-origin"] == DASHBOARD
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"


@pytest.mark.asvs("3.4.2")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://admin.example.com.evil.example",
        "https://evil-admin.example.com",
        "https://admin.example.com:8443",
        "http://admin.example.com",
        "https://admin.example.com/",
        "https://ADMIN.example.com",
        "*",
    ],
)
def test_no_other_page_may(server: Running, origin: str):
    headers = server.sign_in().get("/admin/auth", headers={"Origin": origin}).headers
    assert not [name for name in headers if name.startswith("access-control-")]


def test_a_preflight_is_answered_as_medusas(server: Running):
    asked = {
        "Origin": DASHBOARD,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "content-type,idempotency-key",
    }
    answer = server.client().options("/admin/whatever", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
    assert answer.headers["access-control-allow-headers"] == "content-type,idempotency-key"
    assert answer.headers["access-control-allow-origin"] == DASHBOARD
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers"


def test_health_has_no_cors(server: Running):
    assert "vary" not in server.client().get("/health", headers={"Origin": DASHBOARD}).headers


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": DASHBOARD}, 200),
        ({"Origin": "http://{host}"}, 200),
        ({"Origin": "https://{host_name}", "Host": "{host_name}"}, 200),
        ({"Origin": "https://shop.example", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://{host_name}:1"}, 403),
        ({"Origin": "https://{host}"}, 200),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain", "Origin": DASHBOARD}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("POST", LOGIN)])
def test_a_foreign_page_or_a_form_cannot_write_with_the_cookie(server: Running, method, body, headers, status):
    host = server.url.removeprefix("http://")
    filled = {name: value.format(host=host, host_name="127.0.0.1") for name, value in headers.items()}
    client = server.sign_in()
    cookie = {"Cookie": f"connect.sid={client.cookies['connect.sid']}"}
    if body is not None and "Content-Type" in filled:
        # A login whose body is no JSON has no credentials.
        status = 400
    answer = server.client().request(method, "/admin/auth", json=body, headers=cookie | filled)
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["message"]
        assert server.get(**cookie).status_code == 200, "nothing has changed"


def test_a_foreign_page_may_not_hide_behind_a_session_that_only_reads(server: Running):
    client = server.sign_in()
    assert client.get("/admin/auth", headers={"Origin": "https://evil.example"}).status_code == 200


def test_a_request_with_a_token_is_nobodys_forgery(server: Running):
    headers = {"Authorization": f"Bearer {server.access_token()}", "Origin": "https://evil.example"}
    assert server.client().delete("/admin/auth", headers=headers).status_code == 200


def test_behind_a_trusted_proxy_the_host_that_the_browser_asked_for_counts(start):
    server = start(MEDUSA_AUTH_TRUSTED_PROXIES="127.0.0.0/8")
    proxy = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    client = server.sign_in()
    cookie = {"Cookie": f"connect.sid={client.cookies['connect.sid']}"}
    for origin, status in (("http://shop.example", 403), ("https://other.example", 403), ("https://shop.example", 200)):
        headers = cookie | proxy | {"Origin": origin}
        assert server.client().delete("/admin/auth", headers=headers).status_code == status
