"""The outbox in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from medusa_auth.model import Mail, MailKind
from medusa_auth.store.sql import tables

__all__ = ["SqlOutbox"]

_mail = tables.outbox
_columns = (_mail.c.id, _mail.c.kind, _mail.c.recipient, _mail.c.about, _mail.c.created_at, _mail.c.attempts)
# Built once: whoever asks for a reset says it.
_ADD = insert(_mail)


class SqlOutbox:
    """`store.base.Outbox` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, kind: MailKind, recipient: str, about: str, now: datetime) -> None:
        row = {"kind": kind.value, "recipient": recipient, "about": about, "created_at": now}
        self._connection.execute(_ADD, row | {"attempts": 0, "next_try_at": now})

    def has_due(self, now: datetime) -> bool:
        due = select(_mail.c.id).where(_mail.c.next_try_at <= now).limit(1)
        return self._connection.execute(due).first() is not None

    def claim(self, now: datetime, until: datetime) -> Mail | None:
        due = select(_mail.c.id).where(_mail.c.next_try_at <= now).order_by(_mail.c.next_try_at, _mail.c.id).limit(1)
        claimed = (
            update(_mail)
            .where(_mail.c.id == due.with_for_update(skip_locked=True).scalar_subquery())
            .values(next_try_at=until, attempts=_mail.c.attempts + 1)
            .returning(*_columns)
        )
        row = self._connection.execute(claimed).first()
        return None if row is None else Mail(row[0], MailKind(row[1]), *row[2:])

    def set_next_try(self, mail_id: int, moment: datetime) -> None:
        self._connection.execute(update(_mail).where(_mail.c.id == mail_id).values(next_try_at=moment))

    def set_sent(self, mail_id: int, moment: datetime) -> None:
        sent = update(_mail).where(_mail.c.id == mail_id).values(next_try_at=None, sent_at=moment)
        self._connection.execute(sent)

    def count_like(self, mail: Mail, since: datetime) -> int:
        same = (_mail.c.kind == mail.kind.value, _mail.c.recipient == mail.recipient, _mail.c.id != mail.id)
        tried = or_(_mail.c.sent_at > since, and_(_mail.c.sent_at.is_(None), _mail.c.attempts > 0))
        return self._connection.execute(select(func.count()).select_from(_mail).where(*same, tried)).scalar_one()

    def delete(self, mail_id: int) -> None:
        self._connection.execute(delete(_mail).where(_mail.c.id == mail_id))

    def delete_older(self, sent_before: datetime) -> int:
        return self._connection.execute(delete(_mail).where(_mail.c.sent_at < sent_before)).rowcount
