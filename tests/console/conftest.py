"""A server whose mails lead to it, and browsers to follow their links."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from tests.console.site import WIDTH, Site, log_of
from tests.mail.conftest import impatient_sender
from tests.server.conftest import Start, password_hash, shared_start
from tests.services.chromium import chromium
from tests.services.mail_server import mail_server
from tests.services.process import free_port

__all__ = ["impatient_sender", "password_hash", "shared_start"]


@pytest.fixture(scope="session")
def with_script() -> Iterator[Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def without_script() -> Iterator[Chrome]:
    with chromium(javascript=False) as browser:
        yield browser


@pytest.fixture
def browser(with_script: Chrome) -> Chrome:
    return fresh(with_script)


@pytest.fixture
def plain_browser(without_script: Chrome) -> Chrome:
    """One in which no page's JavaScript runs."""
    return fresh(without_script)


def fresh(browser: Chrome) -> Chrome:
    """On no page, with an empty log, as wide as a desk's."""
    browser.get("about:blank")
    browser.delete_all_cookies()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.set_window_size(WIDTH, 800)
    for log in ("browser", "performance"):
        log_of(browser, log)
    return browser


@pytest.fixture(scope="module")
def site(shared_start: Start) -> Iterator[Site]:
    """Its links begin with another name than the one that requests use."""
    with mail_server() as mails:
        port = free_port()
        public_url = f"http://localhost:{port}"
        server = shared_start(port, MEDUSA_AUTH_SMTP_URL=mails.url, MEDUSA_AUTH_PUBLIC_URL=public_url)
        yield Site(server, public_url, mails)
