"""`make bench`: checks and logins beside bare applications, the start, and the memory; one worker on one core.

The load comes from wrk on another core. Every figure is the median of several short runs that take turns: machines
are noisy: read the ratios, and not the numbers.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table

ROUNDS = 5
SECONDS = 2
CONNECTIONS = 32
PAIRS = 200
EMAIL, PASSWORD = "bench@example.com", "bench password"
LOGIN_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = %s
"""
SERVER_CORE, LOAD_CORE = 0, max(0, (os.cpu_count() or 1) - 1)


@contextlib.contextmanager
def started(*command: str, port: int, path: str) -> Iterator[tuple[int, float]]:
    """The process id of a server on one core, and how many seconds its first answer took."""
    began = time.perf_counter()
    pinned = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", *command]
    with subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    httpx2.get(f"http://127.0.0.1:{port}{path}")
                    break
                time.sleep(0.005)
            yield process.pid, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(30)


def requests_per_second(port: int, *options: str, path: str = "/admin/auth") -> float:
    """With wrk; fails if an answer is not a success."""
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", f"-d{SECONDS}s", "-t1", *options]
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    assert "Non-2xx" not in told, told
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0])


def hashes_per_second() -> float:
    """How many a core makes without a server, one after the other."""
    program = (
        "import sys, time\n"
        "from medusa_auth.core.passwords import Argon2id\n"
        "hasher = Argon2id(); hasher.hash(sys.argv[1]); began = time.perf_counter()\n"
        "for _ in range(50): hasher.hash(sys.argv[1])\n"
        "print(50 / (time.perf_counter() - began))\n"
    )
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", program, PASSWORD]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def _told_by_time(client: httpx2.Client) -> dict[str, float]:
    """How much longer an answer takes where the address is known: the ratio of medians, asked in turns."""
    with_password = {"password": "not the password"}
    return {
        "login, known address": _ratio(client, "/admin/auth", with_password, 401),
        "password reset, known address": _ratio(client, "/admin/users/password-token", {}, 204),
    }


def _ratio(client: httpx2.Client, path: str, body: dict[str, str], status: int) -> float:
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * PAIRS):
        # Each pair begins with another one of the two.
        known = (turn + turn // 2) % 2
        email = EMAIL if known else f"unknown-{turn}@example.com"
        began = time.perf_counter()
        assert client.post(path, json={"email": email, **body}).status_code == status
        seconds[known].append(time.perf_counter() - began)
    return statistics.median(seconds[1]) / statistics.median(seconds[0])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        table = _measured(Path(folder), stack)
    Console().print(table)


def _measured(folder: Path, stack: contextlib.ExitStack) -> Table:
    command = [sys.executable, "-m", "medusa_auth"]
    data = ["--data-dir", str(folder / "data")]
    subprocess.run(
        [*command, "users", "create", "--email", EMAIL, "--password-stdin", *data],
        input=PASSWORD,
        text=True,
        check=True,
    )
    made = [*command, "tokens", "create", "--email", EMAIL, "--name", "bench", *data]
    api_token = subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()
    bare = ("--no-access-log", "--log-level", "warning")
    stack.enter_context(started("uvicorn", "bench.apps:uvicorn_app", "--port", "9301", *bare, port=9301, path="/"))
    stack.enter_context(started("uvicorn", "bench.apps:starlette_app", "--port", "9302", *bare, port=9302, path="/"))
    pid, start = stack.enter_context(started("medusa_auth", "serve", "--port", "9303", *data, port=9303, path="/ready"))
    client = stack.enter_context(httpx2.Client(base_url="http://127.0.0.1:9303"))
    login = {"email": EMAIL, "password": PASSWORD}
    client.post("/admin/auth", json=login).raise_for_status()
    token = client.post("/admin/auth/token", json=login).json()["access_token"]
    targets = {
        "bare uvicorn": (9301, ()),
        "bare Starlette": (9302, ()),
        "check by cookie": (9303, (f"Cookie: connect.sid={client.cookies['connect.sid']}",)),
        "check by access token": (9303, (f"Authorization: Bearer {token}",)),
        "check by API token": (9303, (f"x-medusa-access-token: {api_token}",)),
    }
    script = folder / "login.lua"
    script.write_text(LOGIN_SCRIPT % json.dumps(json.dumps(login)))
    rates: dict[str, list[float]] = {name: [] for name in targets}
    logins, hashes = [], []
    for _ in range(ROUNDS):
        for name, (port, headers) in targets.items():
            options = [part for header in headers for part in ("-H", header)]
            rates[name].append(requests_per_second(port, f"-c{CONNECTIONS}", *options))
    memory = resident_megabytes(pid)
    for _ in range(ROUNDS):
        logins.append(requests_per_second(9303, "-c4", "-s", str(script)))
        hashes.append(hashes_per_second())
    table = Table("", "a second", "of bare Starlette", box=None)
    beside = statistics.median(rates["bare Starlette"])
    for name, each in rates.items():
        table.add_row(name, f"{statistics.median(each):,.0f}", f"{statistics.median(each) / beside:.2f}")
    share = statistics.median(login / alone for login, alone in zip(logins, hashes, strict=True))
    table.add_row(
        "login",
        f"{statistics.median(logins):,.1f}",
        f"{share:.2f} of one core's argon2id ({statistics.median(hashes):,.1f})",
    )
    for what, ratio in _told_by_time(client).items():
        table.add_row(what, "", f"{ratio:.3f} of the time of an unknown address")
    table.add_row("start to first answer", f"{start:.2f} s", "")
    table.add_row(
        "resident memory after the checks", f"{memory:.0f} MB", f"{resident_megabytes(pid):.0f} MB after the logins"
    )
    return table


main()
