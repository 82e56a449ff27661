"""What goes out by mail: to whom, how often, with which links; and what a stolen database is worth."""

from __future__ import annotations

import base64
import itertools
import json
import time
from functools import partial
from typing import Any

import pytest
import structlog
from tests.attacks.siege import (
    NEW_PASSWORD,
    accept,
    add_user,
    at_once,
    bearer,
    call,
    database,
    deliver,
    insist,
    invite,
    mailed_invite,
    mails,
    new_address,
    pending,
    reset,
    reset_token,
    sign_in,
    text_of,
    token_in,
)
from tests.databases import each_database
from tests.server.helpers import EMAIL, PASSWORD, Running, rows, run

from medusa_auth.core.outbox import MAX_RESETS, RESETS_WITHIN
from medusa_auth.model import MailKind, User

EVIL = "evil.example.net"
HOST_HEADERS: list[dict[str, str]] = [
    {"Host": EVIL},
    {"Host": f"{EVIL}:80@localhost"},
    {"X-Forwarded-Host": EVIL},
    {
        "X-Forwarded-Host": EVIL,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "666",
        "X-Forwarded-Prefix": f"/{EVIL}",
    },
    {"Forwarded": f"for=192.0.2.1;host={EVIL};proto=https"},
    {"X-Original-Host": EVIL, "X-Host": EVIL, "X-Forwarded-Server": EVIL, "X-Original-URL": f"//{EVIL}/"},
    {"Origin": f"https://{EVIL}", "Referer": f"https://{EVIL}/"},
]


@pytest.mark.parametrize("trusted", ["", "127.0.0.1/32"], ids=["nobody trusted", "the proxy trusted"])
def test_no_header_of_a_request_comes_into_a_mail(start: Any, trusted: str):
    server: Running = start(MEDUSA_AUTH_TRUSTED_PROXIES=trusted, MEDUSA_AUTH_PUBLIC_URL="https://shop.example.com")
    admin, addresses = bearer(server), []
    for headers in HOST_HEADERS:
        user = add_user(server)
        addresses.append(new_address("guest"))
        body: Any = {"email": user.email}
        assert call(server, "POST", "/admin/users/password-token", body, headers).status == 204
        body = {"user": addresses[-1], "role": "member"}
        assert call(server, "POST", "/admin/invites", body, headers | admin).status == 200
        body = {"email": new_address("new"), "password": NEW_PASSWORD}
        assert call(server, "POST", "/admin/users", body, headers | admin).status == 200
    deliver(server)
    files = list((server.parts.settings.data_dir / "mail").iterdir())
    assert len(files) >= 3 * len(HOST_HEADERS)
    assert not [path for path in files if EVIL.encode() in path.read_bytes()]
    for address in addresses:
        (mail,) = mails(server, address)
        assert "https://shop.example.com/console/accept-invite#token=" in text_of(mail)


@each_database
@pytest.mark.asvs("2.4.1")
def test_two_hundred_requests_for_one_address_send_no_more_mails_than_are_allowed(workers: Running):
    user = add_user(workers)
    ask = partial(call, workers, "POST", "/admin/users/password-token", {"email": user.email})

    def ask_often() -> set[int]:
        return {insist(ask).status for _ in range(20)}

    assert at_once([ask_often] * 10) == [{204}] * 10
    deliver(workers)
    assert len(mails(workers, user.email)) == MAX_RESETS
    assert len(rows(workers, "SELECT id FROM auth_outbox WHERE recipient = ?", user.email)) == MAX_RESETS
    # Somebody else is not kept from theirs, and the last link of the first is good.
    other = add_user(workers)
    assert reset(workers, reset_token(workers, other)).status == 200
    good = [token_in(mail) for mail in mails(workers, user.email)]
    assert reset(workers, good[-1]).status == 200


