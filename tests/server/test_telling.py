"""A process that stood still between a check and its answer does not tell it any more."""

from __future__ import annotations

import time

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from tests.server.helpers import LOGIN, Running, on_sqlite, serving

from medusa_auth.server import telling


@on_sqlite
def test_a_good_credential_is_not_told_of_when_it_is_too_late(server: Running, monkeypatch: pytest.MonkeyPatch):
    client, token = server.sign_in(), server.access_token()
    monkeypatch.setattr(telling, "TOLD_WITHIN", -1)
    for answer in (client.get("/admin/auth"), client.get("/admin/users"), server.bearer(token)):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["type"] == "unavailable"
    assert server.bearer("none").status_code == 401
    assert client.get("/health").status_code == 200


@on_sqlite
def test_what_was_done_is_told_however_late(server: Running, monkeypatch: pytest.MonkeyPatch):
    client = server.sign_in()
    monkeypatch.setattr(telling, "TOLD_WITHIN", -1)
    assert client.post("/admin/auth", json=LOGIN).status_code == 200
    assert client.post(f"/admin/users/{server.user.id}", json={"first_name": "Ada"}).status_code == 200


async def _app(scope: Scope, _: Receive, send: Send) -> None:
    """Stands still after its answer, before the event loop writes what it holds; under /checked, it was of a check."""
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        return
    if scope["path"] == "/checked":
        telling.tell_soon()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"OK"})
    time.sleep(0.1)


def test_an_answer_that_is_held_while_the_process_stands_still_is_replaced(monkeypatch: pytest.MonkeyPatch):
    with serving(_app) as url, httpx2.Client(base_url=url) as client:
        assert client.get("/checked").text == "OK"
        monkeypatch.setattr(telling, "TOLD_WITHIN", 0.05)
        late = client.get("/checked")
        assert (late.status_code, late.headers["retry-after"], late.content) == (503, "1", b"")
        assert late.headers["connection"] == "close"
        assert client.get("/anything").text == "OK"
