"""Medusa's JavaScript and its packages against our server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.databases import each_database
from tests.peers.peer import run_peer
from tests.server.helpers import EMAIL, PASSWORD, Running

from medusa_auth.core.passwords import Scrypt
from medusa_auth.server.cookies import SessionCookie
from medusa_auth.server.emails import is_email

pytestmark = each_database

KEY = "k" * 32
COOKIE = SessionCookie([KEY], "lax")
ADDRESSES = [
    "a@b.co",
    "a@b",
    "a@b.c",
    "a@b..co",
    "a@-b.co",
    "a@b-.co",
    "a@b.local",
    "a@localhost",
    "a@b.123",
    "a@b.c1",
    "@b.co",
    "a@",
    "a",
    "",
    "a@@b.co",
    "a b@b.co",
    '"a b"@b.co',
    '""@b.co',
    '"@b.co',
    "a..b@b.co",
    ".a@b.co",
    "a.@b.co",
    "a+b@b.co",
    "\xe4@b.co",
    "a@\xe4.co",
    "a@b.\xe4\xe4",
    "a@xn--4ca.co",
    "a@b.xn--p1ai",
    "a@b_c.co",
    "a@\uff42.co",
    "a@b.co.",
    "a@[127.0.0.1]",
    "a@127.0.0.1",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@b.co",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@b.co",
    "a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.co",
    "a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.co",
    "a@b.co\n",
    "\U0001f511@b.co",
    "a@\U0001f511.co",
    "a\xa0b@b.co",
    "x'or'1'='1@b.co",
    "a,b@b.co",
    "a@b.CO",
    "A@B.CO",
    '"\\a"@b.co',
    "a%b@b.co",
]


@pytest.mark.parametrize("window", [False, True])
def test_medusa_js_signs_in_is_recognised_and_signs_out(server: Running, window: bool):
    token, _ = server.api_token()
    steps = run_peer(
        "medusa_js.js",
        {"base_url": server.url, "email": EMAIL, "password": PASSWORD, "window": window, "apiKey": token},
    )
    assert steps["createSession"]["data"]["user"]["email"] == EMAIL
    assert steps["getSessionWithCookie"]["data"]["user"]["email"] == EMAIL
    assert steps["getSessionWithoutCookie"]["status"] == 401
    assert steps["getToken"]["data"]["access_token"].count(".") == 2
    # Outside of a browser the published medusa-js forgets its token.
    assert steps["getSessionAfterToken"]["status"] == (200 if window else 401)
    assert steps["deleteSession"]["status"] == 200
    assert steps["createSessionWrongPassword"]["status"] == 401
    assert steps["createSessionEmpty"]["error"]["data"]["type"] == "invalid_data"
    assert steps["getSessionWithApiKey"]["data"]["user"]["email"] == EMAIL


def test_express_session_reads_our_cookies_and_we_read_its():
    ids = ["abc", "2ChW0C_C63fyHMtNYGq5K0V3oNQ_MGV6", "-" * 32]
    ours = [COOKIE.write(session_id, datetime.now(UTC), secure=False).partition(";")[0] for session_id in ids]
    answer = run_peer("express_session.js", {"cookie_secret": KEY, "sign": ids, "read": ours, "issue": 3})
    assert answer["read"] == ids
    assert [f"connect.sid={value}" for value in answer["sign"]] == ours
    for issued in answer["issue"]:
        assert COOKIE.read(issued["value"]) == issued["sid"]


def test_scrypt_kdf_verifies_our_hashes_and_we_verify_its():
    passwords = ["supersecret", "pässwörd 🔑", "x" * 100]
    ours = [{"password": password, "hash_base64": Scrypt().hash(password)} for password in passwords]
    wrong = [{"password": "wrong", "hash_base64": ours[0]["hash_base64"]}]
    params = {"logN": 15, "r": 8, "p": 1}
    answer = run_peer(
        "scrypt_kdf.js",
        {"verify": ours + wrong, "hash": [{"password": password, "params": params} for password in passwords]},
    )
    assert answer["verify"] == [True, True, True, False]
    for password, theirs in zip(passwords, answer["hash"], strict=True):
        assert Scrypt().verify(password, theirs)
        assert not Scrypt().verify(password + "x", theirs)


def test_an_address_is_what_validator_takes_for_one():
    theirs = run_peer("is_email.js", {"addresses": ADDRESSES})
    ours = [is_email(address) for address in ADDRESSES]
    assert dict(zip(ADDRESSES, ours, strict=True)) == dict(zip(ADDRESSES, theirs, strict=True))
