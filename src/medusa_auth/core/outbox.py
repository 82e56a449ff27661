"""Mails that are to be sent: asked for within the transaction that they tell of, sent after it.

An entry names what a mail is about and holds no secret: the token in a link is made when the mail is sent. Whoever
asks for a reset writes the same entry whether there is such a user or not; that is found out later, by the sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from medusa_auth.core.invites import INVITE_LIFE, Invites
from medusa_auth.core.password_resets import RESET_LIFE, PasswordResets
from medusa_auth.model import Mail, MailKind, Role, User
from medusa_auth.store.base import Transaction

__all__ = ["Letter", "Outbox"]

# A sender that has not said more after this long is taken for dead.
CLAIM_FOR = timedelta(minutes=2)
# After the first, second ... failure; the last one is repeated.
RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
# What could not be sent for so long is given up: what it says is old, or its reader has asked again.
GIVE_UP_AFTER: Mapping[MailKind, timedelta] = MappingProxyType(
    {
        MailKind.PASSWORD_RESET: timedelta(hours=1),
        MailKind.INVITE: timedelta(days=3),
        MailKind.PASSWORD_CHANGED: timedelta(days=3),
        MailKind.NEW_ADMINISTRATOR: timedelta(days=3),
    }
)
# Anybody may ask for a reset of anybody's password, but not fill their mailbox.
MAX_RESETS = 5
RESETS_WITHIN = timedelta(minutes=15)
# So many in one transaction: while they are, nobody else can write.
CROSSED_OUT_AT_ONCE = 50
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with all that its text needs. `token` is the secret of its link; it is kept nowhere."""

    mail: Mail
    user: User | None = None
    role: Role | None = None
    token: str | None = None
    life: timedelta | None = None

    def __repr__(self) -> str:
        return f"Letter({self.mail!r}, ...)"


class Outbox:
    """The rules of mails, over a transaction of the caller's."""

    def __init__(self, invites: Invites, resets: PasswordResets) -> None:
        self._invites = invites
        self._resets = resets

    def put(self, tx: Transaction, kind: MailKind, recipient: str, about: str, now: datetime) -> None:
        """Ask for a mail. `about` is the id of the user or the invite, or empty."""
        tx.outbox.add(kind, recipient, about, now)

    def put_to_admins(self, tx: Transaction, new: User, now: datetime) -> None:
        """Tell the admins, and the new user, that there is one more."""
        for recipient in dict.fromkeys([new.email, *tx.users.admin_emails()]):
            self.put(tx, MailKind.NEW_ADMINISTRATOR, recipient, new.id, now)

    def take(self, tx: Transaction, now: datetime) -> Letter | None:
        """The next mail that is due, for the caller alone; None if there is none among the first of those that are due.

        Entries that there is nobody to write to are crossed out on the way.
        """
        tx.outbox.delete_older(now - KEPT_FOR)
        for _ in range(CROSSED_OUT_AT_ONCE):
            mail = tx.outbox.claim(now, now + CLAIM_FOR)
            if mail is None:
                return None
            letter = None if now > mail.created_at + GIVE_UP_AFTER[mail.kind] else self._letter(tx, mail, now)
            if letter is not None:
                return letter
            tx.outbox.delete(mail.id)
        return None

    def sent(self, tx: Transaction, mail: Mail, now: datetime) -> None:
        """It went out."""
        tx.outbox.set_sent(mail.id, now)

    def failed(self, tx: Transaction, mail: Mail, now: datetime) -> None:
        """It did not go out, and will be tried again."""
        tx.outbox.set_next_try(mail.id, now + RETRY_AFTER[min(mail.attempts, len(RETRY_AFTER)) - 1])

    def _letter(self, tx: Transaction, mail: Mail, now: datetime) -> Letter | None:
        if mail.kind is MailKind.INVITE:
            return self._invite(tx, mail, now)
        if mail.kind is MailKind.PASSWORD_RESET:
            return self._password_reset(tx, mail, now)
        user = tx.users.get(mail.about)
        return None if user is None else Letter(mail, user)

    def _invite(self, tx: Transaction, mail: Mail, now: datetime) -> Letter | None:
        invite = tx.invites.get(mail.about)
        if invite is None:
            return None
        return Letter(mail, role=invite.role, token=self._invites.issue(tx, invite, now), life=INVITE_LIFE)

    def _password_reset(self, tx: Transaction, mail: Mail, now: datetime) -> Letter | None:
        found = tx.users.get_with_password(mail.recipient)
        # One that another process is sending counts: whether it arrives is not known yet.
        if found is None or tx.outbox.count_like(mail, now - RESETS_WITHIN) >= MAX_RESETS:
            return None
        return Letter(mail, found[0], token=self._resets.issue(tx, found[0], now), life=RESET_LIFE)
