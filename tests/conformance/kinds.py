"""The kinds of differences from Medusa: each says of a difference whether it explains it.

What it looks at is the recorded request and what happened before it, never an exchange's name.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.conformance.compare import differences
from tests.conformance.differences import Difference
from tests.conformance.exchanges import ADMIN_CORS, session_cookie
from tests.conformance.replay import Replayed

Explains = Callable[[Replayed, Difference], bool]

# How far another machine's clock may be ahead of ours.
LEEWAY_SECONDS = 60
CLEARED = "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"


def no_anonymous_cookie(replayed: Replayed, difference: Difference) -> bool:
    return difference.what == "set-cookie" and difference.ours is None and not _is_login(replayed)


def new_session_id(replayed: Replayed, difference: Difference) -> bool:
    if difference.what == "status":
        return _refused(difference) and replayed.cookie_was_replaced and replayed.sent == replayed.exchange.cookie
    renewed = difference.what == "set-cookie/connect.sid" and difference.medusa == replayed.exchange.cookie
    added = difference.what == "set-cookie" and difference.medusa is None and replayed.sent is not None
    is_new = session_cookie(replayed.ours.header("set-cookie")) not in {None, replayed.sent}
    return _is_login(replayed) and (renewed or added) and is_new


def same_site(replayed: Replayed, difference: Difference) -> bool:
    lax = (difference.what, difference.medusa, difference.ours) == ("set-cookie/SameSite", None, "Lax")
    return _is_login(replayed) and lax


def logout_clears_cookie(replayed: Replayed, difference: Difference) -> bool:
    ended = replayed.exchange.method == "DELETE" and replayed.ours.status == 200 and replayed.sent is not None
    return difference.what.startswith("set-cookie") and ended and replayed.ours.header("set-cookie") == CLEARED


def no_damaged_session(replayed: Replayed, difference: Difference) -> bool:
    failed = difference.what == "status" and difference.medusa == "500"
    return failed and replayed.exchange.cookie is not None and replayed.ours.status == 200


def token_id(replayed: Replayed, difference: Difference) -> bool:
    claims = {f"body/access_token/claims/{name}" for name in ("jti", "epoch")}
    return difference.what in claims and difference.medusa is None


def hs256_only(replayed: Replayed, difference: Difference) -> bool:
    return _refused(difference) and _jwt_part(replayed, 0).get("alg") in {"HS384", "HS512"}


def token_from_the_future(replayed: Replayed, difference: Difference) -> bool:
    now = replayed.exchange.moment.timestamp()
    return _refused(difference) and _jwt_part(replayed, 1).get("iat", 0) > now + LEEWAY_SECONDS


def no_user_is_401(replayed: Replayed, difference: Difference) -> bool:
    failed = _refused(difference) and difference.medusa == "400" and replayed.ended is None
    return failed and not isinstance(_jwt_part(replayed, 1).get("user_id"), str)


def logout_ends_token(replayed: Replayed, difference: Difference) -> bool:
    return _refused(difference) and replayed.token_was_signed_out


def api_token_hidden(replayed: Replayed, difference: Difference) -> bool:
    if replayed.exchange.method == "HEAD":
        # The answer without its body: what says how long it is, is shorter by the token.
        lengths = [answer.header("content-length") or "0" for answer in (replayed.exchange.answer, replayed.ours)]
        hidden = len('"admin-api-token-1"') - len("null")
        return difference.what in {"content-length", "etag"} and int(lengths[0]) - int(lengths[1]) == hidden
    if replayed.ours.status == 304:
        return difference.what == "etag"
    is_token = re.fullmatch("body/(user|users/[0-9]+)/api_token", difference.what)
    return is_token is not None and difference.ours == "null"


def foreign_page_refused(replayed: Replayed, difference: Difference) -> bool:
    foreign = replayed.exchange.header("origin") not in ADMIN_CORS.split(",") and replayed.sent is not None
    return difference.what == "status" and replayed.ours.status == 403 and foreign and _is_error(replayed)


def json_errors(replayed: Replayed, difference: Difference) -> bool:
    same_status = replayed.exchange.answer.status == replayed.ours.status
    is_json = replayed.ours.header("content-type") == "application/json; charset=utf-8"
    about_a_page = difference.what in {"body", "content-type"} and _medusa_sent_a_page(replayed)
    return about_a_page and same_status and is_json and _is_error(replayed)


def cors_on_errors(replayed: Replayed, difference: Difference) -> bool:
    allowed = difference.what == "access-control-allow-origin" and difference.ours == replayed.exchange.header("origin")
    added = difference.medusa is None and (allowed or (difference.what, difference.ours) == ("vary", "Origin"))
    return added and _medusa_sent_a_page(replayed) and replayed.exchange.path.startswith("/admin")


def no_store_api(replayed: Replayed, difference: Difference) -> bool:
    gone = replayed.exchange.path.startswith("/store/") and replayed.ours.status == 404 and _is_error(replayed)
    return gone and (difference.what == "status" or (difference.what, difference.ours) == ("vary", None))


def deleted_user_is_out(replayed: Replayed, difference: Difference) -> bool:
    return _refused(difference) and replayed.ended == "deletion"


def reset_ends_sessions(replayed: Replayed, difference: Difference) -> bool:
    return _refused(difference) and replayed.ended == "reset"


def one_answer_to_bad_resets(replayed: Replayed, difference: Difference) -> bool:
    refused = (difference.what, difference.ours) == ("status", "401 Invalid or expired password reset token")
    typed = (difference.what, difference.ours) == ("content-type", "text/plain; charset=utf-8")
    return replayed.exchange.path == "/admin/users/reset-password" and (refused or typed)


def newest_invite_only(replayed: Replayed, difference: Difference) -> bool:
    accepted = replayed.exchange.path == "/admin/invites/accept" and difference.medusa == "200"
    return accepted and difference.what == "status" and replayed.ours.status == 400


def invite_token_hidden(replayed: Replayed, difference: Difference) -> bool:
    return re.fullmatch("body/invites/[0-9]+/token", difference.what) is not None and difference.ours == "null"


def invites_have_a_purpose(replayed: Replayed, difference: Difference) -> bool:
    refused = (difference.what, difference.ours) == ("body/message", '"Token is not valid"')
    return refused and replayed.exchange.path == "/admin/invites/accept"


def address_in_lower_case(replayed: Replayed, difference: Difference) -> bool:
    is_address = re.fullmatch("body/invites/[0-9]+/user_email", difference.what) is not None
    return is_address and difference.ours == (difference.medusa or "").lower()


def refused_not_failed(replayed: Replayed, difference: Difference) -> bool:
    failed = difference.what == "status" and difference.medusa == "500" and replayed.ours.status in {400, 404}
    return failed and replayed.exchange.path.startswith("/admin/users") and _is_error(replayed)


def password_hash_unnamed(replayed: Replayed, difference: Difference) -> bool:
    return (difference.what, difference.medusa, difference.ours) == ("body/user/password_hash", "null", None)


def role_is_a_text(replayed: Replayed, difference: Difference) -> bool:
    is_role = re.fullmatch("body/(user|users/[0-9]+)/role", difference.what) is not None
    return is_role and (difference.medusa, difference.ours) == ("null", '"member"')


def one_order_of_keys(replayed: Replayed, difference: Difference) -> bool:
    made = (replayed.exchange.method, replayed.exchange.path) == ("POST", "/admin/users")
    return made and difference.what == "body/user order"


def one_time_a_request(replayed: Replayed, difference: Difference) -> bool:
    is_time = re.fullmatch("body/invites/[0-9]+/(created|updated|expires)_at", difference.what) is not None
    if not is_time or difference.medusa is None or difference.ours is None:
        return False
    times = [datetime.fromisoformat(json.loads(value)) for value in (difference.medusa, difference.ours)]
    return abs(times[0] - times[1]) < timedelta(seconds=1)


def races_in_turn(replayed: Replayed, difference: Difference) -> bool:
    lost = difference.what == "status" and difference.medusa == "422"
    return lost and "duplicate_error" in replayed.exchange.answer.body and replayed.ours.status in {200, 400}


def typed_401(replayed: Replayed, difference: Difference) -> bool:
    bare = difference.what == "content-type" and difference.medusa is None
    return bare and replayed.ours.status == 401 and difference.ours == "text/plain; charset=utf-8"


def no_tag(replayed: Replayed, difference: Difference) -> bool:
    is_a_check = replayed.exchange.method == "GET" and replayed.exchange.user is not None
    return difference.what == "etag" and difference.ours is None and not is_a_check


def no_length_of_nothing(replayed: Replayed, difference: Difference) -> bool:
    return replayed.ours.status == 204 and (difference.what, difference.ours) == ("content-length", None)


EXPLANATIONS: tuple[Explains, ...] = (
    no_anonymous_cookie,
    new_session_id,
    same_site,
    logout_clears_cookie,
    no_damaged_session,
    token_id,
    hs256_only,
    token_from_the_future,
    no_user_is_401,
    logout_ends_token,
    api_token_hidden,
    foreign_page_refused,
    deleted_user_is_out,
    reset_ends_sessions,
    one_answer_to_bad_resets,
    newest_invite_only,
    invite_token_hidden,
    invites_have_a_purpose,
    address_in_lower_case,
    refused_not_failed,
    password_hash_unnamed,
    role_is_a_text,
    one_order_of_keys,
    one_time_a_request,
    races_in_turn,
    json_errors,
    cors_on_errors,
    no_store_api,
    typed_401,
    no_tag,
    no_length_of_nothing,
)
KINDS = {explains.__name__.replace("_", "-"): explains for explains in EXPLANATIONS}


def sorted_by_kind(replayed: Iterable[Replayed]) -> tuple[dict[str, set[str]], list[str]]:
    """The names of the exchanges that show each kind, and the differences that none or several explain."""
    found: dict[str, set[str]] = {}
    unexplained = []
    for each in replayed:
        for difference in differences(each.exchange, each.ours):
            kinds = [kind for kind, explains in KINDS.items() if explains(each, difference)]
            if len(kinds) != 1:
                unexplained.append(f"{each.exchange.name}: {difference} ({', '.join(kinds) or 'no kind'})")
            for kind in kinds:
                found.setdefault(kind, set()).add(each.exchange.name)
    return found, unexplained


def _is_login(replayed: Replayed) -> bool:
    is_auth = replayed.exchange.path.lower().startswith("/admin/auth")
    return is_auth and replayed.exchange.method == "POST" and replayed.exchange.user is not None


def _refused(difference: Difference) -> bool:
    return (difference.what, difference.ours) == ("status", "401 Unauthorized")


def _medusa_sent_a_page(replayed: Replayed) -> bool:
    """Whether Medusa's answer is one of Express's HTML pages."""
    medusa = replayed.exchange.answer
    return medusa.body.startswith("<!DOCTYPE html>") and medusa.header("content-type") == "text/html; charset=utf-8"


def _is_error(replayed: Replayed) -> bool:
    """Whether our body is an error in Medusa's shape."""
    return list(json.loads(replayed.ours.body)) == ["type", "message"]


def _jwt_part(replayed: Replayed, index: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of the access token that was sent; empty where it has none."""
    parts = (replayed.exchange.bearer or "").split(".")
    if len(parts) != 3:
        return {}
    try:
        part: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[index] + "=="))
    except ValueError:
        return {}
    return part
