"""What the tests of users and invites share: an answer in place of a network, and what was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from .conftest import Client, done

Connect = Callable[..., Client]

URL = "https://shop.example.com"
SECRET = "correct horse battery staple"
CREATED = '"created_at":"2026-11-24T01:53:13.446Z","updated_at":"2026-11-24T01:53:13.446Z","deleted_at":null'
OK = httpx2.Response(200, text="OK")


def json(body: str, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, text=body, headers={"Content-Type": "application/json; charset=utf-8"})


class Backend:
    """Gives one answer to all requests, which it keeps."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.received: list[httpx2.Request] = []
        self.transport = httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.received.append(request)
        given = self.answer
        return httpx2.Response(given.status_code, headers=given.headers, content=given.content)

    @property
    def asked(self) -> tuple[str, str, bytes]:
        """Method, target and body of the one request."""
        (request,) = self.received
        return request.method, request.url.raw_path.decode(), request.content

    def credentials(self) -> list[str]:
        """The names of the credentials that the last request carried."""
        names = ("authorization", "x-medusa-access-token")
        return [name for name in names if name in self.received[-1].headers]


async def call(client: Client, method: str, *args: Any, **keywords: Any) -> Any:
    """What `client.admin.<method>` returned, such as `users.list`."""
    part, _, name = method.partition(".")
    return await done(getattr(getattr(client.admin, part), name)(*args, **keywords))


async def credentials_of(connect: Connect, answer: httpx2.Response, method: str, *args: Any) -> list[str]:
    """The credentials that go with a call of a client that has an API token and an access token."""
    backend = Backend(json('{"access_token":"a.b.c"}'))
    client = connect(URL, transport=backend.transport, api_key="api")
    await call(client, "auth.get_token", {"email": "a@b.co", "password": "x"})
    backend.answer = answer
    await call(client, method, *args)
    return backend.credentials()


async def shows_nothing(connect: Connect, method: str, *args: Any, **keywords: Any) -> None:
    """No error of the call shows the secret, nor does any that it comes from."""
    for answer in (httpx2.Response(401, text="Unauthorized"), httpx2.Response(500), json("[]"), json("{")):
        client = connect(URL, transport=Backend(answer).transport)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
            await call(client, method, *args, **keywords)
        shown: BaseException | None = caught.value
        while shown:
            assert SECRET not in f"{shown} {shown!r}"
            shown = shown.__cause__ or shown.__context__
