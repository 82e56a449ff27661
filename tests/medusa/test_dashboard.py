"""Medusa's own dashboard in a browser, over https, with deploy/nginx.conf before a real Medusa and two servers of ours.

All keep their data in one PostgreSQL and one Redis: sessions are ours, the rest of the dashboard's work is Medusa's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import count
from pathlib import Path

import httpx2
import pytest
from tests.deploy.raw import Answer, ask
from tests.mail.reading import link_in
from tests.medusa.dashboard_build import built_dashboard
from tests.medusa.dashboard_pages import Dashboard, somebodys_dashboard
from tests.medusa.real_medusa import RealMedusa, real_medusa
from tests.server.helpers import PASSWORD, serving
from tests.services.mail_server import parsed, wait_for
from tests.services.nginx import nginx
from tests.services.process import free_port

from medusa_auth.server.app import create_app
from medusa_auth.settings import from_env

pytestmark = pytest.mark.medusa

NEW_PASSWORD = "another horse battery staple"
TEAM = "/app/a/settings/team"
# Longer than any request of the dashboard's takes: one that began before the logout has ended, and written its session.
AFTERWARDS = 2.0
_numbers = count(1)
WAYS_TO_WRITE_IT = (
    "/admin/auth",
    "/ADMIN/Auth/",
    "//admin/auth",
    "/admin//auth",
    "/admin/auth//",
    "/admin/./auth",
    "/admin/x/../auth",
    "/admin/auth/.",
    "/admin/auth/x/..",
    "/admin/auth?x",
    "/admin/auth#x",
    "/admin/auth;x",
    "/admin/auth%20",
    "/admin/auth%2f",
    "/admin/auth%3f",
    "/admin/auth%23",
    "/%61dmin/auth",
    "/admin%2fauth",
    "/admin%5cauth",
    "/admin\\auth",
    "/admin\\auth#",
    "/admin\\auth?#",
    "\\admin\\auth#",
    "/x\\..\\admin\\auth#",
    "/admin/auth\xa0",
    "/admin\\auth\xa0",
    "/admin/auth\x85",
    "/admin/auth\t",
    "http://localhost/admin/auth",
    "http:\\\\localhost/admin/auth",
    "//localhost/admin/auth#",
    "/\\localhost/admin/auth#",
)


@dataclass
class Store:
    """`url` is nginx's; the user of `real` is an admin. Everybody who is asked for is somebody new."""

    url: str
    real: RealMedusa
    mails: Path
    screenshots: Path
    clients: ExitStack

    def client(self, **headers: str) -> httpx2.Client:
        options = {"verify": False, "trust_env": False, "timeout": 20}
        return self.clients.enter_context(httpx2.Client(base_url=self.url, headers=headers, **options))  # type: ignore[arg-type]

    def user(self) -> str:
        """The address of a member who has `PASSWORD`, and whose dashboard reports nothing to anybody."""
        email = _address("user")
        new = {"email": email, "password": PASSWORD, "role": "member"}
        self.ok(self.signed_in(), "/admin/users", new)
        self.ok(self.signed_in(email, PASSWORD), "/admin/analytics-configs", {"opt_out": True, "anonymize": True})
        return email

    def signed_in(self, email: str | None = None, password: str | None = None) -> httpx2.Client:
        client = self.client()
        self.ok(client, "/admin/auth", {"email": email or self.real.email, "password": password or self.real.password})
        return client

    def link(self, email: str) -> str:
        """The one in the mail that `email` got."""
        wait_for(lambda: bool(self.received(email)))
        (mail,) = self.received(email)
        return link_in(mail)

    def received(self, email: str) -> list[EmailMessage]:
        mails = [parsed(file.read_bytes()) for file in self.mails.glob("*.eml")]
        return [mail for mail in mails if mail["To"] == email and "href=" in mail.as_string()]

    def ok(self, client: httpx2.Client, path: str, body: object) -> None:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text


