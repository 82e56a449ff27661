"""Exchanges with a real Medusa 1.20.11, as they were recorded."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data" / "golden" / "exchanges.json"

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """A status, the headers in their order, and the body."""

    status: int
    headers: Headers
    body: str

    def header(self, name: str) -> str | None:
        return next((value for header, value in self.headers if header.lower() == name), None)


@dataclass(frozen=True)
class Exchange:
    """A request, and what Medusa answered."""

    name: str
    method: str
    path: str
    headers: Headers
    body: bytes | None
    answer: Answer

    @property
    def moment(self) -> datetime:
        return parsedate_to_datetime(self.answer.header("date") or "")

    @property
    def cookie(self) -> str | None:
        """The session cookie that was sent."""
        return session_cookie(next((value for name, value in self.headers if name == "Cookie"), ""))


def session_cookie(header: str | None) -> str | None:
    """The value of the last session cookie in a Cookie or Set-Cookie header."""
    found = re.findall(r"connect\.sid=([^;]+)", header or "")
    return found[-1] if found else None


def load() -> list[Exchange]:
    """All, in the order in which they were recorded: they build on each other."""
    return [_exchange(recorded) for recorded in json.loads(DATA.read_text(encoding="utf-8"))]


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


def _body(recorded: str | dict[str, str] | None) -> bytes | None:
    if recorded is None:
        return None
    if isinstance(recorded, str):
        return recorded.encode()
    if "base64" in recorded:
        return base64.b64decode(recorded["base64"])
    (length,) = map(int, re.findall(r"padded to (\d+) bytes", recorded["repeat"]))
    frame = b'{"email":"admin@medusa-test.com","password":""}'
    return frame[:-2] + b"a" * (length - len(frame)) + frame[-2:]
