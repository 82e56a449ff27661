"""Signing in, being recognised, signing out, with a cookie."""

import re
import sqlite3
from datetime import timedelta

import pytest
from tests.server.helpers import EMAIL, LOGIN, PASSWORD, Running, on_sqlite

from medusa_auth.wire import timestamp


def test_a_login_answers_the_user_in_medusas_shape(server: Running):
    answer = server.client().post("/admin/auth", json=LOGIN)
    assert answer.status_code == 200
    assert list(answer.json()["user"]) == [
        "id",
        "created_at",
        "updated_at",
        "deleted_at",
        "role",
        "email",
        "first_name",
        "last_name",
        "api_token",
        "metadata",
    ]
    assert answer.json()["user"]["created_at"] == timestamp(server.clock())


@pytest.mark.asvs("3.3.2")
@pytest.mark.asvs("3.3.4")
def test_the_cookie_is_http_only_lax_and_lives_as_long_as_the_session(server: Running):
    cookie = server.client().post("/admin/auth", json=LOGIN).headers["set-cookie"]
    expires = f"{server.clock() + timedelta(hours=10):%a, %d %b %Y %H:%M:%S} GMT"
    assert re.fullmatch(
        rf"connect\.sid=s%3A[\w-]{{32}}\.[\w%]+; Path=/; Expires={expires}; HttpOnly; SameSite=Lax", cookie
    )


def test_the_cookie_is_recognised(server: Running):
    client = server.sign_in()
    assert client.get("/admin/auth").json()["user"]["email"] == EMAIL


@pytest.mark.asvs("7.2.4")
def test_every_login_has_a_new_id_and_the_old_one_is_dead(server: Running):
    client = server.sign_in()
    old = client.cookies["connect.sid"]
    client.post("/admin/auth", json=LOGIN)
    assert client.cookies["connect.sid"] != old
    assert server.get(Cookie=f"connect.sid={old}").status_code == 401
    assert client.get("/admin/auth").status_code == 200


def test_a_failed_login_leaves_the_session_as_it_is(server: Running):
    client = server.sign_in()
    assert client.post("/admin/auth", json=LOGIN | {"password": "wrong"}).status_code == 401
    assert client.get("/admin/auth").status_code == 200


@pytest.mark.asvs("7.4.1")
def test_a_logout_ends_the_session_and_clears_the_cookie(server: Running):
    client = server.sign_in()
    cookie = client.cookies["connect.sid"]
    answer = client.delete("/admin/auth")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970" in answer.headers["set-cookie"]
    assert server.get(Cookie=f"connect.sid={cookie}").status_code == 401
    assert client.delete("/admin/auth").status_code == 401


@pytest.mark.asvs("7.3.2")
def test_a_session_ends_ten_hours_after_its_login_however_much_it_is_used(server: Running):
    client = server.sign_in()
    cookie = {"Cookie": f"connect.sid={client.cookies['connect.sid']}"}
    for _ in range(11):
        server.clock.advance(minutes=54)
        assert server.get(**cookie).status_code == 200
    server.clock.advance(minutes=6)
    assert server.get(**cookie).status_code == 401


@pytest.mark.asvs("7.3.1")
def test_a_session_ends_after_an_hour_without_use(server: Running):
    cookie = {"Cookie": f"connect.sid={server.sign_in().cookies['connect.sid']}"}
    server.clock.advance(minutes=59)
    assert server.get(**cookie).status_code == 200
    server.clock.advance(minutes=59)
    assert server.get(**cookie).status_code == 200
    server.clock.advance(minutes=60)
    assert server.get(**cookie).status_code == 401


@on_sqlite
def test_the_last_use_is_written_at_most_once_a_minute(server: Running):
    client, begun = server.sign_in(), server.clock()
    for seconds, seen in ((30, 0), (29, 0), (1, 60), (59, 60), (1, 120)):
        server.clock.advance(seconds=seconds)
        client.get("/admin/auth")
        written = f"{begun + timedelta(seconds=seen):%Y-%m-%d %H:%M:%S}.000000"
        assert _rows(server, "SELECT last_seen_at FROM auth_session") == [(written,)]


