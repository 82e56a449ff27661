"""Two bodies: as JSON, where the order of the keys counts and access tokens are looked into, or letter for letter."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.differences import Difference
from tests.conformance.exchanges import JWT_SECRET, Answer


def body_differences(medusa: Answer, ours: Answer) -> list[Difference]:
    """What differs, by its path in the JSON; of a text, all of it."""
    theirs, mine = _json(medusa), _json(ours)
    if theirs is None or mine is None:
        return [] if medusa.body == ours.body else [Difference("body", medusa.body, ours.body)]
    return list(_unequal("body", theirs, mine))


def _json(answer: Answer) -> Any:
    if not (answer.header("content-type") or "").startswith("application/json") or not answer.body:
        return None
    value = json.loads(answer.body)
    if "access_token" in value:
        value["access_token"] = _opened(value["access_token"])
    return value


def _opened(token: str) -> dict[str, Any]:
    """The header and the claims of a JWT, and whether the recording's secret signed it (RFC 7515, HS256)."""
    signed, _, signature = token.rpartition(".")
    header, claims = (json.loads(decoded(part)) for part in signed.split("."))
    digest = hmac.digest(JWT_SECRET.encode(), signed.encode(), "sha256")
    return {"header": header, "claims": claims, "signed": digest == decoded(signature)}


def encoded_token(claims: dict[str, Any]) -> str:
    """A JWT with `claims`, signed with the recording's secret."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    digest = hmac.digest(JWT_SECRET.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _unequal(path: str, theirs: Any, mine: Any) -> Iterator[Difference]:
    if isinstance(theirs, list) and isinstance(mine, list) and len(theirs) == len(mine):
        for index, (one, other) in enumerate(zip(theirs, mine, strict=True)):
            yield from _unequal(f"{path}/{index}", one, other)
        return
    if not isinstance(theirs, dict) or not isinstance(mine, dict):
        one, other = json.dumps(theirs), json.dumps(mine)
        if one != other:
            yield Difference(path, one, other)
        return
    common = [[key for key in one if key in other] for one, other in ((theirs, mine), (mine, theirs))]
    if common[0] != common[1]:
        yield Difference(f"{path} order", ", ".join(theirs), ", ".join(mine))
    for key in [*theirs, *(key for key in mine if key not in theirs)]:
        if key in theirs and key in mine:
            yield from _unequal(f"{path}/{key}", theirs[key], mine[key])
        else:
            yield Difference(f"{path}/{key}", _dumped(theirs, key), _dumped(mine, key))


def _dumped(value: dict[str, Any], key: str) -> str | None:
    return json.dumps(value[key]) if key in value else None
