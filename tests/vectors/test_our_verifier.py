"""The vectors of others against `AccessTokens` and the session cookie themselves, and not only what they are made of.

A Wycheproof token holds no claims, so here its payload is let through as it is: everything before that is ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from joserfc.jwk import OctKey
from tests.core.house import NOW
from tests.core.tokens import TOKENS
from tests.vectors.test_vectors import DATA, FALSELY_INVALID, FALSELY_VALID, HMAC, JWS, RFC

from medusa_auth.core import jwts
from medusa_auth.core.passwords import Scrypt
from medusa_auth.errors import AuthenticationError
from medusa_auth.server.cookies import sign, unsign

KEYSET = json.loads((DATA / "wycheproof_json_web_crypto_keyset.json").read_text())["testGroups"][0]
PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (group.get("private") or group["public"], test) for group in JWS["testGroups"] for test in group["tests"]
]


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whether our verifier takes the signature of a token for that of `key`."""
    anything = SimpleNamespace(decode=lambda payload, **_: {"payload": payload})
    stub = SimpleNamespace(json=anything, DecodeError=msgspec.DecodeError)
    monkeypatch.setattr(jwts, "msgspec", stub)

    def verify(token: str, *keys: OctKey) -> bool:
        tokens = jwts.Jwts([])
        tokens._keys = list(keys)
        try:
            tokens.signed_claims(token)
        except AuthenticationError:
            return False
        return True

    return verify


@pytest.mark.asvs("9.1.1")
@pytest.mark.asvs("9.1.2")
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(("jwk", "test"), PAIRS, ids=[str(test["tcId"]) for _, test in PAIRS])
def test_our_verifier_agrees_with_wycheproof(verify: Any, jwk: dict[str, Any], test: dict[str, Any]):
    if jwk.get("kty") == "oct" and jwk.get("alg") == "HS256":
        good = test["result"] == "valid" and test["tcId"] not in FALSELY_VALID
        assert verify(test["jws"], OctKey.import_key(jwk)) == (good or test["tcId"] in FALSELY_INVALID)
    else:
        # Whatever of a foreign key somebody might take for a secret.
        for key in (json.dumps(jwk), jwk.get("n", ""), jwk.get("x", ""), jwk.get("k", "")):
            if key:
                assert not verify(test["jws"], OctKey.import_key(key))


def test_all_vectors_are_there_and_some_of_our_algorithm_are_good():
    ours = [test for jwk, test in PAIRS if jwk.get("alg") == "HS256"]
    assert len(PAIRS) == JWS["numberOfTests"] == 401
    assert len(ours) == 40
    assert sum(test["result"] == "valid" for test in ours) > 3


@pytest.mark.parametrize("test", KEYSET["tests"], ids=lambda test: test["comment"])
def test_our_verifier_agrees_with_wycheproof_on_a_set_of_keys(verify: Any, test: dict[str, Any]):
    keys = [OctKey.import_key(jwk) for jwk in KEYSET["private"]["keys"]]
    assert [jwk["alg"] for jwk in KEYSET["private"]["keys"]] == ["HS256", "HS256"]
    for order in (keys, keys[::-1]):
        assert verify(test["jws"], *order) == (test["result"] == "valid")


def test_a_vector_is_verified_by_any_of_several_keys(verify: Any):
    vector = RFC["jws_hs256_rfc7515_a1"]
    right, wrong = OctKey.import_key({"kty": "oct", "k": vector["k"]}), OctKey.import_key("w" * 32)
    assert verify(vector["jws"], wrong, right)
    assert not verify(vector["jws"], wrong)
    assert not verify(vector["jws"])


@pytest.mark.asvs("9.1.1")
def test_one_flipped_bit_anywhere_in_the_token_of_rfc_7515_makes_it_nobodys(verify: Any):
    vector = RFC["jws_hs256_rfc7515_a1"]
    key = OctKey.import_key({"kty": "oct", "k": vector["k"]})
    # The last character holds two bits that belong to no octet.
    for place in range(len(vector["jws"]) - 1):
        flipped = vector["jws"][:place] + chr(ord(vector["jws"][place]) ^ 1) + vector["jws"][place + 1 :]
        assert not verify(flipped, key), place


def test_the_token_of_rfc_7515_is_no_access_token():
    with pytest.raises(AuthenticationError):
        TOKENS.verify(RFC["jws_hs256_rfc7515_a1"]["jws"], NOW)


def _texts() -> list[tuple[str, dict[str, Any]]]:
    """The messages that a cookie could hold, with tags that are not cut."""
    found = []
    for group in HMAC["testGroups"]:
        for test in group["tests"] if group["tagSize"] == 256 else []:
            with suppress(UnicodeDecodeError):
                found.append((bytes.fromhex(test["msg"]).decode(), test))
    return found


TEXTS = _texts()


@pytest.mark.parametrize(("text", "test"), TEXTS, ids=[str(test["tcId"]) for _, test in TEXTS])
def test_the_signature_of_a_cookie_agrees_with_wycheproof(text: str, test: dict[str, Any]):
    key = bytes.fromhex(test["key"])
    tag = base64.b64encode(bytes.fromhex(test["tag"])).decode().rstrip("=")
    good = test["result"] == "valid"
    assert (sign(text, key) == f"{text}.{tag}") is good
    assert (unsign(f"{text}.{tag}", [key]) == text) is good


def test_there_are_messages_that_a_cookie_could_hold_good_and_bad():
    assert {test["result"] for _, test in TEXTS} == {"valid", "invalid"}


@pytest.mark.parametrize("vector", RFC["scrypt_rfc7914"], ids=lambda vector: vector["P"] or "empty")
def test_a_container_made_of_a_vector_of_rfc_7914_is_the_passwords(vector: dict[str, Any]):
    """The derived key does not depend on how long the salt is, so the vectors' salts stand in a header of their own."""
    log2_n = vector["N"].bit_length() - 1
    salt = vector["S"].encode().ljust(32, b"\0")
    header = b"scrypt\0" + bytes([log2_n]) + vector["r"].to_bytes(4, "big") + vector["p"].to_bytes(4, "big") + salt
    key = hashlib.scrypt(
        vector["P"].encode(), salt=salt, n=vector["N"], r=vector["r"], p=vector["p"], dklen=64, maxmem=1 << 27
    )
    checked = header + hashlib.sha256(header).digest()[:16]
    container = base64.b64encode(checked + hmac.digest(key[32:], checked, "sha256")).decode()
    assert Scrypt().verify(vector["P"], container)
    assert not Scrypt().verify(vector["P"] + "x", container)
