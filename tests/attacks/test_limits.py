"""What is too much: it is refused or done, soon, and never by an error of the server's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.attacks.siege import (
    NEW_PASSWORD,
    Answer,
    accept,
    add_user,
    bearer,
    call,
    invite,
    new_address,
    reset,
    reset_token,
)
from tests.databases import each_database
from tests.server.helpers import Running

from medusa_auth.model import User

pytestmark = each_database

JSON = {"Content-Type": "application/json"}
KIB = 1024
# Marks in the wrong order, which normalizing sorts one by one.
MARKS = "\u0327\u0301" * (24 * KIB)


@contextmanager
def soon(seconds: float = 2.0) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.fixture(scope="module")
def user(shared_server: Running) -> User:
    return add_user(shared_server)


@pytest.fixture(scope="module")
def own(shared_server: Running, user: User) -> dict[str, str]:
    return bearer(shared_server, user)


def update(server: Running, user: User, own: dict[str, str], body: bytes) -> Answer:
    with soon():
        return call(server, "POST", f"/admin/users/{user.id}", body, own | JSON)


METADATA = {
    "deep objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "deep lists": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "open lists": b'{"a":' + b"[" * 90_000,
    "99 levels": b'{"a":' * 99 + b"{}" + b"}" * 99,
    "101 levels": b'{"a":' * 101 + b"{}" + b"}" * 101,
    "digits": b'{"a":' + b"9" * 90_000 + b"}",
    "4300 digits": b'{"a":' + b"9" * 4300 + b"}",
    "an exponent": b'{"a":1e999999999}',
    "a small exponent": b'{"a":1e-999999999}',
    "a negative exponent": b'{"a":-1e400}',
    "64 bits": b'{"a":9223372036854775807}',
    "more than 64 bits": b'{"a":9223372036854775808}',
    "the least": b'{"a":-9223372036854775808}',
    "not a number": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "many keys": json.dumps({str(number): "" for number in range(8000)}).encode(),
    "one key often": b"{" + b",".join([b'"a":1'] * 15_000) + b"}",
    "a long key": b'{"' + b"k" * 90_000 + b'":1}',
    "half a pair": b'{"a":"\\ud800","\\udfff":1}',
    "a nul": b'{"a":["\\u0000"]}',
    "marks": json.dumps({"a": MARKS[:15_000]}).encode(),
    "a list": b"[1,2]",
    "a text": b'"a"',
    "a number": b"1",
    "numbers": b'{"a":[' + b",".join([b"1"] * 45_000) + b"]}",
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_of_any_shape_is_kept_or_refused(shared_server: Running, name: str):
    person = add_user(shared_server)
    answer = update(shared_server, person, bearer(shared_server, person), b'{"metadata":' + METADATA[name] + b"}")
    assert answer.status in {200, 400}
    with soon():
        listed = call(shared_server, "GET", f"/admin/users?id={person.id}", headers=bearer(shared_server))
    assert listed.json()["count"] == 1


@pytest.mark.asvs("2.4.1")
def test_merges_of_metadata_do_not_grow_without_bound(shared_server: Running, user: User, own: dict[str, str]):
    statuses = []
    for number in range(10):
        metadata = {f"{number}-{part}": "x" * KIB for part in range(30)}
        statuses.append(update(shared_server, user, own, json.dumps({"metadata": metadata}).encode()).status)
    assert statuses == [200] * 3 + [400] * 7
    kept = call(shared_server, "GET", "/admin/auth", headers=own)
    assert len(kept.content) < 101 * KIB
    # What is full can be emptied.
    gone = dict.fromkeys(kept.json()["user"]["metadata"], "")
    answer = update(shared_server, user, own, json.dumps({"metadata": gone}).encode())
    assert answer.json()["user"]["metadata"] == {}


def test_many_users_with_all_the_metadata_that_they_may_have_are_listed(shared_server: Running):
    body = json.dumps({"metadata": {"a": "x" * (99 * KIB)}}).encode()
    for _ in range(10):
        person = add_user(shared_server)
        assert update(shared_server, person, bearer(shared_server, person), body).status == 200
    for query in ("limit=0", "limit=50", "q=x", "fields=metadata&limit=0"):
        with soon():
            assert call(shared_server, "GET", f"/admin/users?{query}", headers=bearer(shared_server)).status == 200


@pytest.mark.parametrize("size", [100 * KIB, 100 * KIB + 1])
def test_a_body_is_100_kib_long_at_most(shared_server: Running, user: User, own: dict[str, str], size: int):
    body = b'{"metadata":{"a":"' + b"x" * (size - 21) + b'"}}'
    assert len(body) == size
    assert update(shared_server, user, own, body).status == (200 if size <= 100 * KIB else 413)


NUMBERS = [
    "0",
    "1",
    "2147483647",
    "2147483648",
    "-1",
    "-0",
    "+1",
    "1.5",
    "1e3",
    "0x10",
    " 1",
    "\u0661",
    "9" * 5000,
    "",
    "NaN",
    "null",
    "00000000001",
    "1;2",
    "1_0",
]


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", NUMBERS, ids=range(len(NUMBERS)))
def test_any_limit_and_offset_is_done_or_refused(shared_server: Running, own: dict[str, str], name: str, value: str):
    for query in ({name: value}, {name: value, "limit" if name == "offset" else "offset": "2147483647"}):
        with soon():
            answer = call(shared_server, "GET", f"/admin/users?{urlencode(query)}", headers=own)
        assert answer.status == (200 if value in {"0", "1", "2147483647"} else 400)


QUERIES = {
    "10,000 ids": ("&".join(["id=usr_01M8670000000000000000000A"] * 10_000), {431}),
    "10,000 short ids": ("&".join(["id"] * 5000), {400}),
    "1000 ids": ("&".join(["id[]=usr_1"] * 1000), {200}),
    "numbered ids": ("&".join(f"id[{n}]=usr_1" for n in range(900)), {200}),
    "1001 fields": ("&".join(["a"] * 1001), {400}),
    "many unknown": ("&".join(f"x{n}=1" for n in range(1000)), {400}),
    "long q": ("q=" + "x" * 16_000, {200}),
    "longer q": ("q=" + "x" * 17_000, {431}),
    "wildcards": ("q=" + "%25" * 5000, {200}),
    "underscores": ("q=" + "_" * 15_900, {200}),
    "backslashes": ("q=" + "/" * 15_900, {200}),
    "marks": ("email=" + quote(MARKS[:2600]), {200}),
    "many fields": ("fields=" + ",".join(["id"] * 5000), {200}),
    "brackets": ("created_at" + "[" * 5000 + "gt]=2000", {400}),
    "deep": ("a" + "[b]" * 5000 + "=1", {400}),
    "no text": ("q=%ff%fe", {400}),
    "half a pair": ("q=%ed%a0%80", {400}),
    "a nul": ("q=%00", {400}),
    "a nul in a name": ("%00=1", {400}),
    "an early time": ("created_at[gt]=0001-01-01T00:00:00%2B14:00", {400}),
    "a late time": ("created_at[lt]=9999-12-31T23:59:59-14:00", {400}),
    "the earliest time": ("created_at[gt]=0001-01-01", {200}),
    "the latest time": ("created_at[lt]=9999-12-31T23:59:59.999999", {200}),
    "no time": ("created_at[gt]=" + "9" * 10_000, {400}),
    "a half-open time": ("created_at[gt]=2026-11-24T24:00:00", {200, 400}),
    "a percent": ("%=%&%q=%zz&q=%", {200, 400}),
}


@pytest.mark.parametrize("name", QUERIES)
def test_any_query_is_done_or_refused(shared_server: Running, own: dict[str, str], name: str):
    query, statuses = QUERIES[name]
    with soon():
        assert call(shared_server, "GET", f"/admin/users?{query}", headers=own).status in statuses


@pytest.mark.asvs("2.4.1")
def test_a_long_password_or_name_in_the_worst_order_takes_no_time(shared_server: Running, user: User):
    token, joining = reset_token(shared_server, user), invite(shared_server, new_address())
    with soon(1.0):
        assert call(shared_server, "POST", "/admin/users/reset-password", _body(token, MARKS), JSON).status == 400
    names = json.dumps({"token": joining, "user": {"password": NEW_PASSWORD, "first_name": MARKS}}, ensure_ascii=False)
    with soon(1.0):
        assert call(shared_server, "POST", "/admin/invites/accept", names.encode(), JSON).status == 400
    assert reset(shared_server, token).status == 200


def _body(token: str, password: str) -> bytes:
    return json.dumps({"token": token, "password": password}, ensure_ascii=False).encode()


@pytest.mark.parametrize("size", [15, 64, 1024, 1025, 90_000])
def test_a_password_has_1024_bytes_at_most(shared_server: Running, size: int):
    answer = accept(shared_server, invite(shared_server, new_address()), "x1" * (size // 2) + "y" * (size % 2))
    assert answer.status == (200 if size <= 1024 else 400)


@pytest.mark.parametrize(
    "token", ["x" * 4096, "x" * 4097, "x" * 90_000, "." * 90_000, "..", "\ud800.\ud800.\ud800", "e30.e30.e30"]
)
def test_a_long_or_odd_token_is_refused(shared_server: Running, token: str):
    with soon():
        assert accept(shared_server, token).status == 400
        assert reset(shared_server, token).status == 401


IDS: list[Any] = [
    "%00",
    "%ff",
    "%ed%a0%80",
    "x" * 15_000,
    "..",
    ".",
    "%2e%2e",
    "%2f",
    "*",
    "usr_1%20",
    "%0d%0a",
    "null",
    "0",
]


@pytest.mark.parametrize("user_id", IDS, ids=range(len(IDS)))
def test_any_id_in_a_path_is_one_of_nobody(shared_server: Running, user_id: str):
    headers = bearer(shared_server)
    for method, path, body in (
        ("GET", f"/admin/users/{user_id}", None),
        ("POST", f"/admin/users/{user_id}", {}),
        ("DELETE", f"/admin/users/{user_id}", None),
        ("POST", f"/admin/invites/{user_id}/resend", None),
        ("DELETE", f"/admin/invites/{user_id}", None),
    ):
        with soon():
            answer = call(shared_server, method, path, body, headers)
        assert answer.status in {200, 400, 404}
        assert answer.status != 200 or method == "DELETE"
