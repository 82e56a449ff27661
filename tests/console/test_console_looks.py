"""How the pages and the mails look: on a phone, in the light and in the dark, and to those who see little."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from tests.console.site import NEW_PASSWORD, Site, submit
from tests.mail.reading import html_of

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
# WCAG 2.2: 1.4.3 for text, 1.4.11 for the edges of what can be used.
TEXT, EDGE = 4.5, 3.0
# What has text of its own, or an edge, with less contrast than it needs to what is behind it.
FAINT = """
const [text, edge] = arguments;
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const isClear = (color) => parts(color)[3] === 0;
const light = (color) => {
  const linear = (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = parts(color).slice(0, 3).map((x) => linear(x / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [most, least] = [light(one), light(other)].sort((a, b) => b - a);
  return (most + 0.05) / (least + 0.05);
};
const behind = (node) => {
  while (node && isClear(getComputedStyle(node).backgroundColor)) node = node.parentElement;
  return node ? getComputedStyle(node).backgroundColor : "rgb(255, 255, 255)";
};
const found = [];
for (const node of document.body.querySelectorAll("*")) {
  if (!node.checkVisibility()) continue;
  const style = getComputedStyle(node);
  const isField = node.matches("input");
  if (isField || [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) {
    const ratio = contrast(style.color, behind(node));
    if (ratio < text) found.push(`${node.tagName} ${node.className} text ${ratio}`);
  }
  if (node.matches("input:not([readonly]), button:not(.primary)")) {
    const ratio = contrast(style.borderTopColor, behind(node.parentElement));
    if (ratio < edge) found.push(`${node.tagName} ${node.className} edge ${ratio}`);
  }
}
return found;
"""
_numbers = count(1)
Look = Callable[[Chrome], None]


def long_address() -> str:
    """A new one, and about as long as they can be."""
    return f"{'long' * 15}{next(_numbers)}@{'shop-' * 12}s.example"


def visit(site: Site, browser: Chrome, look: Look) -> None:
    """Look at each page as it comes, after a refusal, after its work is done, and with a link that is over."""
    for page, (_, link) in (
        ("accept-invite", site.invite(long_address())),
        ("reset-password", site.reset(long_address())),
    ):
        browser.get(f"{site.public_url}/console/{page}")
        look(browser)
        for password in ("short", NEW_PASSWORD):
            browser.get("about:blank")
            browser.get(link)
            look(browser)
            submit(browser, password=password)
            look(browser)
        browser.get(link.replace("#", "?"))
        submit(browser, password=NEW_PASSWORD)
        look(browser)
    browser.get(f"{site.public_url}/docs")
    look(browser)


def read_mails(site: Site, browser: Chrome, folder: Path, look: Look) -> None:
    """Look at the HTML of a mail of each kind."""
    kinds = {message["Subject"]: message for message in site.mails.received}
    assert len(kinds) == 4
    for message in kinds.values():
        page = folder / "mail.html"
        page.write_text(html_of(message), "utf-8")
        browser.get(page.as_uri())
        look(browser)


@pytest.fixture(scope="module")
def site_with_mails(site: Site) -> Site:
    """A mail of each kind was sent."""
    email, link = site.reset(long_address())
    body = {"token": link.partition("#token=")[2], "password": NEW_PASSWORD}
    assert site.server.client().post("/admin/users/reset-password", json=body).status_code == 200
    site.wait_for_mail(email, "Your password was changed")
    site.wait_for_mail(email, "There is a new administrator")
    return site


def test_nothing_is_wider_than_a_phone(site_with_mails: Site, browser: Chrome, tmp_path: Path):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    visit(site_with_mails, browser, is_narrow)
    read_mails(site_with_mails, browser, tmp_path, is_narrow)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_can_be_read_in_the_light_and_in_the_dark(site_with_mails: Site, browser: Chrome, tmp_path: Path, theme):
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    visit(site_with_mails, browser, is_readable)
    assert browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches") == (theme == "dark")
    read_mails(site_with_mails, browser, tmp_path, is_readable)


def test_a_page_is_dark_where_the_browser_is(site: Site, browser: Chrome):
    grounds = []
    for theme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        for page in ("console/reset-password", "docs"):
            browser.get(f"{site.public_url}/{page}")
            grounds.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(244, 244, 246)", "rgb(255, 255, 255)", "rgb(20, 20, 24)", "rgb(13, 17, 23)"]


def is_narrow(browser: Chrome) -> None:
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE["width"], browser.current_url


def is_readable(browser: Chrome) -> None:
    assert browser.execute_script(FAINT, TEXT, EDGE) == [], browser.current_url
