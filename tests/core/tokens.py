"""Access tokens as nobody but a test would write them, signed with our key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from tests.core.house import CLAIMS, KEY, NOW

from medusa_auth.core.access_tokens import AccessTokens

IAT = int(NOW.timestamp())
GOOD: dict[str, Any] = {"user_id": "usr_1", "domain": "admin", "iat": IAT, "exp": IAT + 60, "jti": "id"}
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
TOKENS = AccessTokens([KEY], CLAIMS, timedelta(hours=24))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: Any, header: Any = HEADER, key: str = KEY) -> str:
    """A token with this header and payload, signed with HS256 whatever the header says."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = ".".join(map(b64, parts))
    return f"{text}.{b64(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}
