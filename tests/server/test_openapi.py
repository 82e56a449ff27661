"""The OpenAPI document, the page that shows it, and requests that are made up from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.server.helpers import PASSWORD, Running, on_most, on_sqlite

from medusa_auth.model import Invite, Role, User
from medusa_auth.store.base import Transaction

NUMBERS = count()
# The server is a thread of this process, and a mail that it writes takes its boundary from `random`, which Hypothesis
# sees change while it draws.
meanwhile_mails_are_written = pytest.mark.filterwarnings("ignore:Do not use the .random. module")


@on_sqlite
def test_the_document_tells_every_route(server: Running):
    document = httpx2.get(f"{server.url}/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {path: set(operations) for path, operations in document["paths"].items()} == {
        "/admin/auth": {"post", "get", "delete"},
        "/admin/auth/token": {"post"},
        "/admin/users": {"get", "post"},
        "/admin/users/password-token": {"post"},
        "/admin/users/reset-password": {"post"},
        "/admin/users/{user_id}": {"get", "post", "delete"},
        "/admin/invites": {"get", "post"},
        "/admin/invites/accept": {"post"},
        "/admin/invites/{invite_id}": {"delete"},
        "/admin/invites/{invite_id}/resend": {"post"},
        "/health": {"get"},
        "/ready": {"get"},
    }


@on_sqlite
def test_the_page_asks_for_nothing_from_elsewhere(server: Running):
    page = httpx2.get(f"{server.url}/docs").text
    assert re.findall(r'(?:src|href)="([^"#]+)"', page) == ["/docs/style.css", "/openapi.json"]
    assert "<script" not in page
    assert httpx2.get(f"{server.url}/docs/style.css").headers["content-type"] == "text/css; charset=utf-8"


@on_sqlite
def test_the_page_can_be_switched_off(start):
    server = start(MEDUSA_AUTH_API_PAGE="off")
    assert httpx2.get(f"{server.url}/docs").status_code == 404
    assert httpx2.get(f"{server.url}/openapi.json").status_code == 404


@on_most
def test_no_request_that_the_document_suggests_makes_a_server_error(server: Running):
    for operation in _operations(server):
        _ask(server, _cases(operation), [])


@meanwhile_mails_are_written
@on_most
def test_no_request_of_an_admin_makes_an_answer_that_the_document_does_not_tell(server: Running):
    credential = {"x-medusa-access-token": server.api_token()[0]}
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    for operation in _operations(server):
        known = _cases(operation, headers=credential, path_parameters=_known(server))
        unknown = _cases(operation, headers=credential)
        _ask(server, (known | unknown).map(_likely), checks)


def _cases(operation: Any, **fixed: Any) -> SearchStrategy[Any]:
    """Requests as the document has them, and spoilt ones; an operation without parameters has no spoilt ones."""
    right, wrong = (operation.as_strategy(generation_mode=mode, **fixed) for mode in GenerationMode)
    cases: SearchStrategy[Any] = right | wrong
    return cases


def _ask(server: Running, cases: SearchStrategy[Any], checks: list[Any]) -> None:
    @given(case=cases)
    @settings(max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        answer = case.call(base_url=server.url)
        case.validate_response(answer, checks=[not_a_server_error, *checks])

    ask()


def _operations(server: Running) -> Iterator[Any]:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for result in schema.get_all_operations():
        yield _operation(result)


def _operation(result: Any) -> Any:
    return result.ok()


def _known(server: Running) -> dict[str, str]:
    """The ids of a user and of an invite that are new."""
    number, now = next(NUMBERS), server.clock()

    def make(tx: Transaction) -> tuple[User, Invite]:
        user = server.parts.users.create(tx, email=f"user-{number}@example.com", password_hash=None, now=now)
        return user, server.parts.invites.create(tx, f"invited-{number}@example.com", Role.MEMBER, now)

    user, invite = server.write(make)
    return {"user_id": user.id, "invite_id": invite.id}


def _likely(case: Any) -> Any:
    """Most texts are no address and no good password: with these the request gets further."""
    if isinstance(case.body, dict):
        address = f"made-{next(NUMBERS)}@example.com"
        for name, value in (("email", address), ("user", address), ("password", PASSWORD)):
            if isinstance(case.body.get(name), str):
                case.body[name] = value
    return case
