"""Debian's Chromium, without a window, driven by selenium."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from tests.services.debian import SCRIPT, program

# Where there is no font at all, text takes no room and is not drawn.
FONTS = "fonts-dejavu-core"
BLOCKED = 2
QUIET = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(*arguments: str, javascript: bool = True) -> Iterator[Chrome]:
    """A new Chromium with a profile of its own, which is thrown away; `arguments` are for its command line.

    Installs Debian's `chromium`, `chromium-driver` and a font where they are missing.
    """
    executable = program("chromium", package="chromium")
    driver = program("chromedriver", package="chromium-driver")
    subprocess.run([SCRIPT, FONTS], check=True)
    with tempfile.TemporaryDirectory(prefix="medusa-auth-chromium-", ignore_cleanup_errors=True) as profile:
        options = _options(profile, arguments, javascript=javascript)
        options.binary_location = str(executable)
        browser = Chrome(options=options, service=Service(executable_path=str(driver)))
        try:
            yield browser
        finally:
            browser.quit()


def _options(profile: str, arguments: Sequence[str], *, javascript: bool) -> ChromeOptions:
    options = ChromeOptions()
    for argument in (*QUIET, *arguments, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's own refuses to be run by root
    if not javascript:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": BLOCKED})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return options
