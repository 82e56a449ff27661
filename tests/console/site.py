"""What the tests of the pages do with a server, and with a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from tests.mail.reading import link_in, to
from tests.server.helpers import PASSWORD, Running
from tests.services.mail_server import MailServer, wait_for

WIDTH = 1000
NEW_PASSWORD = "another horse battery staple"
INVITED = "You are invited to the store's admin"
RESET = "Set a new password"
_numbers = count(1)


@dataclass
class Site:
    """A server with its mail server; everybody who is asked for is somebody new."""

    server: Running
    public_url: str
    mails: MailServer

    def invite(self, email: str | None = None) -> tuple[str, str]:
        """The address, and the link in its mail."""
        email = email or f"new{next(_numbers)}@shop.example"
        answer = self.server.sign_in().post("/admin/invites", json={"user": email, "role": "member"})
        assert answer.status_code == 200
        return email, self._link(email, INVITED)

    def reset(self, email: str | None = None) -> tuple[str, str]:
        """The address of a new user who has `PASSWORD`, and the link in the mail."""
        email = email or f"user{next(_numbers)}@shop.example"
        new = {"email": email, "password": PASSWORD, "role": "member"}
        assert self.server.sign_in().post("/admin/users", json=new).status_code == 200
        assert self.server.client().post("/admin/users/password-token", json={"email": email}).status_code == 204
        return email, self._link(email, RESET)

    def login(self, email: str, password: str) -> httpx2.Response:
        return self.server.client().post("/admin/auth", json={"email": email, "password": password})

    def subjects(self, email: str) -> list[str]:
        return [str(message["Subject"]) for message in to(self.mails.received, email)]

    def wait_for_mail(self, email: str, subject: str) -> None:
        wait_for(lambda: subject in self.subjects(email))

    def _link(self, email: str, subject: str) -> str:
        self.wait_for_mail(email, subject)
        return link_in(next(m for m in to(self.mails.received, email) if m["Subject"] == subject))


def element(browser: Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def submit(browser: Chrome, **values: str) -> None:
    """Type `values` into the fields of these names, and send the form."""
    for name, value in values.items():
        field = element(browser, name)
        field.clear()
        field.send_keys(value)
    page = browser.find_element(By.TAG_NAME, "html").id
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait_for(lambda: _is_another_page(browser, page))


def _is_another_page(browser: Chrome, page: str) -> bool:
    try:
        another = browser.find_element(By.TAG_NAME, "html").id != page
    except NoSuchElementException:  # it is on its way
        return False
    return another and browser.execute_script("return document.readyState") == "complete"


def status(browser: Chrome) -> str:
    """What the page says was done."""
    return browser.find_element(By.CSS_SELECTOR, "[role=status]").text


def error(browser: Chrome) -> str:
    """What the page says is wrong."""
    return browser.find_element(By.CSS_SELECTOR, "[role=alert]").text


def is_shown(browser: Chrome, names: Sequence[str]) -> list[bool]:
    return [element(browser, name).is_displayed() for name in names]


def log_of(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What came since it was last asked for; `kind` is `browser` or `performance`."""
    return list(browser.get_log(kind))  # type: ignore[no-untyped-call]
