"""What the pages do in a real browser, with JavaScript."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from tests.console.site import NEW_PASSWORD, Site, element, error, is_shown, log_of, status, submit
from tests.databases import each_database
from tests.server.helpers import PASSWORD

pytestmark = each_database

MARKUP = '"><img src=x onerror=document.title=1><script>document.title=1</script>'
ODD = "o'brien&+{{7*7}}@shop.example"


@pytest.mark.asvs("14.2.1")
@pytest.mark.parametrize("mark", ["#", "?"])
def test_the_token_leaves_the_address_bar_and_the_history(site: Site, browser: Chrome, mark):
    _, link = site.invite()
    browser.get(link.replace("#", mark))
    assert browser.current_url == f"{site.public_url}/console/accept-invite"
    history = browser.execute_cdp_cmd("Page.getNavigationHistory", {})
    assert "token=" not in str([entry["url"] for entry in history["entries"][-2:]])


def test_with_a_link_the_email_is_shown_in_the_place_of_the_field_for_it(site: Site, browser: Chrome):
    email, link = site.invite(ODD)
    browser.get(link)
    assert is_shown(browser, ["token", "email", "password"]) == [False, True, True]
    assert element(browser, "email").get_property("value") == email


def test_without_a_link_the_field_for_it_is_shown(site: Site, browser: Chrome):
    browser.get(f"{site.public_url}/console/reset-password")
    assert is_shown(browser, ["token", "email", "password"]) == [True, False, True]


@pytest.mark.asvs("6.2.6")
def test_a_password_is_hidden_until_it_is_asked_for(site: Site, browser: Chrome):
    browser.get(site.reset()[1])
    password, show = element(browser, "password"), element(browser, "show")
    seen = []
    for _ in range(3):
        seen.append((password.get_property("type"), show.text, show.get_dom_attribute("aria-pressed")))
        show.click()
    assert seen == [("password", "Show", "false"), ("text", "Hide", "true"), ("password", "Show", "false")]


def test_a_password_that_is_shown_is_not_kept_by_the_browser_as_a_text(site: Site, browser: Chrome):
    email, link = site.reset()
    browser.get(link)
    element(browser, "show").click()
    browser.execute_script(
        "document.querySelector('form').addEventListener('submit', () => { sessionStorage.type = password.type; })"
    )
    submit(browser, password=NEW_PASSWORD)
    assert browser.execute_script("return sessionStorage.type") == "password"
    assert site.login(email, NEW_PASSWORD).status_code == 200


@pytest.mark.asvs("6.2.7")
def test_password_managers_find_the_name_and_the_new_password(site: Site, browser: Chrome):
    for page in ("accept-invite", "reset-password"):
        browser.get(f"{site.public_url}/console/{page}")
        marks = {
            name: element(browser, name).get_dom_attribute("autocomplete") for name in ("email", "password", "token")
        }
        assert marks == {"email": "username", "password": "new-password", "token": "off"}


@pytest.mark.asvs("6.2.7")
def test_a_password_can_be_pasted(site: Site, browser: Chrome):
    email, link = site.reset()
    browser.get(link)
    element(browser, "show").click()
    password = element(browser, "password")
    password.send_keys(NEW_PASSWORD, Keys.CONTROL, "a", "x")
    assert password.get_property("value") == ""
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()
    assert password.get_property("value") == NEW_PASSWORD
    submit(browser)
    assert site.login(email, NEW_PASSWORD).status_code == 200


def test_a_refused_password_is_explained_and_only_the_password_is_typed_again(site: Site, browser: Chrome):
    email, link = site.invite()
    browser.get(link)
    submit(browser, first_name="Ada", last_name="Lovelace", password="password1")
    assert "most common" in error(browser)
    kept = [element(browser, name).get_property("value") for name in ("email", "first_name", "last_name", "password")]
    assert kept == [email, "Ada", "Lovelace", ""]
    assert element(browser, "password").get_dom_attribute("aria-invalid") == "true"
    assert browser.switch_to.active_element == element(browser, "password")
    submit(browser, password=NEW_PASSWORD)
    assert email in status(browser)


@pytest.mark.asvs("1.2.1")
def test_markup_in_a_name_stays_text(site: Site, browser: Chrome):
    email, link = site.invite()
    browser.get(link)
    submit(browser, first_name=MARKUP, last_name=MARKUP, password="short")
    assert element(browser, "first_name").get_property("value") == MARKUP
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert browser.title == "Accept your invite"
    submit(browser, password=NEW_PASSWORD)
    assert site.login(email, NEW_PASSWORD).json()["user"]["first_name"] == MARKUP


@pytest.mark.asvs("1.2.1")
@pytest.mark.parametrize("mark", ["#", "?"])
def test_markup_in_a_link_stays_text(site: Site, browser: Chrome, mark):
    browser.get(f"{site.public_url}/console/reset-password{mark}token={MARKUP.replace('#', '')}")
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert browser.title == "Choose a new password"


@pytest.mark.asvs("3.4.3")
def test_a_whole_visit_stays_on_the_server_and_breaks_no_policy(site: Site, browser: Chrome):
    for _, link in (site.invite(), site.reset()):
        browser.get(link)
        submit(browser, password="short")
        submit(browser, password=NEW_PASSWORD)
    browser.get(f"{site.public_url}/docs")
    assert hosts(browser) == {urlsplit(site.public_url).netloc}
    assert complaints(browser) == []


def test_no_request_of_a_page_names_the_token_but_the_form(site: Site, browser: Chrome):
    _, link = site.reset()
    browser.get(link)
    token = link.partition("#token=")[2]
    assert [request for request in requests(browser) if token in json.dumps(request["headers"])] == []
    submit(browser, password=PASSWORD)
    assert [r["method"] for r in requests(browser) if token in r.get("postData", "")] == ["POST"]


def requests(browser: Chrome) -> list[dict[str, Any]]:
    messages = [json.loads(entry["message"])["message"] for entry in log_of(browser, "performance")]
    return [m["params"]["request"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def hosts(browser: Chrome) -> set[str]:
    return {urlsplit(r["url"]).netloc for r in requests(browser) if not r["url"].startswith(("data:", "about:"))}


def complaints(browser: Chrome) -> list[str]:
    """All that the browser's console says, but that a refused form is answered 400."""
    return [entry["message"] for entry in log_of(browser, "browser") if "400 (Bad Request)" not in entry["message"]]