@pytest.mark.asvs("7.6.2")
@on_sqlite
def test_anonymous_requests_leave_no_record_and_get_no_cookie(server: Running):
    for path in ("/health", "/admin/auth", "/admin/nope", "/nope"):
        assert "set-cookie" not in server.client().get(path).headers
    server.client().post("/admin/auth", json=LOGIN | {"password": "wrong"})
    assert _rows(server, "SELECT count(*) FROM auth_session") == [(0,)]


@on_sqlite
def test_only_the_hash_of_the_session_id_is_on_the_disk(server: Running):
    session_id = server.sign_in().cookies["connect.sid"].removeprefix("s%3A")[:32]
    stored = b"".join(path.read_bytes() for path in server.parts.settings.data_dir.iterdir() if path.is_file())
    assert session_id.encode() not in stored
    assert PASSWORD.encode() not in stored


def test_secure_is_set_when_a_trusted_proxy_says_https(start):
    server = start(MEDUSA_AUTH_TRUSTED_PROXIES="127.0.0.1")
    answer = server.client().post("/admin/auth", json=LOGIN, headers={"X-Forwarded-Proto": "https"})
    assert "; Secure; SameSite=Lax" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.asvs("4.1.3")
def test_nobody_else_is_believed_to_have_come_over_https(server: Running):
    answer = server.client().post("/admin/auth", json=LOGIN, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" not in answer.headers["set-cookie"]
    assert "strict-transport-security" not in answer.headers


def test_same_site_none_is_always_secure(start):
    server = start(MEDUSA_AUTH_COOKIE_SAMESITE="none")
    cookie = server.client().post("/admin/auth", json=LOGIN).headers["set-cookie"]
    assert cookie.endswith("; HttpOnly; Secure; SameSite=None")


@pytest.mark.parametrize(
    "header",
    [
        "connect.sid=",
        "connect.sid=s%3A",
        "connect.sid=s%3A.",
        "connect.sid=attackersid",
        "connect.sid=s%3A%ZZ.%%%",
        "Connect.Sid={good}",
        "connect.sid=bad; connect.sid={good}",
        "connect.sid={good}x",
        "connect.sid={unsigned}",
    ],
)
def test_a_bad_cookie_is_no_cookie(server: Running, header: str):
    good = server.sign_in().cookies["connect.sid"]
    unsigned = good.partition(".")[0]
    assert server.get(Cookie=header.format(good=good, unsigned=unsigned)).status_code == 401


@pytest.mark.parametrize("header", ["a=1; connect.sid={good}; b=2", 'connect.sid="{good}"', "connect.sid={raw}"])
def test_the_ways_in_which_medusa_reads_a_cookie_are_all_read(server: Running, header: str):
    good = server.sign_in().cookies["connect.sid"]
    raw = good.replace("%3A", ":").replace("%2B", "+").replace("%2F", "/")
    assert server.get(Cookie=header.format(good=good, raw=raw)).status_code == 200


def test_cookies_in_several_lines_are_read_as_one(server: Running):
    cookie = f"connect.sid={server.sign_in().cookies['connect.sid']}"
    lines = [("Cookie", "a=1"), ("Cookie", cookie)]
    assert server.client().get("/admin/auth", headers=lines).status_code == 200


def test_a_cookie_key_can_be_replaced_without_logging_anyone_out(start):
    old, new = "o" * 20 + "1234567890ab", "n" * 20 + "1234567890ab"
    before = start(COOKIE_SECRET=old)
    cookie = before.sign_in().cookies["connect.sid"]
    after = start(COOKIE_SECRET=new, MEDUSA_AUTH_COOKIE_SECRET_PREVIOUS=old)
    assert after.get(Cookie=f"connect.sid={cookie}").status_code == 200
    assert start(COOKIE_SECRET=new).get(Cookie=f"connect.sid={cookie}").status_code == 401


def _rows(server: Running, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(server.parts.settings.data_dir / "medusa-auth.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
