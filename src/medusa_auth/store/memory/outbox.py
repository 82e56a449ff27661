"""The outbox in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from medusa_auth.model import Mail, MailKind
from medusa_auth.store.memory.tables import Draft, Table, values

__all__ = ["MemoryOutbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(Mail):
    """`next_try_at` is None once it was sent."""

    next_try_at: datetime | None
    sent_at: datetime | None = None


class MemoryOutbox:
    """`store.base.Outbox` of one transaction. `numbers` are never given twice."""

    def __init__(self, draft: Draft, numbers: Iterator[int]) -> None:
        self._mails = Table[_Kept](draft, "mail", "id", by=("recipient", "next_try_at", "sent_at"))
        self._numbers = numbers

    def add(self, kind: MailKind, recipient: str, about: str, now: datetime) -> None:
        self._mails.add(_Kept(next(self._numbers), kind, recipient, about, now, attempts=0, next_try_at=now))

    def has_due(self, now: datetime) -> bool:
        return any(self._mails.until("next_try_at", now))

    def claim(self, now: datetime, until: datetime) -> Mail | None:
        due = next(self._mails.until("next_try_at", now), None)
        if due is None:
            return None
        claimed = replace(due, attempts=due.attempts + 1, next_try_at=until)
        self._mails.put(claimed)
        return Mail(**values(claimed, Mail))

    def set_next_try(self, mail_id: int, moment: datetime) -> None:
        for kept in self._mails.where("id", mail_id):
            self._mails.put(replace(kept, next_try_at=moment))

    def set_sent(self, mail_id: int, moment: datetime) -> None:
        for kept in self._mails.where("id", mail_id):
            self._mails.put(replace(kept, next_try_at=None, sent_at=moment))

    def count_like(self, mail: Mail, since: datetime) -> int:
        others = (kept for kept in self._mails.where("recipient", mail.recipient) if kept.id != mail.id)
        return sum(
            kept.kind == mail.kind and (kept.attempts > 0 if kept.sent_at is None else kept.sent_at > since)
            for kept in others
        )

    def delete(self, mail_id: int) -> None:
        self._mails.delete(self._mails.where("id", mail_id))

    def delete_older(self, sent_before: datetime) -> int:
        older = self._mails.until("sent_at", sent_before)
        return self._mails.delete(kept for kept in older if kept.sent_at != sent_before)
