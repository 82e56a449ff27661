"""Whatever is sent about people, it is read or refused with a sentence, and what is read can be kept and mailed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.policy import SMTPUTF8
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec import UNSET
from tests.server.helpers import run

from medusa_auth.core.access_tokens import AccessTokens, Claims
from medusa_auth.core.outbox import Letter
from medusa_auth.core.users import UserChanges, Users, normalized_email
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import Mail, MailKind, Role, User
from medusa_auth.server import validation
from medusa_auth.server.mail import Postman
from medusa_auth.server.queries import USER_FIELDS, USER_PARAMETERS, picked, read_user_listing
from medusa_auth.store.base import Transaction
from medusa_auth.store.sql.migrate import migrate
from medusa_auth.store.sql.records import SqlRecords
from medusa_auth.wire import User as WireUser

T = TypeVar("T")

NOW = datetime(2026, 11, 24, tzinfo=UTC)
USERS = Users(AccessTokens(["k" * 32], Claims("user_id", {"domain": "admin"}), timedelta(hours=1)))
POSTMAN = Postman(
    public_url="https://shop.example.com", invite_url="/invite", reset_url="/reset", sender="shop@example.com"
)

any_text = st.text(st.characters(exclude_categories=()), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=10,
)
addresses = st.sampled_from(["a@b.co", "A@B.CO", "\xe9@b.co"]) | st.tuples(any_text, any_text).map("@".join)
texts = st.none() | any_text
roles = st.sampled_from([None, "admin", "owner"])
names = {"first_name": texts, "last_name": texts}
metadata = st.dictionaries(any_text, json_values, max_size=5)

# Of each request, its reader and values that may well be right; each can be missing, or anything.
READERS: dict[str, tuple[Callable[[Any], Any], dict[str, st.SearchStrategy[Any]]]] = {
    "create": (
        validation.read_admin_create_user_request,
        {"email": addresses, **names, "role": roles, "password": any_text},
    ),
    "update": (
        validation.read_admin_update_user_request,
        {**names, "role": roles, "api_token": texts, "metadata": st.none() | metadata},
    ),
    "ask for a reset": (validation.read_admin_reset_password_token_request, {"email": addresses}),
    "reset": (
        validation.read_admin_reset_password_request,
        {"email": st.none() | addresses, "token": any_text, "password": any_text},
    ),
    "invite": (validation.read_admin_post_invites_req, {"user": addresses, "role": roles}),
    "accept": (
        validation.read_admin_post_invites_invite_accept_req,
        {"token": any_text, "user": st.fixed_dictionaries({}, optional={**names, "password": any_text})},
    ),
}


def bodies(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    spoilt = {name: value | json_values for name, value in fields.items()}
    return st.fixed_dictionaries(fields) | st.fixed_dictionaries({}, optional=spoilt) | json_values


def is_as_sent(read: Any, sent: Any) -> bool:
    """Whether a Struct holds what the body did; of an inner one too."""
    if isinstance(read, msgspec.Struct):
        return all(is_as_sent(getattr(read, name), sent.get(name, UNSET)) for name in read.__struct_fields__)
    return bool(read == sent)


def attempt(read: Callable[[Any], T], sent: Any) -> tuple[T | None, str]:
    """What was read, or None and why it was refused."""
    try:
        return read(sent), ""
    except InvalidRequestError as refusal:
        return None, refusal.message


@pytest.mark.parametrize("request_name", READERS)
@given(data=st.data())
def test_a_body_is_read_as_it_was_sent_or_refused_with_a_sentence(request_name: str, data: st.DataObject):
    read, fields = READERS[request_name]
    body = data.draw(bodies(fields))
    req, said = attempt(read, body)
    assert said if req is None else is_as_sent(req, body)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlRecords]:
    url = f"sqlite:///{tmp_path_factory.mktemp('properties') / 'test.db'}"
    migrate(url)
    records = SqlRecords(url)
    yield records
    records.close()


@pytest.fixture(scope="module")
def user(records: SqlRecords) -> User:
    def make(tx: Transaction) -> User:
        return USERS.create(tx, email="a@b.co", password_hash=None, now=NOW, first_name="Ada", role=Role.ADMIN)

    return run(lambda: records.write(make))


def answered(records: SqlRecords, user: User, changes: UserChanges) -> dict[str, Any]:
    """The user as our answer has it, after `changes` to `user` were written and read again."""
    run(lambda: records.write(lambda tx: USERS.update(tx, user, changes, NOW)))
    stored = run(lambda: records.read(lambda tx: USERS.get(tx, user.id)))
    answer: dict[str, Any] = json.loads(msgspec.json.encode(WireUser.of(stored)))
    return answer


@given(sent=metadata)
@example({"a": 2**63 - 1, "b": -(2**63 - 1), "c": 5e-324, "d": -0.0, "e": 1e22, "f": [{}, [], "", None, True]})
@example({"": 0, "a.b": "\u2028\U0001f511", "constructor": {"__proto__": 1}})
def test_metadata_that_is_accepted_is_kept_and_answered_as_it_was_sent(
    records: SqlRecords, user: User, sent: dict[str, Any]
):
    try:
        req = validation.read_admin_update_user_request({"metadata": sent})
    except InvalidRequestError:
        return
    assert isinstance(req.metadata, dict)
    answer = answered(records, user, UserChanges(metadata=req.metadata))
    # An empty text takes a key away.
    kept = {key: value for key, value in sent.items() if value != ""}
    assert json.dumps(answer["metadata"], sort_keys=True) == json.dumps(kept, sort_keys=True)


@given(first=texts, last=texts)
def test_names_that_are_accepted_are_kept_and_answered_as_they_were_sent(
    records: SqlRecords, user: User, first: str | None, last: str | None
):
    try:
        validation.read_admin_update_user_request({"first_name": first, "last_name": last})
    except InvalidRequestError:
        return
    answer = answered(records, user, UserChanges(first_name=first, last_name=last))
    assert (answer["first_name"], answer["last_name"]) == (first, last)


sendable_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.sampled_from(["", "0", "-1", "1e3", "2147483648", "\u0661"])
times = st.datetimes().map(datetime.isoformat) | st.sampled_from(["2026-11-24", "2026-11-24T00:00+14:00", "2026-W48-2"])
usual_values = {
    "limit": st.integers(0, 2**31).map(str),
    "offset": st.integers(0, 2**31).map(str),
    "order": st.sampled_from(["-", ""]).flatmap(lambda sign: st.sampled_from(USER_FIELDS).map(sign.__add__)),
    "fields": st.lists(st.sampled_from(USER_FIELDS), min_size=1).map(",".join),
    "role": st.sampled_from(list(Role)),
    "id[]": sendable_text,
    **{f"{name}[{limit}]": times for name in ("created_at", "deleted_at") for limit in ("gt", "gte", "lt", "lte")},
    **dict.fromkeys(("q", "email", "first_name", "last_name"), sendable_text),
}
usual_queries = st.fixed_dictionaries({}, optional=usual_values).map(urlencode)
odd_keys = st.tuples(
    st.sampled_from([*USER_PARAMETERS, "expand", "other"]), st.sampled_from(["", "[]", "[0]", "[gt]", "[other]", "["])
).map("".join)
odd_queries = st.lists(st.tuples(odd_keys, sendable_text | numbers | times), max_size=3).map(urlencode)
no_queries = st.text("abidq=&[]%0189+;", max_size=60)
query_strings = (usual_queries | odd_queries | no_queries).map(str.encode) | st.binary(max_size=60)


@given(query_string=query_strings)
@example(b"created_at[gt]=0001-01-01T00:00:00%2B14:00")
@example(b"created_at[lt]=9999-12-31T23:59:59.999999-14:00")
@example(b"q=%25_%5C&id[]=a&id[]=b&limit=0&offset=2147483647&order=-deleted_at&deleted_at[gte]=2026-11-24")
@example(f"q={quote('%' * 99)}".encode())
def test_a_query_for_users_is_refused_with_a_sentence_or_finds_some_or_none(
    records: SqlRecords, user: User, query_string: bytes
):
    listing, said = attempt(read_user_listing, query_string)
    if listing is None:
        assert said
        return
    users, count = run(lambda: records.read(lambda tx: tx.users.search(listing.query)))
    assert len(users) <= count
    for found in users:
        shown = picked(msgspec.structs.asdict(WireUser.of(found)), listing.fields)
        assert {"id", "created_at"} <= shown.keys() <= set(USER_FIELDS)


letters = st.text(st.characters(categories=["L"], max_codepoint=0xFFFF), min_size=1, max_size=5)
marks = st.text(st.characters(categories=["P", "S", "N", "L"], max_codepoint=0xFFFF), max_size=1)
domains = st.sampled_from(["@b.co", "@B\xfccher.example.com", "@\uff42.co"])
new_addresses = st.tuples(letters, marks, letters, domains).map("".join)


@given(address=new_addresses)
@example("a\uff20b@c.co")
@example("a\uff0cb@b.co")
@example("\uff08a\uff09@b.co")
@example("a\u2025@b.co")
@example("\xe9@b.co")
@example("\xe9@b\xfccher.com")
def test_to_a_new_address_in_the_form_in_which_it_is_kept_a_mail_can_be_written(address: str):
    assume(validation.is_new_email(address))
    kept = normalized_email(address)
    assert validation.is_new_email(kept)
    mail = Mail(1, MailKind.PASSWORD_CHANGED, kept, "usr_1", NOW, 1)
    written = POSTMAN.message(Letter(mail, User("usr_1", kept, Role.ADMIN, NOW, NOW)))
    assert f"To: {kept}\r\n".encode() in written.as_bytes(policy=SMTPUTF8)
