"""Test vectors of others, against what signs, hashes and verifies here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import argon2.low_level
import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from medusa_auth.core.jwts import ALGORITHM
from medusa_auth.server.cookies import sign, unsign

DATA = Path(__file__).parent.parent / "data" / "vectors"
RFC = json.loads((DATA / "rfc_vectors.json").read_text())
JWS = json.loads((DATA / "wycheproof_json_web_signature_test.json").read_text())
HMAC = json.loads((DATA / "wycheproof_hmac_sha256_test.json").read_text())

# Marked valid, but with a `?` within base64url (RFC 7515, section 2 knows no such character).
FALSELY_VALID = {372, 373}
# Marked invalid for their padding, which their text does not have: it is the canonical form, with the right signature.
FALSELY_INVALID = {367, 370}


def _verifies(token: str, key: OctKey) -> bool:
    """As `AccessTokens` does it."""
    try:
        jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return False
    return True


def _jws() -> list[Any]:
    return [
        pytest.param(group.get("private") or group["public"], test, id=f"{test['tcId']}-{test['comment']}")
        for group in JWS["testGroups"]
        for test in group["tests"]
    ]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(("jwk", "test"), _jws())
def test_wycheproof_jws(jwk: dict[str, Any], test: dict[str, Any]):
    if jwk.get("kty") != "oct":
        # The classic attack: the public key as if it were a secret.
        assert not _verifies(test["jws"], OctKey.import_key(json.dumps(jwk).encode()))
        return
    if jwk.get("alg") != ALGORITHM:
        assert not _verifies(test["jws"], OctKey.import_key(jwk))
        return
    expected = (test["result"] == "valid" and test["tcId"] not in FALSELY_VALID) or test["tcId"] in FALSELY_INVALID
    assert _verifies(test["jws"], OctKey.import_key(jwk)) == expected


def test_the_vectors_that_are_marked_wrongly_are_what_is_said_of_them():
    tests = {test["tcId"]: (group, test) for group in JWS["testGroups"] for test in group["tests"]}
    assert all("?" in tests[number][1]["jws"] for number in FALSELY_VALID)
    for number in FALSELY_INVALID:
        group, test = tests[number]
        signed, _, signature = test["jws"].rpartition(".")
        key = base64.urlsafe_b64decode(group["private"]["k"] + "==")
        right = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256")).rstrip(b"=").decode()
        assert "=" not in test["jws"]
        assert signature == right


@pytest.mark.parametrize(
    "test", [test for group in HMAC["testGroups"] for test in group["tests"]], ids=lambda t: t["tcId"]
)
def test_wycheproof_hmac_sha256(test: dict[str, Any]):
    tag = hmac.digest(bytes.fromhex(test["key"]), bytes.fromhex(test["msg"]), "sha256").hex()
    assert tag.startswith(test["tag"]) == (test["result"] == "valid")


def test_jws_of_rfc_7515():
    vector = RFC["jws_hs256_rfc7515_a1"]
    assert _verifies(vector["jws"], OctKey.import_key({"kty": "oct", "k": vector["k"]}))


@pytest.mark.parametrize("vector", RFC["scrypt_rfc7914"], ids=lambda vector: vector["P"] or "empty")
def test_scrypt_of_rfc_7914(vector: dict[str, Any]):
    cost = {name.lower(): vector[name] for name in ("N", "r", "p")}
    key = hashlib.scrypt(vector["P"].encode(), salt=vector["S"].encode(), dklen=64, maxmem=1 << 27, **cost)
    assert key.hex() == vector["dk"]


def test_argon2id_of_rfc_9106():
    vector = RFC["argon2id_rfc9106_5_3"]
    ffi = argon2.low_level.ffi
    out = ffi.new("uint8_t[]", vector["taglen"])
    fields = {
        name: ffi.new("uint8_t[]", bytes.fromhex(vector[f"{name}_hex"]))
        for name in ("password", "salt", "secret", "ad")
    }
    context = ffi.new(
        "argon2_context *",
        {
            "out": out,
            "outlen": vector["taglen"],
            "version": 0x13,
            "pwd": fields["password"],
            "pwdlen": len(vector["password_hex"]) // 2,
            "salt": fields["salt"],
            "saltlen": len(vector["salt_hex"]) // 2,
            "secret": fields["secret"],
            "secretlen": len(vector["secret_hex"]) // 2,
            "ad": fields["ad"],
            "adlen": len(vector["ad_hex"]) // 2,
            "t_cost": vector["t"],
            "m_cost": vector["m_kib"],
            "lanes": vector["p"],
            "threads": 1,
            "allocate_cbk": ffi.NULL,
            "free_cbk": ffi.NULL,
            "flags": 0,
        },
    )
    assert argon2.low_level.core(context, argon2.low_level.Type.ID.value) == 0
    assert bytes(ffi.buffer(out)).hex() == vector["tag"]


def test_cookie_signature():
    for vector in RFC["cookie_signature"]:
        key = vector["secret"].encode()
        assert sign(vector["value"], key) == vector["signed"]
        assert unsign(vector["signed"], [b"other", key]) == vector["value"]
        assert unsign(vector["signed"], [b"other"]) is None