def test_two_senders_at_once_send_no_more_mails_than_are_allowed(server: Running):
    """A mail that is being sent counts, though nobody knows yet whether it arrives."""
    now = server.clock()

    def ask_and_take_all(tx: Any) -> int:
        for _ in range(MAX_RESETS * 2):
            server.parts.outbox.put(tx, MailKind.PASSWORD_RESET, EMAIL, "", now)
        return sum(server.parts.outbox.take(tx, now) is not None for _ in range(MAX_RESETS * 2))

    assert server.write(ask_and_take_all) == MAX_RESETS


def test_more_mails_are_sent_when_the_quarter_of_an_hour_is_over(server: Running):
    for _ in range(MAX_RESETS + 2):
        call(server, "POST", "/admin/users/password-token", {"email": EMAIL})
    deliver(server)
    assert len(mails(server, EMAIL)) == MAX_RESETS
    server.clock.advance(seconds=RESETS_WITHIN.total_seconds())
    token = reset_token(server, server.user)
    assert len(mails(server, EMAIL)) == MAX_RESETS + 1
    assert reset(server, token).status == 200


def test_no_spelling_of_an_address_brings_more_mails(server: Running):
    spellings = [EMAIL, EMAIL.upper(), "Admin@example.com", "\uff41dmin@example.com", "\uff21DMIN@EXAMPLE.com"]
    for _, address in zip(range(4 * MAX_RESETS), itertools.cycle(spellings), strict=False):
        assert call(server, "POST", "/admin/users/password-token", {"email": address}).status == 204
    deliver(server)
    assert len(mails(server, EMAIL)) == MAX_RESETS


def test_the_outbox_forgets_whom_there_is_nobody_to_write_to_and_what_is_a_day_old(server: Running):
    for _ in range(60):
        call(server, "POST", "/admin/users/password-token", {"email": new_address("nobody")})
    call(server, "POST", "/admin/users/password-token", {"email": EMAIL})
    deliver(server)
    assert [recipient for (recipient,) in rows(server, "SELECT recipient FROM auth_outbox")] == [EMAIL]
    server.clock.advance(days=1, seconds=1)
    reset_token(server, server.user)
    assert len(rows(server, "SELECT id FROM auth_outbox")) == 1
    assert len(rows(server, "SELECT id_hash FROM auth_password_reset")) == 1


def test_while_thousands_of_requests_are_crossed_out_others_can_write(server: Running):
    """As after a mail server that did not answer for a while: each takes its turn, and the lock is given back."""

    def ask_often(tx: Any) -> None:
        for number in range(3000):
            server.parts.outbox.put(tx, MailKind.PASSWORD_RESET, f"nobody{number}@example.com", "", server.clock())

    server.write(ask_often)
    statuses = []
    while pending(server):
        began = time.monotonic()
        statuses.append(sign_in(server).status)
        assert time.monotonic() - began < 2
    assert len(statuses) > 2
    assert set(statuses) == {200}


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("address", ["jos\u00e9@example.com", "\u7528\u6237@example.com", "a@b\u00fccher.example.com"])
def test_an_address_of_other_letters_gets_its_mail(server: Running, address: str):
    token = mailed_invite(server, address)
    assert accept(server, token).status == 200
    body = {"email": address}
    assert call(server, "POST", "/admin/users/password-token", body).status == 204
    deliver(server)
    assert len(mails(server, address, "password_reset")) == 1


# What these are made of becomes `@`, `,`, a space and `/` in the form in which an address is kept.
UNSAFE = [
    "evil\ufe6bexample.net",
    "a\uff20b",
    "a\uff0cb",
    "a\u00a8b",
    "a\u00afb",
    "a\uff1cb\uff1e",
    "a\uff08b\uff09",
]


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("local", UNSAFE)
def test_an_address_that_would_become_another_one_is_refused(shared_server: Running, local: str):
    headers, address = bearer(shared_server), f"{local}@example.com"
    body = {"email": address, "password": NEW_PASSWORD}
    assert call(shared_server, "POST", "/admin/users", body, headers).status == 400
    body = {"user": address, "role": "member"}
    assert call(shared_server, "POST", "/admin/invites", body, headers).status == 400


