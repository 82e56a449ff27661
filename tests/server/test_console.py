"""What the pages' forms take is what the API takes."""

from __future__ import annotations

import httpx2
import pytest
from tests.server.helpers import Running

from medusa_auth.model import Role
from medusa_auth.store.base import Transaction

PASSWORD = "green apples fall"


def invited(server: Running) -> str:
    def issue(tx: Transaction) -> str:
        invites, now = server.parts.invites, server.clock()
        return invites.issue(tx, invites.create(tx, "new@example.com", Role.MEMBER, now), now)

    return server.write(issue)


def send(server: Running, **form: str) -> httpx2.Response:
    return server.client().post("/console/accept-invite", data=form)


@pytest.mark.asvs("2.2.1")
@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
def test_a_name_that_the_api_refuses_is_refused_and_the_link_is_still_good(server: Running, name: str):
    token = invited(server)
    refused = send(server, token=token, password=PASSWORD, first_name=name)
    assert refused.status_code == 400
    assert "first_name must be" in refused.text
    assert send(server, token=token, password=PASSWORD, first_name="Ada").status_code == 200


def test_a_form_without_a_link_says_that_a_link_is_needed(server: Running):
    refused = send(server, password=PASSWORD)
    assert (refused.status_code, "Ask for a new one" in refused.text) == (400, True)
