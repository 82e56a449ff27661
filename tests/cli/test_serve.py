"""`serve`, before it serves."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

from tests.services.process import running, wait_until

STARTED = "serves on"


def start(tmp_path: Path, *arguments: str, **settings: str):
    environ = {**os.environ, "MEDUSA_AUTH_DATA_DIR": str(tmp_path / "data"), **settings}
    command = [sys.executable, "-m", "medusa_auth", "serve", "--port", "0", *arguments]
    return running(command, log=tmp_path / "log", env=environ)


def test_a_reload_that_is_asked_for_during_the_start_ends_nobody(tmp_path: Path):
    log = tmp_path / "log"
    with start(tmp_path) as process:
        while not blocks(process.pid, signal.SIGHUP):
            time.sleep(0.001)
        assert STARTED not in log.read_text()
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "keys reloaded" in log.read_text(), process, log, "the server")
        assert process.poll() is None


def blocks(pid: int, number: signal.Signals) -> bool:
    (mask,) = re.findall(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) & 1 << (number - 1))


def test_what_is_most_likely_a_slip_is_told_and_hinders_nobody(tmp_path: Path):
    log = tmp_path / "log"
    slips = {"MEDUSA_AUTH_TRUSTED_PROXY": "10.0.0.1", "MEDUSA_AUTH_SMTP_URL": "smtp://mail.example"}
    with start(tmp_path, "--host", "0.0.0.0", **slips) as process:
        wait_until(lambda: "Warning: Mails" in log.read_text(), process, log, "the server")
    told = log.read_text()
    assert STARTED in told
    assert "Warning: MEDUSA_AUTH_TRUSTED_PROXY is no setting: it is misspelt, or of another version." in told
    assert "Warning: Links in mails begin with http://0.0.0.0:" in told
    assert "10.0.0.1" not in told


def test_who_means_what_is_set_is_told_nothing(tmp_path: Path):
    log = tmp_path / "log"
    settings = {
        "MEDUSA_AUTH_PUBLIC_URL": "https://shop.example",
        "MEDUSA_AUTH_SMTP_URL": "smtp://mail.example",
        "MEDUSA_AUTH_MAIL_FROM": "shop@shop.example",
        "MEDUSA_AUTH_IMPORT_FROM": "postgresql://nobody@127.0.0.1/none",
    }
    with start(tmp_path, "--host", "0.0.0.0", **settings) as process:
        # What the command has to say it has said before the server takes its place.
        wait_until(lambda: "medusa_auth.server.worker" in command_line(process.pid), process, log, "the server")
    assert STARTED in log.read_text()
    assert "Warning" not in log.read_text()


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
