"""What the rules ask of a store.

`Records` are durable and transactional. `Changes` tells whose cached identities to forget. Whatever a store cannot do
raises `UnavailableError`: the caller never takes silence for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from medusa_auth.model import ApiToken, Invite, Mail, MailKind, PasswordReset, Session, User, UserQuery

__all__ = [
    "AccessTokens",
    "ApiTokens",
    "Changes",
    "ForeignSession",
    "ForeignSessions",
    "Invites",
    "Others",
    "Outbox",
    "PasswordResets",
    "Pingable",
    "Records",
    "Sessions",
    "TokenState",
    "Transaction",
    "Users",
]


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Others = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ForeignSession:
    """A session as another program keeps it: whose it is, if it is an administrator's, and when it was used."""

    user_id: str | None
    seen_at: datetime
    others: Others


class ForeignSessions(Protocol):
    """How that program writes its sessions."""

    def encode(self, user_id: str | None, others: Others, expires_at: datetime) -> bytes: ...

    def decode(self, text: bytes) -> ForeignSession | None:
        """None for what is no session."""


class Users(Protocol):
    """Living administrators. A deleted one is not found by any of these."""

    def get(self, user_id: str) -> User | None: ...

    def get_with_password(self, email: str) -> tuple[User, str | None] | None:
        """The user of an address in its stored form, and the password's hash."""

    def find_with_passwords(self, emails: Sequence[str]) -> Mapping[str, tuple[User, str | None]]:
        """As `get_with_password`, of many: by the address."""

    def get_password_hash(self, user_id: str) -> str | None: ...

    def find_by_readable_tokens(self, tokens: Sequence[str]) -> Mapping[str, User]:
        """Whose readable API tokens these are, of those that are one user's alone: see `core.api_tokens`."""

    def get_readable_token(self, user_id: str) -> str | None: ...

    def list_readable_tokens(self) -> Sequence[tuple[User, str]]:
        """All, with their users, oldest user first."""

    def set_readable_token(self, user_id: str, token: str | None) -> None: ...

    def exist(self) -> bool:
        """Whether there is one."""

    def list(self) -> Sequence[User]:
        """All, oldest first."""

    def search(self, query: UserQuery) -> tuple[Sequence[User], int]:
        """Those that `query` asks for, and how many there are beside its limit and offset."""

    def count_admins(self) -> int:
        """How many there are while this transaction lasts: no other one changes it."""

    def admin_emails(self) -> Sequence[str]: ...

    def add(self, user: User, password_hash: str | None) -> None:
        """Raises DuplicateError if the address is taken."""

    def update(self, user: User) -> None:
        """Keep its role, names, metadata and `updated_at`."""

    def set_password_hash(self, user_id: str, password_hash: str, updated_at: datetime | None = None) -> None:
        """`updated_at` None leaves the old one: an upgraded hash is not a change of the user."""

    def delete(self, user_id: str, now: datetime) -> bool:
        """Mark as deleted. False if there is no such living user."""


