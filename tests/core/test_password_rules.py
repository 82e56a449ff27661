"""One cost for every check, hashes that cannot be read, and a pool that refuses what does not fit."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import argon2
import pytest
from tests.core.house import CountingHasher
from tests.core.test_passwords import CHEAP, MEDUSAS
from tests.core.tools import SeededRandom

from medusa_auth.core.passwords import Argon2id, Check, HashingPool, Passwords, Scrypt
from medusa_auth.errors import UnavailableError

CHEAP_SCRYPT = Scrypt(log2_n=1, r=1, p=1)


@contextmanager
def passwords_with(counting: CountingHasher) -> Iterator[Passwords]:
    passwords = Passwords(counting, (CHEAP_SCRYPT,), HashingPool(threads=1, queue=10))
    yield passwords
    passwords.close()


@pytest.mark.asvs("11.4.2")
def test_argon2id_has_a_salt_of_128_bits_and_a_tag_of_256_and_both_are_new_each_time():
    one, two = (argon2.extract_parameters(CHEAP.hash("x")) for _ in range(2))
    assert (one.salt_len, one.hash_len, one.type) == (16, 32, argon2.Type.ID)
    assert one == two
    assert CHEAP.hash("x") != CHEAP.hash("x")


def test_the_seals_of_a_scrypt_container_are_those_of_scrypt_kdf():
    container = base64.b64decode(Scrypt(log2_n=4, r=2, p=3, random=SeededRandom()).hash("pässword"))
    key = hashlib.scrypt("pässword".encode(), salt=container[16:48], n=16, r=2, p=3, dklen=64)
    assert container[:16] == b"scrypt\0\x04\0\0\0\x02\0\0\0\x03"
    assert container[48:64] == hashlib.sha256(container[:48]).digest()[:16]
    assert container[64:] == hmac.digest(key[32:], container[:64], "sha256")


@pytest.mark.parametrize("place", [*range(7, 16), 16, 47, 48, 63, 64, 95])
def test_one_flipped_bit_anywhere_in_a_scrypt_container_makes_it_nobodys(place: int):
    container = bytearray(base64.b64decode(MEDUSAS))
    container[place] ^= 1
    assert not Scrypt().verify("supersecret", base64.b64encode(container).decode())


@pytest.mark.parametrize("kept", [MEDUSAS + "\n", " " + MEDUSAS, MEDUSAS[:64] + "\n" + MEDUSAS[64:]])
def test_a_scrypt_container_is_taken_exactly_as_it_was_written(kept: str):
    assert not Scrypt().verify("supersecret", kept)


def test_each_scheme_leaves_the_hashes_of_the_other_alone():
    assert not Scrypt().verify("x", CHEAP.hash("x"))
    assert not CHEAP.verify("supersecret", MEDUSAS)
    assert not CHEAP.owns(MEDUSAS)
    assert not CHEAP_SCRYPT.owns(CHEAP.hash("x"))


@pytest.mark.parametrize(
    "kept", ["$2b$12$" + "a" * 53, "$argon2x$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA", "{SHA}x", "plain"]
)
def test_a_hash_of_a_scheme_that_is_not_ours_is_nobodys(kept: str):
    for hasher in (CHEAP, CHEAP_SCRYPT):
        assert not hasher.verify("plain", kept)
        assert not hasher.owns(kept)


class Bounded(Argon2id):
    """The bounds as low as the cheapest hash, so that what is beyond them costs nothing to make."""

    MAX_MEMORY_KIB = 16
    MAX_PASSES = 2
    MAX_LANES = 2


class BoundedScrypt(Scrypt):
    MAX_WORK = 1 << 4
    MAX_LOG2_N = 3
    MAX_LANES = 2


@pytest.mark.parametrize(
    ("memory_kib", "passes", "lanes", "computed"),
    [(16, 2, 2, True), (17, 2, 1, False), (16, 3, 1, False), (24, 1, 3, False), (16, 2, 1, True)],
)
def test_a_right_password_is_refused_if_its_argon2id_hash_asks_for_more_than_a_bound(
    memory_kib: int, passes: int, lanes: int, computed: bool
):
    hashed = Argon2id(memory_kib, passes, lanes).hash("x")
    assert Argon2id().verify("x", hashed)
    assert Bounded().verify("x", hashed) is computed


@pytest.mark.parametrize(
    ("log2_n", "r", "p", "computed"),
    [(3, 2, 1, True), (3, 1, 2, True), (3, 3, 1, False), (4, 1, 1, False), (1, 1, 3, False), (2, 2, 2, True)],
)
def test_a_right_password_is_refused_if_its_scrypt_hash_asks_for_more_than_a_bound(
    log2_n: int, r: int, p: int, computed: bool
):
    hashed = Scrypt(log2_n, r, p).hash("x")
    assert Scrypt().verify("x", hashed)
    assert BoundedScrypt().verify("x", hashed) is computed
    assert BoundedScrypt(log2_n, r, p).owns(hashed) is computed


def test_the_bounds_are_a_few_times_what_is_usual():
    assert (Argon2id.MAX_MEMORY_KIB, Argon2id.MAX_PASSES, Argon2id.MAX_LANES) == (256 * 1024, 10, 16)
    assert (Scrypt.MAX_WORK, Scrypt.MAX_LOG2_N, Scrypt.MAX_LANES) == (1 << 20, 20, 16)


def test_a_container_that_goes_on_is_nobodys_and_not_current():
    longer = CHEAP_SCRYPT.hash("x") + "AAAA"
    assert not CHEAP_SCRYPT.owns(longer)
    assert not CHEAP_SCRYPT.verify("x", longer)


@pytest.mark.asvs("11.2.5")
def test_an_argon2id_hash_with_a_letter_that_is_not_ascii_is_nobodys():
    assert not CHEAP.verify("x", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$\u00fc")


@pytest.mark.asvs("6.2.8")
@pytest.mark.asvs("6.2.9")
@pytest.mark.parametrize("hasher", [CHEAP, CHEAP_SCRYPT], ids=["argon2id", "scrypt"])
@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("p" * 72 + "a", "p" * 72 + "b"),
        ("p" * 1024 + "a", "p" * 1024 + "b"),
        ("before\0after", "before\0other"),
        ("before\0after", "before"),
        ("Secret", "secret"),
        ("secret ", "secret"),
        (" secret", "secret"),
        ("\u00e9", "e\u0301"),
    ],
    ids=["byte 73", "byte 1025", "after NUL", "up to NUL", "case", "space after", "space before", "composed"],
)
def test_passwords_that_differ_in_anything_are_different(hasher: Argon2id | Scrypt, password: str, other: str):
    hashed = hasher.hash(password)
    assert hasher.verify(password, hashed)
    assert not hasher.verify(other, hashed)


@pytest.mark.parametrize("hasher", [CHEAP, CHEAP_SCRYPT], ids=["argon2id", "scrypt"])
def test_a_whole_surrogate_pair_is_the_character_that_it_means(hasher: Argon2id | Scrypt):
    assert hasher.verify("\U0001f511", hasher.hash("\ud83d\udd11"))


@pytest.mark.anyio
@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("kept", [None, "", "plain", "$2b$12$" + "a" * 53])
async def test_a_check_against_nothing_is_refused_for_the_price_of_one_verification(kept: str | None):
    counting = CountingHasher(CHEAP)
    with passwords_with(counting) as passwords:
        await passwords.prepare()
        counting.runs = 0
        foreign_looks = 1 if kept else 0
        assert await passwords.check("x", kept) == Check(ok=False)
        assert counting.runs == 1 + foreign_looks


@pytest.mark.anyio
async def test_no_password_opens_the_hash_that_nobody_has():
    with passwords_with(CountingHasher(CHEAP)) as passwords:
        await passwords.prepare()
        assert passwords._nobody is not None
        assert CHEAP.owns(passwords._nobody)
        assert not (await passwords.check("", None)).ok


@pytest.mark.anyio
async def test_preparing_makes_the_hash_that_nobody_has_once():
    counting = CountingHasher(CHEAP)
    with passwords_with(counting) as passwords:
        await passwords.prepare()
        await passwords.prepare()
        await passwords.check("x", None)
        assert counting.runs == 2


@pytest.mark.anyio
async def test_a_hash_of_an_older_cost_is_replaced_by_one_of_the_current():
    counting = CountingHasher(Argon2id(memory_kib=16, passes=1))
    with passwords_with(counting) as passwords:
        right = await passwords.check("x", CHEAP.hash("x"))
        assert right.ok
        assert right.upgraded_hash is not None
        assert counting.owns(right.upgraded_hash)
        assert await passwords.check("x", right.upgraded_hash) == Check(ok=True)
        assert await passwords.check("y", CHEAP.hash("x")) == Check(ok=False)


@pytest.mark.anyio
@pytest.mark.asvs("15.2.2")
async def test_past_threads_and_queue_work_is_refused_at_once_until_places_come_back():
    pool, go = HashingPool(threads=2, queue=3), threading.Event()
    done: list[bool] = []

    async def work() -> None:
        done.append(await pool.run(lambda: go.wait(5)))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        started = time.perf_counter()
        for _ in range(100):
            with pytest.raises(UnavailableError) as error:
                await pool.run(lambda: None)
            assert error.value.retry_after == HashingPool.RETRY_AFTER_SECONDS
        assert time.perf_counter() - started < 0.1
        go.set()
    assert done == [True] * 5
    assert [await pool.run(lambda: 1) for _ in range(20)] == [1] * 20
    pool.close()


@pytest.mark.anyio
async def test_the_places_of_waiters_who_were_cancelled_come_back_when_their_threads_do():
    pool, go = HashingPool(threads=1, queue=1), threading.Event()
    waiting = [asyncio.create_task(pool.run(lambda: go.wait(5))) for _ in range(2)]
    await anyio.wait_all_tasks_blocked()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    with pytest.raises(UnavailableError):
        await pool.run(lambda: None)
    go.set()
    with anyio.fail_after(5):
        while pool._places < 2:
            await anyio.sleep(0.001)
    assert await pool.run(lambda: "free") == "free"
    pool.close()


@pytest.mark.anyio
async def test_work_that_fails_gives_its_place_back():
    pool = HashingPool(threads=1, queue=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)
    assert await pool.run(lambda: "free") == "free"
    pool.close()


@pytest.mark.anyio
@pytest.mark.asvs("15.4.4")
async def test_the_event_loop_goes_on_while_passwords_are_hashed():
    pool, go = HashingPool(threads=1, queue=0), threading.Event()
    # A loop that stands still until the thread gives up is late.
    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pool.run, lambda: go.wait(5))
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            go.set()
    pool.close()
