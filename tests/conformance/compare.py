"""In what an answer of ours differs from Medusa's, but for the headers that are the same on every answer."""

from __future__ import annotations

import base64
import hashlib

from tests.conformance.bodies import body_differences
from tests.conformance.differences import Difference
from tests.conformance.exchanges import Answer, Exchange
from tests.conformance.set_cookies import set_cookie_differences

# Compared with every answer. Access-Control-Allow-Credentials follows a rule of its own: see the tests.
HEADERS = (
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "vary",
    "allow",
)


def differences(exchange: Exchange, ours: Answer) -> list[Difference]:
    """Everything that is not the same. With another status comes another body: then only the status is told."""
    medusa = exchange.answer
    found = set_cookie_differences(medusa.header("set-cookie"), ours.header("set-cookie"))
    for name in HEADERS:
        found += _header(name, medusa, ours)
    if medusa.status != ours.status:
        return [Difference("status", str(medusa.status), f"{ours.status} {ours.body}"), *found]
    return [
        *found,
        *body_differences(medusa, ours),
        *_header("content-type", medusa, ours),
        *_tag_and_length(medusa, ours),
    ]


def _header(name: str, medusa: Answer, ours: Answer) -> list[Difference]:
    theirs, mine = medusa.header(name), ours.header(name)
    return [] if theirs == mine else [Difference(name, theirs, mine)]


def _tag_and_length(medusa: Answer, ours: Answer) -> list[Difference]:
    """They follow from the body: where that is another, a tag has to be what Express would make of it.

    That a length is the body's was checked when the answer was read; Medusa leaves it out of its bare 401.
    """
    found = _header("etag", medusa, ours)
    if medusa.body != ours.body:
        return found if ours.header("etag") != express_etag(ours.body) else []
    return found + (_header("content-length", medusa, ours) if medusa.header("content-length") else [])


def express_etag(body: str) -> str:
    """The weak tag of the npm package `etag`: the length in hex, and 27 characters of the SHA-1 in base64."""
    content = body.encode()
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    return f'W/"{len(content):x}-{digest[:27]}"'
