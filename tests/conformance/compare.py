"""In which ways an answer of ours differs from Medusa's, but for what is true of EVERYWHERE: see there."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.conformance.exchanges import Answer, Exchange

# Headers that Medusa has and we do not, or that we have and Medusa has not, on all answers: see the document.
EVERYWHERE = {
    "medusa": {"x-powered-by", "connection", "keep-alive", "transfer-encoding"},
    "ours": {
        "x-request-id",
        "x-content-type-options",
        "referrer-policy",
        "cross-origin-resource-policy",
        "cache-control",
        "content-security-policy",
    },
}


def differences(exchange: Exchange, ours: Answer) -> set[str]:
    """The kinds of differences, by the names that the document gives them."""
    medusa = exchange.answer
    found = _cookie_differences(exchange, ours)
    if ours.status != medusa.status:
        return found | {"status"}
    if ours.body != medusa.body:
        found |= _body_differences(medusa, ours)
    if _is_page(medusa) and not _is_page(ours):
        found.add("json-errors")
    elif _media_type(medusa) not in {None, _media_type(ours)}:
        found.add("media-type")
    found |= {"cors"} if _cors(medusa) != _cors(ours) else set()
    return found


def _cookie_differences(exchange: Exchange, ours: Answer) -> set[str]:
    theirs, mine = exchange.answer.header("set-cookie"), ours.header("set-cookie")
    if theirs is None and mine is None:
        return set()
    if mine is None:
        return {"no-anonymous-cookie"}
    if theirs is None:
        return {"logout-clears-cookie" if mine.startswith("connect.sid=;") else "new-session-id"}
    kept_id = exchange.cookie is not None and exchange.cookie in theirs
    attributes = [part.partition("=")[0] for part in theirs.split("; ")]
    ours_without_same_site = [part.partition("=")[0] for part in mine.split("; ") if part != "SameSite=Lax"]
    assert attributes == ours_without_same_site, (theirs, mine)
    return {"same-site"} | ({"new-session-id"} if kept_id else set())


def _body_differences(medusa: Answer, ours: Answer) -> set[str]:
    try:
        theirs, mine = json.loads(medusa.body), json.loads(ours.body)
    except ValueError:
        return set() if _is_page(medusa) else {"body"}
    if "access_token" in theirs:
        return {"token-id"} if _without_id(mine) == _claims(theirs) else {"body"}
    if "user" in theirs and list(theirs["user"]) == list(mine["user"]):
        return _user_differences(theirs["user"], mine["user"])
    return {"body"}


def _user_differences(theirs: dict[str, Any], mine: dict[str, Any]) -> set[str]:
    # Giving the user an API token moved `updated_at` while this was recorded: that is data.
    changed = {name for name in theirs if theirs[name] != mine[name]} - {"updated_at"}
    return {"api-token-hidden" if name == "api_token" else "body" for name in changed}


def _claims(body: dict[str, str]) -> list[tuple[str, Any]]:
    payload = body["access_token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return list(claims.items())


def _without_id(body: dict[str, str]) -> list[tuple[str, Any]]:
    *claims, (name, _) = _claims(body)
    return claims if name == "jti" else []


def _is_page(answer: Answer) -> bool:
    return answer.body.startswith("<!DOCTYPE html>") or (
        answer.header("content-security-policy") == "default-src 'none'" and _media_type(answer) == "text/html"
    )


def _media_type(answer: Answer) -> str | None:
    content_type = answer.header("content-type")
    return content_type and content_type.partition(";")[0]


def _cors(answer: Answer) -> list[tuple[str, str]]:
    """But for Access-Control-Allow-Credentials, which Medusa sends to everybody: see the document."""
    names = ("access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers", "vary")
    return [(name, answer.header(name) or "") for name in names]
