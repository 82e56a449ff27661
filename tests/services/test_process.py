"""Programs that tests start are waited for, explained when they fail, and stopped with all of their children."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from tests.services import process
from tests.services.process import StartupError, free_port, run, running, stop, wait_until


def is_alive(pid: int) -> bool:
    """Whether `pid` runs. A dead process that nobody has asked about yet is still listed, but does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def test_a_port_is_free_and_given_once(monkeypatch):
    free = {free_port(), free_port()}
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        monkeypatch.setattr(process, "_given", set())
        monkeypatch.setattr(process, "PORTS", [*free, taken.getsockname()[1]])
        assert {free_port(), free_port()} == free
        with pytest.raises(LookupError, match="no free port"):
            free_port()


def test_a_failed_command_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(StartupError, match=r"(?s)sh ended with status 3; its log ends with:\nline 11\n.*line 50$"):
        run(["sh", "-c", "for i in $(seq 50); do echo line $i; done; exit 3"], log=log)


def test_a_slow_command_is_stopped(tmp_path):
    with pytest.raises(StartupError, match="took longer than 0 s"):
        run(["sleep", "100"], log=tmp_path / "log", patience=0.05)


def test_waiting_ends_when_the_program_does(tmp_path):
    log = tmp_path / "log"
    with (
        running(["sh", "-c", "echo no; exit 4"], log=log) as program,
        pytest.raises(StartupError, match=r"it ended with status 4; its log ends with:\nno$"),
    ):
        wait_until(lambda: False, program, log, "it")


def test_waiting_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE", 0.1)
    log = tmp_path / "log"
    with running(["sleep", "100"], log=log) as program, pytest.raises(StartupError, match="it was not ready"):
        wait_until(lambda: False, program, log, "it")
    assert program.returncode == -signal.SIGTERM


def test_children_are_stopped_too_even_those_that_refuse(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.2)
    log = tmp_path / "log"
    with running(["sh", "-c", "trap '' TERM; sleep 100 & echo $!; wait"], log=log) as program:
        while not log.read_text().endswith("\n"):
            time.sleep(0.01)
    assert program.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while is_alive(int(log.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(int(log.read_text()))


def test_stopping_twice_is_fine(tmp_path):
    with running(["sleep", "100"], log=tmp_path / "log") as program:
        stop(program)
    with pytest.raises(ProcessLookupError):
        os.kill(program.pid, 0)