def test_an_address_that_no_mail_can_have_does_not_keep_others_from_theirs(server: Running):
    """Such as Medusa's own table may hold."""
    for address in (
        '"a b"@example.com',
        "a b@example.com",
        "@",
        "",
        "a@",
        "<>",
        '"',
        "a\r\nBcc: b@example.com",
        "(",
        "a@[",
        "\ud7ff@x",
    ):
        _tell(server, add_user(server, address=address))
    call(server, "POST", "/admin/users/password-token", {"email": EMAIL})
    began = time.monotonic()
    run(server.parts.mailer.deliver_due)
    while not mails(server, EMAIL, "password_reset"):
        assert time.monotonic() - began < 2
    told = b"".join(path.read_bytes() for path in (server.parts.settings.data_dir / "mail").glob("*.eml"))
    assert b"\r\nBcc:" not in told


def _tell(server: Running, user: User) -> None:
    """Ask for a mail to `user`."""
    now = server.clock()
    server.write(lambda tx: server.parts.outbox.put(tx, MailKind.NEW_ADMINISTRATOR, user.email, user.id, now))


@pytest.mark.asvs("14.2.6")
def test_a_stolen_database_has_no_token_and_no_password(server: Running):
    used, unused = invite(server, new_address()), mailed_invite(server, new_address())
    user = add_user(server)
    spent = reset_token(server, user)
    open_reset = reset_token(server, server.user)
    assert accept(server, used, "an accepted password").status == 200
    assert reset(server, spent, "a reset password").status == 200
    chosen = {"api_token": "a chosen token"}
    assert call(server, "POST", f"/admin/users/{user.id}", chosen, bearer(server)).status == 200
    kept = b"".join(path.read_bytes() for path in database(server).parent.glob("medusa-auth.db*"))
    secrets = [*(token.split(".")[2] for token in (used, unused, spent, open_reset)), chosen["api_token"]]
    secrets += [
        "an accepted password",
        "a reset password",
        PASSWORD,
        *(_id_in(token) for token in (unused, open_reset)),
    ]
    assert [secret for secret in secrets if secret.encode() in kept] == []
    # What is there is no token: the hash of a `jti` is none, nor is a password's.
    ((id_hash, digest),) = rows(server, "SELECT id_hash, password_digest FROM auth_password_reset")
    for value in (id_hash, digest, *[each for (each,) in rows(server, "SELECT token FROM invite")]):
        assert reset(server, value).status == 401
        assert accept(server, value).status == 400
        assert sign_in(server, server.user, value).status == 401


def _id_in(token: str) -> str:

    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


@pytest.mark.asvs("16.2.5")
def test_no_log_line_has_a_token_or_a_password(server: Running):
    with structlog.testing.capture_logs() as lines:
        token, secret = mailed_invite(server, new_address()), reset_token(server, server.user)
        for path in (f"/console/accept-invite?token={token}", f"/console/reset-password?token={secret}"):
            assert call(server, "GET", path).status == 200
        form = f"token={token}&password=abc+xyz&first_name=x".encode()
        call(server, "POST", "/console/accept-invite", form, {"Content-Type": "application/x-www-form-urlencoded"})
        call(
            server,
            "POST",
            "/admin/users/reset-password",
            b'{"token": "' + secret.encode(),
            {"Content-Type": "application/json"},
        )
        reset(server, secret + "x", "a wrong password")
        assert accept(server, token, "an accepted password").status == 200
        assert reset(server, secret, "a reset password").status == 200
        deliver(server)
    written = json.dumps(lines, default=str)
    assert len(lines) > 8
    parts = [part for each in (token, secret) for part in each.split(".")[1:]]
    for secret in [*parts, "an accepted password", "a reset password", "a wrong password", "abc xyz"]:
        assert secret not in written
