"""Exchanges with a real Medusa 1.20.11, as they were recorded, and how that Medusa was set."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data" / "golden"
JWT_SECRET = "test-jwt-secret"
COOKIE_SECRET = "test-cookie-secret"
ADMIN_CORS = "http://localhost:7000,http://localhost:7001"

Headers = list[tuple[str, str]]


def joined(headers: Headers, name: str) -> str | None:
    """The values of a header, however its name is written and however often it is there; None if it is not."""
    values = [value for header, value in headers if header.lower() == name]
    return ", ".join(values) if values else None


@dataclass(frozen=True)
class Answer:
    """A status, the headers in their order, and the body."""

    status: int
    headers: Headers
    body: str

    def header(self, name: str) -> str | None:
        return joined(self.headers, name)


@dataclass(frozen=True)
class Exchange:
    """A request, and what Medusa answered."""

    name: str
    method: str
    path: str
    headers: Headers
    body: bytes
    answer: Answer

    def header(self, name: str) -> str | None:
        return joined(self.headers, name)

    @property
    def moment(self) -> datetime:
        """When it was answered, to the second."""
        return parsedate_to_datetime(self.answer.header("date") or "")

    @property
    def cookie(self) -> str | None:
        """The value of the session cookie that was sent; of many the first, as Medusa reads them."""
        return session_cookie(self.header("cookie"))

    @property
    def bearer(self) -> str | None:
        """The access token that was sent."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def user(self) -> dict[str, Any] | None:
        """The administrator in Medusa's answer."""
        found = re.match(r'\{"user":', self.answer.body)
        user: dict[str, Any] | None = json.loads(self.answer.body)["user"] if found else None
        return user


def session_cookie(header: str | None) -> str | None:
    """The value of the first session cookie in a Cookie or Set-Cookie header, as it is written there."""
    found = re.search(r"(?:^|[;,] *)connect\.sid=([^;]*)", header or "")
    return found[1] if found else None


def load(recording: str) -> list[Exchange]:
    """All of one file, in the order in which they were recorded: they build on each other."""
    return [_exchange(recorded) for recorded in json.loads((DATA / recording).read_text(encoding="utf-8"))]


def _exchange(recorded: dict[str, Any]) -> Exchange:
    request, response = recorded["request"], recorded["response"]
    return Exchange(
        name=recorded["name"],
        method=request["method"],
        path=request["path"],
        headers=[(name, value) for name, value in request["headers"]],
        body=_body(request["body"]),
        answer=Answer(
            response["status"], [(name, value) for name, value in response["headers"]], response["body"] or ""
        ),
    )


def _body(recorded: str | dict[str, str] | None) -> bytes:
    """Bodies that are no text are kept in base64; long ones are described, with the password padded to a length."""
    if recorded is None:
        return b""
    if isinstance(recorded, str):
        return recorded.encode()
    if "base64" in recorded:
        return base64.b64decode(recorded["base64"])
    (length,) = map(int, re.findall(r"padded to (\d+) bytes", recorded["repeat"]))
    frame = b'{"email":"admin@medusa-test.com","password":""}'
    return frame[:-2] + b"a" * (length - len(frame)) + frame[-2:]