class Sessions(Protocol):
    """A session is known by the hash of its id.

    The id itself is needed only where sessions are shared with another program, which finds them by it. What that
    program keeps in one is called `others`; where sessions are ours alone there is none.
    """

    def find_with_users(self, id_hashes: Mapping[str, str]) -> Mapping[str, tuple[Session, User]]:
        """By the id, those whose users live, each with its user, asked together. `id_hashes` is by the id, too."""

    def get(self, id_hash: str) -> Session | None: ...

    def add(self, session: Session, session_id: str, others: Others | None = None) -> None: ...

    def touch(self, id_hash: str, seen_at: datetime) -> None:
        """Move `last_seen_at` forward, never back."""

    def delete(self, id_hash: str, session_id: str | None = None) -> str | None:
        """The id of the user whose session it was; None if there was none."""

    def delete_of_user(self, user_id: str) -> int:
        """How many there were."""

    def delete_expired(self, now: datetime) -> None:
        """Those that are over may have gone by themselves."""

    def find_others(self, session_id: str) -> Others | None: ...

    def add_others(self, session_id: str, others: Others, expires_at: datetime) -> None:
        """A session that is nobody's of ours."""

    def check_writable(self) -> None:
        """Raises UnavailableError if none could be added now: to be known before a password is hashed."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """`not_before` and `is_revoked` as the methods of `AccessTokens` have them."""

    user: User
    not_before: datetime | None
    is_revoked: bool


class AccessTokens(Protocol):
    """Which access tokens are no longer good, although their signature and their times are."""

    def not_before(self, user_id: str) -> datetime | None:
        """Tokens of the user that are of an earlier epoch have ended: `core.access_tokens`."""

    def set_not_before(self, user_id: str, moment: datetime) -> None: ...

    def find_users(self, tokens: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], TokenState]:
        """What there is to know of those whose users live, asked together; each is a user's id and the token's."""

    def is_revoked(self, token_id: str) -> bool: ...

    def revoke(self, token_id: str, user_id: str, expires_at: datetime) -> None:
        """Remembered until `expires_at`; revoking twice is no error."""

    def delete_expired(self, now: datetime) -> int: ...


class ApiTokens(Protocol):
    def get(self, token_id: str) -> ApiToken | None: ...

    def get_by_hash(self, token_hash: str) -> ApiToken | None: ...

    def find_with_users(self, token_hashes: Sequence[str]) -> Mapping[str, tuple[ApiToken, User]]:
        """By their hashes, those whose users live, each with its user, asked together."""

    def list(self) -> Sequence[ApiToken]:
        """All, oldest first."""

    def add(self, token: ApiToken, token_hash: str) -> None: ...

    def touch(self, token_id: str, used_at: datetime) -> None:
        """Move `last_used_at` forward, never back."""

    def delete(self, token_id: str) -> str | None:
        """The id of the user whose token it was; None if there was none."""

    def delete_of_user(self, user_id: str) -> int: ...

    def delete_named(self, user_id: str, name: str) -> int:
        """Those of the user that have this name."""


class PasswordResets(Protocol):
    def get(self, id_hash: str) -> PasswordReset | None: ...

    def add(self, reset: PasswordReset) -> None: ...

    def delete_of_user(self, user_id: str) -> int: ...

    def delete_expired(self, now: datetime) -> int: ...


class Invites(Protocol):
    """Open invites: one that was accepted or withdrawn is gone."""

    def get(self, invite_id: str) -> Invite | None: ...

    def get_by_email(self, user_email: str) -> Invite | None: ...

    def get_by_token_hash(self, token_hash: str) -> Invite | None: ...

    def list(self) -> Sequence[Invite]:
        """All, oldest first."""

    def put(self, invite: Invite, token_hash: str) -> None:
        """Add it, or keep it as it is now. Raises DuplicateError if another one has its address."""

    def delete(self, invite_id: str) -> bool:
        """False if there was none."""


class Outbox(Protocol):
    def add(self, kind: MailKind, recipient: str, about: str, now: datetime) -> None: ...

    def has_due(self, now: datetime) -> bool: ...

    def claim(self, now: datetime, until: datetime) -> Mail | None:
        """The one that has been due for the longest, for the caller alone until then; None if none is due."""

    def set_next_try(self, mail_id: int, moment: datetime) -> None: ...

    def set_sent(self, mail_id: int, moment: datetime) -> None: ...

    def count_like(self, mail: Mail, since: datetime) -> int:
        """Other mails of its kind to its recipient that went out since, or were tried and are not given up."""

    def delete(self, mail_id: int) -> None: ...

    def delete_older(self, sent_before: datetime) -> int:
        """Those that were sent earlier."""


class Transaction(Protocol):
    """All of it happens, or nothing."""

    @property
    def users(self) -> Users: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def access_tokens(self) -> AccessTokens: ...

    @property
    def api_tokens(self) -> ApiTokens: ...

    @property
    def password_resets(self) -> PasswordResets: ...

    @property
    def invites(self) -> Invites: ...

    @property
    def outbox(self) -> Outbox: ...

    def announce(self, user_id: str, now: datetime) -> None:
        """With the commit, every `Changes` hears that what is cached of this user has to be forgotten."""


class Pingable(Protocol):
    async def ping(self) -> None:
        """Raises UnavailableError if the store cannot be reached."""


class Records(Pingable, Protocol):
    """A transaction is a function of it: it runs in a thread of the store's, as a whole."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work`, which only reads: it sees one moment of the store, and does not wait for writers."""

    async def look(self, find: Callable[[Transaction, Sequence[K]], Mapping[K, V]], key: K) -> V | None:
        """What `find` finds for `key`, or None.

        Those who look with the same `find` at the same time are answered together: it is given the keys of all of
        them. It begins after the last of them asked, and not in a transaction: of several things that it asks of a
        store, each is answered as of its own moment.
        """

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work`, committed, durably, when it is given. What `work` raises undoes it, and is raised."""

    def close(self) -> None: ...


class Changes(Protocol):
    """Hears of every commit that announced something, whoever made it.

    `delay` is in seconds: 0 on SQLite, 0.6 over a network, where it is usually a few milliseconds.
    """

    delay: float

    def poll(self) -> Collection[str] | None:
        """The users who were announced since the last call, and sessions by `id_hash` that changed by themselves.

        None: some may have been missed, forget everybody.

        An announcement is in the answer of the first call that comes `delay` or more after its commit was acknowledged,
        or of an earlier one; of this process's own commits, of the first call at all. Raises UnavailableError if that
        cannot be promised: then nothing that is cached may be believed.
        """

    def close(self) -> None: ...
