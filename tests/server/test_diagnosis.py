"""What the log says at a login that will not last."""

from __future__ import annotations

import pytest
import structlog
from tests.server.helpers import LOGIN

HTTPS = {"X-Forwarded-Proto": "https"}
ELSEWHERE = {"Origin": "https://dashboard.example", "Sec-Fetch-Site": "cross-site"}
NONE = {"MEDUSA_AUTH_COOKIE_SAMESITE": "none"}
TRUSTED = {"MEDUSA_AUTH_TRUSTED_PROXIES": "127.0.0.1"}


@pytest.mark.parametrize(
    ("environ", "headers", "said"),
    [
        ({}, {}, []),
        ({}, HTTPS, ["MEDUSA_AUTH_TRUSTED_PROXIES=127.0.0.1"]),
        (TRUSTED, HTTPS, []),
        ({}, ELSEWHERE, ["https://dashboard.example is on another site"]),
        (NONE, {}, ["drop the cookie"]),
        (NONE | TRUSTED, HTTPS | ELSEWHERE, []),
        ({}, HTTPS | ELSEWHERE, ["MEDUSA_AUTH_TRUSTED_PROXIES=127.0.0.1", "on another site"]),
    ],
)
def test_the_log_names_the_reason_and_the_remedy(start, environ, headers, said: list[str]):
    server = start(**environ)
    with structlog.testing.capture_logs() as lines:
        assert server.client().post("/admin/auth", json=LOGIN, headers=headers).status_code == 200
    problems = [line["problem"] for line in lines if "problem" in line]
    assert len(problems) == len(said)
    for problem, part in zip(problems, said, strict=True):
        assert part in problem
