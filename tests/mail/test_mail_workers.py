"""`medusa-auth serve` with two workers and a mail server: each mail goes out once, and no secret is in the log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest
from tests.databases import each_database
from tests.mail.reading import link_in, text_of, to
from tests.services.mail_server import MailServer, mail_server, wait_for
from tests.services.process import running, wait_until

pytestmark = each_database

COMMAND = [sys.executable, "-m", "medusa_auth"]
EMAIL = "admin@shop.example"
PASSWORDS = ["first horse battery staple", "second horse battery staple", "third horse battery staple", "password"]
SMTP_PASSWORD = "mail-server-password"
MAILS = 30


@dataclass
class Served:
    url: str
    mails: MailServer
    log: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, shared_database: dict[str, str]) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("workers")
    log = folder / "log"
    with mail_server(auth_require_tls=False) as mails:
        smtp_url = f"smtp://user:{SMTP_PASSWORD}@127.0.0.1:{mails.port}"
        environ = os.environ | shared_database
        environ |= {"MEDUSA_AUTH_DATA_DIR": str(folder / "data"), "MEDUSA_AUTH_SMTP_URL": smtp_url}
        create = [*COMMAND, "users", "create", "--email", EMAIL, "--password-stdin"]
        subprocess.run(create, env=environ, input=PASSWORDS[0], text=True, check=True, stdout=subprocess.DEVNULL)
        with running([*COMMAND, "serve", "--port", "0", "--workers", "2"], log=log, env=environ) as process:
            wait_until(lambda: _answers(log), process, log, "medusa-auth")
            yield Served(_url(log), mails, log)


def _url(log: Path) -> str:
    found = re.search(r"serves on (\S+),", log.read_text())
    return found[1] if found else "http://127.0.0.1:1"


def _answers(log: Path) -> bool:
    try:
        return httpx2.get(f"{_url(log)}/ready").status_code == 200
    except httpx2.TransportError:
        return False


def test_two_workers_send_each_mail_once(served: Served):
    recipients = [f"new{number}@shop.example" for number in range(MAILS)]
    with httpx2.Client(base_url=served.url) as client:
        client.post("/admin/auth", json={"email": EMAIL, "password": PASSWORDS[0]})
        for recipient in recipients:
            assert client.post("/admin/invites", json={"user": recipient, "role": "member"}).status_code == 200
    wait_for(lambda: _lines(served, "mail sent") >= MAILS)
    received = [message["To"] for message in served.mails.received]
    assert sorted(recipient for recipient in received if recipient != EMAIL) == sorted(recipients)


@pytest.mark.asvs("16.2.5")
def test_no_line_of_the_log_holds_a_token_or_a_password(served: Served):
    with httpx2.Client(base_url=served.url) as client:
        client.post("/admin/auth", json={"email": EMAIL, "password": PASSWORDS[0]})
        client.post("/admin/invites", json={"user": "eve@shop.example", "role": "member"})
        client.post("/admin/users/password-token", json={"email": EMAIL})
        invite, reset = (_token(served, who) for who in ("eve@shop.example", EMAIL))
        served.mails.otherwise = "451 " + PASSWORDS[0]
        client.post("/admin/invites", json={"user": "late@shop.example", "role": "member"})
        wait_for(lambda: _lines(served, "mail not sent") >= 1)
        served.mails.otherwise = "250 OK"
        for page, token, password in (("accept-invite", invite, PASSWORDS[1]), ("reset-password", reset, PASSWORDS[2])):
            assert client.get(f"/console/{page}", params={"token": token}).status_code == 200
            for attempt, status in ((PASSWORDS[3], 400), (password, 200)):
                form = {"token": token, "password": attempt, "first_name": "Eve"}
                assert client.post(f"/console/{page}", data=form).status_code == status
        secrets = [invite, reset, *PASSWORDS[:3], SMTP_PASSWORD, client.cookies["connect.sid"]]
    wait_for(lambda: _lines(served, "/console/reset-password") >= 3)
    log = served.log.read_text()
    assert [secret for secret in secrets if secret in log] == []
    for line in log[log.index("\n{") :].strip().splitlines():
        assert "password" not in json.loads(line)


def _token(served: Served, recipient: str) -> str:
    def links() -> list[EmailMessage]:
        return [message for message in to(served.mails.received, recipient) if "#token=" in text_of(message)]

    wait_for(lambda: bool(links()))
    return link_in(links()[0]).partition("#token=")[2]


def _lines(served: Served, part: str) -> int:
    return sum(part in line for line in served.log.read_text().splitlines())
