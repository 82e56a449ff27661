"""The command line, as its users run it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.databases import each_database

COMMAND = [sys.executable, "-m", "medusa_auth"]


def cli(tmp_path: Path, *arguments: str, stdin: str = "", status: int = 0) -> str:
    environ = {**os.environ, "MEDUSA_AUTH_DATA_DIR": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [*COMMAND, *arguments], input=stdin, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + (done.stderr if status else "")


@contextlib.contextmanager
def serving(tmp_path: Path, *arguments: str, **settings: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    command = [*COMMAND, "serve", "--port", "0", "--data-dir", str(tmp_path / "data"), *arguments]
    environ = os.environ | settings
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ) as server:
        try:
            assert server.stdout
            told = ""
            while "The API" not in told:
                line = server.stdout.readline()
                assert line, told
                told += line
            url = re.findall(r"serves on (\S+),", told)[0]
            _wait_for(url)
            yield url, told, server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)


def _wait_for(url: str) -> None:
    for _ in range(400):
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/ready").status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail("the server does not answer")


@each_database
def test_an_administrator_is_made_before_the_first_start(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "A@b.co", "--password-stdin", stdin="secret\n")
    users = json.loads(cli(tmp_path, "users", "list", "--json"))
    assert [(user["email"], user["role"]) for user in users] == [("a@b.co", "admin")]
    assert "a@b.co" in cli(tmp_path, "users", "list")
    with serving(tmp_path) as (url, told, _):
        assert "first administrator" not in told
        login = {"email": "a@b.co", "password": "secret"}
        assert httpx2.post(f"{url}/admin/auth", json=login).status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_first_start_makes_everything_and_the_second_finds_it(tmp_path: Path, workers: str):
    with serving(tmp_path, "--workers", workers) as (url, told, _):
        password = re.findall(r"password  (\S+)", told)[0]
        login = {"email": "admin@example.com", "password": password}
        client = httpx2.Client(base_url=url)
        with client:
            assert client.post("/admin/auth", json=login).status_code == 200
            assert client.get("/admin/auth").json()["user"]["role"] == "admin"
            cookie = client.cookies["connect.sid"]
    before = (tmp_path / "data" / "jwt-secret").read_text()
    with serving(tmp_path) as (url, told, _):
        assert password not in told
        headers = {"Cookie": f"connect.sid={cookie}"}
        assert httpx2.get(f"{url}/admin/auth", headers=headers).status_code == 200
    assert (tmp_path / "data" / "jwt-secret").read_text() == before


def test_a_login_in_flight_is_answered_before_the_server_stops(tmp_path: Path):
    with serving(tmp_path) as (url, told, server):
        password = re.findall(r"password  (\S+)", told)[0]
        body = json.dumps({"email": "admin@example.com", "password": password}).encode()

        def slowly() -> Iterator[bytes]:
            yield body[:10]
            server.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            yield body[10:]

        headers = {"Content-Type": "application/json"}
        assert httpx2.post(f"{url}/admin/auth", content=slowly(), headers=headers).status_code == 200
        # uvicorn ends by the signal that it was sent, once everything is answered.
        assert server.wait(10) in {0, -signal.SIGTERM}


@each_database
def test_tokens_passwords_and_deletion(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--password-stdin", stdin="secret")
    token = cli(tmp_path, "tokens", "create", "--email", "a@b.co", "--name", "job", "--expires-in", "90d").strip()
    (listed,) = json.loads(cli(tmp_path, "tokens", "list", "--json"))
    assert listed["name"] == "job"
    with serving(tmp_path) as (url, _, _):
        headers = {"x-medusa-access-token": token}
        assert httpx2.get(f"{url}/admin/auth", headers=headers).status_code == 200
        login = {"email": "a@b.co", "password": "secret"}
        with httpx2.Client(base_url=url) as client:
            client.post("/admin/auth", json=login)
            cli(tmp_path, "users", "set-password", "--email", "a@b.co", "--password-stdin", stdin="new secret")
            assert client.get("/admin/auth").status_code == 401
            assert client.post("/admin/auth", json=login).status_code == 401
        cli(tmp_path, "tokens", "revoke", listed["id"])
        assert httpx2.get(f"{url}/admin/auth", headers=headers).status_code == 401
    cli(tmp_path, "users", "delete", "--email", "a@b.co", "--yes")
    assert json.loads(cli(tmp_path, "users", "list", "--json")) == []


def test_a_session_of_ones_own_is_kept_for_its_owner_alone(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--password-stdin", stdin="secret")
    with serving(tmp_path) as (url, _, _):
        assert "401" not in cli(tmp_path, "login", url, "--email", "a@b.co", "--password-stdin", stdin="secret")
        path = tmp_path / "state" / "medusa-auth" / "session.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "a@b.co" in cli(tmp_path, "whoami")
        cli(tmp_path, "logout")
        assert not path.exists()
    assert "Not signed in" in cli(tmp_path, "whoami", status=1)


def test_a_session_that_cannot_be_kept_is_ended_and_an_error_of_one_line(tmp_path: Path):
    cli(tmp_path, "users", "create", "--email", "a@b.co", "--password-stdin", stdin="secret")
    (tmp_path / "state").touch()
    with serving(tmp_path) as (url, _, _):
        told = cli(tmp_path, "login", url, "--email", "a@b.co", "--password-stdin", stdin="secret", status=1)
    assert re.fullmatch(r"Error: \S+/session.json, where the session is kept, cannot be used: [\w ]+\.\n", told)
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "medusa-auth.db")) as connection:
        assert connection.execute("SELECT count(*) FROM auth_session").fetchone() == (0,)


def test_ctrl_c_ends_a_command_that_waits_for_a_password(tmp_path: Path):
    ours, theirs = pty.openpty()
    command = [*COMMAND, "users", "create", "--email", "a@b.co", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        told = b""
        while b"Password" not in told:
            told += os.read(ours, 1024)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 1
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("users", "create", "--email", "nobody", "--password-stdin"), "not an email address"),
        (("users", "delete", "--email", "no@b.co", "--yes"), "was not found"),
        (("tokens", "revoke", "tok_1"), "no API token tok_1"),
        (("login", "http://127.0.0.1:9", "--email", "a@b.co", "--password-stdin"), "Error:"),
        (("serve", "--host", "192.0.2.1"), "Cannot listen on 192.0.2.1"),
    ],
)
def test_an_error_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str):
    told = cli(tmp_path, *arguments, stdin="secret\n", status=1)
    assert said in told
    assert "Traceback" not in told
    assert "secret" not in told
