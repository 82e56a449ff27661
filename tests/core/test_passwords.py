"""Hashes that we make, hashes that we read, and what is refused without being computed."""

import base64
import errno
import os
import struct
import threading
import time

import anyio
import pytest
from tests.core.tools import CHEAP, MEDUSAS

from medusa_auth.core.passwords import Argon2id, HashingPool, Scrypt
from medusa_auth.errors import UnavailableError

ODD_PASSWORDS = ["", " ", "a\0b", "\ud800", "pä\u0308ss", "x" * 73, "x" * 1024, "🔑" * 300]


@pytest.mark.anyio
async def test_who_hashes_lets_others_go_first():
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    pool = HashingPool(threads=1, queue=1)
    assert await pool.run(niceness) == min(19, niceness() + 10)
    pool.close()


@pytest.mark.asvs("11.4.2")
def test_argon2id_costs_what_owasp_asks_for():
    assert Argon2id().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_medusas_hash_is_verified():
    assert Scrypt().verify("supersecret", MEDUSAS)
    assert not Scrypt().verify("supersecreT", MEDUSAS)


def test_scrypt_is_written_in_the_container_that_medusa_reads():
    container = base64.b64decode(Scrypt(random=lambda size: b"s" * size).hash("x"))
    magic, version, log2_n, r, p, salt = struct.unpack(">6sBBII32s", container[:48])
    assert (magic, version, log2_n, r, p, salt) == (b"scrypt", 0, 15, 8, 3, b"s" * 32)
    assert len(container) == 96


@pytest.mark.asvs("6.2.8")
@pytest.mark.parametrize("hasher", [CHEAP, Scrypt(log2_n=1, r=1, p=1)], ids=["argon2id", "scrypt"])
@pytest.mark.parametrize("password", ODD_PASSWORDS, ids=range(len(ODD_PASSWORDS)))
def test_every_password_is_taken_whole(hasher, password: str):
    hashed = hasher.hash(password)
    assert hasher.verify(password, hashed)
    assert not hasher.verify(password + "x", hashed)
    assert not hasher.verify(password[:-1] + "y", hashed)


def test_half_a_surrogate_pair_is_what_javascript_makes_of_it():
    assert CHEAP.verify("\ufffd", CHEAP.hash("\ud800"))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "x",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$",
        MEDUSAS[:-4],
        MEDUSAS[:40] + "A" + MEDUSAS[41:],
        MEDUSAS + "AAAA",
        "%" * 128,
        base64.b64encode(b"scrypt\1" + b"\0" * 89).decode(),
    ],
)
def test_a_broken_hash_is_nobodys(broken: str):
    assert not Scrypt().verify("supersecret", broken)
    assert not Argon2id().verify("supersecret", broken)
    assert not Scrypt().owns(broken)
    assert not Argon2id().owns(broken)


@pytest.mark.parametrize(
    ("log2_n", "r", "p"),
    [
        (0, 1, 1),
        (21, 1, 1),
        (255, 1, 1),
        (17, 16, 1),
        (14, 2**31, 1),
        (1, 1, 2**31),
        (15, 8, 17),
        (15, 0, 1),
        (15, 8, 0),
    ],
)
def test_absurd_scrypt_parameters_are_not_computed(log2_n: int, r: int, p: int):
    header = struct.pack(">6sBBII32s", b"scrypt", 0, log2_n, r, p, b"s" * 32)
    started = time.process_time()
    assert not Scrypt().verify("x", base64.b64encode(header.ljust(96, b"\0")).decode())
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("asked", ["m=1073741824,t=1,p=1", "m=8,t=4294967295,p=1", "m=16384,t=1,p=2048"])
def test_absurd_argon2id_parameters_are_not_computed(asked: str):
    started = time.process_time()
    assert not Argon2id().verify("x", f"$argon2id$v=19${asked}$c2FsdHNhbHQ$" + "A" * 43)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(("log2_n", "r", "p"), [(17, 8, 1), (16, 8, 2), (15, 8, 3), (14, 8, 5), (13, 8, 10)])
def test_every_choice_of_owasp_for_scrypt_is_verified(log2_n: int, r: int, p: int):
    assert Scrypt().verify("x", Scrypt(log2_n, r, p).hash("x"))


def test_a_hash_of_another_cost_is_not_the_current_one():
    assert CHEAP.owns(CHEAP.hash("x"))
    assert not Argon2id().owns(CHEAP.hash("x"))
    assert not Scrypt().owns(MEDUSAS)


@pytest.mark.anyio
@pytest.mark.asvs("15.2.2")
async def test_what_does_not_fit_into_the_pool_is_refused_at_once_and_places_come_back():
    pool = HashingPool(threads=1, queue=1)
    go_on = threading.Event()
    refused: list[UnavailableError] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(pool.run, go_on.wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(UnavailableError) as error:
            await pool.run(lambda: None)
        refused.append(error.value)
        go_on.set()
    assert refused[0].retry_after == 2
    assert await pool.run(lambda: "free") == "free"
    pool.close()


@pytest.mark.anyio
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
async def test_where_niceness_is_forbidden_passwords_are_hashed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, number: int
):
    def forbidden(_: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "nice", forbidden)
    pool = HashingPool(threads=1, queue=1)
    assert await pool.run(lambda: "hashed") == "hashed"
    pool.close()


@pytest.mark.anyio
async def test_a_place_is_free_when_its_thread_is_also_if_the_waiter_is_gone():
    pool = HashingPool(threads=1, queue=0)
    go_on = threading.Event()
    with anyio.move_on_after(0.01):
        await pool.run(go_on.wait)
    with pytest.raises(UnavailableError):
        await pool.run(lambda: None)
    go_on.set()
    with anyio.fail_after(10):
        while await _is_full(pool):
            await anyio.sleep(0.001)
    pool.close()


async def _is_full(pool: HashingPool) -> bool:
    try:
        await pool.run(lambda: None)
    except UnavailableError:
        return True
    return False


@pytest.mark.anyio
async def test_a_thread_that_cannot_be_made_costs_no_place_and_no_work(monkeypatch: pytest.MonkeyPatch):
    def forbidden(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = HashingPool(threads=1, queue=1)
    done: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", forbidden)
        for _ in range(3):
            with pytest.raises(UnavailableError, match="No password can be hashed"):
                await pool.run(lambda: done.append("nobody waits for it"))
    assert await pool.run(lambda: "hashed") == "hashed"
    assert done == []
    pool.close()
