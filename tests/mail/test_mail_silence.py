"""A mail server that says nothing holds up mails, and nothing else: no command, no start and no stop."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.server.helpers import run
from tests.services.mail_server import silent_server
from tests.services.process import running, wait_until

from medusa_auth.model import MailKind
from medusa_auth.server.app import Parts
from medusa_auth.server.mail import LAST_MAIL_SECONDS, SMTP_SECONDS
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

COMMAND = [sys.executable, "-m", "medusa_auth"]
# Less than the mail server would have for one of the mails.
PATIENCE = SMTP_SECONDS - 5
MAILS = 3


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a data folder with mails that are due."""
    parts = Parts.of(from_env({}, data_dir=tmp_path / "data"))
    try:
        run(lambda: parts.records.write(lambda tx: _queue(parts, tx)))
    finally:
        parts.close()
    with silent_server() as port:
        yield os.environ | {
            "MEDUSA_AUTH_DATA_DIR": str(tmp_path / "data"),
            "MEDUSA_AUTH_SMTP_URL": f"smtp://127.0.0.1:{port}",
        }


def _queue(parts: Parts, tx: Transaction) -> None:
    now = parts.clock()
    user = parts.users.create(tx, email="a@shop.example", password_hash=None, now=now)
    for _ in range(MAILS):
        parts.outbox.put(tx, MailKind.PASSWORD_CHANGED, user.email, user.id, now)


def test_a_command_that_asks_for_no_mail_sends_none(environ: dict[str, str]):
    subprocess.run([*COMMAND, "users", "list"], env=environ, check=True, capture_output=True, timeout=PATIENCE)


def test_a_command_that_asks_for_a_mail_leaves_it_to_a_server_after_a_while(environ: dict[str, str]):
    command = [*COMMAND, "invites", "create", "--email", "new@shop.example"]
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=PATIENCE)
    assert "Invited new@shop.example" in done.stdout


def test_a_server_starts_and_stops_beside_it(environ: dict[str, str], tmp_path: Path):
    log = tmp_path / "log"
    with running([*COMMAND, "serve", "--port", "0"], log=log, env=environ) as process:
        wait_until(lambda: _is_ready(log), process, log, "medusa-auth")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LAST_MAIL_SECONDS + PATIENCE) in {0, -signal.SIGTERM}


def _is_ready(log: Path) -> bool:
    found = re.search(r"serves on (\S+),", log.read_text())
    try:
        return found is not None and httpx2.get(f"{found[1]}/ready").status_code == 200
    except httpx2.TransportError:
        return False
