"""The files in deploy/ beside nginx.conf, as far as they can be judged without a machine of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from configparser import ConfigParser
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from medusa_auth.settings import DATA_DIR_VARIABLE, Settings, from_env

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
VARIABLES = {each.metadata["env"] for each in fields(Settings) if each.metadata}
OF_THE_UNIT = {"LISTEN_HOST", "LISTEN_PORT", "WORKERS"}
SERVERS = ("auth-1", "auth-2")
# As docs/deploy.md makes it, in .env.
ENV = {
    **dict.fromkeys(("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "JWT_SECRET", "COOKIE_SECRET"), "x" * 32),
    "SERVER_NAME": "store.example.com",
}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:(:[?-])([^${}]*))?\}")
# What systemd-analyze says of a unit is between 0 (shut off from everything) and 10.
MOST_EXPOSURE = "20"  # tenths

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    text = (DEPLOY / "medusa-auth.service").read_text("utf-8")
    program = "/opt/medusa-auth/bin/medusa-auth"
    assert program in text
    path = tmp_path / "medusa-auth.service"
    path.write_text(text.replace(program, sys.executable), "utf-8")
    return path


@pytest.fixture
def compose() -> dict[str, Any]:
    return parsed("compose.yaml")


@pytest.fixture
def shared() -> dict[str, Any]:
    """What is said over compose.yaml beside a Medusa."""
    return parsed("compose.shared.yaml")


def parsed(name: str) -> dict[str, Any]:
    found = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """As Compose does it, the innermost first. Raises LookupError for what is needed and not given."""

    def value(match: re.Match[str]) -> str:
        name, mark, rest = match.groups()
        if given.get(name):
            return given[name]
        if mark == ":?":
            raise LookupError(name)
        return rest or ""

    while (other := VARIABLE.sub(value, text)) != text:
        text = other
    return text


def filled(environment: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What a server has: what is in `.env`, and over it what the file says."""
    return {**given, **{name: interpolated(str(each), given) for name, each in environment.items()}}


@needs_systemd
def test_systemd_finds_nothing_wrong_in_the_unit(unit: Path):
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    # It also tells of the faults of other units of this machine.
    assert "medusa-auth" not in checked.stdout + checked.stderr


@needs_systemd
def test_the_unit_is_shut_off_from_what_it_does_not_need(unit: Path):
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-500:]
    (exposure,) = re.findall(r"Overall exposure level for medusa-auth.service: ([0-9.]+)", checked.stdout)
    assert f"says {exposure}, of 10" in (DEPLOY.parent / "docs" / "deploy.md").read_text("utf-8")


def test_the_unit_reloads_and_ends_in_good_order_and_keeps_its_data_to_itself(unit: Path):
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit, "utf-8")
    service = parser["Service"]
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")
    assert (service["Restart"], service["OOMPolicy"]) == ("always", "continue")
    # 30 s for requests, 5 s for a mail (docs/operating.md).
    assert int(service["TimeoutStopSec"]) > 35
    assert (service["StateDirectory"], service["StateDirectoryMode"]) == ("medusa-auth", "0700")


def test_every_variable_of_the_example_is_a_setting_and_what_is_set_in_it_is_good(tmp_path: Path):
    text = (DEPLOY / "environment.example").read_text("utf-8")
    assert set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)) <= VARIABLES | OF_THE_UNIT | {DATA_DIR_VARIABLE}
    from_env(dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE)), data_dir=tmp_path / "data")


def test_the_shell_reads_the_example_as_systemd_does(tmp_path: Path):
    """With everything in it that is only proposed."""
    text = re.sub(r"^#([A-Z_]+=)", r"\1", (DEPLOY / "environment.example").read_text("utf-8"), flags=re.MULTILINE)
    file = tmp_path / "environment"
    file.write_text(text, "utf-8")
    read = subprocess.run(
        ["sh", "-euc", f"set -a; . {file}; env -0"], capture_output=True, text=True, check=True, env={}
    )
    given = dict(line.split("=", 1) for line in read.stdout.split("\0") if line)
    assert dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE)).items() <= given.items()


def test_no_secret_of_compose_has_a_default():
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    asked_for = re.findall(r"\$\{([A-Z_]*(?:SECRET|PASSWORD)[A-Z_]*)([^}]*)\}", text)
    assert {name for name, _ in asked_for} == {"JWT_SECRET", "COOKIE_SECRET", "POSTGRES_PASSWORD", "VALKEY_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in asked_for)


def test_every_service_of_compose_is_known_to_be_healthy_before_who_needs_it_starts(compose: dict[str, Any]):
    services = compose["services"]
    for name in ("postgres", "valkey", "nginx"):
        assert services[name]["healthcheck"]["test"]
    assert "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text("utf-8"), "it is the servers' own"
    for name in SERVERS:
        conditions = {needed: each["condition"] for needed, each in services[name]["depends_on"].items()}
        assert conditions == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "valkey": "service_healthy",
        }


