"""nginx with deploy/nginx.conf before two real servers of ours: who answers what, and what the servers are told."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx2
import pytest
import structlog
from tests.deploy.raw import Answer, ask
from tests.deploy.upstreams import Upstream, in_medusas_place, that_breaks_off
from tests.server.helpers import LOGIN, admin, serving
from tests.services.mail_server import wait_for
from tests.services.nginx import DEPLOY, Nginx, nginx
from tests.services.process import free_port, running, stop, wait_until

from medusa_auth.core.passwords import Argon2id
from medusa_auth.errors import RateLimitError
from medusa_auth.server.app import Parts, create_app
from medusa_auth.settings import from_env

# Not the proxy's own, which is 127.0.0.1.
CLIENT = "127.0.0.2"
# The first, and `burst` in nginx.conf.
AT_ONCE = 1 + 20
INDEX = "<title>the dashboard</title>"


@dataclass
class Site:
    """nginx, the two servers behind it, with their logs, and who stands in Medusa's place."""

    proxy: Nginx
    servers: list[Popen[bytes]]
    logs: list[Path]
    medusa: Upstream
    data_dir: Path

    def ask(self, path: str, *lines: str, **options: Any) -> Answer:
        return ask(self.proxy.https, path, *lines, **options)

    def sign_in(self, *lines: str, **options: Any) -> Answer:
        return self.ask("/admin/auth", *lines, method="POST", body=LOGIN, **options)

    def logged(self, answer: Answer) -> dict[str, Any]:
        """The servers' line about the request that `answer` is the answer to."""
        request_id = answer.header("x-request-id")
        assert request_id is not None, "no server of ours answered"
        found: list[dict[str, Any]] = []

        def look() -> bool:
            lines = [line for log in self.logs for line in log.read_text("utf-8").splitlines() if request_id in line]
            found.extend(json.loads(line) for line in lines if '"event":"request"' in line)
            return bool(found)

        wait_for(look)
        return found[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "build").mkdir()
    (folder / "build" / "index.html").write_text(INDEX, "utf-8")
    (folder / "build" / "main.js").write_text("script", "utf-8")
    _make_admin(folder / "data")
    with ExitStack() as stack:
        ports = [free_port(), free_port()]
        logs = [folder / f"{port}.log" for port in ports]
        servers = [
            stack.enter_context(running(_command(port, folder / "data"), log=log, cwd=folder, env=_environment()))
            for port, log in zip(ports, logs, strict=True)
        ]
        medusa = stack.enter_context(in_medusas_place())
        ours = [f"127.0.0.1:{port}" for port in ports]
        proxy = stack.enter_context(nginx(ours=ours, medusa=medusa.address, dashboard=folder / "build"))
        for server, address, log in zip(servers, ours, logs, strict=True):
            wait_until(lambda: _is_ready(address), server, log, "medusa-auth")  # noqa: B023 - used at once
        yield Site(proxy, servers, logs, medusa, folder / "data")


def _make_admin(data_dir: Path) -> None:
    parts = Parts.of(from_env({}, data_dir=data_dir))
    try:
        admin(parts, Argon2id().hash(LOGIN["password"]))
    finally:
        parts.close()


def _command(port: int, data_dir: Path) -> list[str]:
    return [sys.executable, "-m", "medusa_auth", "serve", "--port", str(port), "--data-dir", str(data_dir)]


def _environment() -> dict[str, str]:
    return os.environ | {"MEDUSA_AUTH_TRUSTED_PROXIES": "127.0.0.1", "MEDUSA_AUTH_LOG_FORMAT": "json"}


def _is_ready(address: str) -> bool:
    try:
        return httpx2.get(f"http://{address}/ready", timeout=5, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize(
    "path",
    [
        "/admin/auth",
        "/admin/auth/",
        "/admin/auth//",
        "/admin/auth?next=/store",
        "/ADMIN/AUTH",
        "/Admin/Auth/Token",
        "/admin/auth/token",
        "//admin/auth",
        "/admin//auth",
        "/admin/products/../auth",
        "/%61dmin/auth",
        "/admin/users",
        "/admin/users/usr_1",
        "/admin/users/password-token",
        "/admin/invites",
        "/admin/invites/accept",
        "/console",
        "/console/reset-password",
    ],
)
def test_logins_users_invites_and_the_console_are_answered_by_us(site: Site, path: str):
    before = len(site.medusa.requests)
    answer = site.ask(path)
    assert answer.header("x-request-id") is not None
    assert len(site.medusa.requests) == before


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/admin",
        "/admin/authors",
        "/admin/auth-tokens",
        "/admin/users-export",
        "/admin/products?next=/admin/auth",
        "/admin/custom/admin/auth",
        "/store/auth",
        "/store/products?q=a\\b",
        "/consoles",
        "/auth",
    ],
)
def test_everything_else_is_answered_by_medusa_and_arrives_as_it_was_sent(site: Site, path: str):
    answer = site.ask(path)
    assert answer.header("x-request-id") is None
    assert answer.json()["path"] == path


