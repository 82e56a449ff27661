"""The peers do what Medusa was seen to do: this is what comparing with them rests on."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from tests.peers.peer import PeerError, run_peer

# Seen on a real Medusa 1.20.11.
SECRET = "test-cookie-secret"
SID = "8vPfhKZwsr_VK-LfPE2vCVx6QEkvk1y_"
SIGNED = "8vPfhKZwsr_VK-LfPE2vCVx6QEkvk1y_.+QHLg5K+x6zbVjAtseORiUj4vfp+KZFOXyObQCUu2QA"
COOKIE = "s%3A8vPfhKZwsr_VK-LfPE2vCVx6QEkvk1y_.%2BQHLg5K%2Bx6zbVjAtseORiUj4vfp%2BKZFOXyObQCUu2QA"
PASSWORD_HASH = (
    "c2NyeXB0AAEAAAABAAAAAe/z++GphXoejRyNFxmf0S4IC75HE/LF5VSwSzFBbjDr"
    "lpJFZYVdkIBSeE4NLu7nzVvldYELkMPmt7CqOX+kSHF+90cfwqSWEPl9ETKFssCb"
)
NOTHING_SENT = (
    "email should not be empty, email must be an email, password should not be empty, password must be a string"
)
GOOD = '"email": "a@b.co", "password": "x"'


def read(*cookies: str) -> list[str | None]:
    answer: dict[str, list[str | None]] = run_peer("express_session.js", {"cookie_secret": SECRET, "read": cookies})
    return answer["read"]


def test_cookie_signature_signs_as_medusa_did():
    answer = run_peer(
        "cookie_signature.js",
        {
            "sign": [{"value": SID, "secret": SECRET}],
            "unsign": [{"value": SIGNED, "secret": SECRET}, {"value": SIGNED, "secret": "another"}],
        },
    )
    assert answer == {"sign": [SIGNED], "unsign": [SID, False]}


def test_express_session_gives_the_cookie_that_medusa_gave():
    assert run_peer("express_session.js", {"cookie_secret": SECRET, "sign": [SID]})["sign"] == [COOKIE]


def test_express_session_issues_cookies_that_it_reads():
    issued = run_peer("express_session.js", {"cookie_secret": SECRET, "issue": 3})["issue"]
    assert len({cookie["sid"] for cookie in issued}) == 3
    assert all(cookie["set_cookie"].startswith(f"connect.sid={cookie['value']}; Path=/; Expires=") for cookie in issued)
    assert all(cookie["set_cookie"].endswith("GMT; HttpOnly") for cookie in issued)
    assert read(*(f"connect.sid={cookie['value']}" for cookie in issued)) == [cookie["sid"] for cookie in issued]


@pytest.mark.parametrize(
    "cookie",
    [
        f"connect.sid={COOKIE}",
        f'connect.sid="{COOKIE}"',
        f"connect.sid=s:{SIGNED}",
        f"other=1; connect.sid={COOKIE}; connect.sid=s%3Anot.signed",
    ],
    ids=["encoded", "quoted", "raw", "first of two"],
)
def test_express_session_reads_a_good_cookie(cookie):
    assert read(cookie) == [SID]


@pytest.mark.parametrize(
    "cookie",
    [
        f"connect.sid={COOKIE}A",
        f"connect.sid=s%3A{SID}",
        f"connect.sid={SID}",
        f"Connect.sid={COOKIE}",
        f"connect.sid=s%3Anot.signed; connect.sid={COOKIE}",
        "connect.sid=",
    ],
    ids=["tampered", "unsigned", "bare", "other case", "second of two", "empty"],
)
def test_express_session_reads_nothing_from_a_bad_cookie(cookie):
    assert read(cookie) == [None]


def test_scrypt_kdf_knows_a_password_of_medusa():
    questions = [{"password": word, "hash_base64": PASSWORD_HASH} for word in ("supersecret", "supersecreT")]
    assert run_peer("scrypt_kdf.js", {"verify": questions})["verify"] == [True, False]


def test_scrypt_kdf_makes_and_verifies_strong_containers():
    params = {"logN": 15, "r": 8, "p": 1}
    [encoded] = run_peer("scrypt_kdf.js", {"hash": [{"password": "pässword", "params": params}]})["hash"]
    container = base64.b64decode(encoded)
    assert container[:16] == b"scrypt\x00\x0f" + (8).to_bytes(4) + (1).to_bytes(4)
    key = hashlib.scrypt("pässword".encode(), salt=container[16:48], n=2**15, r=8, p=1, maxmem=2**26, dklen=64)
    assert hmac.digest(key[32:], container[:64], "sha256") == container[64:]
    assert run_peer("scrypt_kdf.js", {"verify": [{"password": "pässword", "hash_base64": encoded}]})["verify"] == [True]


def test_is_email_decides_on_anything():
    addresses = ["a@b.co", "A@B.CO", "ü@b.co", "a@b", " a@b.co", "", None, 1, ["a@b.co"]]
    assert run_peer("is_email.js", {"addresses": addresses}) == [True, True, True] + [False] * 6


def test_jsonwebtoken_verifies_what_it_signs():
    claims = {"user_id": "usr_1", "domain": "admin", "iat": 1795485483, "exp": 4102444800}
    secret = "test-jwt-secret"
    algorithms = ["HS256", "HS384", "HS512"]
    questions = [{"claims": claims, "secret": secret, "options": {"algorithm": name}} for name in algorithms]
    tokens = run_peer("jsonwebtoken.js", {"sign": questions})["sign"]
    answers = run_peer("jsonwebtoken.js", {"verify": [{"token": token, "secret": secret} for token in tokens]})
    assert answers["verify"] == [{"claims": claims}] * 3


@pytest.mark.parametrize(
    ("claims", "secret", "options", "message"),
    [
        ({"exp": 1}, "s", {}, "jwt expired"),
        ({"nbf": 4102444800}, "s", {}, "jwt not active"),
        ({}, "another", {}, "invalid signature"),
        ({}, None, {"algorithm": "none"}, "jwt signature is required"),
    ],
)
def test_jsonwebtoken_says_why_a_token_is_bad(claims, secret, options, message):
    [token] = run_peer("jsonwebtoken.js", {"sign": [{"claims": claims, "secret": secret, "options": options}]})["sign"]
    [answer] = run_peer("jsonwebtoken.js", {"verify": [{"token": token, "secret": "s"}]})["verify"]
    assert answer["message"] == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"{{{GOOD}}}", None),
        ("{}", NOTHING_SENT),
        ('{"email": null, "password": null}', NOTHING_SENT),
        ('{"email": "", "password": ""}', NOTHING_SENT.removesuffix(", password must be a string")),
        ('{"email": "x", "password": 1}', "email must be an email, password must be a string"),
        ('{"email": " ", "password": " "}', "email must be an email"),
        (f'{{{GOOD}, "zeta": 1, "alpha": null}}', "property zeta should not exist, property alpha should not exist"),
        (f'{{{GOOD}, "b": 1, "2": 1, "1": 1}}', ", ".join(f"property {name} should not exist" for name in "12b")),
        (f'{{{GOOD}, "": 1}}', "property  should not exist"),
        (f'{{{GOOD}, "__proto__": {{"x": 1}}, "constructor": 1, "toString": 1}}', None),
        ('{"email": "x", "email": "a@b.co", "password": "x"}', None),
        ("[]", "an unknown value was passed to the validate function"),
        ('{"email": "\\ud800@b.co", "password": "x"}', {"thrown": "URIError: URI malformed"}),
    ],
)
def test_validation_says_what_medusa_said(body, message):
    assert run_peer("validation.js", {"bodies": [body]}) == [message]


def test_a_broken_script_shows_its_error():
    with pytest.raises(PeerError, match=r"is_email\.js ended with status 1:\nTypeError"):
        run_peer("is_email.js", {})
