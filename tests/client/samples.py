"""Bodies as a real Medusa 1.20.11 answered them."""

from __future__ import annotations

import base64
import json
from typing import Any

EMAIL = "admin@medusa-test.com"
PASSWORD = "supersecret"
LOGIN = {"email": EMAIL, "password": PASSWORD}

USER = (
    '{"user":{"id":"usr_01M85M3N8B8MBGF9Q3YG3YEACZ","created_at":"2026-11-24T01:53:13.446Z",'
    '"updated_at":"2026-11-24T01:53:13.446Z","deleted_at":null,"role":"member","email":"admin@medusa-test.com",'
    '"first_name":null,"last_name":null,"api_token":null,"metadata":null}}'
)
COOKIE = (
    "connect.sid=s%3Aiz8YzkdUEsyslNy7ahm6O6dfaaDtWdx-.ANuyDcA9cw%2FeEq83Wy0w4CJ5G1CVIUNKycqVCZaYq6E; "
    "Path=/; Expires=Tue, 24 Nov 2099 11:57:54 GMT; HttpOnly"
)
NOT_FOUND = '{"type":"not_found","message":"User with id: usr_nope was not found"}'
INVALID = '{"type":"invalid_data","message":"email must be an email"}'
UNKNOWN = '{"code":"unknown_error","type":"unknown_error","message":"An unknown error occurred."}'
DUPLICATE = (
    '{"code":"invalid_request_error","type":"duplicate_error","message":"User with email x@y.io already exists."}'
)
CANNOT_PUT = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n'
    "<pre>Cannot PUT /admin/auth</pre>\n</body>\n</html>\n"
)


def jwt(**claims: Any) -> str:
    """An access token with `claims`, whose signature nobody verifies."""
    parts = (json.dumps({"alg": "HS256", "typ": "JWT"}).encode(), json.dumps(claims).encode(), b"signature")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def token_body(token: str) -> str:
    return json.dumps({"access_token": token})