@pytest.mark.parametrize("path", ["/admin\\auth#", "/admin\\auth", "/admin/auth\xa0", "/admin/x#/../../admin/auth"])
def test_a_path_that_node_would_read_in_another_way_than_nginx_is_refused(site: Site, path: str):
    before = len(site.medusa.requests)
    assert site.ask(path, method="POST", body=LOGIN).status == 400
    assert len(site.medusa.requests) == before


@pytest.mark.parametrize(
    "path",
    [
        "/admin/auth/../products",
        "/admin/users/..",
        "//ADMIN//users/..",
        "/admin/users/%2E%2e?q=1",
        "/admin/users/..%2fproducts",
        "/admin/invites/../resend",
        "https://localhost/admin/invites/..",
    ],
)
def test_a_path_of_ours_that_nginx_leaves_and_node_does_not_is_refused(site: Site, path: str):
    """To Express `..` is the id of a user, and its route is Medusa's own."""
    before = len(site.medusa.requests)
    assert site.ask(path, method="POST", body={}).status == 400
    assert len(site.medusa.requests) == before


@pytest.mark.parametrize("path", ["/app/", "/app/index.html", "/app/a/settings/team", "/app/invite?token=t"])
def test_every_page_of_the_dashboard_is_its_one_page_and_is_not_framed(site: Site, path: str):
    answer = site.ask(path)
    assert (answer.status, answer.body.decode()) == (200, INDEX)
    assert answer.header("content-security-policy") == "frame-ancestors 'none'"
    assert answer.header("referrer-policy") == "strict-origin"


@pytest.mark.parametrize(
    ("path", "location"), [("/app", "https://localhost:{port}/app/"), ("/login", "https://localhost:{port}/app/login")]
)
def test_what_the_dashboard_links_to_by_mistake_leads_to_it(site: Site, path: str, location: str):
    assert site.ask(path, host=f"localhost:{site.proxy.https}").header("location") == location.format(
        port=site.proxy.https
    )


def test_a_file_of_the_dashboard_is_served(site: Site):
    assert site.ask("/app/main.js").body == b"script"


def test_http_is_sent_to_https(site: Site):
    answer = ask(site.proxy.http, "/admin/auth?x=1", tls=False)
    assert (answer.status, answer.header("location")) == (308, "https://localhost/admin/auth?x=1")


@pytest.mark.parametrize("tls", [False, True])
def test_another_name_is_not_answered(site: Site, tls: bool):
    with pytest.raises(ConnectionError):
        ask(site.proxy.https if tls else site.proxy.http, "/admin/auth", host="other.example", tls=tls)


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("https://localhost/admin/auth", "other.example"),
        ("https://localhost/store/products", "other.example"),
        ("/store/products", "localhost:other.example"),
        ("/store/products", "localhost."),
    ],
)
def test_another_name_beside_the_right_one_is_not_answered(site: Site, path: str, host: str):
    before = len(site.medusa.requests)
    with pytest.raises(ConnectionError):
        site.ask(path, host=host)
    assert len(site.medusa.requests) == before


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:8443"])
def test_a_name_is_good_with_a_port_and_in_any_case(site: Site, host: str):
    assert site.ask("/store/products", host=host).status == 200


def test_a_login_gets_a_secure_cookie_and_strict_transport_security(site: Site):
    answer = site.sign_in()
    assert answer.status == 200
    assert "; Secure" in (answer.header("set-cookie") or "")
    assert answer.header("strict-transport-security") == "max-age=31536000"


def test_the_servers_log_tells_the_clients_address_whatever_the_client_says(site: Site):
    honest = site.ask("/admin/auth", source=CLIENT)
    spoofed = site.ask("/admin/auth", "X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", source=CLIENT)
    assert [site.logged(answer)["client"] for answer in (honest, spoofed)] == [CLIENT, CLIENT]


def test_a_client_cannot_say_that_it_came_over_http(site: Site):
    assert "; Secure" in (site.sign_in("X-Forwarded-Proto: http").header("set-cookie") or "")


def test_a_foreign_page_cannot_say_that_it_is_ours(site: Site):
    cookie = (site.sign_in().header("set-cookie") or "").partition(";")[0]
    foreign = ["Origin: https://evil.example", "X-Forwarded-Host: evil.example", f"Cookie: {cookie}"]
    assert site.ask("/admin/auth", *foreign, method="DELETE", body={}).status == 403
    own = ["Origin: https://localhost", "X-Forwarded-Host: evil.example", f"Cookie: {cookie}"]
    assert site.ask("/admin/auth", *own, method="DELETE", body={}).status == 200


def test_medusa_is_told_the_same_and_nothing_else(site: Site):
    lies = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example"]
    more = ["Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9", "X-Forwarded-Port: 1"]
    headers = site.ask("/store/products", *lies, *more, source=CLIENT).json()["headers"]
    told = [[name, value] for name, value in headers if name.startswith("x-") or name in ("forwarded", "host")]
    assert sorted(told) == [
        ["host", "localhost"],
        ["x-forwarded-for", CLIENT],
        ["x-forwarded-host", "localhost"],
        ["x-forwarded-proto", "https"],
    ]


