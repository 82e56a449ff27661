"""Credential -> Identity: remembered, and forgotten the moment that it is revoked.

A credential that was proven once is answered from a bounded cache. Before every answer `Changes` tells, in
microseconds, who has to be forgotten: so an answer is never older than the last commit that was acknowledged before
the request was received. What the cache does not know is asked of the store, once for many that ask at the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.api_tokens import NEVER, ApiTokens
from medusa_auth.core.sessions import TOUCH_EVERY, Sessions
from medusa_auth.errors import RETRY_AFTER_SECONDS, AuthenticationError, UnavailableError
from medusa_auth.model import Identity, Method
from medusa_auth.store.base import Changes, Records, Transaction
from medusa_auth.store.hearing import steady

__all__ = ["PROVEN_WITHIN", "Credential", "Identities"]

T = TypeVar("T")

# A turn of the event loop is much shorter, unless the process stood still in the middle of it.
SHARED_WITHIN = 0.1  # seconds
# Seconds: more than a store may take for one question, less than the one within which what is revoked is refused.
PROVEN_WITHIN = 0.95


class Credential(NamedTuple):
    """What a request carries, as it was presented: a session cookie's value, an access token, or an API token."""

    method: Method
    presented: str

    def __repr__(self) -> str:
        return f"Credential({self.method}, ...)"


@dataclass(frozen=True, slots=True)
class _Known:
    """Good until `until`: then it is over, or its last use has to be written."""

    identity: Identity
    until: datetime


@dataclass(frozen=True, slots=True, eq=False)
class _Announced:
    names: set[str]


