"""A login: an address and a password become a session or an access token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from medusa_auth.core.access_tokens import AccessTokens
from medusa_auth.core.passwords import Passwords
from medusa_auth.core.sessions import Sessions
from medusa_auth.core.users import normalized_email
from medusa_auth.errors import AuthenticationError
from medusa_auth.model import Context, Session, User
from medusa_auth.store.base import Records, Transaction

__all__ = ["Left", "Login", "SignedIn"]

T = TypeVar("T")

# A hash may be replaced by a better one while a second login of the same user is being checked against the old.
PROOFS = 3


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`session_id` is the secret for the cookie: it is told once and kept nowhere."""

    user: User
    session_id: str
    session: Session


@dataclass(frozen=True, slots=True)
class Left:
    """A session that is nobody's of ours; its id is as secret as that of one which is."""

    session_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Proof:
    email: str
    password_hash: str | None
    upgraded_hash: str | None


class Login:
    """The use cases. Hashing is done between two short transactions, so that none is open while it takes its time."""

    def __init__(self, records: Records, passwords: Passwords, sessions: Sessions, access_tokens: AccessTokens) -> None:
        self._records = records
        self._passwords = passwords
        self._sessions = sessions
        self._access_tokens = access_tokens

    async def sign_in(
        self, email: str, password: str, context: Context, now: datetime, *, replaces: str | None = None
    ) -> SignedIn:
        """A new session. `replaces` is the id of the one that the browser had before: it ends with the same commit.

        Raises AuthenticationError, the same whatever was wrong, and UnavailableError.
        """

        def start(tx: Transaction, user: User) -> SignedIn:
            others = None if replaces is None else self._sessions.end(tx, replaces, now)
            return SignedIn(user, *self._sessions.start(tx, user, context, now, others))

        return await self._proven(email, password, start, for_session=True)

    async def issue_token(self, email: str, password: str, now: datetime) -> str:
        """An access token. Raises as `sign_in`."""

        def issue(tx: Transaction, user: User) -> str:
            return self._access_tokens.issue(tx, user, now)

        return await self._proven(email, password, issue, for_session=False)

    async def sign_out(self, session_id: str | None, access_token: str | None, now: datetime) -> Left | None:
        """End the session and the access token that a request carries, everywhere and at once.

        The result is for the browser to go on with, if the session was shared and others kept something in it. What is
        not good any more, or never was, is no error. Raises UnavailableError: then the logout is not confirmed.
        """

        def end(tx: Transaction) -> Left | None:
            if access_token is not None:
                with suppress(AuthenticationError):
                    self._access_tokens.revoke(tx, self._access_tokens.verify(access_token, now), now)
            others = None if session_id is None else self._sessions.end(tx, session_id, now)
            return Left(*self._sessions.leave(tx, others, now)) if others else None

        return await self._records.write(end)

    async def _proven(
        self, email: str, password: str, then: Callable[[Transaction, User], T], *, for_session: bool
    ) -> T:
        """The result of `then` for the user whose address and password these are, still so within its transaction."""
        for _ in range(PROOFS):
            proof = await self._prove(normalized_email(email), password, for_session=for_session)
            done = await self._records.write(partial(self._if_still_good, proof, then))
            if done is not None:
                return done
        raise AuthenticationError

    async def _prove(self, email: str, password: str, *, for_session: bool) -> _Proof:
        found = await self._records.look(_find_where_sessions_can_be_kept if for_session else _find, email)
        password_hash = found[1] if found else None
        return _Proof(email, password_hash, await self._passwords.check(password, password_hash))

    def _if_still_good(self, proof: _Proof, then: Callable[[Transaction, User], T], tx: Transaction) -> T | None:
        """None if the hash has changed while the password was being checked against it."""
        found = tx.users.get_with_password(proof.email)
        if found is None or found[1] != proof.password_hash:
            return None
        if proof.upgraded_hash is not None:
            tx.users.set_password_hash(found[0].id, proof.upgraded_hash)
        return then(tx, found[0])


def _find(tx: Transaction, emails: Sequence[str]) -> Mapping[str, tuple[User, str | None]]:
    return tx.users.find_with_passwords(emails)


def _find_where_sessions_can_be_kept(tx: Transaction, emails: Sequence[str]) -> Mapping[str, tuple[User, str | None]]:
    """Hashing costs too much to find out only then that a session cannot be. Raises UnavailableError."""
    tx.sessions.check_writable()
    return _find(tx, emails)