def _address(name: str) -> str:
    return f"{name}{next(_numbers)}@shop.example"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    dashboard = built_dashboard()
    folder = tmp_path_factory.mktemp("dashboard")
    with ExitStack() as stack:
        real = stack.enter_context(real_medusa(node_env="production"))
        port = free_port()
        environ = {
            "MEDUSA_AUTH_SHARED": "1",
            "DATABASE_URL": real.database_url,
            "REDIS_URL": real.redis_url,
            "JWT_SECRET": real.jwt_secret,
            "COOKIE_SECRET": real.cookie_secret,
            "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1",
            "MEDUSA_AUTH_TRUSTED_PROXIES": "127.0.0.1",
            "MEDUSA_AUTH_PUBLIC_URL": f"https://localhost:{port}",
            "MEDUSA_AUTH_INVITE_URL": "/app/invite?token={token}",
            "MEDUSA_AUTH_RESET_URL": "/app/reset-password?token={token}",
        }
        settings = from_env(environ, data_dir=folder / "data")
        servers = [stack.enter_context(serving(create_app(settings))) for _ in range(2)]
        _make_admin(real.email, environ, folder / "data")
        addresses = [url.removeprefix("http://") for url in servers]
        medusa = real.base_url.removeprefix("http://")
        proxy = stack.enter_context(nginx(ours=addresses, medusa=medusa, dashboard=dashboard, https=port))
        screenshots = folder / "screenshots"
        screenshots.mkdir()
        made = Store(proxy.url, real, folder / "data" / "mail", screenshots, stack)
        made.ok(made.signed_in(), "/admin/analytics-configs", {"opt_out": True, "anonymize": True})
        yield made


def _make_admin(email: str, environ: dict[str, str], data_dir: Path) -> None:
    """Medusa's command makes members, and a member invites nobody."""
    command = ["-m", "medusa_auth", "users", "update", "--email", email, "--role", "admin", "--data-dir", str(data_dir)]
    subprocess.run([sys.executable, *command], env=os.environ | environ, check=True, capture_output=True)


@pytest.fixture
def dashboard(store: Store) -> Iterator[Dashboard]:
    """In a new browser."""
    with somebodys_dashboard(store.url, store.screenshots) as new:
        yield new


@pytest.fixture
def admins(store: Store, dashboard: Dashboard) -> Dashboard:
    """The same, and the admin is signed in."""
    dashboard.sign_in(store.real.email, store.real.password)
    dashboard.answers()
    return dashboard


def test_the_dashboard_works_in_medusa_with_a_session_of_ours(store: Store, dashboard: Dashboard):
    dashboard.sign_in(store.real.email, store.real.password)
    (cookie,) = dashboard.browser.get_cookies()
    assert [cookie[name] for name in ("name", "secure", "httpOnly", "sameSite", "path")] == [
        "connect.sid", True, True, "Lax", "/",
    ]  # fmt: skip
    dashboard.answers()
    for page, asked, text in (
        ("/app/a/orders", "/admin/orders", "Orders"),
        ("/app/a/products", "/admin/products", "Products"),
        ("/app/a/settings/regions", "/admin/regions", "Regions"),
    ):
        dashboard.open(page, text)
        answers: list[tuple[int, str]] = []

        def has_come(answers: list[tuple[int, str]] = answers, asked: str = asked) -> bool:
            answers.extend(dashboard.answers())
            return any(path.partition("?")[0] == asked for _, path in answers)

        dashboard.wait(f"an answer to {asked}", has_come)
        refused = [each for each in answers if each[0] in (401, 403) or each[0] >= 500]
        assert not refused, f"{page}: {refused}"
        assert [status for status, path in answers if path.partition("?")[0] == asked][-1] == 200


def test_a_wrong_password_is_told_and_signs_nobody_in(store: Store, dashboard: Dashboard):
    dashboard.open("/app/login", "Log in to Medusa")
    dashboard.fill(email=store.real.email, password="wrong horse battery staple")
    dashboard.press("Continue")
    dashboard.see("These credentials do not match our records")
    assert dashboard.status("/admin/auth") == 401


def test_who_is_invited_accepts_in_their_own_browser(store: Store, admins: Dashboard):
    email = _address("new")
    admins.open(TEAM, "The Team")
    admins.press("Invite Users")
    admins.fill(user=email)
    admins.press("Invite")
    admins.see(f"Invitation sent to {email}")
    assert "Pending" in admins.row(email)
    link = store.link(email)
    assert link.startswith(f"{store.url}/app/invite?token="), "the link of the mail leads to the dashboard"
    with somebodys_dashboard(store.url, store.screenshots) as theirs:
        theirs.open(link, "You have been invited to join the team")
        theirs.press("Sign up")
        theirs.fill(password=PASSWORD, repeat_password=PASSWORD)
        theirs.press("Create account")
        theirs.wait("the first page", lambda: "/a/orders" in theirs.browser.current_url)
        theirs.see("Orders")
        assert [theirs.status("/admin/auth"), theirs.status("/admin/products")] == [200, 200]
    admins.open(TEAM, email)
    assert "Member" in admins.row(email)
    assert "Pending" not in admins.row(email)
    assert not admins.refusals()


