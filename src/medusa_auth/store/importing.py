"""What the rules of an import ask of the store that people come from, and of the one that they go to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from medusa_auth.store.base import Transaction

__all__ = ["EARLIEST", "LATEST", "Imports", "InviteRow", "Source", "SourceInvite", "SourceUser", "Target", "UserRow"]

T = TypeVar("T")

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SourceUser:
    """A user as it stands in the source, deleted ones too. `metadata` is JSON text.

    A time that Python has not is `EARLIEST` or `LATEST`.
    """

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    role: str | None
    password_hash: str | None = field(repr=False)
    api_token: str | None = field(repr=False)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    metadata: str | None


@dataclass(frozen=True, slots=True)
class SourceInvite:
    """An invite as it stands in the source. `state` says why it is not open: "accepted", "deleted", "expired"."""

    id: str
    user_email: str
    role: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    metadata: str | None
    state: str | None


class Source(Protocol):
    """One moment of a store that is only read. Every method raises UnavailableError if it has gone away."""

    def count_users(self) -> int: ...

    def count_invites(self) -> int: ...

    def users(self) -> Iterator[Sequence[SourceUser]]:
        """All, in batches."""

    def invites(self) -> Iterator[Sequence[SourceInvite]]:
        """All, in batches."""

    def unusual_emails(self) -> Iterator[tuple[str, str]]:
        """The ids and addresses of living users that are not lower-case ASCII."""

    def unusual_invites(self) -> Iterator[tuple[str, str]]:
        """As `unusual_emails`, of open invites."""

    def living(self, emails: Collection[str]) -> Collection[str]:
        """Those that are, letter for letter, the address of a living user."""

    def invited(self, emails: Collection[str]) -> Collection[str]:
        """Those that are, letter for letter, the address of an open invite."""

    def shared_tokens(self) -> Collection[str]:
        """The API tokens that more than one living user has."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as it is kept, deleted or not."""

    id: str
    email: str
    role: str | None
    first_name: str | None
    last_name: str | None
    metadata: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    password_hash: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class InviteRow:
    """An invite as it is kept, with no token that anybody could have."""

    id: str
    user_email: str
    role: str | None
    metadata: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime


class Imports(Protocol):
    """Many at once, in a transaction of the caller's."""

    def users(self, ids: Collection[str]) -> Mapping[str, UserRow]:
        """Those that are here already, deleted or not, by id."""

    def living(self, emails: Collection[str]) -> Mapping[str, str]:
        """The ids of living users by address."""

    def invites(self, ids: Collection[str]) -> Collection[str]:
        """The ids of invites that are here already, open or not."""

    def invited(self, emails: Collection[str]) -> Mapping[str, str]:
        """The ids of invites by address, open or not."""

    def add_users(self, rows: Sequence[UserRow]) -> None: ...

    def add_invites(self, rows: Sequence[InviteRow]) -> None: ...


class Target(Protocol):
    """Where people go to. A transaction is a function of it, which may run more than once."""

    def read(self, work: Callable[[Transaction, Imports], T]) -> T:
        """The result of `work`, which sees one moment. Raises UnavailableError."""

    def write(self, work: Callable[[Transaction, Imports], T]) -> T:
        """The result of `work`, committed; of what fails nothing stays. Raises UnavailableError."""
