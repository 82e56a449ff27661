"""Names and addresses that would be markup, a header, a line of a log or a terminal's command somewhere else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
import structlog
from tests.attacks.siege import (
    NEW_PASSWORD,
    accept,
    add_user,
    bearer,
    call,
    deliver,
    find_user,
    invite,
    invites,
    living,
    mails,
    new_address,
    text_of,
)
from tests.databases import each_database
from tests.server.helpers import Running

pytestmark = each_database

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% for x in ().__class__.__base__.__subclasses__() %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "a\r\nBcc: evil@example.net\r\n\r\nbody",
    "a\nX-Injected: 1",
    "\u202eevil\u2066\u200b\ufeff",
    "\x1b]0;owned\x07\x1b[31m\x08\x7f",
    "\x85\u2028\u2029",
    '=HYPERLINK("http://evil.example.net")',
    "%s%n%(x)s{0}{x!r}",
    "</textarea></title></form>",
    "javascript:alert(1)",
    "\U000e0041\U0001f4a9",
]


class _Tags(HTMLParser):
    """The tags and the attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value for _, value in attrs]


@pytest.mark.asvs("1.2.1")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_harmful_name_comes_back_as_the_same_text_in_json(shared_server: Running, name: str):
    headers, made, accepted = bearer(shared_server), new_address(), new_address()
    names = {"first_name": name, "last_name": name}
    body = {"email": made, "password": NEW_PASSWORD, **names}
    answers = [call(shared_server, "POST", "/admin/users", body, headers)]
    user = add_user(shared_server)
    answers.append(call(shared_server, "POST", f"/admin/users/{user.id}", names, headers))
    assert accept(shared_server, invite(shared_server, accepted), **names).status == 200
    found = find_user(shared_server, accepted)
    assert found is not None
    answers.append(call(shared_server, "GET", f"/admin/users/{found.id}", headers=headers))
    for answer in answers:
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "x-injected" not in answer.headers
        assert answer.json()["user"]["first_name"] == answer.json()["user"]["last_name"] == name


@pytest.mark.asvs("1.3.11")
def test_no_harmful_name_comes_into_a_mail(server: Running):
    headers = bearer(server)
    for name in NAMES:
        body = {"email": new_address(), "password": NEW_PASSWORD, "first_name": name, "last_name": name}
        assert call(server, "POST", "/admin/users", body, headers).status == 200
    deliver(server)
    for user in living(server):
        for mail in mails(server, user.email):
            assert mail["Bcc"] is None
            assert mail["X-Injected"] is None
            assert len(mail.get_all("To", [])) == 1
            told = text_of(mail) + text_of(mail, "html")
            assert not [name for name in NAMES if name in told]
            assert "49" not in re.sub(r"\d\d:\d\d|\d{4}-\d\d-\d\d|person\d+", "", told)
    assert len(mails(server, server.user.email)) == len(NAMES)


@pytest.mark.asvs("1.2.1")
@pytest.mark.parametrize("page", ["accept-invite", "reset-password"])
def test_what_was_typed_is_shown_as_text_and_nothing_else(shared_server: Running, page: str):
    """Whatever is sent, the page has the same tags with the same attributes."""

    def shown(text: str) -> tuple[int, _Tags]:
        form = urlencode({"token": text, "first_name": text, "last_name": text, "password": text}).encode()
        answer = call(shared_server, "POST", f"/console/{page}", form, FORM)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        return answer.status, _Tags(answer.text)

    _, plain = shown("plain")
    for text in NAMES:
        status, tags = shown(text)
        assert status in {400, 401}
        assert tags.seen == plain.seen
    linked = call(shared_server, "GET", f"/console/{page}?{urlencode({'token': NAMES[1]})}")
    assert NAMES[1] in _Tags(linked.text).values


@pytest.mark.asvs("1.2.1")
def test_a_page_never_shows_the_password_again(shared_server: Running):
    form = urlencode({"token": "x", "password": "a secret that was typed"}).encode()
    for page in ("accept-invite", "reset-password"):
        assert b"a secret" not in call(shared_server, "POST", f"/console/{page}", form, FORM).content


