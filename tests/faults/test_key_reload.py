"""HUP: keys are replaced while many ask; what only a removed key signed is over at once, in every process."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import os
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.faults.load import load
from tests.faults.servers import Headers, Server, login, serving_with, until
from tests.server.helpers import EMAIL, admin, run

from medusa_auth.core.ids import secret_hash
from medusa_auth.model import Role
from medusa_auth.server.app import Parts
from medusa_auth.settings import from_env
from medusa_auth.store.base import Transaction

# Looked at again and again, so that each of the processes is asked.
ASKED = 20
OVER_WITHIN = 1.0
FILES = ["jwt-secret", "cookie-secret"]
NEW_PASSWORD = "seven purple lamps on a river"


class Shop:
    """A server, and its data folder."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._reloads = 0

    def secrets(self, name: str) -> list[str]:
        return (self._folder / name).read_text().split()

    def write(self, name: str, *lines: str) -> None:
        path = self._folder / name
        path.touch(0o600)
        path.write_text("".join(f"{line}\n" for line in lines))

    def reload(self) -> dict[str, Any]:
        """What the log says when it is done."""
        self._reloads += 1
        self.server.process.send_signal(signal.SIGHUP)
        until(lambda: len(self.server.lines("keys reloaded")) == self._reloads, "the keys are not reloaded")
        return self.server.lines("keys reloaded")[-1]

    def add(self, name: str) -> str:
        """A new key, which signs from now on."""
        key = new_key()
        self.write(name, key, *self.secrets(name))
        self.reload()
        return key

    def cookie(self) -> Headers:
        answer = self.server.call("POST", "/admin/auth", None, login())
        return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    def bearer(self) -> Headers:
        answer = self.server.call("POST", "/admin/auth/token", None, login())
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def issued(self) -> Mapping[str, Any]:
        """An API token, an invite's token and a reset's, as the command line makes them."""
        with parts_of(self._folder) as parts:

            def issue(tx: Transaction) -> dict[str, Any]:
                now, (user, _) = parts.clock(), tx.users.get_with_password(EMAIL) or (None, "")
                assert user is not None
                invite = parts.invites.create(tx, "new@example.com", Role.MEMBER, now)
                return {
                    "api token": parts.api_tokens.issue(tx, user, "test", now)[0],
                    "invite": parts.invites.issue(tx, invite, now),
                    "reset": parts.resets.issue(tx, user, now),
                }

            return run(lambda: parts.records.write(issue))

    def statuses(self, headers: Headers) -> set[int]:
        return {self.server.get(headers) for _ in range(ASKED)}


@contextmanager
def parts_of(folder: Path) -> Iterator[Parts]:
    parts = Parts.of(from_env({}, data_dir=folder))
    try:
        yield parts
    finally:
        parts.close()


def new_key() -> str:
    return secrets.token_urlsafe(32)


def signed_by(key: str, token: str) -> bool:
    signed, _, signature = token.rpartition(".")
    digest = hmac.digest(key.encode(), signed.encode(), hashlib.sha256)
    return signature == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, password_hash: str) -> Iterator[Shop]:
    folder = tmp_path / "data"
    with parts_of(folder) as parts:
        admin(parts, password_hash)
    with serving_with(tmp_path, {}, "--workers", str(request.param)) as server:
        until(lambda: request.param == 1 or len(server.lines("worker ready")) == 2, "not all workers are ready")
        yield Shop(server, folder)


def processes(server: Server) -> set[int]:
    return {server.process.pid} | server.workers()


def test_a_new_first_line_signs_and_those_below_it_still_verify(shop: Shop):
    before = [shop.cookie(), shop.bearer()]
    pids = processes(shop.server)
    jwt_key, cookie_key = shop.add("jwt-secret"), shop.add("cookie-secret")
    after = [shop.cookie(), shop.bearer()]
    assert all(signed_by(jwt_key, shop.bearer()["Authorization"].removeprefix("Bearer ")) for _ in range(ASKED))
    assert [shop.statuses(each) for each in [*before, *after]] == [{200}] * 4
    shop.write("cookie-secret", cookie_key)
    shop.reload()
    assert [shop.statuses(before[0]), shop.statuses(after[0])] == [{401}, {200}]
    assert processes(shop.server) == pids


def test_what_a_removed_key_signed_is_over_at_once_and_the_rest_stays(shop: Shop):
    issued = shop.issued()
    cookie, bearer, api_key = shop.cookie(), shop.bearer(), {"x-medusa-access-token": issued["api token"]}
    assert [shop.statuses(each) for each in (cookie, bearer, api_key)] == [{200}] * 3
    for name in FILES:
        shop.write(name, new_key())
    shop.server.process.send_signal(signal.SIGHUP)
    print(f"over after {until(lambda: shop.statuses(cookie) == {401}, 'the cookie is good', OVER_WITHIN):.2f} s")
    assert [shop.statuses(each) for each in (cookie, bearer, api_key)] == [{401}, {401}, {200}]
    for _ in range(ASKED):
        accept = {"token": issued["invite"], "user": {"password": NEW_PASSWORD}}
        assert shop.server.call("POST", "/admin/invites/accept", None, accept).status == 400
        reset = {"token": issued["reset"], "password": NEW_PASSWORD}
        assert shop.server.call("POST", "/admin/users/reset-password", None, reset).status == 401
    assert [shop.statuses(shop.cookie()), shop.statuses(shop.bearer())] == [{200}] * 2


