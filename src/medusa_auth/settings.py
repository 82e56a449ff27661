"""One frozen `Settings`; `from_env` is the only reader of the environment.

A setting has Medusa's name where Medusa has one, else it starts with `MEDUSA_AUTH_`. A wrong value raises
`SettingsError` with a sentence that says which setting, and why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from medusa_auth import setting_values as parse
from medusa_auth.data_dir import DataDir
from medusa_auth.errors import SettingsError

__all__ = [
    "DATA_DIR_VARIABLE",
    "MIN_SECRET_BYTES",
    "PUBLIC_URL_VARIABLE",
    "Keys",
    "Settings",
    "describe",
    "from_env",
    "reread_keys",
    "state_dir",
    "unchangeable_keys",
    "unknown_variables",
    "usable_cores",
]

DATA_DIR_VARIABLE = "MEDUSA_AUTH_DATA_DIR"
PUBLIC_URL_VARIABLE = "MEDUSA_AUTH_PUBLIC_URL"
# Of commands, and no settings.
_OTHER_VARIABLES = frozenset({DATA_DIR_VARIABLE, "MEDUSA_AUTH_IMPORT_FROM"})
DEFAULT_DATA_DIR = ".medusa-auth"

# RFC 7518, section 3.2: a key for HS256 has at least the size of its hash.
MIN_SECRET_BYTES = 32
# What Medusa's starters and guides use, and what people write when they are asked for a secret, once or repeated.
_KNOWN_SECRETS = re.compile(
    "(supersecret|secret|something|changeme|password|medusa|medusajs|default|admin|test|yoursecret|mysecret|topsecret"
    "|jwtsecret|cookiesecret|yourjwtsecret|yourcookiesecret|sessionsecret)\\1*"
)

# Each kind of secret: where it is in the environment, and else in the data folder.
_SECRETS = {"jwt_secrets": ("JWT_SECRET", "jwt-secret"), "cookie_secrets": ("COOKIE_SECRET", "cookie-secret")}

T = TypeVar("T")
SameSite = Literal["lax", "strict", "none"]
PasswordScheme = Literal["argon2id", "scrypt"]
LogFormat = Literal["auto", "json", "console"]


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _setting(env: str, read: Callable[[str], T], default: object, doc: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"env": env, "read": read, "doc": doc})


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs and verifies: of each kind the first signs, and all verify. Never in its repr."""

    jwt: tuple[str, ...] = field(repr=False)
    cookie: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set. Secrets are not in its repr."""

    data_dir: Path
    database_url: str = _setting(
        "DATABASE_URL",
        parse.database_url,
        "",
        "Where records are kept: `postgresql://user:password@host/database` or `sqlite:////path`. Unset: "
        "`medusa-auth.db` in the data folder.",
        secret=True,
    )
    redis_url: str = _setting(
        "REDIS_URL",
        parse.redis_url,
        "",
        "Where sessions are kept: `redis://user:password@host:6379/0`, `rediss://` (TLS), `unix://`, "
        "`redis+sentinel://host,host/service/0` or `redis+cluster://host,host`; Redis 7 or Valkey. "
        "Unset: in the database.",
        secret=True,
    )
    redis_prefix: str = _setting(
        "MEDUSA_AUTH_REDIS_PREFIX", parse.text, "", "Comes before every key in Redis, as Medusa's `redis_prefix`."
    )
    shared: bool = _setting(
        "MEDUSA_AUTH_SHARED",
        parse.flag,
        False,
        "Share sessions, tokens, users and invites with a running Medusa v1 (docs/shared.md). Needs its database, "
        "Redis, `JWT_SECRET` and `COOKIE_SECRET`.",
    )
    jwt_secrets: tuple[str, ...] = _setting(
        "JWT_SECRET",
        parse.secret,
        (),
        "Signs access tokens. Unset: made at the first start, in `jwt-secret` in the data folder.",
        secret=True,
    )
    jwt_secrets_previous: tuple[str, ...] = _setting(
        "MEDUSA_AUTH_JWT_SECRET_PREVIOUS",
        parse.secrets,
        (),
        "Older secrets that still verify access tokens, separated by spaces.",
        secret=True,
    )
    cookie_secrets: tuple[str, ...] = _setting(
        "COOKIE_SECRET",
        parse.secret,
        (),
        "Signs session cookies. Unset: made at the first start, in `cookie-secret` in the data folder.",
        secret=True,
    )
    cookie_secrets_previous: tuple[str, ...] = _setting(
        "MEDUSA_AUTH_COOKIE_SECRET_PREVIOUS",
        parse.secrets,
        (),
        "Older secrets that still verify cookies, separated by spaces.",
        secret=True,
    )
    allow_weak_secrets: bool = _setting(
        "MEDUSA_AUTH_ALLOW_WEAK_SECRETS",
        parse.flag,
        False,
        "Accept secrets shorter than 32 bytes. `supersecret` and its like are refused all the same.",
    )
    admin_cors: tuple[str, ...] = _setting(
        "ADMIN_CORS",
        parse.origins,
        (),
        "Origins of the browsers' pages that may use this server with cookies, separated by commas, each exact.",
    )
    trusted_proxies: tuple[parse.Network, ...] = _setting(
        "MEDUSA_AUTH_TRUSTED_PROXIES",
        parse.networks,
        (),
        "Addresses or networks of the proxies whose X-Forwarded-For, -Proto and -Host are believed.",
    )
    cookie_same_site: SameSite = _setting(
        "MEDUSA_AUTH_COOKIE_SAMESITE",
        parse.choice("lax", "strict", "none"),
        "lax",
        "SameSite of the session cookie. `none` is for a dashboard on another site, over https only.",
    )
    session_life: timedelta = _setting(
        "MEDUSA_AUTH_SESSION_LIFE",
        parse.duration,
        timedelta(hours=10),
        "A session ends this long after the login, whatever happens (Medusa's cookie: 10 h).",
    )
    session_idle: timedelta = _setting(
        "MEDUSA_AUTH_SESSION_IDLE",
        parse.duration,
        timedelta(hours=1),
        "A session ends when it was not used for this long (NIST SP 800-63B-4, 2.2.3: at most 1 h).",
    )
    access_token_life: timedelta = _setting(
        "MEDUSA_AUTH_ACCESS_TOKEN_LIFE",
        parse.duration,
        timedelta(hours=24),
        "An access token ends this long after it was made (Medusa: 24 h).",
    )
    password_scheme: PasswordScheme = _setting(
        "MEDUSA_AUTH_PASSWORD_SCHEME",
        parse.choice("argon2id", "scrypt"),
        "argon2id",
        "How new password hashes are made. `scrypt` makes hashes that a Medusa on the same user table verifies, and is "
        "what shared mode uses.",
    )
    password_rules: bool = _setting(
        "MEDUSA_AUTH_PASSWORD_RULES",
        parse.flag,
        True,
        "Whether a new password must be long, not common, and not one's own name. `off` accepts what Medusa does.",
    )
    password_min_length: int = _setting(
        "MEDUSA_AUTH_PASSWORD_MIN_LENGTH",
        partial(parse.count, least=8),
        8,
        "The least length of a new password (NIST SP 800-63B-4, 3.1.1.2: 15 without a second factor, never under 8).",
    )
    roles: bool = _setting(
        "MEDUSA_AUTH_ROLES",
        parse.flag,
        True,
        "Whether roles mean something (docs/roles.md). `off` stops nobody, as Medusa.",
    )
    public_url: str = _setting(
        PUBLIC_URL_VARIABLE,
        parse.public_url,
        "http://localhost:9000",
        "Where people reach this server: links in mails begin with it. Unset: the address that `serve` listens on.",
    )
    invite_url: str = _setting(
        "MEDUSA_AUTH_INVITE_URL",
        parse.link,
        "/console/accept-invite#token={token}",
        "Where the link of an invite leads, with `{token}`; below the public URL if it begins with `/`. Medusa's "
        "dashboard: `/app/invite?token={token}`.",
    )
    reset_url: str = _setting(
        "MEDUSA_AUTH_RESET_URL",
        parse.link,
        "/console/reset-password#token={token}",
        "As the invite's, of a password reset. Medusa's dashboard: `/app/reset-password?token={token}`.",
    )
    smtp_url: str = _setting(
        "MEDUSA_AUTH_SMTP_URL",
        parse.smtp_url,
        "",
        "The mail server: `smtp://user:password@host:port` (STARTTLS if it is offered), `smtp+starttls://` (always), "
        "`smtps://` (TLS from the start). Unset: mails become files in `mail` in the data folder.",
        secret=True,
    )
    mail_from: str = _setting(
        "MEDUSA_AUTH_MAIL_FROM",
        parse.mailbox,
        "medusa-auth <medusa-auth@localhost>",
        "Who mails come from.",
    )
    hashing_threads: int = _setting(
        "MEDUSA_AUTH_HASHING_THREADS",
        partial(parse.count, least=1),
        max(1, usable_cores() - 1),
        "How many passwords a worker hashes at once, with 19 MiB each (scrypt, as in shared mode: 32 MiB). Unset: one "
        "for each core but one, which checks; `serve` divides them among its workers.",
    )
    hashing_queue: int = _setting(
        "MEDUSA_AUTH_HASHING_QUEUE",
        partial(parse.count, least=0),
        64,
        "How many logins may wait for a hashing thread of a worker; more are answered 503.",
    )
    identities_cached: int = _setting(
        "MEDUSA_AUTH_IDENTITIES_CACHED",
        partial(parse.count, least=0),
        10_000,
        "How many verified credentials a worker remembers. 0: none, every check asks the store.",
    )
    hsts: str = _setting(
        "MEDUSA_AUTH_HSTS",
        parse.header_or_off,
        "max-age=31536000",
        "Strict-Transport-Security of answers over https; `off` sends none (RFC 6797).",
    )
    api_page: bool = _setting("MEDUSA_AUTH_API_PAGE", parse.flag, True, "Whether /openapi.json and /docs are served.")
    log_format: LogFormat = _setting(
        "MEDUSA_AUTH_LOG_FORMAT",
        parse.choice("auto", "json", "console"),
        "auto",
        "`json`, `console`, or `auto`: console on a terminal, else JSON.",
    )

    def __post_init__(self) -> None:
        _check_secrets("JWT_SECRET", (*self.jwt_secrets, *self.jwt_secrets_previous), weak=self.allow_weak_secrets)
        _check_secrets(
            "COOKIE_SECRET", (*self.cookie_secrets, *self.cookie_secrets_previous), weak=self.allow_weak_secrets
        )
        if self.shared:
            _check_shared(self)
        if self.session_idle > self.session_life:
            raise SettingsError(
                "MEDUSA_AUTH_SESSION_IDLE is longer than MEDUSA_AUTH_SESSION_LIFE: "
                "a session cannot be idle for longer than it lives."
            )

    @property
    def jwt_keys(self) -> tuple[str, ...]:
        """Signs with the first, verifies with all."""
        return (*self.jwt_secrets, *self.jwt_secrets_previous)

    @property
    def cookie_keys(self) -> tuple[str, ...]:
        """Signs with the first, verifies with all."""
        return (*self.cookie_secrets, *self.cookie_secrets_previous)

    @property
    def keys(self) -> Keys:
        return Keys(self.jwt_keys, self.cookie_keys)


def _check_shared(settings: Settings) -> None:
    if not settings.database_url.startswith("postgres") or not settings.redis_url:
        raise SettingsError("MEDUSA_AUTH_SHARED needs Medusa's own DATABASE_URL (postgresql://) and REDIS_URL.")
    if settings.password_scheme != "scrypt":  # noqa: S105 - a name
        raise SettingsError("MEDUSA_AUTH_SHARED needs MEDUSA_AUTH_PASSWORD_SCHEME=scrypt: Medusa knows no other hash.")


def _check_secrets(name: str, secrets: tuple[str, ...], *, weak: bool) -> None:
    if not secrets:
        raise SettingsError(f"{name} is empty: leave it unset to have one made in the data folder, or give one.")
    for secret in secrets:
        try:
            secret.encode()
        except UnicodeEncodeError:
            raise SettingsError(f"{name} is not UTF-8.") from None
        if _KNOWN_SECRETS.fullmatch(re.sub(r"[^a-z]", "", secret.lower())):
            raise SettingsError(f"{name} is a secret that everybody knows: make one with `openssl rand -base64 32`.")
        if len(secret.encode()) < MIN_SECRET_BYTES and not weak:
            raise SettingsError(
                f"{name} is shorter than {MIN_SECRET_BYTES} bytes: make one with `openssl rand -base64 32`, "
                "or set MEDUSA_AUTH_ALLOW_WEAK_SECRETS=1 while a Medusa beside this server uses the short one."
            )


def from_env(
    environ: Mapping[str, str] | None = None, *, data_dir: Path | None = None, keys: Keys | None = None
) -> Settings:
    """The settings of `environ` (default: the process's), with secrets from the data folder where they are not set.

    `data_dir` wins over `MEDUSA_AUTH_DATA_DIR`. The data folder and the secrets in it are made where they are missing.
    An empty variable counts as unset. `keys` win over all secrets, and then no file is read. Raises SettingsError.
    """
    environ = os.environ if environ is None else environ
    folder = DataDir(data_dir or Path(environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR))
    folder.make()
    values = {each.name: _parse(each, environ) for each in fields(Settings) if _given(each, environ)}
    if values.get("shared"):
        values.setdefault("password_scheme", "scrypt")
        # What a Medusa beside this server signs with has to be known, and cannot be made here.
        missing = [variable for name, (variable, _) in _SECRETS.items() if name not in values]
        if missing:
            raise SettingsError(f"MEDUSA_AUTH_SHARED needs {' and '.join(missing)}, the same as Medusa's.")
    values.setdefault("database_url", f"sqlite:///{folder.path / 'medusa-auth.db'}")
    if keys is not None:
        values |= {"jwt_secrets": keys.jwt, "jwt_secrets_previous": ()}
        values |= {"cookie_secrets": keys.cookie, "cookie_secrets_previous": ()}
    for name, (_, file) in _SECRETS.items():
        if name not in values:
            values[name] = folder.secrets(file)
    return Settings(data_dir=folder.path, **values)


def reread_keys(settings: Settings, environ: Mapping[str, str] | None = None) -> Keys:
    """The keys of `settings` as they are now: those in the data folder may have changed, those in `environ` cannot.

    Nothing is made. Raises SettingsError if a file cannot be read, is missing or empty, or holds what is no key.
    """
    fixed = unchangeable_keys(environ)
    folder = DataDir(settings.data_dir)
    read = {
        name: folder.secrets(file, make=False) for name, (variable, file) in _SECRETS.items() if variable not in fixed
    }
    return replace(settings, **read).keys  # type: ignore[arg-type] # each is a tuple of secrets


def unchangeable_keys(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The variables that give keys: a process keeps the environment that it was started with."""
    environ = os.environ if environ is None else environ
    return tuple(
        each.metadata["env"]
        for each in fields(Settings)
        # Also those that only verify: `jwt_secrets_previous`.
        if each.name.startswith(tuple(_SECRETS)) and _given(each, environ)
    )


def _given(each: Field[Any], environ: Mapping[str, str]) -> bool:
    return bool(environ.get(each.metadata.get("env", "")))


def _parse(each: Field[Any], environ: Mapping[str, str]) -> Any:
    name = each.metadata["env"]
    try:
        return each.metadata["read"](environ[name].strip())
    except ValueError as error:
        shown = f" is {environ[name]!r}" if each.repr else ""
        raise SettingsError(f"{name}{shown}: {error}.") from None


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Those that begin as our settings do, and are none: most likely misspelt."""
    environ = os.environ if environ is None else environ
    known = {each.metadata["env"] for each in fields(Settings) if each.metadata} | _OTHER_VARIABLES
    return sorted(name for name in environ if name.startswith("MEDUSA_AUTH_") and name not in known)


def describe() -> list[tuple[str, str, str]]:
    """Every setting as (variable, default, what it does), in the order of `Settings`, for the docs."""
    return [(each.metadata["env"], _shown(each), each.metadata["doc"]) for each in fields(Settings) if each.metadata]


def _shown(each: Field[Any]) -> str:
    if each.name == "hashing_threads" or each.default in ("", ()):
        return ""
    if isinstance(each.default, timedelta):
        return f"{each.default // timedelta(hours=1)}h"
    if isinstance(each.default, bool):
        return "on" if each.default else "off"
    return str(each.default)


def state_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where the command line keeps its user's login: `medusa-auth` in `$XDG_STATE_HOME`, else in `~/.local/state`."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "medusa-auth"
