"""What docs/deploy.md says, as far as it can be looked up."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from starlette.datastructures import Headers

from medusa_auth.cli.import_ import FROM_VARIABLE
from medusa_auth.server.diagnosis import login_problems
from medusa_auth.server.proxies import Origin
from medusa_auth.settings import DATA_DIR_VARIABLE, SameSite, Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "deploy.md").read_text("utf-8")
CROSS_SITE = {"origin": "https://dashboard.example", "sec-fetch-site": "cross-site"}


def test_every_file_of_deploy_that_it_names_is_there():
    named = set(re.findall(r"deploy/([\w.-]+\w)", TEXT))
    assert {"nginx.conf", "upstreams.conf", "medusa-auth.service", "environment.example", "compose.yaml"} <= named
    assert all(
        (ROOT / "deploy" / name).exists() or (ROOT / "tests" / "deploy" / name).exists() for name in named - {"txt"}
    )


def test_every_setting_that_it_names_is_one():
    named = set(re.findall(r"\bMEDUSA_AUTH_[A-Z_]+\b", TEXT))
    settings = {each.metadata["env"] for each in fields(Settings) if each.metadata}
    assert named <= settings | {DATA_DIR_VARIABLE, FROM_VARIABLE}


def test_what_it_says_of_the_log_is_what_the_log_says():
    said = [
        problem
        for headers, scheme, same_site in (
            ({"x-forwarded-proto": "https"}, "http", "lax"),
            (CROSS_SITE, "https", "lax"),
            ({}, "http", "none"),
        )
        for problem in _problems(headers, scheme, same_site)  # type: ignore[arg-type]
    ]
    quoted = re.findall(r"^\| `([^`]+)` \|", TEXT.partition("## Trouble")[2], re.MULTILINE)
    assert len(quoted) == len(said) == 3
    for quote, problem in zip(quoted, said, strict=True):
        assert all(part in problem for part in quote.split("…")), quote


def _problems(headers: dict[str, str], scheme: str, same_site: SameSite) -> list[str]:
    read = Headers(headers)
    return login_problems(read, Origin(read, trusted=False, client="10.0.0.1", scheme=scheme), same_site)
