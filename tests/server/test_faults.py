"""What the server says when it cannot do its work."""

import concurrent.futures
import sqlite3
import time

import pytest
from tests.server.helpers import LOGIN, Running, on_sqlite

from medusa_auth.core.sessions import Sessions


def test_logins_past_the_queue_are_refused_at_once(start):
    server = start(MEDUSA_AUTH_HASHING_THREADS="1", MEDUSA_AUTH_HASHING_QUEUE="2")
    client = server.client()
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: client.post("/admin/auth", json=LOGIN), range(30)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(answer.headers["retry-after"] == "2" for answer in refused)
    assert refused[0].json()["message"] == "Too many logins at once."
    assert client.post("/admin/auth", json=LOGIN).status_code == 200


@on_sqlite
def test_while_another_process_holds_the_database_writes_are_503_and_checks_go_on(server: Running):
    client = server.sign_in()
    connection = sqlite3.connect(server.parts.settings.data_dir / "medusa-auth.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        started = time.monotonic()
        logout = client.delete("/admin/auth")
        assert time.monotonic() - started < 2
        assert (logout.status_code, logout.headers["retry-after"]) == (503, "1")
        assert logout.json()["type"] == "unavailable"
        assert client.get("/admin/auth").status_code == 200, "a logout that did not happen is not confirmed"
        assert client.post("/admin/auth", json=LOGIN).status_code == 503
        server.clock.advance(minutes=2)
        assert client.get("/admin/auth").status_code == 200, "the last use cannot be written, the session is good"
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    assert client.delete("/admin/auth").status_code == 200


@on_sqlite
def test_a_session_that_is_over_is_401_also_while_that_cannot_be_written(server: Running):
    client, api_token = server.sign_in(), server.api_token()[0]
    server.clock.advance(hours=2)
    connection = sqlite3.connect(server.parts.settings.data_dir / "medusa-auth.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        assert client.get("/admin/auth").status_code == 401
        both = client.get("/admin/auth", headers={"x-medusa-access-token": api_token})
        assert both.status_code == 200, "the credential that is good is looked at, too"
    finally:
        connection.execute("ROLLBACK")
        connection.close()
    assert client.get("/admin/auth").status_code == 401


@on_sqlite
def test_without_its_tables_the_server_is_alive_and_not_ready(server: Running):
    client = server.sign_in()
    with sqlite3.connect(server.parts.settings.data_dir / "medusa-auth.db") as connection:
        connection.execute('ALTER TABLE "user" RENAME TO gone')
    connection.close()
    ready = client.get("/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "stores": {"database": False}})
    assert client.get("/health").status_code == 200
    answer = client.post("/admin/auth", json=LOGIN)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.asvs("16.5.1")
def test_an_error_of_ours_is_told_to_nobody(server: Running, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("the secret plan")

    monkeypatch.setattr(Sessions, "start", broken)
    answer = server.client().post("/admin/auth", json=LOGIN)
    assert answer.status_code == 500
    assert answer.json() == {
        "code": "unknown_error",
        "type": "unknown_error",
        "message": "An unknown error occurred.",
    }


def test_ready_says_so(server: Running):
    stores = {"database": True} | ({"redis": True} if server.parts.settings.redis_url else {})
    assert server.client().get("/ready").json() == {"ready": True, "stores": stores}
