"""The unit of deploy/, as it is, under a real systemd: it shuts the server off from nothing that the server needs."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from tests.faults.servers import until
from tests.services.process import StartupError, free_port
from tests.services.systemd import Systemd, can_be_run, systemd

import medusa_auth

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "medusa-auth.service"
# As in docs/deploy.md: the folder of the program, whose user may read nobody's home.
PROGRAM = "/opt/medusa-auth/bin/medusa-auth"
EMAIL, PASSWORD = "ada@example.com", "seven purple lamps on a river"
NEW_KEY = "a-key-that-is-put-before-the-one-that-is-there"
LOGIN = {"email": EMAIL, "password": PASSWORD}

pytestmark = pytest.mark.skipif("CI" not in os.environ and not can_be_run(), reason="needs to be root")


class Service:
    def __init__(self, machine: Systemd, url: str) -> None:
        self.machine = machine
        self.client = httpx2.Client(base_url=url, trust_env=False)

    def systemctl(self, verb: str) -> None:
        try:
            self.machine.run("systemctl", verb, "medusa-auth")
        except StartupError:
            print(self.machine.told("journalctl", "--output=cat"))
            print(self.machine.told("systemctl", "status", "medusa-auth"))
            raise

    def is_ready(self) -> bool:
        try:
            return self.client.get("/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def shows(self, name: str) -> str:
        return self.machine.told("systemctl", "show", "medusa-auth", f"--property={name}", "--value").strip()

    def logged(self) -> str:
        return self.machine.told("journalctl", "--unit=medusa-auth", "--output=cat")

    def status(self, name: str) -> list[str]:
        """What the kernel says of each process."""
        lines = self.of_processes("status").splitlines()
        return [line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")]

    def threads(self) -> list[int]:
        """The niceness of each thread of the processes (proc(5): of stat the nineteenth)."""
        return [int(line.rpartition(")")[2].split()[16]) for line in self.of_processes("task/*/stat").splitlines()]

    def pids(self) -> set[str]:
        return set(self.status("Pid"))

    def of_processes(self, name: str) -> str:
        processes = "$(cat /sys/fs/cgroup/system.slice/medusa-auth.service/cgroup.procs)"
        return self.machine.told("sh", "-c", f"for each in {processes}; do cat /proc/$each/{name}; done")


@pytest.fixture(params=["sqlite", "postgresql and redis"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    port, settings = free_port(), {}
    if request.param != "sqlite":
        new_postgresql: Callable[[], str] = request.getfixturevalue("new_postgresql")
        new_redis: Callable[[], tuple[str, str]] = request.getfixturevalue("new_redis")
        redis, prefix = new_redis()
        settings = {"DATABASE_URL": new_postgresql(), "REDIS_URL": redis, "MEDUSA_AUTH_REDIS_PREFIX": prefix}
    settings |= {"LISTEN_PORT": str(port), "MEDUSA_AUTH_DATA_DIR": "/var/lib/medusa-auth"}
    (tmp_path / "systemd").mkdir()
    # This Python, its libraries and the program, where whoever may read no home finds them.
    read_as = {
        Path(sys.base_prefix): "/opt/python",
        Path(site.getsitepackages()[0]): "/opt/libraries",
        Path(medusa_auth.__file__).parents[1]: "/opt/source",
    }
    with ExitStack() as stack:
        machine = stack.enter_context(systemd(tmp_path / "systemd", read_as))
        prepare(machine, settings)
        service = Service(machine, f"http://127.0.0.1:{port}")
        stack.callback(service.client.close)
        yield service


def prepare(machine: Systemd, settings: dict[str, str]) -> None:
    """As docs/deploy.md, without the packages."""
    python = f"/opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    machine.run("mkdir", "-p", "/opt/medusa-auth/bin", "/etc/medusa-auth")
    machine.write(
        PROGRAM,
        "#!/bin/sh\nexport LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/source:/opt/libraries\n"
        f'exec {python} -m medusa_auth "$@"\n',
    )
    machine.run("chmod", "755", PROGRAM)
    machine.run(
        "useradd", "--system", "--home-dir", "/var/lib/medusa-auth", "--shell", "/usr/sbin/nologin", "medusa-auth"
    )
    machine.run("install", "-d", "-m", "0700", "-o", "medusa-auth", "-g", "medusa-auth", "/var/lib/medusa-auth")
    machine.write("/etc/medusa-auth/environment", "".join(f"{name}='{value}'\n" for name, value in settings.items()))
    machine.write("/etc/systemd/system/medusa-auth.service", UNIT.read_text("utf-8"))
    add = f"set -a; . /etc/medusa-auth/environment; echo '{PASSWORD}' | {PROGRAM} users create --password-stdin"
    machine.run(
        "setpriv", "--reuid=medusa-auth", "--regid=medusa-auth", "--clear-groups",
        "sh", "-c", f"cd /var/lib/medusa-auth; {add} --email {EMAIL} --role admin",
    )  # fmt: skip
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "systemd-journald")


def until_ready(service: Service) -> None:
    until(service.is_ready, f"the server is not ready:\n{service.machine.told('journalctl', '--output=cat')}", 20)


def test_the_unit_serves_reloads_restarts_and_ends_in_good_order(service: Service):
    service.systemctl("start")
    until_ready(service)
    assert service.client.post("/admin/auth", json=LOGIN).status_code == 200
    token = service.client.post("/admin/auth/token", json=LOGIN).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert service.client.get("/admin/auth").json()["user"]["email"] == EMAIL
    # Who hashes lets the others go first; the system calls of the unit allow that.
    assert {each - os.nice(0) for each in service.threads()} == {0, 10}
    assert set(service.status("Seccomp")) == {"2"}
    assert set(service.status("NoNewPrivs")) == {"1"}
    assert set(service.status("CapEff")) == {"0000000000000000"}

    first, keys = service.shows("MainPID"), "/var/lib/medusa-auth/jwt-secret"
    service.machine.run("sh", "-c", f'old=$(cat {keys}); printf "%s\\n" "{NEW_KEY}" "$old" >{keys}')
    service.systemctl("reload")
    until(lambda: "keys reloaded" in service.logged(), "the keys were not read anew", 10)
    for verb in ("", "restart"):
        if verb:
            service.systemctl(verb)
            until_ready(service)
        assert (service.shows("MainPID") == first) == (not verb)
        assert service.client.get("/admin/auth").status_code == 200
        assert httpx2.get(f"{service.client.base_url}/admin/auth", headers=bearer).status_code == 200
    service.systemctl("stop")
    assert (service.shows("Result"), service.shows("ExecMainStatus"), service.shows("NRestarts")) == (
        "success",
        "0",
        "0",
    )


@pytest.mark.parametrize("service", ["sqlite"], indirect=True)
def test_the_unit_starts_it_anew_whatever_signal_has_ended_it(service: Service):
    service.systemctl("start")
    for number in ("KILL", "TERM"):
        until_ready(service)
        first, processes = service.shows("MainPID"), service.pids()
        service.machine.run("kill", f"-{number}", first)
        until(lambda: service.shows("MainPID") not in (first, "0"), "it was not started anew", 20)  # noqa: B023
        until_ready(service)
        assert not processes & service.pids(), "a worker of before is still there"
    assert service.shows("NRestarts") == "2"
    assert service.shows("OOMPolicy") == "continue"
