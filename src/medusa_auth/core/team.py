"""The people: who is asked for permission, what is hashed, and what is committed together.

A permission is asked for twice: before a password is hashed, and within the transaction, for meanwhile the role may
have been taken, or the session ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from medusa_auth.core.actors import Actors
from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.clocks import Clock
from medusa_auth.core.invites import Invites
from medusa_auth.core.outbox import Outbox
from medusa_auth.core.password_resets import PasswordResets
from medusa_auth.core.password_rules import PasswordRules
from medusa_auth.core.passwords import Passwords
from medusa_auth.core.permissions import Permission, Permissions
from medusa_auth.core.users import UserChanges, Users, normalized_email
from medusa_auth.errors import AuthenticationError, InvalidRequestError
from medusa_auth.model import Identity, Invite, MailKind, Role, User, UserQuery
from medusa_auth.store.base import Records, Transaction

__all__ = ["NewUser", "Team"]

_NO_RESET = "Invalid or expired password reset token"


@dataclass(frozen=True, slots=True)
class NewUser:
    """What is told of somebody who becomes a user."""

    password: str
    first_name: str | None = None
    last_name: str | None = None

    def __repr__(self) -> str:
        return "NewUser(...)"


class Team:
    """The use cases. `identity` is who asks; each raises UnavailableError, and ForbiddenError if it may not."""

    def __init__(
        self,
        *,
        records: Records,
        actors: Actors,
        users: Users,
        invites: Invites,
        resets: PasswordResets,
        api_tokens: ApiTokens,
        outbox: Outbox,
        passwords: Passwords,
        password_rules: PasswordRules,
        permissions: Permissions,
    ) -> None:
        self._records = records
        self._users = users
        self._invites = invites
        self._resets = resets
        self._actors = actors
        self._api_tokens = api_tokens
        self._outbox = outbox
        self._passwords = passwords
        self._password_rules = password_rules
        self._permissions = permissions

    async def list_users(self, identity: Identity, query: UserQuery) -> tuple[Sequence[User], int]:
        """The users that `query` asks for, and how many there are beside its limit and offset."""
        self._permissions.check(identity.user, Permission.READ_USERS)
        return await self._records.read(lambda tx: tx.users.search(query))

    async def get_user(self, identity: Identity, user_id: str) -> User:
        """Raises NotFoundError."""
        self._permissions.check(identity.user, Permission.READ_USERS)
        return await self._records.read(lambda tx: self._users.get(tx, user_id))

    async def create_user(self, identity: Identity, email: str, role: Role, new: NewUser, now: datetime) -> User:
        """Raises InvalidRequestError for a password that is not good enough, or an address that is taken."""
        self._permissions.check(identity.user, Permission.MANAGE_USERS)
        password_hash = await self._hashed(new, email)

        def create(tx: Transaction) -> User:
            self._permissions.check(self._actors.get(tx, identity), Permission.MANAGE_USERS)
            if tx.users.get_with_password(normalized_email(email)) is not None:
                raise InvalidRequestError("A user with the same email already exists.")
            user = self._users.create(
                tx,
                email=email,
                password_hash=password_hash,
                now=now,
                role=role,
                first_name=new.first_name,
                last_name=new.last_name,
            )
            self._outbox.put_to_admins(tx, user, now)
            return user

        return await self._records.write(create)

    async def update_user(
        self, identity: Identity, user_id: str, changes: UserChanges, now: datetime, *, api_token: str | None = None
    ) -> User:
        """`api_token` empty takes the user's away; None leaves it. Raises NotFoundError, InvalidRequestError."""

        def update(tx: Transaction) -> User:
            actor, user = self._actors.get(tx, identity), self._users.get(tx, user_id)
            self._check_change(tx, actor, user, changes, api_token)
            changed = self._users.update(tx, user, changes, now)
            if api_token is None:
                return changed
            self._password_rules.check_api_token(api_token)
            self._api_tokens.set_chosen(tx, user, api_token, now)
            return self._users.touch(tx, changed, now)

        return await self._records.write(update)

    async def delete_user(self, identity: Identity, user_id: str, now: datetime) -> None:
        """One who is not there is no error: as in Medusa, who asks twice is told the same."""

        def delete(tx: Transaction) -> None:
            actor = self._actors.get(tx, identity)
            if user_id != actor.id:
                self._permissions.check(actor, Permission.MANAGE_USERS)
            user = tx.users.get(user_id)
            if user is not None:
                self._check_replaceable(tx, user)
                self._users.delete(tx, user, now)

        await self._records.write(delete)

    async def list_invites(self, identity: Identity) -> Sequence[Invite]:
        """All, oldest first."""
        self._permissions.check(identity.user, Permission.READ_INVITES)
        return await self._records.read(lambda tx: tx.invites.list())

    async def invite(self, identity: Identity, email: str, role: Role, now: datetime) -> None:
        """Invite somebody, or again. Raises InvalidRequestError if there is a user of that address."""

        def create(tx: Transaction) -> None:
            self._permissions.check(self._actors.get(tx, identity), Permission.MANAGE_INVITES)
            self._mail_invite(tx, self._invites.create(tx, email, role, now), now)

        await self._records.write(create)

    async def resend_invite(self, identity: Identity, invite_id: str, now: datetime) -> None:
        """A new mail; the older token is over. Raises InvalidRequestError if there is no such invite."""

        def resend(tx: Transaction) -> None:
            self._permissions.check(self._actors.get(tx, identity), Permission.MANAGE_INVITES)
            invite = self._invites.find(tx, invite_id)
            self._invites.issue(tx, invite, now)
            self._mail_invite(tx, invite, now)

        await self._records.write(resend)

    async def delete_invite(self, identity: Identity, invite_id: str) -> None:
        """One that is not there is no error, as in Medusa."""

        def delete(tx: Transaction) -> None:
            self._permissions.check(self._actors.get(tx, identity), Permission.MANAGE_INVITES)
            tx.invites.delete(invite_id)

        await self._records.write(delete)

    async def accept_invite(self, token: str, new: NewUser, now: datetime) -> User:
        """The new user. Raises InvalidRequestError for the token, or for a password that is not good enough."""
        invite = await self._records.read(lambda tx: self._invites.check(tx, token, now))
        password_hash = await self._hashed(new, invite.user_email)

        def accept(tx: Transaction) -> User:
            user = self._invites.accept(
                tx, token, password_hash, now, first_name=new.first_name, last_name=new.last_name
            )
            self._outbox.put_to_admins(tx, user, now)
            return user

        return await self._records.write(accept)

    async def request_reset(self, email: str, now: datetime) -> None:
        """Costs the same, and says the same, whoever has that address, or nobody."""
        await self._records.write(
            lambda tx: self._outbox.put(tx, MailKind.PASSWORD_RESET, normalized_email(email), "", now)
        )

    async def reset_password(self, token: str, email: str | None, password: str, clock: Clock) -> User:
        """The user, who has the new password. `email`, if any, has to be theirs.

        What was issued while it was being hashed ends as well: so the time is asked for once more.

        Raises AuthenticationError, the same whatever is wrong with the token, and InvalidRequestError for a password
        that is not good enough: then the token is still good.
        """

        def check(tx: Transaction) -> User:
            user = self._resets.check(tx, token, email, clock())
            # A new password ends all sessions: while they cannot be asked for, none is hashed.
            tx.sessions.get("")
            return user

        try:
            user = await self._records.read(check)
            password_hash = await self._hashed(NewUser(password, user.first_name, user.last_name), user.email)

            def use(tx: Transaction) -> User:
                now = clock()
                user = self._resets.use(tx, token, email, password_hash or "", now)
                self._outbox.put(tx, MailKind.PASSWORD_CHANGED, user.email, user.id, now)
                return self._users.get(tx, user.id)

            return await self._records.write(use)
        except AuthenticationError:
            raise AuthenticationError(_NO_RESET) from None

    def _mail_invite(self, tx: Transaction, invite: Invite, now: datetime) -> None:
        self._outbox.put(tx, MailKind.INVITE, invite.user_email, invite.id, now)

    async def _hashed(self, new: NewUser, email: str) -> str | None:
        """None for no password at all, where the rules allow that."""
        self._password_rules.check(new.password, (email, new.first_name, new.last_name))
        return await self._passwords.hash(new.password) if new.password else None

    def _check_change(
        self, tx: Transaction, actor: User, user: User, changes: UserChanges, api_token: str | None
    ) -> None:
        if user.id != actor.id:
            self._permissions.check(actor, Permission.MANAGE_USERS)
            if api_token is not None:
                self._permissions.check(actor, Permission.MANAGE_TOKENS)
        if isinstance(changes.role, Role) and changes.role is not user.role:
            self._permissions.check(actor, Permission.MANAGE_ROLES)
            self._check_replaceable(tx, user)

    def _check_replaceable(self, tx: Transaction, user: User) -> None:
        if self._permissions.enforced:
            self._users.check_not_last_admin(tx, user)