class Identities:
    """`capacity` is how many are remembered; 0 asks the store each time.

    `read_cookie` gives the session id in a cookie's value, or None if the cookie was not signed here: how that is
    written belongs to the dialect.
    """

    def __init__(
        self,
        read_cookie: Callable[[str], str | None],
        records: Records,
        changes: Changes,
        sessions: Sessions,
        access_tokens: AccessTokens,
        api_tokens: ApiTokens,
        capacity: int,
    ) -> None:
        self._read_cookie = read_cookie
        self._records = records
        self._changes = changes
        self._sessions = sessions
        self._access_tokens = access_tokens
        self._api_tokens = api_tokens
        self._cache = _Cache(capacity)
        # Counts the times that anybody was forgotten, and that everybody was.
        self._epoch = 0
        self._cleared = 0
        # What has been announced since each of the proofs under way began.
        self._proving: list[_Announced] = []
        self._heard: bool | None = None
        self._heard_at = 0.0
        self._asked: dict[tuple[bytes, int], asyncio.Task[Identity]] = {}

    async def check(self, credential: Credential, now: datetime) -> Identity:
        """Who it is. Raises AuthenticationError, the same whatever was wrong, and UnavailableError."""
        heard = self._listen()
        key = hashlib.sha256(f"{credential.method} {credential.presented}".encode("utf-8", "surrogatepass")).digest()
        if heard:
            known = self._cache.get(key)
            if known is not None and now < known.until:
                return known.identity
        return await self._ask_once(key, credential, now)

    def _listen(self) -> bool:
        """Forget whom the store says; False if it cannot be heard, and then nothing is remembered either.

        Whoever asks within one turn of the event loop shares an answer. It is as exact: all of them were in the queue,
        and what they carry was received, before the first of them asked. If the process stood still since then, it is
        too old all the same.
        """
        now = steady()
        if self._heard is None:
            asyncio.get_running_loop().call_soon(self._end_turn)
        elif now <= self._heard_at + SHARED_WITHIN:
            return self._heard
        self._heard, self._heard_at = self._forget_changed(), now
        return self._heard

    def _end_turn(self) -> None:
        self._heard = None

    def _forget_changed(self) -> bool:
        try:
            names = self._changes.poll()
        except UnavailableError:
            self.forget_everybody()
            return False
        if names is None:
            self.forget_everybody()
        elif names:
            self._epoch += 1
            for name in names:
                self._cache.forget(name)
            for announced in self._proving:
                announced.names.update(names)
        return True

    def forget_everybody(self) -> None:
        """Also whoever is being asked about now: that answer is given, and not remembered."""
        self._epoch += 1
        self._cleared += 1
        self._cache.clear()

    async def _ask_once(self, key: bytes, credential: Credential, now: datetime) -> Identity:
        """Join whoever asks the same, if nothing was revoked since they began."""
        asked = (key, self._epoch)
        task = self._asked.get(asked)
        if task is None:
            task = asyncio.create_task(self._ask(key, credential, now))
            self._asked[asked] = task
            task.add_done_callback(lambda done: self._answered(asked, done))
        return await asyncio.shield(task)

    def _answered(self, asked: tuple[bytes, int], task: asyncio.Task[Identity]) -> None:
        self._asked.pop(asked, None)
        if not task.cancelled():
            # Looked at here, for whoever asked may have gone away.
            task.exception()

    async def _ask(self, key: bytes, credential: Credential, now: datetime) -> Identity:
        announced = _Announced(set())
        cleared, began_at = self._cleared, steady()
        self._proving.append(announced)
        try:
            known = await self._prove(credential, now)
            if self._listen() and self._cleared == cleared and announced.names.isdisjoint(_names(known.identity)):
                known = self._cache.put(key, known)
        finally:
            self._proving.remove(announced)
        if steady() > began_at + PROVEN_WITHIN:
            # It was good when the store was asked, and whoever has joined meanwhile may have come long after that.
            raise UnavailableError("The database takes too long right now.", retry_after=RETRY_AFTER_SECONDS)
        return known.identity

    async def _prove(self, credential: Credential, now: datetime) -> _Known:
        if credential.method is Method.SESSION:
            return await self._prove_session(credential.presented, now)
        if credential.method is Method.ACCESS_TOKEN:
            return await self._prove_access_token(credential.presented, now)
        return await self._prove_api_token(credential.presented, now)

    async def _prove_session(self, cookie: str, now: datetime) -> _Known:
        session_id = self._read_cookie(cookie)
        if session_id is None:
            raise AuthenticationError

        session, user = _found(await self._records.look(self._sessions.find_with_users, session_id))
        if self._sessions.rules.is_over(session, now):
            # Whoever shares it would keep it. It is over for us, too, while that cannot be written.
            with suppress(UnavailableError):
                await self._records.write(lambda tx: self._sessions.end(tx, session_id, now))
            raise AuthenticationError
        due_at = self._sessions.rules.due_at(session)
        if now >= due_at and await self._touched(lambda tx: tx.sessions.touch(session.id_hash, now)):
            due_at = now + self._sessions.rules.touch_every
        until = min(due_at, session.expires_at)
        return _Known(Identity(user, Method.SESSION, session.id_hash, ("password",)), until)

    async def _prove_access_token(self, secret: str, now: datetime) -> _Known:
        token = self._access_tokens.verify(secret, now)

        user = _found(await self._records.look(self._access_tokens.find_users, token))
        return _Known(Identity(user, Method.ACCESS_TOKEN, token.id, ("password",), token.epoch), token.expires_at)

    async def _prove_api_token(self, secret: str, now: datetime) -> _Known:
        token, user = _found(await self._records.look(self._api_tokens.find_with_users, secret))
        if self._api_tokens.has_expired(token, now):
            raise AuthenticationError
        due_at = self._api_tokens.due_at(token)
        if now >= due_at and await self._touched(lambda tx: tx.api_tokens.touch(token.id, now)):
            due_at = now + TOUCH_EVERY
        # Not for longer, although nothing may have to be written: in shared mode two users can come to have one token.
        until = min(due_at, now + TOUCH_EVERY, token.expires_at or NEVER)
        # An API token is not won by a factor of its user's; it is one of its own.
        return _Known(Identity(user, Method.API_TOKEN, token.id), until)

    async def _touched(self, touch: Callable[[Transaction], None]) -> bool:
        """Whether a last use could be written. A store that can only be read costs its precision, not the answer."""
        try:
            await self._records.write(touch)
        except UnavailableError:
            return False
        return True


class _Cache:
    """The most recently used are kept; each can be found by its user and by its credential's id."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._named: dict[str, set[bytes]] = {}

    def get(self, key: bytes) -> _Known | None:
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def put(self, key: bytes, known: _Known) -> _Known:
        """As it is remembered."""
        if self._capacity == 0:
            return known
        self._drop(key)
        known = self._sharing(known)
        while len(self._known) >= self._capacity:
            self._drop(next(iter(self._known)))
        self._known[key] = known
        for name in _names(known.identity):
            self._named.setdefault(name, set()).add(key)
        return known

    def _sharing(self, known: _Known) -> _Known:
        """One user for all of a user's credentials: their metadata may be large."""
        for key in self._named.get(known.identity.user.id, ()):
            user = self._known[key].identity.user
            if user == known.identity.user:
                return replace(known, identity=replace(known.identity, user=user))
            break
        return known

    def forget(self, name: str) -> None:
        for key in tuple(self._named.get(name, ())):
            self._drop(key)

    def clear(self) -> None:
        self._known.clear()
        self._named.clear()

    def _drop(self, key: bytes) -> None:
        known = self._known.pop(key, None)
        if known is None:
            return
        for name in _names(known.identity):
            keys = self._named[name]
            keys.discard(key)
            if not keys:
                del self._named[name]


def _found(what: T | None) -> T:
    if what is None:
        raise AuthenticationError
    return what


def _names(identity: Identity) -> tuple[str, str]:
    return identity.user.id, identity.credential_id