def test_connections_to_the_servers_are_kept(site: Site):
    assert len({site.ask("/store/products").json()["connection"] for _ in range(5)}) == 1


def test_no_token_of_a_link_is_in_the_log_of_nginx(site: Site):
    site.ask("/app/invite?token=a-secret")
    site.ask("/admin/invites/accept?token=a-secret")
    log = site.proxy.access_log
    wait_for(lambda: "/admin/invites/accept" in log.read_text("utf-8"))
    assert "/app/" in log.read_text("utf-8")
    assert "a-secret" not in log.read_text("utf-8")


def test_no_token_of_a_link_is_in_the_log_of_errors_of_an_nginx_without_the_dashboard(site: Site):
    with nginx(ours=[site.medusa.address] * 2, medusa=site.medusa.address) as proxy:
        answers = [ask(proxy.https, f"/app/{page}?token=a-secret") for page in ("invite", "reset-password", "")]
        log = (proxy.access_log.parent / "log").read_text("utf-8")
    assert [answer.status for answer in answers] == [404] * 3
    assert "a-secret" not in log


@pytest.mark.parametrize("path", ["/admin/auth", "/ADMIN//auth/token/", "/admin/users/password-token"])
def test_whoever_guesses_on_is_refused_and_whoever_asks_is_not(site: Site, path: str):
    """And nobody but that address."""
    with nginx(ours=[site.medusa.address] * 2, medusa=site.medusa.address) as proxy:
        statuses = [ask(proxy.https, path, method="POST", body={}).status for _ in range(AT_ONCE)]
        refused = ask(proxy.https, path, method="POST", body={})
        others = [ask(proxy.https, path, method=method).status for method in ("GET", "DELETE")]
        others.append(ask(proxy.https, "/admin/invites/accept", method="POST", body={}).status)
        others.append(ask(proxy.https, path, method="POST", body={}, source=CLIENT).status)
    assert (statuses, refused.status, others) == ([200] * AT_ONCE, 429, [200] * 4)
    assert refused.header("content-type") == "application/json"
    assert refused.header("retry-after") == "6"
    error = RateLimitError()
    assert refused.json() == {"type": error.type, "message": error.message}


def test_the_way_back_from_shared_mode_is_one_word(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As docs/deploy.md says it: to take the location out is not enough, for the last one refuses these paths."""
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    assert text.count("proxy_pass http://medusa_auth;") == 1
    (tmp_path / "nginx.conf").write_text(text.replace("http://medusa_auth;", "http://medusa;"), "utf-8")
    shutil.copy(DEPLOY / "upstreams.conf", tmp_path)
    monkeypatch.setattr("tests.services.nginx.DEPLOY", tmp_path)
    with nginx(ours=["127.0.0.1:1"] * 2, medusa=site.medusa.address) as proxy:
        for path in ("/admin/auth", "/admin/users/me", "/admin/invites"):
            answer = ask(proxy.https, path, method="POST", body=LOGIN)
            assert (answer.status, answer.json()["path"]) == (200, path)


def test_a_post_that_reached_a_server_is_not_sent_to_the_next(site: Site):
    with (
        that_breaks_off() as one,
        that_breaks_off() as two,
        nginx(ours=[one.address, two.address], medusa=site.medusa.address) as proxy,
    ):
        refused = ask(proxy.https, "/admin/auth", method="POST", body=LOGIN)
        posts = [line for each in (one, two) for line in each.requests if line]
    assert posts == ["POST /admin/auth HTTP/1.1"]
    assert (refused.status, refused.header("retry-after")) == (503, "1")
    assert refused.json()["message"], "the dashboard shows nothing without"


def test_a_server_that_does_not_trust_nginx_says_at_the_login_what_to_set(site: Site):
    settings = from_env({"MEDUSA_AUTH_TRUSTED_PROXIES": "192.0.2.1"}, data_dir=site.data_dir)
    with serving(create_app(settings)) as url, structlog.testing.capture_logs() as lines:
        address = url.removeprefix("http://")
        with nginx(ours=[address, address], medusa=site.medusa.address) as proxy:
            answer = ask(proxy.https, "/admin/auth", method="POST", body=LOGIN)
    assert (answer.status, "; Secure" in (answer.header("set-cookie") or "")) == (200, False)
    (problem,) = [line["problem"] for line in lines if line["event"] == "this login will not last"]
    assert "set MEDUSA_AUTH_TRUSTED_PROXIES=127.0.0.1 if it is yours" in problem


def test_a_server_that_is_down_is_made_up_for_by_the_other(site: Site):
    """The last one: it ends one of the servers."""
    stop(site.servers[0])
    statuses = [site.sign_in().status for _ in range(4)] + [site.ask("/admin/auth").status for _ in range(6)]
    assert statuses == [200] * 4 + [401] * 6
