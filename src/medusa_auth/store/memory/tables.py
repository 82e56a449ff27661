"""Tables: rows of one kind, each under its key and under every other field by which it is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from medusa_auth.errors import DuplicateError
from medusa_auth.store.memory.entries import Entries

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Draft", "Table", "read", "values"]

R = TypeVar("R", bound="DataclassInstance")


class Draft:
    """What a transaction makes of the entries that it found."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries


class Table(Generic[R]):
    """Rows are frozen dataclasses. `key` and `by` name fields; None is under nothing.

    An entry is the table's name, the field's, its value, the key, and the row.
    """

    def __init__(self, draft: Draft, name: str, key: str, by: Sequence[str] = ()) -> None:
        self._draft = draft
        self._name = name
        self._key = key
        self._fields = (key, *by)

    def get(self, key: object) -> R | None:
        return next(self.where(self._key, key), None)

    def where(self, field: str, *value: object) -> Iterator[R]:
        """Those with this value of `field`, by their keys; without a value all that have one, by it and their keys."""
        return (entry[-1] for entry in self._draft.entries.starting((self._name, field, *value)))

    def until(self, field: str, moment: datetime) -> Iterator[R]:
        """Those whose `field` is at that moment or before, the earliest first."""
        return takewhile(lambda row: getattr(row, field) <= moment, self.where(field))

    def add(self, row: R) -> None:
        """Raises DuplicateError if its key is taken."""
        if self.get(getattr(row, self._key)) is not None:
            raise DuplicateError
        self.put(row)

    def put(self, row: R) -> None:
        """Add it, or keep it instead of the one that has its key. Times come back in UTC."""
        self.delete(self.where(self._key, getattr(row, self._key)))
        for entry in self._entries(_in_utc(row)):
            self._draft.entries = self._draft.entries.add(entry)

    def delete(self, rows: Iterable[R]) -> int:
        """How many there were."""
        gone = list(rows)
        for row in gone:
            for entry in self._entries(row):
                self._draft.entries = self._draft.entries.remove(entry)
        return len(gone)

    def _entries(self, row: R) -> Iterator[tuple[Any, ...]]:
        for field in self._fields:
            value = getattr(row, field)
            if value is not None:
                yield self._name, field, value, getattr(row, self._key), row


def values(row: DataclassInstance, kind: type[DataclassInstance]) -> dict[str, Any]:
    """Those fields of `row` that every `kind` has, by their names."""
    return {field.name: getattr(row, field.name) for field in fields(kind)}


def read(row: DataclassInstance | None, kind: type[R]) -> R | None:
    """`row` as a `kind`, without what else is kept in it."""
    return None if row is None else kind(**values(row, kind))


def _in_utc(row: R) -> R:
    moments = {
        name: value.astimezone(UTC)
        for name, value in values(row, type(row)).items()
        if isinstance(value, datetime) and value.tzinfo is not UTC
    }
    return replace(row, **moments) if moments else row
