"""People whose stories are written down: what was acknowledged, and what nobody knows, because no answer came.

A story has steps, each of them one request. What a step does to the store is said once, in `STEPS`; so what must be
there at the end can be told from what was acknowledged, and one step at most is in doubt.
"""

from __future__ import annotations

import http.client
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.faults.servers import Answer, Headers, Server, until

from medusa_auth.errors import MedusaAuthError
from medusa_auth.server.app import Parts
from medusa_auth.store.base import Transaction

WRITERS = 20
# Seconds, after no answer came.
PAUSE = 0.3
PASSWORDS = ("seven purple lamps on a river", "eight yellow boats in a harbor")

_numbers = itertools.count()


@dataclass(frozen=True)
class State:
    """What a story has come to. `good` are the credentials that are."""

    exists: bool = False
    password: int = 0
    good: frozenset[str] = frozenset()

    def with_good(self, name: str) -> State:
        return replace(self, good=self.good | {name})

    def without(self, name: str) -> State:
        return replace(self, good=self.good - {name})


class UnknownError(Exception):
    """Whether it was done."""


@dataclass
class Story:
    """Of one user."""

    email: str = field(default_factory=lambda: f"writer{next(_numbers)}@example.com")
    user_id: str = ""
    state: State = State()
    # Where the last step may have led, if no answer came.
    or_else: State | None = None
    credentials: dict[str, Headers] = field(default_factory=dict)


Step = tuple[Callable[["Writer", Story], None], Callable[[State], State]]