@pytest.mark.parametrize("name", SERVERS)
def test_the_settings_of_compose_are_good(compose: dict[str, Any], tmp_path: Path, name: str):
    service = compose["services"][name]
    assert set(service["environment"]) <= VARIABLES
    settings = from_env(filled(service["environment"], ENV), data_dir=tmp_path / name)
    subnet = compose["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert [str(network) for network in settings.trusted_proxies] == [subnet]
    assert settings.public_url == "https://store.example.com"


@pytest.mark.parametrize("name", [*SERVERS, "migrate"])
def test_every_setting_in_the_file_of_secrets_reaches_the_servers_of_compose(compose: dict[str, Any], name: str):
    """But for where the stores are, which are its own."""
    service = compose["services"][name]
    assert service["env_file"] == [{"path": ".env", "required": False}]
    given = {**ENV, **{variable: f"a {variable}" for variable in VARIABLES}}
    reached = filled(service["environment"], given)
    assert {variable for variable in VARIABLES if reached[variable] != given[variable]} == {"DATABASE_URL", "REDIS_URL"}


@pytest.mark.parametrize("name", [*SERVERS, "migrate"])
def test_beside_a_medusa_the_servers_of_compose_have_its_stores(
    compose: dict[str, Any], shared: dict[str, Any], tmp_path: Path, name: str
):
    stores = {"DATABASE_URL": "postgresql://medusa@host.docker.internal/m", "REDIS_URL": "redis://host.docker.internal"}
    service, over = compose["services"][name], shared["services"][name]
    settings = from_env(
        filled({**service["environment"], **over["environment"]}, {**ENV, **stores}), data_dir=tmp_path / "data"
    )
    assert settings.shared
    assert (settings.database_url, settings.redis_url) == (stores["DATABASE_URL"], stores["REDIS_URL"])
    assert over["extra_hosts"] == compose["services"]["nginx"]["extra_hosts"]
    for needed in stores:
        with pytest.raises(LookupError):
            filled(over["environment"], {**ENV, **stores, needed: ""})


@pytest.mark.parametrize("name", [*SERVERS, "migrate"])
def test_beside_a_medusa_nobody_waits_for_stores_that_are_not_started(
    compose: dict[str, Any], shared: dict[str, Any], name: str
):
    not_started = {each for each, service in shared["services"].items() if service.get("profiles")}
    needed = compose["services"][name]["depends_on"].keys() - {"migrate"}
    over = shared["services"][name]["depends_on"]
    assert not_started == needed == {each for each, how in over.items() if how["required"] is False}


def test_postgresql_of_compose_is_healthy_only_when_it_takes_connections_of_others(compose: dict[str, Any]):
    """While it makes its database it answers over its socket alone."""
    assert "-h 127.0.0.1" in " ".join(compose["services"]["postgres"]["healthcheck"]["test"])


def test_the_certificate_of_compose_is_where_nginx_looks_for_it_also_under_another_name(compose: dict[str, Any]):
    text = (DEPLOY / "nginx.conf").read_text("utf-8").replace("store.example.com", "shop.example")
    given = ENV | {"SERVER_NAME": "shop.example"}
    mounted = [interpolated(each, given).split(":") for each in compose["services"]["nginx"]["volumes"]]
    assert ["./certificates", "/etc/letsencrypt/live/shop.example", "ro"] in mounted
    for file in ("fullchain.pem", "privkey.pem"):
        assert f" /etc/letsencrypt/live/shop.example/{file};" in text


def test_git_takes_no_secret_of_compose():
    ignored = (DEPLOY.parent / ".gitignore").read_text("utf-8").splitlines()
    assert {"deploy/.env", "deploy/certificates/"} <= set(ignored)


def test_nginx_meets_the_servers_in_the_network_that_they_trust_alone(compose: dict[str, Any]):
    services = compose["services"]
    for name in SERVERS:
        assert set(services[name]["networks"]) & set(services["nginx"]["networks"]) == {"inside"}


def test_nginx_of_compose_is_sent_to_the_servers_of_compose():
    text = (DEPLOY / "compose-upstreams.conf").read_text("utf-8")
    port = re.findall(r'"--port", "(\d+)"', (DEPLOY / "Dockerfile").read_text("utf-8"))[0]
    assert re.findall(r"server ([^\s;]+)", text) == [
        *(f"{name}:{port}" for name in SERVERS),
        "host.docker.internal:9000",
    ]


def test_nginx_of_compose_finds_a_server_that_was_made_anew(compose: dict[str, Any]):
    """It asks for a name once, at its start, unless it is told to ask again, which it can since 1.27.3."""
    text = (DEPLOY / "compose-upstreams.conf").read_text("utf-8")
    assert re.findall(r"server (auth-\d):9000 resolve ", text) == list(SERVERS)
    assert "resolver 127.0.0.11 " in text
    major, minor = compose["services"]["nginx"]["image"].removeprefix("nginx:").split(".")
    assert (int(major), int(minor)) >= (1, 28)


def test_the_image_is_not_run_by_root():
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    last_stage = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER medusa-auth" in last_stage


@pytest.mark.parametrize("name", ["upstreams.conf", "compose-upstreams.conf"])
def test_nginx_lets_go_of_a_connection_before_the_server_does(name: str):
    # uvicorn's and Node's is 5 s.
    found = re.findall(r"keepalive_timeout (\d+)s", (DEPLOY / name).read_text("utf-8"))
    assert [int(seconds) < 5 for seconds in found] == [True, True]