def test_a_password_that_is_refused_is_told_to_who_accepts_an_invite(store: Store, dashboard: Dashboard):
    email = _address("new")
    store.ok(store.signed_in(), "/admin/invites", {"user": email, "role": "member"})
    dashboard.open(store.link(email), "You have been invited to join the team")
    dashboard.press("Sign up")
    dashboard.fill(password="short", repeat_password="short")
    dashboard.press("Create account")
    dashboard.see("at least 8 characters")


def test_a_name_is_changed_in_the_team(store: Store, admins: Dashboard):
    email = store.user()
    admins.open(TEAM, email)
    admins.act(email, "Edit User")
    admins.fill(first_name="Ada", last_name="Lovelace")
    admins.press("Save")
    admins.see("User was updated")
    admins.wait("the new name", lambda: "Ada Lovelace" in admins.row(email))
    assert not admins.refusals()


def test_a_forgotten_password_is_replaced_by_mail(store: Store, dashboard: Dashboard):
    email = store.user()
    dashboard.open("/app/login", "Log in to Medusa")
    dashboard.press("Forgot your password?")
    dashboard.fill(email=email)
    dashboard.press("Send reset instructions")
    dashboard.see("Successfully sent you an email")
    link = store.link(email)
    assert link.startswith(f"{store.url}/app/reset-password?token="), "the link of the mail leads to the dashboard"
    dashboard.open(link, "Reset your password")
    dashboard.fill(password=NEW_PASSWORD, repeat_password=NEW_PASSWORD)
    dashboard.press("Reset password")
    dashboard.see("Log in to Medusa")
    dashboard.sign_in(email, NEW_PASSWORD)
    assert dashboard.status("/admin/products") == 200
    assert store.client().post("/admin/auth", json={"email": email, "password": PASSWORD}).status_code == 401


def test_an_invite_is_renewed_and_removed(store: Store, admins: Dashboard):
    email = _address("new")
    store.ok(store.signed_in(), "/admin/invites", {"user": email, "role": "member"})
    store.link(email)
    admins.open(TEAM, email)
    admins.act(email, "Resend Invitation")
    admins.see("Invitiation link has been resent")
    wait_for(lambda: len(store.received(email)) == 2)
    admins.act(email, "Remove Invitation")
    admins.press("Yes, remove")
    admins.see_no(email)
    assert not admins.refusals()


def test_a_user_who_is_removed_is_signed_out_in_medusa_too(store: Store, admins: Dashboard):
    email = store.user()
    client = store.signed_in(email, PASSWORD)
    assert client.get("/admin/products").status_code == 200
    admins.open(TEAM, email)
    admins.act(email, "Remove User")
    admins.press("Yes, remove")
    admins.see_no(email)
    assert [client.get(path).status_code for path in ("/admin/auth", "/admin/products")] == [401, 401]
    assert not admins.refusals()


def test_a_sign_out_is_one_in_medusa_too_and_stays_so(store: Store, admins: Dashboard):
    admins.open("/app/a/products", "Products")
    (cookie,) = admins.browser.get_cookies()
    client = store.client(Cookie=f"{cookie['name']}={cookie['value']}")
    assert [client.get(path).status_code for path in ("/admin/auth", "/admin/products")] == [200, 200]
    admins.sign_out()
    until = time.monotonic() + AFTERWARDS
    while time.monotonic() < until:
        assert [client.get(path).status_code for path in ("/admin/auth", "/admin/products")] == [401, 401]
        time.sleep(0.1)
    admins.open("/app/a/products", "Log in to Medusa")


def test_nothing_that_medusa_takes_for_a_login_reaches_it(store: Store):
    """Its login keeps the session id that a browser had before."""
    login = {"email": store.real.email, "password": store.real.password}
    port, medusas_port = (int(url.rpartition(":")[2]) for url in (store.url, store.real.base_url))
    taken = []
    for path in WAYS_TO_WRITE_IT:
        if is_medusas_login(ask(medusas_port, path, method="POST", body=login, tls=False)):
            taken.append(path)
        answer = ask(port, path, method="POST", body=login)
        assert answer.header("x-request-id") or not is_medusas_login(answer), f"{path!r} is Medusa's login"
    assert {"/admin/auth", "/ADMIN/Auth/", "/admin/auth#x"} <= set(taken), "else this shows nothing"


def is_medusas_login(answer: Answer) -> bool:
    return answer.status == 200 and b'"user"' in answer.body
