"""Our server and a real Medusa on one PostgreSQL, one Redis, the same secrets: what either side does counts on both."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
import redis
from tests.medusa.real_medusa import RealMedusa
from tests.server.helpers import serving

from medusa_auth.server.app import create_app
from medusa_auth.settings import from_env

pytestmark = pytest.mark.medusa

WITHIN = 1.0  # seconds: what is promised


@dataclass(frozen=True)
class Both:
    """`ours` and `medusas` are their addresses."""

    ours: str
    medusas: str
    real: RealMedusa
    redis: redis.Redis

    def sides(self, first: str) -> tuple[str, str]:
        """The one that does something, and the other."""
        return (self.ours, self.medusas) if first == "ours" else (self.medusas, self.ours)

    def sign_in(self, base_url: str, login: dict[str, str] | None = None, cookie: str | None = None) -> str:
        headers = {"Cookie": cookie} if cookie else {}
        answer = ask("POST", f"{base_url}/admin/auth", headers, login or self.real.login)
        assert answer.status_code == 200, answer.text
        return cookie_of(answer) or cookie or ""

    def token(self, base_url: str) -> str:
        answer = ask("POST", f"{base_url}/admin/auth/token", {}, self.real.login)
        return str(answer.json()["access_token"])

    def session(self, cookie: str) -> dict[str, Any] | None:
        """What is in Redis."""
        text = self.redis.get(f"sess:{session_id(cookie)}")
        return None if text is None else json.loads(text)

    def execute(self, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(self.real.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


def ask(method: str, url: str, headers: dict[str, str], body: object = None) -> httpx2.Response:
    return httpx2.request(method, url, headers=headers, json=body, timeout=20, trust_env=False)


def cookie_of(answer: httpx2.Response) -> str | None:
    header = answer.headers.get("set-cookie")
    return None if header is None else str(header).partition(";")[0]


def session_id(cookie: str) -> str:
    return cookie.partition("=")[2].removeprefix("s%3A").partition(".")[0]


def status(base_url: str, path: str = "/admin/auth", **headers: str) -> int:
    return ask("GET", base_url + path, {name.replace("_", "-"): value for name, value in headers.items()}).status_code


def until(ready: Callable[[], bool], seconds: float = WITHIN) -> float:
    """How long it took. Fails if it takes longer than `seconds`."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() < began + seconds, "it is not so"
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def both(real: RealMedusa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    environ = {
        "MEDUSA_AUTH_SHARED": "1",
        "DATABASE_URL": real.database_url,
        "REDIS_URL": real.redis_url,
        "JWT_SECRET": real.jwt_secret,
        "COOKIE_SECRET": real.cookie_secret,
        "MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1",
        "MEDUSA_AUTH_PASSWORD_RULES": "off",
        "MEDUSA_AUTH_ROLES": "off",
    }
    folder: Path = tmp_path_factory.mktemp("shared")
    settings = from_env(environ, data_dir=folder / "data")
    with serving(create_app(settings)) as ours, redis.from_url(real.redis_url) as client:
        yield Both(ours, real.base_url, real, client)


SIDES = pytest.mark.parametrize("first", ["ours", "medusas"])


@SIDES
def test_a_login_on_either_side_is_a_session_on_both(both: Both, first: str):
    here, there = both.sides(first)
    cookie = both.sign_in(here)
    assert [status(here, Cookie=cookie), status(there, Cookie=cookie)] == [200, 200]
    assert status(both.medusas, "/admin/users", Cookie=cookie) == 200


@SIDES
def test_a_logout_on_either_side_ends_the_session_on_both(both: Both, first: str):
    here, there = both.sides(first)
    for maker in (here, there):
        cookie = both.sign_in(maker)
        assert [status(here, Cookie=cookie), status(there, Cookie=cookie)] == [200, 200]
        assert ask("DELETE", f"{here}/admin/auth", {"Cookie": cookie}).status_code == 200
        until(lambda: status(here, Cookie=cookie) == 401)  # noqa: B023
        until(lambda: status(there, Cookie=cookie) == 401)  # noqa: B023


@SIDES
def test_a_logout_holds_although_medusa_writes_sessions_back(both: Both, first: str):
    """As in Medusa's dashboard, which asks Medusa for other things at the same time."""
    here, _ = both.sides(first)
    undone = 0
    with ThreadPoolExecutor(12) as threads:
        for _ in range(40):
            cookie = both.sign_in(both.ours)
            path = f"{both.medusas}/admin/users"
            asking = [threads.submit(ask, "GET", path, {"Cookie": cookie}) for _ in range(8)]
            assert ask("DELETE", f"{here}/admin/auth", {"Cookie": cookie}).status_code == 200
            for each in asking:
                each.result()
            time.sleep(0.05)
            undone += both.session(cookie) is not None
            assert status(both.ours, Cookie=cookie) == 401
            assert status(both.medusas, "/admin/users", Cookie=cookie) == 401
    assert undone == 0
