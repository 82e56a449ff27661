"""Which pages may use this server with an administrator's cookie: CORS, and a guard against forged requests.

CORS answers as Medusa's (the npm package `cors`), but lets only the origins of `ADMIN_CORS` send credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from medusa_auth.errors import ForbiddenError, UnsupportedMediaTypeError
from medusa_auth.server.proxies import Origin

__all__ = ["Origins"]

RawHeaders = list[tuple[bytes, bytes]]

METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"
# What a form can send without a preflight (Fetch Standard, "CORS-safelisted request-header").
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
# Sent by browsers alone, and not to be set by a page (Fetch Metadata). "none": the person typed it.
OWN_SITES = frozenset({"same-origin", "none"})
DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """`allowed` are exact origins."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(allowed)

    def cors_headers(self, page: str | None) -> RawHeaders:
        """What goes with every answer under /admin; `page` is the Origin that the request has, if it has one."""
        return [(b"vary", b"Origin"), *self._for_allowed(page)]

    def preflight_headers(self, headers: Headers) -> RawHeaders:
        """What goes with the answer to an OPTIONS request."""
        asked = ", ".join(headers.getlist("access-control-request-headers"))
        return [
            (b"vary", b"Origin, Access-Control-Request-Headers"),
            *self._for_allowed(headers.get("origin")),
            (b"access-control-allow-methods", METHODS.encode()),
            *([(b"access-control-allow-headers", asked.encode("latin-1"))] if asked else []),
        ]

    def check_write(self, headers: Headers, origin: Origin) -> None:
        """Raises ForbiddenError or UnsupportedMediaTypeError if a foreign page or a form may have sent this.

        To be asked of a request that writes and is authenticated by a cookie, which a browser adds by itself.
        """
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in FORM_TYPES:
            raise UnsupportedMediaTypeError(f"A request with a session cookie cannot be a form ({content_type}).")
        page = headers.get("origin")
        if headers.get("sec-fetch-site") in OWN_SITES or page in self._allowed:
            return
        if page is not None and not _same_host(page, origin):
            raise ForbiddenError(f"The origin {page} is neither this server's nor in ADMIN_CORS.")
        if page is None and "sec-fetch-site" in headers:
            raise ForbiddenError("A page of another site may not send this.")

    def _for_allowed(self, page: str | None) -> RawHeaders:
        if page is None or page not in self._allowed:
            return []
        return [
            (b"access-control-allow-origin", page.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
        ]


def _same_host(page: str, origin: Origin) -> bool:
    """Whether `page` is served under the host that was asked for.

    A page over https counts as ours also where the request seems to come over http: behind a proxy that is not known
    as one it does.
    """
    try:
        theirs, ours = urlsplit(page), urlsplit(f"//{origin.host}")
        if theirs.scheme not in DEFAULT_PORTS or (origin.scheme == "https" and theirs.scheme != "https"):
            return False
        port = DEFAULT_PORTS[theirs.scheme]
        return theirs.hostname is not None and (theirs.hostname, theirs.port or port) == (
            ours.hostname,
            ours.port or port,
        )
    except ValueError:
        return False
