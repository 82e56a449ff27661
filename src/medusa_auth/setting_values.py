"""What the text of a setting means: each function makes it a value, or raises ValueError with what is needed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from email.utils import parseaddr
from urllib.parse import SplitResult, urlsplit

__all__ = [
    "SMTP_PORTS",
    "Network",
    "choice",
    "count",
    "database_url",
    "duration",
    "flag",
    "header_or_off",
    "link",
    "mailbox",
    "networks",
    "origins",
    "public_url",
    "redis_url",
    "secret",
    "secrets",
    "smtp_url",
    "text",
]

# RFC 6409, and RFC 8314 for TLS from the start.
SMTP_PORTS = {"smtp": 587, "smtp+starttls": 587, "smtps": 465}
# Longer ones are a slip of the hand, and the calendar ends.
MAX_DURATION = timedelta(days=3650)
# Medusa's are in milliseconds, and whoever copies one means a thousandth of it.
MAX_BARE_DURATION = timedelta(days=31)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def flag(value: str) -> bool:
    words = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}
    try:
        return words[value.lower()]
    except KeyError:
        raise ValueError("on or off is needed") from None


def choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)} is needed")
        return value.lower()

    return parse


def duration(value: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,9})\s*([smhd]?)", value)
    if match is None or int(match[1]) == 0:
        raise ValueError("a duration such as 3600, 90m, 10h or 7d is needed")
    found = timedelta(seconds=int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]])
    if found > MAX_DURATION:
        raise ValueError("at most 3650d is possible")
    if not match[2] and found > MAX_BARE_DURATION:
        raise ValueError(
            f"a number without a unit is seconds, here {found.days} days: write {found.days}d if you mean it"
        )
    return found


def count(value: str, *, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < least:
        raise ValueError(f"a whole number of at least {least} is needed")
    return int(value)


def header_or_off(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a header can carry printable ASCII in one line")
    return "off" if value.lower() in ("off", "0", "no", "false") else value


def origins(value: str) -> tuple[str, ...]:
    return tuple(origin(part) for part in re.split(r"[,\s]+", value) if part)


def origin(value: str) -> str:
    if value == "*":
        raise ValueError("* would let every site use the administrators' cookies: name each origin")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{value!r} is not an origin such as https://admin.example.com (no path, no slash at the end)")
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    try:
        odd_port = value.endswith((":", default)) or parts.port == 0
    except ValueError:
        odd_port = True
    if odd_port or not value.isascii():
        raise ValueError(f"{value!r} is not written as browsers send it: no default port, and xn-- for other letters")
    if "@" in parts.netloc or value != value.lower():
        raise ValueError(f"{value!r} is not written as browsers send it: lower case, no user")
    return value


def networks(value: str) -> tuple[Network, ...]:
    try:
        found = tuple(ipaddress.ip_network(part) for part in re.split(r"[,\s]+", value) if part)
    except ValueError as error:
        raise ValueError(f"addresses or networks such as 10.0.0.0/8 are needed ({error})") from None
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("everybody is no proxy: name the addresses or networks of yours")
    return found


def database_url(value: str) -> str:
    if re.match(r"postgres(ql)?://[^/]", value):
        return value
    if not re.match(r"sqlite:///.", value) or value == "sqlite:///:memory:":
        raise ValueError("sqlite:/// and the path of a file, or postgresql://user:password@host/database is needed")
    if not value.startswith("sqlite:////"):
        # Each command would have a database of its own, in the folder that it was called in.
        raise ValueError("the whole path is needed, such as sqlite:////var/lib/store.db, with four slashes")
    return value


def redis_url(value: str) -> str:
    if not re.match(r"(rediss?(\+(sentinel|cluster))?|unix)://.", value):
        raise ValueError("redis://, rediss://, unix://, redis+sentinel:// or redis+cluster:// and a host is needed")
    return value


def public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in value:
        raise ValueError("an address such as https://admin.example.com is needed")
    _check_port(parts)
    return value.rstrip("/")


def link(value: str) -> str:
    if value.count("{token}") != 1 or not value.startswith(("/", "http://", "https://")) or value.startswith("//"):
        raise ValueError("an address or a path with {token} in it is needed")
    return value


def smtp_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in SMTP_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("smtp://, smtp+starttls:// or smtps:// and a host is needed")
    _check_port(parts)
    return value


def _check_port(parts: SplitResult) -> None:
    try:
        parts.port  # noqa: B018 - raises
    except ValueError:
        raise ValueError("the port is not a number up to 65535") from None


def text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    return value


def mailbox(value: str) -> str:
    _, address = parseaddr(value)
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address) or not value.isprintable():
        raise ValueError("an address such as `Store <store@example.com>` is needed")
    return value


def secret(value: str) -> tuple[str, ...]:
    return (value,)


def secrets(value: str) -> tuple[str, ...]:
    return tuple(value.split())
