"""The cookie jar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medusa_auth.client import Cookies
from medusa_auth.client.cookies import MAX_COOKIES, MAX_PER_DOMAIN
from medusa_auth.client.set_cookie import parse_set_cookie

# The vectors are the test suite of the IETF's http-state working group, which wrote RFC 6265.
VECTORS = json.loads((Path(__file__).parents[1] / "data" / "http_state" / "http_state_parser.json").read_text("utf-8"))
APRIL_2011 = 1302000000.0  # RFC 6265 came out; for the vectors 2007 is past, and 2019 and 2027 are to come
ASKED = httpx2.URL("http://home.example.org:8888/cookie-parser")

# The working group itself disabled these.
CONTRADICTED = {
    "DISABLED_CHROMIUM0022": "a value with NUL is cut there: RFC 6265bis section 5.6 step 1 ignores the whole cookie",
    "DISABLED_CHROMIUM0023": "the same with CR",
    "DISABLED_PATH0029": "paths are compared decoded: against RFC 6265 section 5.1.4 and PATH0028",
}

HTTP = httpx2.URL("http://shop.example.com/admin/auth")
HTTPS = httpx2.URL("https://shop.example.com/admin/auth")


class Clock:
    def __init__(self, now: float = APRIL_2011) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cookies(clock: Clock) -> Cookies:
    return Cookies(clock=clock)


def sent_by(vector: dict[str, Any]) -> str | None:
    """What the jar sends after `vector`. The wire carries bytes: UTF-8 in the vectors, Latin-1 in the jar."""
    cookies = Cookies(clock=Clock())
    cookies.store(ASKED, [header.encode("utf-8").decode("latin-1") for header in vector["received"]])
    sent = cookies.header(ASKED.join(vector.get("sent-to", "/cookie-parser-result")))
    return None if sent is None else sent.encode("latin-1").decode("utf-8")


def expected(vector: dict[str, Any]) -> str | None:
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in vector["sent"]) or None


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["test"] not in CONTRADICTED], ids=lambda vector: vector["test"]
)
def test_each_vector_of_the_http_state_working_group_holds(vector: dict[str, Any]) -> None:
    assert sent_by(vector) == expected(vector)


def test_only_three_vectors_are_left_out_and_each_still_differs() -> None:
    differing = {vector["test"] for vector in VECTORS if sent_by(vector) != expected(vector)}
    assert (len(VECTORS), differing) == (222, set(CONTRADICTED))


@given(st.text() | st.text(alphabet='=; \t,"aAeExXpPiIrRsSmM-09:dDoOnNtThHcCuU\x00\xff'))
def test_no_set_cookie_header_makes_the_parser_raise(header: str) -> None:
    parse_set_cookie(header, APRIL_2011)


@given(st.lists(st.text() | st.from_regex(r"\A[a-c]=[^\n]*(; (Max-Age|Expires|Path|Domain)=[^\n]*)*\Z")))
def test_whatever_was_stored_can_be_sent_dumped_and_loaded(headers: list[str]) -> None:
    cookies = Cookies(clock=Clock())
    cookies.store(HTTPS, headers)
    again = Cookies(clock=Clock())
    again.load(json.loads(json.dumps(cookies.dump())))
    assert again.header(HTTPS) == cookies.header(HTTPS)
    (cookies.header(HTTPS) or "").encode("latin-1")


def test_a_cookie_ends_at_its_time(cookies: Cookies, clock: Clock) -> None:
    cookies.store(HTTP, ["a=1; Max-Age=10"])
    clock.now += 9.9
    assert cookies.header(HTTP) == "a=1"
    clock.now += 0.1
    assert (cookies.header(HTTP), len(cookies)) == (None, 0)


def test_no_cookie_is_kept_for_more_than_400_days(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=1; Max-Age=" + "9" * 1000, "b=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"])
    assert [cookie.expires for cookie in cookies] == [APRIL_2011 + 400 * 86400] * 2


def test_a_name_or_value_over_4096_octets_is_not_kept(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=" + "x" * 4095, "b=" + "x" * 4096])
    assert [cookie.name for cookie in cookies] == ["a"]


def test_an_attribute_over_1024_octets_is_ignored(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=1; Path=/" + "x" * 1024])
    assert [cookie.path for cookie in cookies] == ["/admin"]


def test_past_fifty_of_one_domain_the_oldest_goes(cookies: Cookies) -> None:
    cookies.store(HTTP, [f"c{number}=1" for number in range(MAX_PER_DOMAIN + 2)])
    assert [cookie.name for cookie in cookies] == [f"c{number}" for number in range(2, MAX_PER_DOMAIN + 2)]


def test_past_three_thousand_cookies_the_oldest_goes(cookies: Cookies) -> None:
    cookies.load([{"name": "a", "value": "", "domain": f"d{number}", "path": "/"} for number in range(MAX_COOKIES)])
    cookies.store(HTTP, ["b=1"])
    assert [len(cookies), next(iter(cookies)).domain] == [MAX_COOKIES, "d1"]


def test_a_cookie_that_is_set_again_keeps_its_place(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=1", "b=2", "a=3"])
    assert cookies.header(HTTP) == "a=3; b=2"


def test_a_secure_cookie_travels_over_https_only(cookies: Cookies) -> None:
    cookies.store(HTTPS, ["a=1; Secure"])
    assert (cookies.header(HTTPS), cookies.header(HTTP)) == ("a=1", None)


def test_a_secure_cookie_is_not_taken_from_http(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=1; Secure"])
    assert cookies.header(HTTPS) is None


@pytest.mark.parametrize("host", ["localhost", "medusa.localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_this_machine_is_trusted_with_secure_cookies_over_http(cookies: Cookies, host: str) -> None:
    url = httpx2.URL(f"http://{host}:9000/")
    cookies.store(url, ["a=1; Secure"])
    assert cookies.header(url) == "a=1"


@pytest.mark.parametrize("host", ["10.0.0.1", "notlocalhost", "localhost.example.com", "[::2]"])
def test_another_machine_is_not(cookies: Cookies, host: str) -> None:
    url = httpx2.URL(f"http://{host}:9000/")
    cookies.store(url, ["a=1; Secure"])
    assert len(cookies) == 0


def test_an_address_matches_itself_only(cookies: Cookies) -> None:
    cookies.store(httpx2.URL("http://10.0.0.1/"), ["a=1; Domain=0.0.1", "b=1; Domain=10.0.0.1"])
    assert [cookie.name for cookie in cookies] == ["b"]


@pytest.mark.parametrize("domain", ["com", ".com", "example.org", "www.shop.example.com", "hop.example.com"])
def test_a_host_cannot_set_cookies_for_a_domain_that_it_is_not_in(cookies: Cookies, domain: str) -> None:
    cookies.store(HTTP, [f"a=1; Domain={domain}"])
    assert len(cookies) == 0


def test_a_host_of_one_label_may_name_itself(cookies: Cookies) -> None:
    url = httpx2.URL("http://medusa:9000/")
    cookies.store(url, ["a=1; Domain=medusa"])
    assert cookies.header(url) == "a=1"


def test_a_host_in_another_alphabet_gets_its_cookies_back(cookies: Cookies) -> None:
    url = httpx2.URL("http://b\u00fccher.example/")
    cookies.store(url, ["a=1", "b=2; Domain=xn--bcher-kva.example"])
    assert cookies.header(url) == "a=1; b=2"


def test_discard_forgets_the_cookies_of_one_name(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=1", "a=1; Path=/", "b=2"])
    cookies.discard("a")
    assert cookies.header(HTTP) == "b=2"


def test_clear_forgets_all(cookies: Cookies) -> None:
    cookies.store(HTTP, ["a=1", "b=2"])
    cookies.clear()
    assert cookies.header(HTTP) is None


def test_a_dump_carries_a_session_over_to_another_jar(cookies: Cookies, clock: Clock) -> None:
    cookies.store(HTTPS, ["a=1; Secure; Max-Age=10; Domain=example.com", "b=\xe9; Path=/", "gone=1; Max-Age=5"])
    clock.now += 5
    later = Cookies(clock=clock)
    later.load(json.loads(json.dumps(cookies.dump())))
    assert later.header(HTTPS) == "a=1; b=\xe9"
    assert list(later) == list(cookies)


@pytest.mark.parametrize(
    "loaded",
    [
        {"name": "a"},
        {"name": "a", "value": 1, "domain": "d", "path": "/"},
        {"name": "a", "value": "1", "domain": "d", "path": "/", "unknown": 1},
        {"name": "a", "value": "1\r\nX-Other: 1", "domain": "d", "path": "/"},
        {"name": "a", "value": "1; b=2", "domain": "d", "path": "/"},
        {"name": "a", "value": "1 ", "domain": "d", "path": "/"},
        {"name": "", "value": "1", "domain": "d", "path": "/"},
        {"name": "a", "value": "\u6625", "domain": "d", "path": "/"},
        "a=1",
    ],
)
def test_what_no_dump_gave_is_not_loaded(cookies: Cookies, loaded: Any) -> None:
    good = {"name": "b", "value": "2", "domain": "shop.example.com", "path": "/"}
    with pytest.raises(ValueError, match="not a cookie"):
        cookies.load([good, loaded])
    assert len(cookies) == 0


def test_no_repr_shows_a_value(cookies: Cookies) -> None:
    cookies.store(HTTP, ["connect.sid=a-secret"])
    assert "a-secret" not in f"{cookies!r} {parse_set_cookie('a=a-secret', 0.0)!r}"
