"""Bodies: what is read, what is refused, and in which words."""

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
from tests.server.helpers import LOGIN, Running

GOOD = json.dumps(LOGIN).encode()
JSON = "application/json"
ALL_MISSING = (
    "email should not be empty, email must be an email, password should not be empty, password must be a string"
)


@pytest.fixture(scope="module")
def server(shared_server: Running) -> Running:
    return shared_server


def post(server: Running, content: bytes, content_type: str | None = JSON, **headers: str):
    sent = ({"Content-Type": content_type} if content_type else {}) | headers
    return server.client().post("/admin/auth", content=content, headers=sent)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, ALL_MISSING),
        ({"email": None, "password": None}, ALL_MISSING),
        (
            {"email": "", "password": ""},
            "email should not be empty, email must be an email, password should not be empty",
        ),
        (LOGIN | {"email": "not-an-email"}, "email must be an email"),
        (LOGIN | {"email": True}, "email must be an email"),
        (LOGIN | {"email": LOGIN["email"] + " "}, "email must be an email"),
        (LOGIN | {"password": ["a"]}, "password must be a string"),
        (LOGIN | {"password": 1.5}, "password must be a string"),
        (LOGIN | {"x": 1}, "property x should not exist"),
        ({"b": 1, "a": 1}, f"property b should not exist, property a should not exist, {ALL_MISSING}"),
        (LOGIN | {"": 1}, "property  should not exist"),
        ([], "an unknown value was passed to the validate function"),
        ([LOGIN], "an unknown value was passed to the validate function"),
    ],
)
@pytest.mark.parametrize("path", ["/admin/auth", "/admin/auth/token"])
def test_a_body_that_is_not_asked_for_is_refused_in_medusas_words(server: Running, path: str, body, message: str):
    answer = server.client().post(path, json=body)
    assert answer.status_code == 400
    assert answer.json() == {"type": "invalid_data", "message": message}


@pytest.mark.parametrize("key", ["__proto__", "constructor", "toString", "hasOwnProperty"])
def test_keys_that_every_javascript_object_has_are_let_through_as_medusa_does(server: Running, key: str):
    assert server.client().post("/admin/auth", json=LOGIN | {key: 1}).status_code == 200


@pytest.mark.parametrize(
    ("content", "content_type", "headers"),
    [
        (GOOD, "application/json; charset=UTF-8", {}),
        (GOOD, 'APPLICATION/JSON ;a=b;\tCharset="utf-8" ; c=d', {}),
        (GOOD, 'application/json; x="' + ";" * 7_000, {}),
        (GOOD, "APPLICATION/JSON", {}),
        (b"\xef\xbb\xbf" + GOOD, JSON, {}),
        (GOOD.decode().encode("utf-16"), "application/json; charset=utf-16", {}),
        (GOOD.decode().encode("utf-16-le"), "application/json; charset=utf-16le", {}),
        (gzip.compress(GOOD, mtime=0), JSON, {"Content-Encoding": "gzip"}),
        (zlib.compress(GOOD), JSON, {"Content-Encoding": "DEFLATE"}),
        (GOOD, JSON, {"Content-Encoding": "identity"}),
        (GOOD, JSON, {"Content-Encoding": ""}),
        (b'{"email":"x","email":"admin@example.com","password":"' + LOGIN["password"].encode() + b'"}', JSON, {}),
    ],
)
def test_a_good_body_is_read_in_all_its_encodings(server: Running, content: bytes, content_type: str, headers):
    assert post(server, content, content_type, **headers).status_code == 200


