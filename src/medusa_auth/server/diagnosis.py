"""Why a login that is answered 200 is followed by a 401: what can be seen of it at the login, for the log."""

from __future__ import annotations

from starlette.datastructures import Headers

from medusa_auth.server.proxies import Origin
from medusa_auth.settings import SameSite

__all__ = ["login_problems"]


def login_problems(headers: Headers, origin: Origin, same_site: SameSite) -> list[str]:
    """What will keep a browser from sending the cookie back, or from keeping it safe; a sentence each, and a remedy."""
    problems = []
    if origin.ignored_proxy is not None:
        problems.append(
            f"{origin.ignored_proxy} says that the browser came over https, but is not a trusted proxy, so the cookie "
            f"is not marked Secure: set MEDUSA_AUTH_TRUSTED_PROXIES={origin.ignored_proxy} if it is yours."
        )
    if headers.get("sec-fetch-site") == "cross-site" and same_site != "none":
        problems.append(
            f"The page {headers.get('origin', '')} is on another site than this server ({origin.host}), so the browser "
            "will not send the cookie back: put both under one site, or set MEDUSA_AUTH_COOKIE_SAMESITE=none and serve "
            "over https."
        )
    if same_site == "none" and origin.scheme != "https" and origin.ignored_proxy is None:
        problems.append(
            "MEDUSA_AUTH_COOKIE_SAMESITE is none, which asks for https, but this login came over http, so the browser "
            "may drop the cookie: serve over https, and have the proxy send X-Forwarded-Proto."
        )
    return problems
