"""Addresses, as the npm package validator sees them, which Medusa asks."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["is_email"]

_MAX_EMAIL_LENGTH = 254
_MAX_LOCAL_BYTES = 64
_MAX_LABEL_LENGTH = 63
# JavaScript's characters are UTF-16 units: what lies beyond U+FFFF is two of them, which only a label may hold.
_LETTERS = "\u00a1-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
_ATOM = re.compile(rf"[a-zA-Z\d!#$%&'*+\-/=?^_`{{|}}~{_LETTERS}]+", re.ASCII)
_QUOTED = re.compile(
    rf"([\s\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x21\x23-\x5b\x5d-\x7e\u00a0{_LETTERS}]"
    rf"|\\[\x01-\x09\x0b-\x7f\u00a0{_LETTERS}])*"
)
_TOP_LEVEL = re.compile(
    r"([a-zA-Z\u00a1-\u00a8\u00aa-\ud7ff\uf900-\ufdcf\ufdf0-\uffef]{2,}|[xX][nN][a-zA-Z\d-]{2,})", re.ASCII
)
_LABEL = re.compile(r"(?!-)[a-zA-Z\u00a1-\ud7ff\ue000-\uff00\uff5f-\U0010ffff\d-]+(?<!-)", re.ASCII)


def is_email(value: Any) -> bool:
    """Whether `value` is an address as the npm package validator sees it (`isEmail`, with its defaults)."""
    if not isinstance(value, str) or len(value) > _MAX_EMAIL_LENGTH:
        return False
    local, _, domain = value.rpartition("@")
    if len(local.encode("utf-8", "surrogatepass")) > _MAX_LOCAL_BYTES or not _is_domain(domain):
        return False
    if local.startswith('"') and local.endswith('"'):
        return _QUOTED.fullmatch(local[1:-1]) is not None
    return all(_ATOM.fullmatch(atom) for atom in local.split("."))


def _is_domain(value: str) -> bool:
    labels = value.split(".")
    return (
        len(labels) > 1
        and _TOP_LEVEL.fullmatch(labels[-1]) is not None
        and all(len(label) <= _MAX_LABEL_LENGTH and _LABEL.fullmatch(label) for label in labels)
    )