def test_a_chunked_body_is_read(server: Running):
    chunks = (GOOD[i : i + 7] for i in range(0, len(GOOD), 7))
    assert server.client().post("/admin/auth", content=chunks, headers={"Content-Type": JSON}).status_code == 200


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/ld+json", "json"]
)
def test_a_body_of_another_type_is_not_read(server: Running, content_type: str | None):
    assert post(server, GOOD, content_type).json()["message"] == ALL_MISSING


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"hello",
        b"{'email':'a'}",
        GOOD + b" x",
        b"null",
        b'"abc"',
        b"1",
        b" ",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\t"}',
        b"[" * 50_000,
        b'{"a":' + b"9" * 10_000 + b"}",
        b"[" * 10_000 + b"]" * 10_000,
        GOOD + b"\0",
    ],
)
def test_malformed_json_is_refused_in_json(server: Running, content: bytes):
    answer = post(server, content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["type"] == "invalid_data"
    assert answer.json()["message"].startswith("The body is not valid JSON")


def test_malformed_json_is_refused_before_a_credential_is_asked_for(server: Running):
    for method in ("GET", "DELETE", "PUT"):
        answer = server.client().request(method, "/admin/auth", content=b"{", headers={"Content-Type": JSON})
        assert answer.status_code == 400


@pytest.mark.parametrize(("size", "status"), [(100 * 1024, 401), (100 * 1024 + 1, 413), (2_000_000, 413)])
def test_bodies_may_have_100_kib(server: Running, size: int, status: int):
    frame = json.dumps(LOGIN | {"password": ""}).encode()
    body = frame[:-2] + b"a" * (size - len(frame)) + frame[-2:]
    answer = post(server, body)
    assert answer.status_code == status
    if status == 413:
        assert answer.json() == {"type": "invalid_data", "message": "The body is larger than 100 KiB."}


def test_what_a_compressed_body_inflates_to_counts(server: Running):
    bomb = gzip.compress(b"[" + b" " * 50_000_000)
    assert len(bomb) < 100 * 1024
    assert post(server, bomb, **{"Content-Encoding": "gzip"}).status_code == 413


def test_a_chunked_body_that_is_too_long_is_refused_before_its_end(server: Running):
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b"[" * 10_000

    assert server.client().post("/admin/auth", content=chunks(), headers={"Content-Type": JSON}).status_code == 413


@pytest.mark.parametrize(
    ("content", "content_type", "headers", "status"),
    [
        (GOOD, "application/json; charset=iso-8859-1", {}, 415),
        (GOOD, "application/json; charset=utf-7", {}, 415),
        (GOOD, JSON, {"Content-Encoding": "br"}, 415),
        (GOOD, JSON, {"Content-Encoding": "zstd"}, 415),
        (GOOD, JSON, {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(GOOD, mtime=0)[:-4], JSON, {"Content-Encoding": "gzip"}, 400),
        (zlib.compress(GOOD) + b"x", JSON, {"Content-Encoding": "deflate"}, 400),
    ],
)
def test_an_encoding_that_is_not_known_or_not_kept_is_refused(server: Running, content, content_type, headers, status):
    answer = post(server, content, content_type, **headers)
    assert answer.status_code == status
    assert answer.json()["type"] == "invalid_data"


@pytest.mark.parametrize("password", ["\\ud800", "\\u0000", "a\\u0000"])
def test_passwords_that_are_no_text_are_wrong_and_no_more(server: Running, password: str):
    content = b'{"email":"admin@example.com","password":"' + password.encode() + b'"}'
    answer = post(server, content)
    assert (answer.status_code, answer.text) == (401, "Unauthorized")


def test_invalid_utf8_is_replaced_as_medusa_does(server: Running):
    assert post(server, b'{"email":"admin@example.com","password":"\xff\xfe"}').status_code == 401


def test_an_address_that_is_no_text_is_no_address(server: Running):
    answer = post(server, b'{"email":"\\ud800@b.co","password":"x"}')
    assert (answer.status_code, answer.json()["message"]) == (400, "email must be an email")


@pytest.mark.parametrize("body", [b'{"email":"a@\\ud800x.com","password":"x"}', b'{"\\ud800":1}'])
def test_half_a_surrogate_pair_anywhere_is_refused_and_no_error(server: Running, body: bytes):
    assert post(server, body).status_code == 400