class Writer:
    """Writes stories over the API; `parts` make the tokens that come by mail, in the event loop behind `portal`."""

    def __init__(self, server: Server, parts: Parts, api_key: Headers, portal: BlockingPortal) -> None:
        self._server = server
        self._parts = parts
        self._api_key = api_key
        self._portal = portal
        self.statuses: Counter[int | str] = Counter()
        self.stories: list[Story] = []
        self.steps = 0

    def write(self) -> None:
        """One story, until its end or until no answer comes."""
        story = Story()
        self.stories.append(story)
        for do, leads_to in (*STEPS, *random.choice([(), LAST_STEPS])):
            after = leads_to(story.state)
            try:
                do(self, story)
            except UnknownError:
                story.or_else = after
                return
            except MedusaAuthError:
                # No token could be made: nothing was asked.
                return
            story.state = after
            self.steps += 1

    def call(self, method: str, path: str, headers: Headers | None = None, body: object = None) -> Answer:
        """Raises UnknownError, if no answer comes or none can be given; every other one has to be that it is done."""
        try:
            answer = self._server.call(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self.statuses[type(error).__name__] += 1
            raise UnknownError from None
        self.statuses[answer.status] += 1
        if answer.status == 503:
            raise UnknownError
        assert answer.status == 200, (method, path, answer)
        return answer

    def create(self, story: Story) -> None:
        body = {"email": story.email, "password": PASSWORDS[0]}
        story.user_id = self.call("POST", "/admin/users", self._api_key, body).json()["user"]["id"]

    def sign_in(self, story: Story, name: str) -> None:
        body = {"email": story.email, "password": PASSWORDS[story.state.password]}
        answer = self.call("POST", "/admin/auth", None, body)
        story.credentials[name] = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    def get_token(self, story: Story) -> None:
        body = {"email": story.email, "password": PASSWORDS[story.state.password]}
        answer = self.call("POST", "/admin/auth/token", None, body)
        story.credentials["token"] = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def end(self, story: Story, name: str) -> None:
        self.call("DELETE", "/admin/auth", story.credentials[name])

    def change_password(self, story: Story) -> None:
        parts = self._parts

        def issue(tx: Transaction) -> str:
            return parts.resets.issue(tx, parts.users.get(tx, story.user_id), parts.clock())

        token = self._portal.call(parts.records.write, issue)
        self.call("POST", "/admin/users/reset-password", None, {"token": token, "password": PASSWORDS[1]})

    def delete(self, story: Story) -> None:
        self.call("DELETE", f"/admin/users/{story.user_id}", self._api_key)


STEPS: Sequence[Step] = (
    (Writer.create, lambda state: replace(state, exists=True)),
    (partial(Writer.sign_in, name="first"), lambda state: state.with_good("first")),
    (partial(Writer.sign_in, name="second"), lambda state: state.with_good("second")),
    (Writer.get_token, lambda state: state.with_good("token")),
    (partial(Writer.end, name="first"), lambda state: state.without("first")),
    (partial(Writer.end, name="token"), lambda state: state.without("token")),
    # A changed password ends whatever the one before has won.
    (Writer.change_password, lambda state: replace(state, password=1, good=frozenset())),
    (partial(Writer.sign_in, name="third"), lambda state: state.with_good("third")),
)
LAST_STEPS: Sequence[Step] = ((Writer.delete, lambda _: State()),)


class Writing:
    """Twenty of them, until they are told to end."""

    def __init__(self, server: Server, parts: Parts, api_key: Headers) -> None:
        self._server = server
        self._api_key = api_key
        self._loop = ExitStack()
        portal = self._loop.enter_context(start_blocking_portal())
        self._writers = [Writer(server, parts, api_key, portal) for _ in range(WRITERS)]
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(WRITERS)
        self._working: list[Future[None]] = [self._threads.submit(self._write, each) for each in self._writers]

    @property
    def stories(self) -> list[Story]:
        return [story for writer in self._writers for story in writer.stories]

    @property
    def steps(self) -> int:
        """How many were acknowledged."""
        return sum(writer.steps for writer in self._writers)

    @property
    def statuses(self) -> Counter[int | str]:
        return sum((writer.statuses for writer in self._writers), Counter())

    def goes_on(self, more: int = WRITERS) -> float:
        """Returns when `more` steps have been acknowledged; the seconds that it took."""
        before = self.steps
        return until(lambda: self.steps >= before + more, "nothing is acknowledged any more", 60)

    def end(self) -> None:
        self._over.set()
        for each in self._working:
            each.result(120)

    def close(self) -> None:
        self._over.set()
        self._threads.shutdown()
        self._loop.close()

    def check(self) -> None:
        """Every story is as it was acknowledged; what is in doubt is done, or not, and never by half."""
        listed = self._server.call("GET", "/admin/users?limit=100000", self._api_key).json()["users"]
        emails = {user["email"] for user in listed}
        with ThreadPoolExecutor(8) as threads:
            for story, seen in zip(self.stories, threads.map(partial(self._seen, emails), self.stories), strict=True):
                possible = [each for each in (story.state, story.or_else) if each is not None]
                assert seen in [_told(story, state) for state in possible], (story, seen)

    def _write(self, writer: Writer) -> None:
        while not self._over.is_set():
            writer.write()
            if writer.stories[-1].or_else is not None:
                # As clients do.
                self._over.wait(PAUSE)

    def _seen(self, emails: set[str], story: Story) -> dict[str, object]:
        exists = story.email in emails
        return {
            "exists": exists,
            "passwords": {number: self._may_sign_in(story, number) for number in _asked_for(story, exists=exists)},
            "good": {name for name, headers in story.credentials.items() if self._server.get(headers) == 200},
        }

    def _may_sign_in(self, story: Story, number: int) -> bool:
        body = {"email": story.email, "password": PASSWORDS[number]}
        status = self._server.call("POST", "/admin/auth", None, body).status
        assert status in {200, 401}
        return status == 200


def _asked_for(story: Story, *, exists: bool) -> Sequence[int]:
    """The passwords that are tried: each costs a hash."""
    if not exists:
        return ()
    return range(len(PASSWORDS)) if story.or_else else (story.state.password,)


def _told(story: Story, state: State) -> dict[str, object]:
    """What `Writing._seen` is in that state."""
    return {
        "exists": state.exists,
        "passwords": {number: number == state.password for number in _asked_for(story, exists=state.exists)},
        "good": set(state.good & set(story.credentials)),
    }


@contextmanager
def writing(server: Server, parts: Parts, api_key: Headers) -> Iterator[Writing]:
    """Has begun."""
    begun = Writing(server, parts, api_key)
    try:
        begun.goes_on()
        yield begun
    finally:
        begun.close()
