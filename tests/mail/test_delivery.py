"""Mails reach a real mail server, once, whatever state it is in when they are asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.mail.reading import html_of, link_in, sent, text_of, waiting
from tests.server.conftest import Start
from tests.server.helpers import EMAIL, Clock, Running
from tests.services.mail_server import MailServer, mail_server, self_signed, silent_server, wait_for
from tests.services.process import free_port

from medusa_auth.core.outbox import CLAIM_FOR
from medusa_auth.server import mail

PUBLIC_URL = "https://admin.shop.example"
FORGED = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
NEW = "new@shop.example"
SECONDS_OF_AN_ANSWER = 5.0  # a mail server that does not answer holds a sender for longer


def server_for(start: Start, smtp_url: str) -> Running:
    return start(
        MEDUSA_AUTH_SMTP_URL=smtp_url,
        MEDUSA_AUTH_PUBLIC_URL=PUBLIC_URL,
        MEDUSA_AUTH_MAIL_FROM="Die Bücher <store@shop.example>",
    )


def invite(server: Running, email: str = NEW) -> None:
    answer = server.sign_in().post("/admin/invites", json={"user": email, "role": "member"}, headers=FORGED)
    assert (answer.status_code, answer.text) == (200, "OK")


def ask_for_reset(server: Running, email: str = EMAIL) -> None:
    answer = server.client().post("/admin/users/password-token", json={"email": email}, headers=FORGED)
    assert (answer.status_code, answer.text) == (204, "")


@contextmanager
def at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SECONDS_OF_AN_ANSWER


def wait_for_tries(server: Running, count: int, recipient: str = NEW) -> None:
    """A try counts from its beginning. The clock moves on, past the waits between tries."""

    def tried() -> bool:
        server.clock.advance(seconds=1)
        return any(who == recipient and tries >= count for who, tries in waiting(server))

    wait_for(tried)


def wait_for_retry(server: Running, mails: MailServer, count: int = 1) -> None:
    """The clock moves on until the mail is there."""

    def arrived() -> bool:
        server.clock.advance(seconds=10)
        return len(mails.received) >= count

    wait_for(arrived)
    wait_for(lambda: not waiting(server))


def test_an_invite_arrives_once_with_all_that_a_mail_has(start: Start):
    with mail_server() as mails:
        server = server_for(start, mails.url)
        invite(server)
        (message,) = mails.wait_for(1)
        wait_for(lambda: not waiting(server))
    assert len(mails.received) == 1
    assert message["From"] == "Die Bücher <store@shop.example>"
    assert message["To"] == NEW
    assert message["Subject"] == "You are invited to the store's admin"
    assert message["Date"].datetime == server.clock()
    assert message["Message-ID"].endswith("@shop.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert (mails.envelopes[0].mail_from, mails.envelopes[0].rcpt_tos) == ("store@shop.example", [NEW])


def test_a_link_begins_with_the_public_url_whatever_host_a_request_names(start: Start):
    with mail_server() as mails:
        server = server_for(start, mails.url)
        invite(server)
        ask_for_reset(server)
        messages = mails.wait_for(2)
    pages = {"accept-invite", "reset-password"}
    assert {link_in(message).removeprefix(f"{PUBLIC_URL}/console/").split("#")[0] for message in messages} == pages
    assert not any("evil" in text_of(message) + html_of(message) for message in messages)


def test_a_mail_goes_to_the_address_as_it_is_stored(start: Start):
    with mail_server() as mails:
        server = server_for(start, mails.url)
        ask_for_reset(server, "ADMIN@Example.COM")
        (message,) = mails.wait_for(1)
    assert message["To"] == EMAIL


def test_nothing_is_sent_to_an_address_that_nobody_has(start: Start):
    with mail_server() as mails:
        server = server_for(start, mails.url)
        ask_for_reset(server, "nobody@shop.example")
        ask_for_reset(server)
        mails.wait_for(1)
        wait_for(lambda: not waiting(server))
    assert [message["To"] for message in mails.received] == [EMAIL]


def test_what_is_asked_for_while_the_mail_server_is_down_arrives_once_when_it_is_up(start: Start):
    mails = MailServer(free_port())
    server = server_for(start, mails.url)
    with at_once():
        invite(server)
        ask_for_reset(server)
    wait_for_tries(server, 1)
    wait_for_tries(server, 1, EMAIL)
    with mail_server(mails):
        wait_for_retry(server, mails, 2)
    assert sorted(message["To"] for message in mails.received) == [EMAIL, NEW]


def test_a_mail_server_that_says_nothing_holds_no_request_and_gets_the_mail_later(
    start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mail, "SMTP_SECONDS", 0.5)
    with silent_server() as port:
        server = server_for(start, f"smtp://127.0.0.1:{port}")
        with at_once():
            invite(server)
        wait_for_tries(server, 1)
    with mail_server(MailServer(port)) as mails:
        wait_for_retry(server, mails)
    assert len(mails.received) == 1


def test_a_mail_server_that_is_slow_at_every_step_holds_a_mail_for_less_than_its_claim(
    start: Start, monkeypatch: pytest.MonkeyPatch
):
    assert CLAIM_FOR.total_seconds() > mail.MAIL_SECONDS + mail.SMTP_SECONDS
    monkeypatch.setattr(mail, "MAIL_SECONDS", 0.5)
    with mail_server() as mails:
        mails.seconds_of_an_answer = 0.4
        server = server_for(start, mails.url)
        invite(server)
        wait_for_tries(server, 2)
        assert mails.received == []
        mails.seconds_of_an_answer = 0
        wait_for_retry(server, mails)
    assert len(mails.received) == 1


def test_a_mail_that_is_refused_for_now_is_tried_again_until_it_is_taken(start: Start):
    with mail_server() as mails:
        mails.answers = ["451 Try again later", "421 Too many", "452 Full"]
        server = server_for(start, mails.url)
        invite(server)
        wait_for_retry(server, mails)
    assert (mails.refused, len(mails.received)) == (3, 1)


def test_each_try_of_a_mail_has_the_same_message_id_and_date_and_a_new_link(start: Start):
    with mail_server() as mails:
        mails.answers_to_data = ["451 Try again later"]
        server = server_for(start, mails.url)
        invite(server)
        wait_for_retry(server, mails, 2)
    first, second = mails.received
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert link_in(first) != link_in(second)


def test_a_mail_that_is_refused_for_good_stops_no_other_and_is_given_up_in_the_end(start: Start):
    with mail_server() as mails:
        mails.answers = ["550 No such user"]
        server = server_for(start, mails.url)
        invite(server, "wrong@shop.example")
        wait_for(lambda: mails.refused == 1)
        invite(server)
        assert mails.wait_for(1)[0]["To"] == NEW
        mails.otherwise = "550 No such user"
        wait_for(lambda: _later(server.clock) and mails.refused >= 3)
        server.clock.advance(days=3)
        wait_for(lambda: not waiting(server))
    assert len(mails.received) == 1


def _later(clock: Clock) -> bool:
    clock.advance(minutes=1)
    return True


@pytest.mark.asvs("12.3.2")
@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
def test_a_mail_server_whose_certificate_nobody_trusts_gets_nothing(start: Start, tmp_path, scheme):
    tls = self_signed(tmp_path)
    secured: dict[str, Any] = {"tls": tls} if scheme == "smtps" else {"tls_context": tls}
    with mail_server(**secured) as mails:
        server = server_for(start, f"{scheme}://user:secret@127.0.0.1:{mails.port}")
        invite(server)
        wait_for_tries(server, 2)
    assert (mails.received, mails.logins) == ([], [])


@pytest.mark.asvs("12.3.1")
def test_where_starttls_is_asked_for_and_not_offered_nothing_is_sent_in_clear(start: Start):
    with mail_server(auth_require_tls=False) as mails:
        server = server_for(start, f"smtp+starttls://user:secret@127.0.0.1:{mails.port}")
        invite(server)
        wait_for_tries(server, 2)
    assert (mails.received, mails.logins) == ([], [])
    assert sent(server) == 0


def test_the_name_and_the_password_in_the_url_sign_in_to_the_mail_server(start: Start):
    with mail_server(auth_require_tls=False) as mails:
        server = server_for(start, f"smtp://us%40er:p%2Fss%3A@127.0.0.1:{mails.port}")
        invite(server)
        mails.wait_for(1)
    assert mails.logins == [("us@er", "p/ss:")]
