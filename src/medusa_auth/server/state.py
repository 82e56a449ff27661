"""What is known of a request beside itself, kept in its ASGI scope."""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import HTTPConnection
from starlette.types import Scope

from medusa_auth.model import Context, Identity
from medusa_auth.server.proxies import Origin

__all__ = [
    "context_of",
    "header_names",
    "identity_in",
    "is_secure",
    "origin_in",
    "origin_of",
    "remember_identity",
    "remember_origin",
]

_HEADER_NAMES = "medusa_auth.header_names"
_IDENTITY = "medusa_auth.identity"
_ORIGIN = "medusa_auth.origin"


def header_names(scope: Scope) -> Collection[bytes]:
    """Of its headers, in lower case. To ask Starlette for one that is missing, as most are, takes long."""
    names: Collection[bytes] | None = scope.get(_HEADER_NAMES)
    if names is None:
        names = scope[_HEADER_NAMES] = dict(scope["headers"]).keys()
    return names


def remember_origin(scope: Scope, origin: Origin) -> None:
    scope[_ORIGIN] = origin


def origin_in(scope: Scope) -> Origin:
    origin: Origin = scope[_ORIGIN]
    return origin


def origin_of(request: HTTPConnection) -> Origin:
    return origin_in(request.scope)


def is_secure(request: HTTPConnection) -> bool:
    """Whether the client came over https."""
    return origin_of(request).scheme == "https"


def context_of(request: HTTPConnection) -> Context:
    """Where it comes from, for the record of a session."""
    return Context(origin_of(request).client, request.headers.get("user-agent"))


def remember_identity(request: HTTPConnection, identity: Identity) -> None:
    request.scope[_IDENTITY] = identity


def identity_in(scope: Scope) -> Identity | None:
    identity: Identity | None = scope.get(_IDENTITY)
    return identity
