"""What somebody does with Medusa's dashboard, in a browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from tests.services.chromium import chromium

T = TypeVar("T")

PATIENCE = 30.0  # seconds; a page of the dashboard has megabytes of scripts
# How long a page may turn its wheel before it is loaded again. Its query library (@tanstack/react-query 4.22.0) misses
# an answer to GET /admin/auth that comes before the page is mounted, and turns it for ever.
SPINNING = 8.0
RELOADS = 3
PAUSE = 0.05
# The certificate is nobody's, and the dashboard reports to somebody unless it is told not to.
ARGUMENTS = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost")
# Asked for, and not there in Medusa's own set-up either.
NEVER_THERE = ("/logo.svg", "/admin/analytics-configs")


@contextmanager
def somebodys_dashboard(url: str, screenshots: Path) -> Iterator[Dashboard]:
    """The dashboard at `url` in a new browser, which nobody has used."""
    with chromium(*ARGUMENTS) as browser:
        browser.set_window_size(1400, 1000)
        yield Dashboard(browser, url, screenshots)


@dataclass
class Dashboard:
    """What is waited for in vain is told with what the page says, and with a picture in `screenshots`."""

    browser: Chrome
    url: str
    screenshots: Path

    def sign_in(self, email: str, password: str) -> None:
        self.open("/app/login", "Log in to Medusa")
        self.fill(email=email, password=password)
        self.press("Continue")
        self.wait("the first page", lambda: "/a/orders" in self.browser.current_url)
        self.see("Orders")

    def sign_out(self) -> None:
        # The last of the buttons above the page, with the person's initial.
        self.wait("the person's menu", lambda: self._click(By.CSS_SELECTOR, "[aria-haspopup=menu].cursor-pointer"))
        self.press("Sign out")
        self.see("Log in to Medusa")

    def open(self, path: str, text: str) -> None:
        """Goes to `path` of the site, or to a whole address, and waits for `text`."""
        self.browser.get(path if path.startswith("https:") else self.url + path)
        for _ in range(RELOADS):
            if self._comes(lambda: text in self.text(), SPINNING) or self.text():
                break
            self.browser.refresh()
        self.see(text)

    def see(self, *texts: str) -> None:
        """Waits for one of `texts`."""
        self.wait(" or ".join(texts), lambda: any(text in self.text() for text in texts))

    def see_no(self, text: str) -> None:
        self.wait(f"the end of {text}", lambda: text not in self.text())

    def fill(self, **values: str) -> None:
        """Types into the fields of these names, instead of what is there."""
        for name, value in values.items():
            field = self.wait(f"the field {name}", lambda: self._shown(By.NAME, name)[0])  # noqa: B023 - used at once
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(value)

    def press(self, label: str) -> None:
        """The last button of that label: that of the window before the others."""
        path = (
            f"//*[self::button or @role='menuitem' or contains(@class, 'cursor-pointer')][normalize-space()='{label}']"
        )
        self.wait(f"the button {label}", lambda: self._click(By.XPATH, path))

    def choose(self, label: str) -> None:
        """The switch beside `label`."""
        path = f"//*[normalize-space(text())='{label}']/following::button[@role='switch'][1]"
        self.wait(f"the switch {label}", lambda: self._click(By.XPATH, path))

    def act(self, row: str, action: str) -> None:
        """Chooses `action` in the menu of the row that says `row`."""
        path = f"//tr[contains(., '{row}')]//button"
        self.wait(f"the menu of {row}", lambda: self._click(By.XPATH, path))
        self.press(action)

    def row(self, text: str) -> str:
        """What the row that says `text` says."""
        return self.wait(f"the row of {text}", lambda: self._shown(By.XPATH, f"//tr[contains(., '{text}')]")[0].text)

    def text(self) -> str:
        try:
            return self.browser.find_element(By.TAG_NAME, "body").text
        except WebDriverException:  # it is on its way
            return ""

    def status(self, path: str) -> int:
        """What the site answers to a GET of the page's own script."""
        script = "return fetch(arguments[0], {cache: 'no-store'}).then(answer => answer.status)"
        return int(self.browser.execute_script(script, path))

    def answers(self) -> list[tuple[int, str]]:
        """Status and path of what came from the site under /admin since this was last asked."""
        lines = [json.loads(each["message"])["message"] for each in self._log()]
        came = [line["params"]["response"] for line in lines if line["method"] == "Network.responseReceived"]
        paths = [(int(each["status"]), str(each["url"]).removeprefix(self.url)) for each in came]
        return [(status, path) for status, path in paths if path.startswith("/admin/")]

    def refusals(self) -> list[tuple[int, str]]:
        """Those of `answers` that are errors and should not be."""
        return [each for each in self.answers() if each[0] >= 400 and not each[1].startswith(NEVER_THERE)]

    def wait(self, what: str, ready: Callable[[], T]) -> T:
        """What `ready` comes back with, as soon as it is something. It may raise while the page changes."""
        result = self._comes(ready, PATIENCE)
        if result:
            return result
        picture = self.screenshots / f"{len(list(self.screenshots.iterdir()))}.png"
        self.browser.save_screenshot(str(picture))
        said, errors = self.text()[:500], self.refusals()
        raise AssertionError(
            f"{what} did not come at {self.browser.current_url}; the page is in {picture} and says:\n{said}\n"
            f"The answers with an error: {errors}"
        )

    def _comes(self, ready: Callable[[], T], seconds: float) -> T | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                result = ready()
            except (WebDriverException, LookupError):
                result = None
            if result:
                return result
            time.sleep(PAUSE)
        return None

    def _click(self, by: str, what: str) -> bool:
        self._shown(by, what)[-1].click()
        return True

    def _shown(self, by: str, what: str) -> list[WebElement]:
        return [element for element in self.browser.find_elements(by, what) if element.is_displayed()]

    def _log(self) -> list[dict[str, Any]]:
        return list(self.browser.get_log("performance"))  # type: ignore[no-untyped-call]
