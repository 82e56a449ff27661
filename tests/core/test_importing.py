"""Which addresses of a source nobody can have, and what a row has to be like: rules without a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth.core.imported_rows import UnfitError, user_row
from medusa_auth.core.importing import clashing_emails
from medusa_auth.core.users import normalized_email
from medusa_auth.store.importing import EARLIEST, LATEST, SourceUser

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
ROW = SourceUser("usr_1", "Ada@Example.com", None, None, None, None, None, NOW, NOW, None, None)

# Few letters, of which many are the same as others: capitals, full width, composed or not, the Kelvin sign.
EMAILS = st.sets(st.text("aAkK\uff41\u212b\u00e5A\u030a\u212a", min_size=1, max_size=4))


@given(EMAILS)
def test_those_clash_that_are_kept_as_another_is_kept(emails: set[str]):
    unusual = [(email, email) for email in emails if not email.isascii() or email != email.lower()]

    def present(some: Collection[str]) -> Collection[str]:
        return emails.intersection(some)

    changed, clashes = clashing_emails(unusual, present)
    times = Counter(map(normalized_email, emails))
    assert clashes == {email for email, count in times.items() if count > 1}
    assert changed == {normalized_email(email) for email in emails if normalized_email(email) != email}


def test_a_row_is_kept_with_its_address_in_lower_case():
    row = user_row(replace(ROW, metadata='{"a": 1, "b": "ü"}', password_hash="hash"))
    assert (row.email, row.role, row.created_at, row.password_hash) == ("ada@example.com", None, NOW, "hash")
    with pytest.raises(UnfitError, match="role, owner, is none of admin, member, developer"):
        user_row(replace(ROW, role="owner"))


@pytest.mark.parametrize("moment", [EARLIEST, LATEST])
@pytest.mark.parametrize("name", ["created_at", "updated_at", "deleted_at"])
def test_a_time_that_nobody_has_is_not_kept(name: str, moment: datetime):
    with pytest.raises(UnfitError, match="out of bounds"):
        user_row(replace(ROW, **{name: moment}))  # type: ignore[arg-type]


@pytest.mark.parametrize("metadata", ["[]", "1", '"a"', "NaN", '{"a": 1e400}', '{"a":' * 5000 + "1" + "}" * 5000])
def test_metadata_that_is_no_object_or_has_no_bounds_is_not_kept(metadata: str):
    with pytest.raises(UnfitError, match="metadata cannot be kept"):
        user_row(replace(ROW, metadata=metadata))


def test_neither_hash_nor_token_is_shown():
    assert "secret" not in repr(replace(ROW, password_hash="secret", api_token="secret"))
