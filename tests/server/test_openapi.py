"""The OpenAPI document, the page that shows it, and requests that are made up from it."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from tests.server.helpers import Running


def test_the_document_tells_every_route(server: Running):
    document = httpx2.get(f"{server.url}/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {path: set(operations) for path, operations in document["paths"].items()} == {
        "/admin/auth": {"post", "get", "delete"},
        "/admin/auth/token": {"post"},
        "/admin/invites": {"get", "post"},
        "/admin/invites/accept": {"post"},
        "/admin/invites/{invite_id}": {"delete"},
        "/admin/invites/{invite_id}/resend": {"post"},
        "/admin/users": {"get", "post"},
        "/admin/users/password-token": {"post"},
        "/admin/users/reset-password": {"post"},
        "/admin/users/{user_id}": {"get", "post", "delete"},
        "/health": {"get"},
        "/ready": {"get"},
    }


def test_the_page_asks_for_nothing_from_elsewhere(server: Running):
    page = httpx2.get(f"{server.url}/docs").text
    assert re.findall(r'(?:src|href)="([^"#]+)"', page) == ["/docs/style.css", "/openapi.json"]
    assert "<script" not in page
    assert httpx2.get(f"{server.url}/docs/style.css").headers["content-type"] == "text/css; charset=utf-8"


def test_the_page_can_be_switched_off(start):
    server = start(MEDUSA_AUTH_API_PAGE="off")
    assert httpx2.get(f"{server.url}/docs").status_code == 404
    assert httpx2.get(f"{server.url}/openapi.json").status_code == 404


def test_no_request_that_the_document_suggests_makes_a_server_error(server: Running):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for result in schema.get_all_operations():

        @given(case=_operation(result).as_strategy())
        @settings(max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        def ask(case: Any) -> None:
            assert case.call(base_url=server.url).status_code < 500

        ask()


def _operation(result: Any) -> Any:
    return result.ok()
