"""Settings: what is accepted, and in which sentence the rest is refused."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from medusa_auth.errors import SettingsError
from medusa_auth.settings import Settings, describe, from_env, state_dir

LONG = "b2f1c0d4e5a697887766554433221100ffee"
WEAK = {"MEDUSA_AUTH_ALLOW_WEAK_SECRETS": "1"}


def read(folder: Path, **environ: str) -> Settings:
    return from_env(environ, data_dir=folder / "data")


def test_nothing_has_to_be_set(tmp_path: Path):
    settings = read(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/data/medusa-auth.db"
    assert settings.session_life == timedelta(hours=10)
    assert settings.session_idle == timedelta(hours=1)
    assert settings.access_token_life == timedelta(hours=24)
    assert settings.admin_cors == ()
    assert settings.trusted_proxies == ()
    assert len(settings.jwt_keys) == len(settings.cookie_keys) == 1
    assert settings.jwt_keys != settings.cookie_keys


@pytest.mark.asvs("13.3.1")
def test_the_data_folder_and_its_secrets_are_for_their_owner_alone(tmp_path: Path):
    settings = read(tmp_path)
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    for name, keys in (("jwt-secret", settings.jwt_keys), ("cookie-secret", settings.cookie_keys)):
        path = settings.data_dir / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().split() == list(keys)
        assert len(keys[0]) == 43


def test_a_second_start_finds_the_same_secrets(tmp_path: Path):
    assert read(tmp_path) == read(tmp_path)


def test_two_first_starts_at_once_find_the_same_secrets(tmp_path: Path):
    program = (
        "import sys, pathlib; from medusa_auth.settings import from_env;"
        "print(from_env({}, data_dir=pathlib.Path(sys.argv[1])).jwt_keys)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    starting = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in starting}) == 1


def test_more_secrets_in_a_file_verify_and_the_first_signs(tmp_path: Path):
    first = read(tmp_path).jwt_keys[0]
    (tmp_path / "data" / "jwt-secret").write_text(f"{LONG}\n{first}\n")
    assert read(tmp_path).jwt_keys == (LONG, first)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path):
    read(tmp_path)
    (tmp_path / "data" / "jwt-secret").chmod(0o640)
    with pytest.raises(SettingsError, match="jwt-secret can be read by others"):
        read(tmp_path)


def test_an_empty_secret_file_is_refused(tmp_path: Path):
    read(tmp_path)
    (tmp_path / "data" / "cookie-secret").write_text("\n")
    with pytest.raises(SettingsError, match="cookie-secret is empty"):
        read(tmp_path)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match="data folder"):
        read(tmp_path)


def test_the_data_folder_of_the_command_line_wins(tmp_path: Path):
    environ = {"MEDUSA_AUTH_DATA_DIR": str(tmp_path / "environ")}
    assert from_env(environ).data_dir == tmp_path / "environ"
    assert from_env(environ, data_dir=tmp_path / "option").data_dir == tmp_path / "option"


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("DATABASE_URL", "sqlite:////var/lib/x.db", "database_url", "sqlite:////var/lib/x.db"),
        ("JWT_SECRET", LONG + " with spaces", "jwt_keys", (LONG + " with spaces",)),
        ("COOKIE_SECRET", LONG, "cookie_keys", (LONG,)),
        (
            "ADMIN_CORS",
            "http://localhost:7001, https://a.example",
            "admin_cors",
            ("http://localhost:7001", "https://a.example"),
        ),
        ("MEDUSA_AUTH_COOKIE_SAMESITE", "None", "cookie_same_site", "none"),
        ("MEDUSA_AUTH_SESSION_LIFE", "7d", "session_life", timedelta(days=7)),
        ("MEDUSA_AUTH_SESSION_IDLE", "90 m", "session_idle", timedelta(minutes=90)),
        ("MEDUSA_AUTH_ACCESS_TOKEN_LIFE", "3600", "access_token_life", timedelta(hours=1)),
        ("MEDUSA_AUTH_PASSWORD_SCHEME", "scrypt", "password_scheme", "scrypt"),
        ("MEDUSA_AUTH_HASHING_THREADS", "3", "hashing_threads", 3),
        ("MEDUSA_AUTH_HASHING_QUEUE", "0", "hashing_queue", 0),
        ("MEDUSA_AUTH_IDENTITIES_CACHED", "0", "identities_cached", 0),
        ("MEDUSA_AUTH_API_PAGE", "off", "api_page", False),
        ("MEDUSA_AUTH_LOG_FORMAT", "json", "log_format", "json"),
        ("MEDUSA_AUTH_SESSION_LIFE", "", "session_life", timedelta(hours=10)),
    ],
)
def test_a_good_value_is_read(tmp_path: Path, name: str, value: str, field: str, expected: object):
    assert getattr(read(tmp_path, **{name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/medusa"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("ADMIN_CORS", "*"),
        ("ADMIN_CORS", "https://a.example,*"),
        ("ADMIN_CORS", "https://a.example/"),
        ("ADMIN_CORS", "https://a.example/admin"),
        ("ADMIN_CORS", "https://A.example"),
        ("ADMIN_CORS", "a.example"),
        ("ADMIN_CORS", "null"),
        ("ADMIN_CORS", "https://user@a.example"),
        ("ADMIN_CORS", "/https?:.*/"),
        ("ADMIN_CORS", "http://["),
        ("MEDUSA_AUTH_TRUSTED_PROXIES", "nginx"),
        ("MEDUSA_AUTH_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("MEDUSA_AUTH_COOKIE_SAMESITE", "always"),
        ("MEDUSA_AUTH_SESSION_LIFE", "soon"),
        ("MEDUSA_AUTH_SESSION_LIFE", "0"),
        ("MEDUSA_AUTH_SESSION_LIFE", "-1h"),
        ("MEDUSA_AUTH_SESSION_LIFE", "99999999999d"),
        ("MEDUSA_AUTH_SESSION_IDLE", "11h"),
        ("MEDUSA_AUTH_PASSWORD_SCHEME", "md5"),
        ("MEDUSA_AUTH_HASHING_THREADS", "0"),
        ("MEDUSA_AUTH_HASHING_QUEUE", "-1"),
        ("MEDUSA_AUTH_IDENTITIES_CACHED", "many"),
        ("MEDUSA_AUTH_API_PAGE", "perhaps"),
        ("MEDUSA_AUTH_LOG_FORMAT", "xml"),
        ("MEDUSA_AUTH_ALLOW_WEAK_SECRETS", "2"),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name_and_the_reason(tmp_path: Path, name: str, value: str):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, **{name: value})
    assert re.match(rf"{name}:? .*[.]$", str(error.value))


@pytest.mark.asvs("6.3.2")
@pytest.mark.parametrize("name", ["JWT_SECRET", "COOKIE_SECRET"])
@pytest.mark.parametrize(
    "secret", ["supersecret", "SuperSecret!", "something", "changeme123", "supersecret" * 4, "medusa-medusa"]
)
@pytest.mark.parametrize("weak", [{}, WEAK])
def test_a_secret_that_everybody_knows_is_always_refused(tmp_path: Path, name: str, secret: str, weak: dict[str, str]):
    with pytest.raises(SettingsError, match=f"{name} is a secret that everybody knows") as error:
        read(tmp_path, **{name: secret}, **weak)
    assert secret not in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["JWT_SECRET", "COOKIE_SECRET", "MEDUSA_AUTH_JWT_SECRET_PREVIOUS", "MEDUSA_AUTH_COOKIE_SECRET_PREVIOUS"],
)
def test_a_short_secret_is_refused_unless_it_is_allowed(tmp_path: Path, name: str):
    with pytest.raises(SettingsError, match="shorter than 32 bytes"):
        read(tmp_path, **{name: LONG[:31]})
    read(tmp_path, **{name: LONG[:32]})
    read(tmp_path, **{name: "short-one"}, **WEAK)


@pytest.mark.asvs("14.2.4")
def test_no_secret_is_shown(tmp_path: Path):
    names = ("JWT_SECRET", "COOKIE_SECRET", "MEDUSA_AUTH_JWT_SECRET_PREVIOUS", "MEDUSA_AUTH_COOKIE_SECRET_PREVIOUS")
    secrets = {name: f"{LONG}{number}" for number, name in enumerate(names)}
    shown = repr(read(tmp_path, **secrets, REDIS_URL="redis://user:hunter2@localhost"))
    assert LONG not in shown
    assert "hunter2" not in shown


def test_the_document_tells_every_setting():
    document = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, default, text in describe():
        assert f"| `{name}` | {f'`{default}`' if default else ''} | {text} |" in document


def test_the_state_of_a_user_is_where_others_keep_theirs():
    assert state_dir({"XDG_STATE_HOME": "/state"}) == Path("/state/medusa-auth")
    assert state_dir({}) == Path.home() / ".local/state/medusa-auth"