@pytest.mark.asvs("1.2.1")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_account_of_a_harmful_name_is_made_by_the_page_and_only_its_address_is_shown(
    shared_server: Running, name: str
):
    address = new_address()
    token = invite(shared_server, address)
    form = urlencode({"token": token, "password": NEW_PASSWORD, "first_name": name, "last_name": name}).encode()
    answer = call(shared_server, "POST", "/console/accept-invite", form, FORM)
    assert answer.status == 200
    assert address in answer.text
    assert name not in answer.text


def test_a_name_with_a_nul_is_refused_everywhere(shared_server: Running):
    headers, user = bearer(shared_server), add_user(shared_server)
    token = invite(shared_server, new_address())
    assert call(shared_server, "POST", f"/admin/users/{user.id}", {"first_name": "a\0"}, headers).status == 400
    assert accept(shared_server, token, last_name="a\0").status == 400
    form = urlencode({"token": token, "password": NEW_PASSWORD, "first_name": "a\0"}).encode()
    assert call(shared_server, "POST", "/console/accept-invite", form, FORM).status == 400
    assert accept(shared_server, token).status == 200


HARMFUL_ADDRESSES = [
    "a\r\nBcc:evil@example.net",
    '"a\r\nBcc: e@example.net\r\n"@example.com',
    "<script>@example.com",
    '"<script>alert(1)</script>"@example.com',
    "a\x1b[31m@example.com",
    "a\u202eb@example.com",
    "a b@example.com",
    "a,b@example.com",
    "a@example.com, b@example.net",
    "A <a@example.com>",
    "a@[127.0.0.1]",
    "a@localhost",
    "a@example.com\n",
    "a\u2028b@example.com",
    "a@ex\u200bample.com",
]


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("address", HARMFUL_ADDRESSES, ids=range(len(HARMFUL_ADDRESSES)))
def test_a_harmful_address_is_refused(shared_server: Running, address: str):
    headers, before = bearer(shared_server), (len(living(shared_server)), len(invites(shared_server)))
    body = {"email": address, "password": NEW_PASSWORD}
    assert call(shared_server, "POST", "/admin/users", body, headers).status == 400
    assert call(shared_server, "POST", "/admin/invites", {"user": address, "role": "member"}, headers).status == 400
    assert (len(living(shared_server)), len(invites(shared_server))) == before


@pytest.mark.asvs("16.4.1")
def test_no_harmful_text_comes_into_a_log_line(server: Running):
    with structlog.testing.capture_logs() as lines:
        headers, user = bearer(server), add_user(server)
        for name in NAMES:
            call(server, "POST", f"/admin/users/{user.id}", {"first_name": name, "metadata": {name: name}}, headers)
            call(server, "POST", "/admin/users/password-token", {"email": name})
            call(server, "GET", f"/admin/users?{urlencode({'q': name, name: name})}", headers=headers)
    told = json.dumps(lines, ensure_ascii=False, default=str)
    assert len(lines) >= 3 * len(NAMES)
    assert not [name for name in NAMES if json.dumps(name, ensure_ascii=False)[1:-1] in told]


@pytest.mark.asvs("16.4.1")
def test_no_harmful_name_reaches_the_terminal(server: Running):
    user, name = add_user(server), "".join(NAMES)
    body = {"first_name": name[:255], "last_name": name[255:]}
    assert max(map(len, body.values())) <= 255
    assert call(server, "POST", f"/admin/users/{user.id}", body, bearer(server)).status == 200
    told = _cli(server, "users", "update", "--email", user.email, "--role", "developer")
    assert told.count("\n") == 1
    for each in (told, _cli(server, "users", "list")):
        assert not [char for char in each if not char.isprintable() and char != "\n"]


def _cli(server: Running, *arguments: str) -> str:
    command = [sys.executable, "-m", "medusa_auth", *arguments, "--data-dir", str(server.parts.settings.data_dir)]
    environ = {**os.environ, "COLUMNS": "10000", "DATABASE_URL": server.parts.settings.database_url}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
