"""Paths and queries as medusa-js writes them, but that an id stays one segment of its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from msgspec import UNSET

from medusa_auth.client.config import read_path
from medusa_auth.client.payloads import is_text
from medusa_auth.errors import InvalidRequestError
from medusa_auth.wire import timestamp

__all__ = ["path_of", "with_query"]


def path_of(folder: str, identifier: str) -> str:
    """The path of what has that id, percent-encoded. No message shows the id: it may be a token, given by mistake.

    Raises TypeError for what is no text, InvalidRequestError for an id that is empty or leads out of `folder`.
    """
    if not isinstance(identifier, str):
        raise TypeError(f"an id is a str, not {type(identifier).__name__}")
    if not identifier:
        raise InvalidRequestError("an id must not be empty")
    return read_path(f"{folder}/{_encoded(identifier)}")


def with_query(path: str, query: Mapping[str, Any] | None) -> str:
    """`path` with `query` as qs, of medusa-js, writes it: `id[0]=...`, `created_at[gt]=...`, times in UTC.

    None is left out, as qs leaves out undefined. Raises TypeError for what a query cannot hold, InvalidRequestError for
    a text that cannot be sent.
    """
    if query is None:
        return path
    if not isinstance(query, Mapping):
        raise TypeError(f"a query is a dict, not {type(query).__name__}")
    pairs = [pair for name, value in query.items() for pair in _pairs(_name(name), value)]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def _pairs(name: str, value: object) -> Iterator[str]:
    if value is None or value is UNSET:
        return
    if isinstance(value, Mapping):
        parts = [(_name(key), part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(str(index), part) for index, part in enumerate(value)]
    else:
        yield f"{_encoded(name)}={_encoded(_text(value))}"
        return
    for key, part in parts:
        yield from _pairs(f"{name}[{key}]", part)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError("the names in a query are text: a dict with str keys")
    return name


def _text(value: object) -> str:
    """`value` as JavaScript writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return timestamp(value)
    if not isinstance(value, str | int | float):
        raise TypeError(f"a query cannot hold a {type(value).__name__}")
    return str(value)


def _encoded(text: str) -> str:
    """All but RFC 3986's unreserved characters percent-encoded, the slash too."""
    if not is_text(text):
        raise InvalidRequestError("a text in an address cannot be sent: it holds half a surrogate pair")
    return quote(text, safe="")
