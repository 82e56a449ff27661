"""What the attacks share: raw requests that leave at the same moment, people, their credentials, and their mails."""

from __future__ import annotations

import email
import email.policy
import http.client
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

from tests.server.helpers import PASSWORD, Clock, Running, rows, run

from medusa_auth.errors import UnavailableError
from medusa_auth.model import Invite, Role, User
from medusa_auth.store.base import Transaction

T = TypeVar("T")

NEW_PASSWORD = "seven purple lamps on a river"
SECONDS = 10.0

_numbers = itertools.count()


class RealClock(Clock):
    """For servers in processes of their own, whose clock nobody moves."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


def call(server: Running, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One request over a connection of its own. `body` is sent as JSON unless it is bytes."""
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """The results of all `works`, each in a thread of its own, begun when all of them stand ready."""
    ready = threading.Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        ready.wait(SECONDS)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(begin, works))


def insist(work: Callable[[], Answer]) -> Answer:
    """The answer, when there is one: who is told that the server has too much to do asks again, as clients do."""
    ends_at = time.monotonic() + SECONDS
    while (answer := work()).status == 503 and time.monotonic() < ends_at:
        time.sleep(0.1)
    return answer


def until(is_so: Callable[[], bool], what: str) -> None:
    """Asks until `is_so`; what does not come within ten seconds does not come."""
    ends_at = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < ends_at, what
        time.sleep(0.01)


def new_address(name: str = "person") -> str:
    return f"{name}{next(_numbers)}@example.com"


def add_user(server: Running, role: Role = Role.MEMBER, address: str | None = None, **kept: str | None) -> User:
    """A user with PASSWORD, whose hash is the administrator's: hashing costs 20 ms."""
    password_hash = server.write(lambda tx: tx.users.get_password_hash(server.user.id))
    return server.write(
        lambda tx: server.parts.users.create(
            tx,
            email=address or new_address(),
            password_hash=kept.get("password_hash", password_hash),
            now=server.clock(),
            role=role,
        )
    )


def delete_user(server: Running, user: User) -> None:
    server.write(lambda tx: server.parts.users.delete(tx, user, server.clock()))


def find_user(server: Running, address: str) -> User | None:
    found = server.write(lambda tx: tx.users.get_with_password(address))
    return None if found is None else found[0]


def living(server: Running) -> Sequence[User]:
    return server.write(lambda tx: tx.users.list())


def admins(server: Running) -> int:
    return server.write(lambda tx: tx.users.count_admins())


def bearer(server: Running, user: User | None = None) -> dict[str, str]:
    """An access token of `user`, by default the administrator."""
    token = server.write(lambda tx: server.parts.access_tokens.issue(tx, user or server.user, server.clock()))
    return {"Authorization": f"Bearer {token}"}


def api_key(server: Running, user: User | None = None) -> dict[str, str]:
    token, _ = server.write(lambda tx: server.parts.api_tokens.issue(tx, user or server.user, "test", server.clock()))
    return {"x-medusa-access-token": token}


def sign_in(server: Running, user: User | None = None, password: str = PASSWORD) -> Answer:
    return call(server, "POST", "/admin/auth", {"email": (user or server.user).email, "password": password})


def cookie(server: Running, user: User | None = None) -> dict[str, str]:
    """A session of `user`, by default the administrator."""
    set_cookie = sign_in(server, user).headers["set-cookie"]
    return {"Cookie": set_cookie.partition(";")[0]}


def deliver(server: Running) -> None:
    """Every mail that was asked for is in the folder, or was crossed out, when this returns."""
    # The server's own processes send, too; where they are in the way, they do it.
    with suppress(UnavailableError):
        run(server.parts.mailer.deliver_due)
    until(lambda: pending(server) == 0, "the mails are not sent")


def database(server: Running) -> Path:
    """SQLite's file."""
    return Path(server.parts.settings.database_url.removeprefix("sqlite:///"))


def pending(server: Running) -> int:
    ((count,),) = rows(server, "SELECT count(*) FROM auth_outbox WHERE next_try_at IS NOT NULL")
    return int(count)


def mails(server: Running, address: str, kind: str = "") -> list[EmailMessage]:
    """The mails to `address`, oldest first."""
    files = (server.parts.settings.data_dir / "mail").glob(f"*{kind}.eml")
    found = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(files)]
    return [mail for mail in found if mail["To"] == address]


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def token_in(mail: EmailMessage) -> str:
    (token,) = re.findall(r"#token=(\S+)", text_of(mail))
    return str(token)


def reset_token(server: Running, user: User) -> str:
    """The token that a mail brings to `user`, who asked for a new password."""
    assert call(server, "POST", "/admin/users/password-token", {"email": user.email}).status == 204
    deliver(server)
    return token_in(mails(server, user.email, "password_reset")[-1])


def invite(server: Running, address: str, role: Role = Role.MEMBER) -> str:
    """The token of a link that makes the holder of `address` a user; no mail is sent."""

    def issue(tx: Transaction) -> str:
        invites, now = server.parts.invites, server.clock()
        return invites.issue(tx, invites.create(tx, address, role, now), now)

    return server.write(issue)


def mailed_invite(server: Running, address: str) -> str:
    """The token that a mail brings to `address`, which the administrator invited."""
    assert call(server, "POST", "/admin/invites", {"user": address, "role": "member"}, bearer(server)).status == 200
    deliver(server)
    return token_in(mails(server, address, "invite")[-1])


def invites(server: Running) -> Sequence[Invite]:
    return server.write(lambda tx: tx.invites.list())


def accept(server: Running, token: Any, password: Any = NEW_PASSWORD, **user: Any) -> Answer:
    return call(server, "POST", "/admin/invites/accept", {"token": token, "user": {"password": password, **user}})


def reset(server: Running, token: Any, password: Any = NEW_PASSWORD, **rest: Any) -> Answer:
    return call(server, "POST", "/admin/users/reset-password", {"token": token, "password": password, **rest})
