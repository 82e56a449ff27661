"""From a mail to a login: links are followed in a real browser, with JavaScript and without."""

from __future__ import annotations

from selenium.webdriver import Chrome
from tests.console.site import NEW_PASSWORD, Site, element, error, is_shown, status, submit
from tests.databases import each_database
from tests.server.helpers import PASSWORD
from tests.services.mail_server import wait_for

pytestmark = each_database


def test_an_invite_s_link_leads_to_an_account_that_can_sign_in(site: Site, browser: Chrome):
    email, link = site.invite()
    assert link.startswith(f"{site.public_url}/console/accept-invite#token=")
    browser.get(link)
    assert element(browser, "email").get_property("value") == email
    submit(browser, password=NEW_PASSWORD, first_name="Ada", last_name="Lovelace")
    assert email in status(browser)
    user = site.login(email, NEW_PASSWORD).json()["user"]
    assert (user["email"], user["first_name"], user["last_name"]) == (email, "Ada", "Lovelace")


def test_a_reset_s_link_leads_to_a_login_with_the_new_password_alone(site: Site, browser: Chrome):
    email, link = site.reset()
    older = site.server.client()
    assert older.post("/admin/auth", json={"email": email, "password": PASSWORD}).status_code == 200
    assert link.startswith(f"{site.public_url}/console/reset-password#token=")
    browser.get(link)
    assert element(browser, "email").get_property("value") == email
    submit(browser, password=NEW_PASSWORD)
    assert email in status(browser)
    assert site.login(email, NEW_PASSWORD).status_code == 200
    assert site.login(email, PASSWORD).status_code == 401
    assert older.get("/admin/auth").status_code == 401
    site.wait_for_mail(email, "Your password was changed")


def test_a_used_link_says_so_and_asks_for_another_one(site: Site, browser: Chrome):
    _, link = site.reset()
    browser.get(link)
    submit(browser, password=NEW_PASSWORD)
    browser.get("about:blank")
    browser.get(link)
    submit(browser, password=NEW_PASSWORD)
    assert "over" in error(browser)
    assert is_shown(browser, ["token", "account"]) == [True, False]
    assert element(browser, "token").get_property("value") == ""


def test_a_forged_link_says_so(site: Site, browser: Chrome):
    _, link = site.invite()
    browser.get(f"{link[:-3]}AAA")
    submit(browser, password=NEW_PASSWORD)
    assert "over" in error(browser)


def test_a_newer_link_opened_in_the_same_tab_takes_the_older_one_s_place(site: Site, browser: Chrome):
    _, older = site.reset()
    email, link = site.reset()
    browser.get(older)
    browser.get(link)
    wait_for(lambda: shown_email(browser) == email)
    assert browser.current_url == f"{site.public_url}/console/reset-password"
    submit(browser, password=NEW_PASSWORD)
    assert site.login(email, NEW_PASSWORD).status_code == 200


def test_a_newer_link_is_taken_also_where_a_form_was_refused_before(site: Site, browser: Chrome):
    _, older = site.reset()
    email, link = site.reset()
    browser.get(older)
    submit(browser, password="short")
    browser.get(link)
    wait_for(lambda: shown_email(browser) == email)
    submit(browser, password=NEW_PASSWORD)
    assert site.login(email, NEW_PASSWORD).status_code == 200


def test_without_javascript_the_whole_link_is_pasted(site: Site, plain_browser: Chrome):
    for page, (email, link) in (("accept-invite", site.invite()), ("reset-password", site.reset())):
        plain_browser.get(f"{site.public_url}/console/{page}")
        assert is_shown(plain_browser, ["token", "account", "show"]) == [True, False, False]
        submit(plain_browser, token=f"  {link} ", password=NEW_PASSWORD)
        assert email in status(plain_browser)
        assert site.login(email, NEW_PASSWORD).status_code == 200


def test_without_javascript_a_link_with_its_token_in_the_query_works(site: Site, plain_browser: Chrome):
    email, link = site.reset()
    plain_browser.get(link.replace("#token=", "?token="))
    submit(plain_browser, password=NEW_PASSWORD)
    assert site.login(email, NEW_PASSWORD).status_code == 200


def test_without_javascript_a_refused_password_keeps_the_link(site: Site, plain_browser: Chrome):
    email, link = site.invite()
    plain_browser.get(f"{site.public_url}/console/accept-invite")
    submit(plain_browser, token=link, first_name="Ada", password="short")
    assert "too short" in error(plain_browser)
    assert element(plain_browser, "first_name").get_property("value") == "Ada"
    submit(plain_browser, password=NEW_PASSWORD)
    assert site.login(email, NEW_PASSWORD).json()["user"]["first_name"] == "Ada"


def test_a_mail_scanner_that_follows_a_link_uses_nothing_up(site: Site, browser: Chrome):
    email, link = site.reset()
    for _ in range(3):
        assert site.server.client().get(link.replace("#token=", "?token=")).status_code == 200
    browser.get(link)
    submit(browser, password=NEW_PASSWORD)
    assert site.login(email, NEW_PASSWORD).status_code == 200


def test_a_newer_link_is_taken_also_in_a_tab_that_has_done_its_work(site: Site, browser: Chrome):
    _, older = site.reset()
    email, link = site.reset()
    browser.get(older)
    submit(browser, password=NEW_PASSWORD)
    browser.get(link)
    wait_for(lambda: shown_email(browser) == email)


def shown_email(browser: Chrome) -> str | None:
    """None while there is no such field, or another page is on its way."""
    found = browser.execute_script("const field = document.getElementById('email'); return field && field.value")
    return None if found is None else str(found)
