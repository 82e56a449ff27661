"""What stands in a mail: whatever an address or a name holds, it stays what it is, and nothing else."""

from __future__ import annotations

import pytest
from tests.mail.reading import html_of, link_in, text_of, to, waiting
from tests.server.conftest import Start
from tests.server.helpers import EMAIL, PASSWORD, Running
from tests.services.mail_server import mail_server, parsed, wait_for

ODD_ADDRESSES = [
    "o'brien&+{{7*7}}/=?^`|~!#$%*@shop.example",
    "grüße@shop.example",
    "post@bücher.example",
    "用户@例子.example",
]
INJECTED = [
    "a@shop.example\r\nBcc: b@shop.example",
    "a@shop.example\nSubject: x",
    '"a\r\nBcc: b"@shop.example',
    "a\0@b.co",
]
MARKUP = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


@pytest.mark.parametrize("email", ODD_ADDRESSES)
def test_an_address_of_odd_but_valid_characters_gets_its_mail(start: Start, email):
    with mail_server() as mails:
        server = start(MEDUSA_AUTH_SMTP_URL=mails.url)
        invited(server, email)
        (message,) = mails.wait_for(1)
    assert (message["To"], mails.envelopes[0].rcpt_tos) == (email, [email])
    link_in(message)


def test_an_address_is_escaped_in_html_and_not_in_text(start: Start):
    email = ODD_ADDRESSES[0]
    with mail_server() as mails:
        server = start(MEDUSA_AUTH_SMTP_URL=mails.url)
        server.sign_in().post("/admin/users", json={"email": email, "password": PASSWORD, "role": "member"})
        (message,) = to(mails.wait_for(2), EMAIL)
    assert email in text_of(message)
    assert "o&#39;brien&amp;+{{7*7}}" in html_of(message)


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("email", INJECTED)
def test_an_address_that_would_add_a_header_is_refused(start: Start, email):
    server = start()
    answer = server.sign_in().post("/admin/invites", json={"user": email, "role": "member"})
    assert answer.status_code == 400
    assert waiting(server) == []


@pytest.mark.parametrize("name", ["Eve\r\nBcc: b@shop.example", MARKUP])
def test_a_name_with_markup_or_line_ends_changes_no_mail(start: Start, name):
    with mail_server() as mails:
        server = start(MEDUSA_AUTH_SMTP_URL=mails.url)
        new = {"email": "new@shop.example", "password": PASSWORD, "first_name": name, "last_name": name}
        assert server.sign_in().post("/admin/users", json=new).status_code == 200
        messages = mails.wait_for(2)
    assert {message["To"] for message in messages} == {EMAIL, "new@shop.example"}
    for message in messages:
        assert message["Bcc"] is None
        assert "<img" not in html_of(message)
        assert "<script" not in html_of(message)


def test_without_a_mail_server_a_mail_is_a_file_of_the_owner_whose_link_is_whole_in_its_source(start: Start):
    server = start()
    invited(server, "new@shop.example")
    folder = server.parts.settings.data_dir / "mail"
    wait_for(lambda: any(folder.glob("*.eml")))
    (path,) = folder.glob("*.eml")
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert link_in(parsed(path.read_bytes())).encode() in path.read_bytes()


def invited(server: Running, email: str) -> None:
    assert server.sign_in().post("/admin/invites", json={"user": email, "role": "member"}).status_code == 200
