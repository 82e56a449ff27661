"""Invites: a token by mail, good once and for a week, makes its reader a user."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from medusa_auth.core.ids import Random, new_id
from medusa_auth.core.link_tokens import LinkTokens, keys_for
from medusa_auth.core.users import Users, normalized_email
from medusa_auth.errors import AuthenticationError, InvalidRequestError
from medusa_auth.model import Invite, Role, User
from medusa_auth.store.base import Transaction

__all__ = ["ALREADY_JOINED", "INVITE_LIFE", "INVITE_OVER", "TOKEN_NOT_VALID", "Invites"]

# Medusa's, and so are the sentences.
INVITE_LIFE = timedelta(days=7)
TOKEN_NOT_VALID = "Token is not valid"  # noqa: S105 - a sentence
INVITE_OVER = "Invalid invite"
ALREADY_JOINED = "User already joined"


class Invites:
    """The rules of invites, over a transaction of the caller's. An address has one invite at most.

    `shared`: a program beside this one makes and accepts invites in the same table.
    """

    def __init__(
        self, users: Users, secrets: Sequence[str], random: Random = os.urandom, *, shared: bool = False
    ) -> None:
        self._users = users
        self._shared = shared
        self._tokens = LinkTokens(self._keys(secrets), random)
        self._random = random

    def use_secrets(self, secrets: Sequence[str]) -> None:
        """From now on these; what only another one signed is over."""
        self._tokens.use_keys(self._keys(secrets))

    def create(self, tx: Transaction, email: str, role: Role, now: datetime) -> Invite:
        """The invite of `email`; if there is one already, with this role now, and its older token is over.

        Raises InvalidRequestError if there is a user of that address.
        """
        email = normalized_email(email)
        if tx.users.get_with_password(email) is not None:
            raise InvalidRequestError("Can't invite a user with an existing account")
        invite = tx.invites.get_by_email(email)
        if invite is not None:
            invite = replace(invite, role=role)
        else:
            invite = Invite(new_id("invite", now, self._random), email, role, now, now, now)
        self.issue(tx, invite, now)
        return invite

    def find(self, tx: Transaction, invite_id: str) -> Invite:
        """Raises InvalidRequestError if there is no invite of that id."""
        invite = tx.invites.get(invite_id)
        if invite is None:
            raise InvalidRequestError("Invite doesn't exist")
        return invite

    def issue(self, tx: Transaction, invite: Invite, now: datetime) -> str:
        """A token for a link, good for a week from now on; the one before it is over."""
        expires_at = now + INVITE_LIFE
        claims = {"invite_id": invite.id, "role": invite.role.value, "user_email": invite.user_email}
        token, id_hash = self._tokens.issue(claims, now, expires_at)
        tx.invites.put(replace(invite, updated_at=now, expires_at=expires_at), id_hash)
        return token

    def check(self, tx: Transaction, token: str, now: datetime) -> Invite:
        """The invite of `token`. Raises InvalidRequestError if it is forged, used, replaced, withdrawn or over."""
        try:
            known_by = self._tokens.read(token, foreign=self._shared)
        except AuthenticationError:
            raise InvalidRequestError(TOKEN_NOT_VALID) from None
        invite = tx.invites.get_by_token_hash(known_by)
        if invite is None or now >= invite.expires_at:
            raise InvalidRequestError(INVITE_OVER)
        # A program beside this one keeps the address as it was typed.
        if tx.users.get_with_password(normalized_email(invite.user_email)) is not None:
            raise InvalidRequestError(ALREADY_JOINED)
        return invite

    def accept(
        self,
        tx: Transaction,
        token: str,
        password_hash: str | None,
        now: datetime,
        *,
        first_name: str | None,
        last_name: str | None,
    ) -> User:
        """The new user, with the email and the role of the invite, which is over. Raises as `check`."""
        invite = self.check(tx, token, now)
        tx.invites.delete(invite.id)
        return self._users.create(
            tx,
            email=invite.user_email,
            password_hash=password_hash,
            now=now,
            role=invite.role,
            first_name=first_name,
            last_name=last_name,
        )

    def _keys(self, secrets: Sequence[str]) -> Sequence[bytes]:
        # A program beside this one signs with the secrets themselves.
        return [secret.encode() for secret in secrets] if self._shared else keys_for("invite", secrets)
