"""Request -> Identity: reads the credentials in Medusa's order, and the first that is good wins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.requests import Request

from medusa_auth.core.clocks import Clock
from medusa_auth.core.identities import Credential, Identities
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Identity, Method
from medusa_auth.server.cookies import SessionCookie
from medusa_auth.server.origins import Origins
from medusa_auth.server.state import origin_of, remember_identity
from medusa_auth.server.telling import tell_soon
from medusa_auth.wire import API_TOKEN_HEADER

__all__ = ["Identify"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# As the npm package passport-jwt reads it: two words, whatever else follows.
_TWO_WORDS = re.compile(r"(\S+)\s+(\S+)")


class Identify:
    """Asks who sent a request. A session that writes must come from a page of ours or of `ADMIN_CORS`."""

    def __init__(self, identities: Identities, cookie: SessionCookie, origins: Origins, clock: Clock) -> None:
        self._identities = identities
        self._cookie = cookie
        self._origins = origins
        self._clock = clock

    async def __call__(self, request: Request) -> Identity:
        """Who it is. Raises AuthenticationError, ForbiddenError, UnsupportedMediaTypeError, UnavailableError."""
        now = self._clock()
        if request.method in SAFE_METHODS:
            # A write may be told of at any time: it was allowed when it was done.
            tell_soon()
        for credential in self._credentials(request.headers):
            try:
                identity = await self._identities.check(credential, now)
            except AuthenticationError:
                continue
            if credential.method is Method.SESSION and request.method not in SAFE_METHODS:
                self._origins.check_write(request.headers, origin_of(request))
            remember_identity(request, identity)
            return identity
        raise AuthenticationError

    def session_id(self, request: Request) -> str | None:
        """The id in the session cookie, if the cookie was signed here; whether there is such a session is not asked."""
        value = self._cookie.find(_cookies(request.headers))
        return None if value is None else self._cookie.read(value)

    def replaceable_session(self, request: Request) -> str | None:
        """As `session_id`, for a login that ends that session. Raises ForbiddenError, UnsupportedMediaTypeError."""
        session_id = self.session_id(request)
        if session_id is not None:
            self._origins.check_write(request.headers, origin_of(request))
        return session_id

    def access_token(self, request: Request) -> str | None:
        """The bearer's token; whether it is good is not asked."""
        return _bearer(request.headers)

    def _credentials(self, headers: Headers) -> Iterator[Credential]:
        cookie = self._cookie.find(_cookies(headers))
        if cookie is not None:
            yield Credential(Method.SESSION, cookie)
        token = _bearer(headers)
        if token is not None:
            yield Credential(Method.ACCESS_TOKEN, token)
        # Node joins repeated headers, and the joined one is nobody's token. White space at the ends is no part of a
        # value (RFC 9110, section 5.5), and our parser leaves that after it.
        api_token = ", ".join(value.strip(" \t") for value in headers.getlist(API_TOKEN_HEADER))
        if api_token:
            yield Credential(Method.API_TOKEN, api_token)


def _cookies(headers: Headers) -> str:
    # A proxy that speaks HTTP/2 to the browser may send several lines (RFC 9113, section 8.2.3); Node joins them so.
    return "; ".join(headers.getlist("cookie"))


def _bearer(headers: Headers) -> str | None:
    words = _TWO_WORDS.match(headers.get("authorization", ""))
    return words[2] if words and words[1].lower() == "bearer" else None
