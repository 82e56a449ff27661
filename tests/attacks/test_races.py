"""What many do at once, against two processes: each thing happens once, and somebody is always left to manage."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from tests.attacks.siege import (
    NEW_PASSWORD,
    Answer,
    accept,
    add_user,
    admins,
    at_once,
    bearer,
    call,
    delete_user,
    find_user,
    insist,
    invite,
    invites,
    living,
    new_address,
    reset,
    reset_token,
    sign_in,
)
from tests.databases import each_database
from tests.server.helpers import Running, rows

from medusa_auth.core.users import normalized_email
from medusa_auth.model import Role, User

pytestmark = each_database

Work = Callable[[], Answer]

MANY = 50
ROUNDS = 12


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def many_at_once(works: list[Work]) -> list[Answer]:
    return at_once([partial(insist, work) for work in works])


@pytest.mark.asvs("2.3.4")
@pytest.mark.asvs("15.4.2")
def test_an_invite_that_is_accepted_fifty_times_at_once_makes_one_user(workers: Running):
    address = new_address("invited")
    token = invite(workers, address)
    answers = many_at_once([partial(accept, workers, token, first_name=str(number)) for number in range(MANY)])
    assert statuses(answers) == {200: 1, 400: MANY - 1}
    assert len(rows(workers, 'SELECT id FROM "user" WHERE email = ?', address)) == 1
    (winner,) = [number for number, answer in enumerate(answers) if answer.status == 200]
    user = find_user(workers, address)
    assert user is not None
    assert user.first_name == str(winner)
    assert all(invite.user_email != address for invite in invites(workers))


@pytest.mark.asvs("6.5.1")
@pytest.mark.asvs("15.4.2")
def test_a_reset_token_that_is_used_fifty_times_at_once_sets_one_password(workers: Running):
    user = add_user(workers)
    token = reset_token(workers, user)
    passwords = [f"{NEW_PASSWORD} {number}" for number in range(MANY)]
    answers = many_at_once([partial(reset, workers, token, password) for password in passwords])
    assert statuses(answers) == {200: 1, 401: MANY - 1}
    good = [password for password in passwords if sign_in(workers, user, password).status == 200]
    (winner,) = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert good == [passwords[winner]]


TWINS = [
    "jos\u00e9",
    "JOS\u00c9",
    "jose\u0301",
    "JOSE\u0301",
    "\uff4aos\u00e9",
    "\uff2a\uff2f\uff33\u00c9",
    "Jos\u00e9",
]


@pytest.mark.asvs("15.4.2")
def test_twins_of_an_address_that_are_made_at_once_become_one_account(workers: Running):
    domain = new_address("twin").replace("@", "-")
    addresses = [f"{name}@{domain}" for name in TWINS] * 4
    headers = bearer(workers)
    answers = many_at_once(
        [
            partial(call, workers, "POST", "/admin/users", {"email": address, "password": NEW_PASSWORD}, headers)
            for address in addresses
        ]
    )
    assert statuses(answers) == {200: 1, 400: len(addresses) - 1}
    assert [user.email for user in living(workers) if user.email.endswith(domain)] == [f"jos\u00e9@{domain}"]
    assert {normalized_email(address) for address in addresses} == {f"jos\u00e9@{domain}"}


@pytest.mark.asvs("15.4.2")
def test_twins_of_an_address_that_are_invited_at_once_share_one_invite(workers: Running):
    domain = new_address("guest").replace("@", "-")
    headers = bearer(workers)
    answers = many_at_once(
        [
            partial(call, workers, "POST", "/admin/invites", {"user": f"{name}@{domain}", "role": "member"}, headers)
            for name in TWINS * 3
        ]
    )
    assert statuses(answers) == {200: len(TWINS) * 3}
    assert [each.user_email for each in invites(workers) if each.user_email.endswith(domain)] == [f"jos\u00e9@{domain}"]


@pytest.mark.parametrize("address", ["a\0b@example.com", "a@exam\0ple.com", "a@example.com\0", "a@example.com\0.test"])
def test_no_account_and_no_invite_has_a_nul_in_its_address(workers: Running, address: str):
    headers, before = bearer(workers), len(living(workers))
    body = {"email": address, "password": NEW_PASSWORD}
    assert call(workers, "POST", "/admin/users", body, headers).status == 400
    body = {"user": address, "role": "member"}
    assert call(workers, "POST", "/admin/invites", body, headers).status == 400
    assert call(workers, "POST", "/admin/users/password-token", {"email": address}).status == 400
    assert len(living(workers)) == before


def test_an_address_that_is_deleted_and_made_anew_in_a_race_has_one_account_at_most(workers: Running):
    address, headers = new_address("phoenix"), bearer(workers)

    def make() -> Answer:
        return call(workers, "POST", "/admin/users", {"email": address, "password": NEW_PASSWORD}, headers)

    def delete(user: User) -> Answer:
        return call(workers, "DELETE", f"/admin/users/{user.id}", headers=headers)

    for _ in range(ROUNDS // 2):
        user = add_user(workers, address=address)
        works: list[Work] = [partial(delete, user), make, make, partial(delete, user)]
        answers = at_once(works)
        assert {answer.status for answer in answers} <= {200, 400}
        ids = rows(workers, 'SELECT id FROM "user" WHERE email = ? AND deleted_at IS NULL', address)
        assert len(ids) <= 1
        assert (user.id,) not in ids
        for left in [each for each in living(workers) if each.email == address]:
            delete_user(workers, left)


@pytest.fixture
def two_admins(workers: Running):
    """The only two; the one of the other tests is a member meanwhile."""

    def set_role(role: Role, user: User) -> None:
        workers.write(lambda tx: tx.users.update(_with_role(user, role)))
        workers.write(lambda tx: tx.announce(user.id, workers.clock()))

    pair = [add_user(workers, Role.ADMIN), add_user(workers, Role.ADMIN)]
    set_role(Role.MEMBER, workers.user)
    yield pair
    set_role(Role.ADMIN, workers.user)
    for user in pair:
        if find_user(workers, user.email):
            delete_user(workers, user)


def _with_role(user: User, role: Role) -> User:
    return User(id=user.id, email=user.email, role=role, created_at=user.created_at, updated_at=user.updated_at)


DELETE = ("DELETE", None)
DEMOTE = ("POST", {"role": "member"})


@pytest.mark.asvs("15.4.2")
@pytest.mark.parametrize("turn", range(ROUNDS // 3))
@pytest.mark.parametrize(
    ("first", "second"),
    [(DELETE, DELETE), (DEMOTE, DEMOTE), (DELETE, DEMOTE)],
    ids=["delete-delete", "demote-demote", "delete-demote"],
)
@pytest.mark.parametrize("themselves", [False, True], ids=["each-other", "themselves"])
def test_two_admins_who_remove_the_two_admins_at_once_leave_one(
    workers: Running, two_admins: list[User], first, second, themselves: bool, turn: int
):
    one, other = two_admins
    tokens = [bearer(workers, one), bearer(workers, other)]
    targets = [one, other] if themselves else [other, one]

    def remove(how, target: User, headers: dict[str, str]) -> Answer:
        return call(workers, how[0], f"/admin/users/{target.id}", how[1], headers)

    answers = at_once(
        [
            partial(remove, first, targets[0], tokens[0]),
            partial(remove, second, targets[1], tokens[1]),
            partial(remove, first, targets[0], tokens[0]),
            partial(remove, second, targets[1], tokens[1]),
        ]
    )
    assert {answer.status for answer in answers} <= {200, 401, 403}
    assert admins(workers) == 1


@pytest.mark.asvs("8.3.2")
def test_what_a_demoted_admin_asks_for_after_the_demotion_was_answered_is_refused_by_both(workers: Running):
    """They ask without end, so that some of it is under way meanwhile."""
    for _ in range(3):
        admin = add_user(workers, Role.ADMIN)
        headers, theirs, demoted = bearer(workers), bearer(workers, admin), threading.Event()
        ask = partial(_ask_past, workers, theirs, demoted)
        answers = at_once([ask, ask, ask, partial(_demote, workers, admin, headers, demoted)])
        assert answers == [{403}, {403}, {403}, {200}]


def _ask_past(workers: Running, headers: dict[str, str], demoted: threading.Event) -> set[int]:
    """The answers to four requests that were sent after `demoted` was set."""
    late: list[int] = []
    while len(late) < 4:
        was_demoted = demoted.is_set()
        body = {"user": new_address("late"), "role": "admin"}
        answer = call(workers, "POST", "/admin/invites", body, headers)
        late += [answer.status] if was_demoted else []
    return set(late)


def _demote(workers: Running, admin: User, headers: dict[str, str], demoted: threading.Event) -> set[int]:
    answer = call(workers, "POST", f"/admin/users/{admin.id}", {"role": "member"}, headers)
    demoted.set()
    return {answer.status}


@pytest.mark.asvs("8.3.2")
def test_a_password_that_is_hashed_while_its_admin_is_demoted_makes_no_user(workers: Running):
    admin, headers = add_user(workers, Role.ADMIN), bearer(workers)
    theirs = bearer(workers, admin)
    addresses = [new_address("slow") for _ in range(30)]

    def make(address: str) -> tuple[str, int]:
        body = {"email": address, "password": NEW_PASSWORD}
        return address, call(workers, "POST", "/admin/users", body, theirs).status

    def demote() -> tuple[str, int]:
        return "", call(workers, "POST", f"/admin/users/{admin.id}", {"role": "member"}, headers).status

    works: list[Callable[[], tuple[str, int]]] = [*(partial(make, address) for address in addresses), demote]
    answers = dict(at_once(works))
    assert answers.pop("") == 200
    assert set(answers.values()) <= {200, 403}
    made = {address for address, status in answers.items() if status == 200}
    assert {user.email for user in living(workers)} & set(addresses) == made
    # Thirty hashes take half a second, and the demotion does not wait for them.
    assert 403 in answers.values()


@pytest.mark.asvs("15.4.2")
def test_one_address_that_is_invited_and_made_at_once_has_one_account(workers: Running):
    headers = bearer(workers)
    for _ in range(3):
        address = new_address("both")
        token = invite(workers, address)
        body = {"email": address, "password": NEW_PASSWORD}
        answers = at_once(
            [partial(accept, workers, token), partial(call, workers, "POST", "/admin/users", body, headers)] * 3
        )
        assert statuses(answers) == {200: 1, 400: 5}
        assert len([user for user in living(workers) if user.email == address]) == 1