def test_links_are_good_as_long_as_the_key_that_signed_them_is_there(shop: Shop):
    issued = shop.issued()
    shop.add("jwt-secret")
    accept = {"token": issued["invite"], "user": {"password": NEW_PASSWORD}}
    assert shop.server.call("POST", "/admin/invites/accept", None, accept).status == 200
    reset = {"token": issued["reset"], "password": NEW_PASSWORD}
    assert shop.server.call("POST", "/admin/users/reset-password", None, reset).status == 200


def test_a_key_of_one_kind_ends_nothing_of_the_other(shop: Shop):
    cookie, bearer = shop.cookie(), shop.bearer()
    shop.write("cookie-secret", new_key())
    told = shop.reload()
    assert (told["cookie"], told["jwt"]) == ("another signs, some were added, some were removed", "unchanged")
    assert [shop.statuses(cookie), shop.statuses(bearer)] == [{401}, {200}]


def test_no_connection_is_dropped_and_no_request_fails_while_keys_are_replaced(shop: Shop):
    with load(shop.server, {"x-medusa-access-token": shop.issued()["api token"]}) as asking:
        for turn in range(10):
            shop.add(FILES[turn % 2])
            asking.goes_on(5)
        assert set(asking.end()) == {200}


def short(path: Path) -> None:
    path.write_text(f"{new_key()}\nCANARY\n")


def known(path: Path) -> None:
    path.write_text("supersecret\n")


def no_text(path: Path) -> None:
    path.write_bytes(b"CANARY\xff\n")


def open_to_others(path: Path) -> None:
    path.write_text(f"CANARY-{new_key()}\n")
    path.chmod(0o644)


DAMAGES: Mapping[str, Callable[[Path], Any]] = {
    "is empty": lambda path: path.write_text(""),
    "cannot be read: [Errno 2]": lambda path: path.unlink(),
    "cannot be read: 'utf-8'": no_text,
    "can be read by others": open_to_others,
    "is shorter than 32 bytes": short,
    "is a secret that everybody knows": known,
}


def test_a_file_that_is_no_good_changes_nothing_and_the_log_says_why_once(shop: Shop, tmp_path: Path):
    cookie, bearer = shop.cookie(), shop.bearer()
    event = "keys not reloaded, those before stay in force"
    for number, (said, name) in enumerate(itertools.product(DAMAGES, FILES), 1):
        for other in FILES:
            shop.write(other, new_key())
        DAMAGES[said](tmp_path / "data" / name)
        shop.server.process.send_signal(signal.SIGHUP)
        until(lambda: len(shop.server.lines(event)) == number, "the log does not say so")  # noqa: B023
        told = shop.server.lines(event)[-1]
        assert told["level"] == "error"
        assert said in told["reason"]
        assert [shop.statuses(cookie), shop.statuses(bearer)] == [{200}] * 2
        (tmp_path / "data" / name).unlink(missing_ok=True)
    assert shop.server.lines("keys reloaded") == []
    log = shop.server.log.read_text()
    assert "CANARY" not in log
    assert "Traceback" not in log


def test_no_key_is_in_the_log(shop: Shop, tmp_path: Path):
    keys = {key for name in FILES for key in shop.secrets(name)}
    for name in FILES * 2:
        shop.add(name)
        keys |= set(shop.secrets(name))
    told = shop.server.lines("keys reloaded")[-1]
    assert (told["cookie"], told["cookie_keys"], told["jwt_keys"]) == ("another signs, some were added", 3, 3)
    log = shop.server.log.read_text()
    assert [key for key in keys if key in log or secret_hash(key) in log] == []


def test_keys_of_the_environment_stay_and_the_log_says_why(tmp_path: Path, password_hash: str):
    environ = {"COOKIE_SECRET": "of-the-environment-" + "c" * 20, "MEDUSA_AUTH_JWT_SECRET_PREVIOUS": new_key()}
    with parts_of(tmp_path / "data") as parts:
        admin(parts, password_hash)
    with serving_with(tmp_path, environ) as server:
        shop = Shop(server, tmp_path / "data")
        cookie, bearer = shop.cookie(), shop.bearer()
        shop.write("cookie-secret", new_key())
        shop.write("jwt-secret", new_key())
        told = shop.reload()
        assert (told["cookie"], told["jwt_keys"]) == ("unchanged", 2)
        assert [server.get(cookie), server.get(bearer)] == [200, 401]
        for variable in environ:
            (warned,) = server.lines(variable)
            assert "is in the environment, which cannot change while the server runs" in warned["event"]


def test_a_worker_that_is_replaced_has_the_keys_in_force_and_not_those_in_a_file_that_nobody_has_reloaded(
    tmp_path: Path, password_hash: str
):
    with parts_of(tmp_path / "data") as parts:
        admin(parts, password_hash)
    with serving_with(tmp_path, {}, "--workers", "2") as server:
        until(lambda: len(server.lines("worker ready")) == 2, "not all workers are ready")
        shop = Shop(server, tmp_path / "data")
        in_force = shop.add("cookie-secret")
        cookie = shop.cookie()
        shop.write("cookie-secret", new_key())
        shop.write("jwt-secret")
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(server.lines("worker ready")) == 4, "not replaced")
        assert shop.statuses(cookie) == {200}
        assert in_force not in server.log.read_text()


def test_a_hangup_of_the_terminal_reloads_keys_and_ends_no_process(shop: Shop):
    pids = processes(shop.server)
    with closing(shop.server.connect()) as connection:
        connection.request("GET", "/health")
        connection.getresponse().read()
        os.killpg(shop.server.process.pid, signal.SIGHUP)
        until(lambda: len(shop.server.lines("keys reloaded")) == 1, "the keys are not reloaded")
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
    assert processes(shop.server) == pids
