"""People who come over from another store: what becomes of each, decided for one batch after the other.

What is here is never changed: whoever is known here by their id stays as they are. So an import can be interrupted and
repeated. Addresses are brought to the form in which they are kept; where two of the source become the same by that,
neither comes over, for nobody can tell whose it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice

from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.clocks import Clock
from medusa_auth.core.ids import secret_hash
from medusa_auth.core.imported_rows import UnfitError, invite_row, user_row
from medusa_auth.core.password_rules import PasswordRules
from medusa_auth.core.users import normalized_email
from medusa_auth.errors import InvalidRequestError
from medusa_auth.model import Role, User
from medusa_auth.store.base import Transaction
from medusa_auth.store.importing import Imports, InviteRow, Source, SourceInvite, SourceUser, Target, UserRow

__all__ = ["Decision", "Importing", "Outcome", "clashing_emails"]

# How many addresses are asked for at once.
ASKED = 1000


class Outcome(StrEnum):
    """What became of one, or would become."""

    NEW = "new"
    NEW_DELETED = "new, deleted in Medusa"
    THERE = "already there"
    CHANGED_HERE = "changed here since"
    CHANGED_THERE = "changed in Medusa since"
    JOINED = "a user already"
    INVITED = "invited here already"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    LEFT_OUT = "left out"


_ANOTHER = "another {} of the source has the same address, written differently"
_CLOSED = {"accepted": Outcome.ACCEPTED, "expired": Outcome.EXPIRED, "deleted": Outcome.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Decision:
    """`problem` says what of it did not come over, and why; `note` what somebody may want to know."""

    id: str
    email: str
    outcome: Outcome
    problem: str | None = None
    note: str | None = None


class Importing:
    """One import. With `apply` False nothing is written, and the decisions are what would be."""

    def __init__(
        self,
        source: Source,
        target: Target,
        api_tokens: ApiTokens,
        password_rules: PasswordRules,
        clock: Clock,
        *,
        apply: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._api_tokens = api_tokens
        self._password_rules = password_rules
        self._clock = clock
        self._apply = apply
        self._shared_tokens = source.shared_tokens()
        self._unusual, self._clashes = clashing_emails(source.unusual_emails(), source.living)
        _, self._invite_clashes = clashing_emails(source.unusual_invites(), source.invited)

    def users(self) -> Iterator[Sequence[Decision]]:
        """Batch by batch, each when it is committed. Raises UnavailableError."""
        for rows in self._source.users():
            yield self._do(partial(self._users, rows))

    def invites(self) -> Iterator[Sequence[Decision]]:
        """As `users`, after them. No token comes over: each invite has to be sent again."""
        for rows in self._source.invites():
            yield self._do(partial(self._invites, rows))

    def _do(self, work: Callable[[Transaction, Imports], Sequence[Decision]]) -> Sequence[Decision]:
        return self._target.write(work) if self._apply else self._target.read(work)

    def _users(self, rows: Sequence[SourceUser], tx: Transaction, imports: Imports) -> Sequence[Decision]:
        known = imports.users([row.id for row in rows])
        holders = dict(imports.living([normalized_email(row.email) for row in rows]))
        decisions, new = [], []
        for row in rows:
            decision, fit = self._user(row, known, holders)
            if decision.outcome in {Outcome.NEW, Outcome.NEW_DELETED} and fit is not None:
                new.append((row, fit))
                if fit.deleted_at is None:
                    holders[fit.email] = fit.id
            decisions.append(decision)
        if self._apply:
            imports.add_users([fit for _, fit in new])
        problems = self._tokens(tx, rows, {row.id for row, _ in new}, decisions)
        return [
            decision
            if decision.id not in problems
            else Decision(decision.id, decision.email, decision.outcome, problems[decision.id], decision.note)
            for decision in decisions
        ]

    def _user(
        self, row: SourceUser, known: Mapping[str, UserRow], holders: Mapping[str, str]
    ) -> tuple[Decision, UserRow | None]:
        try:
            fit = user_row(row)
        except UnfitError as error:
            return Decision(row.id, row.email, Outcome.LEFT_OUT, str(error)), None
        if fit.id in known:
            return _compared(fit, known[fit.id]), fit
        if fit.deleted_at is not None:
            return Decision(fit.id, fit.email, Outcome.NEW_DELETED), fit
        if fit.email in self._clashes:
            problem = f"{_ANOTHER.format('user')} ({row.email})"
            return Decision(fit.id, fit.email, Outcome.LEFT_OUT, problem), fit
        if fit.email in holders:
            problem = f"{holders[fit.email]} has this address here"
            return Decision(fit.id, fit.email, Outcome.LEFT_OUT, problem), fit
        return Decision(fit.id, fit.email, Outcome.NEW), fit

    def _tokens(
        self, tx: Transaction, rows: Sequence[SourceUser], new: Collection[str], decisions: Sequence[Decision]
    ) -> Mapping[str, str]:
        """Gives the new ones theirs, by `apply`; whose did not come over, and why."""
        problems = {}
        for row, decision in zip(rows, decisions, strict=True):
            if not row.api_token or row.deleted_at is not None or decision.outcome is Outcome.LEFT_OUT:
                continue
            try:
                self._token(tx, row, row.api_token, is_new=row.id in new)
            except InvalidRequestError as error:
                problems[row.id] = f"the API token did not come over: {error.message}"
        return problems

    def _token(self, tx: Transaction, row: SourceUser, token: str, *, is_new: bool) -> None:
        """Raises InvalidRequestError, which says why it does not come over."""
        if token in self._shared_tokens:
            raise InvalidRequestError("another user of the source has the same one")
        self._api_tokens.check_chosen(token)
        self._password_rules.check_api_token(token)
        holder = tx.api_tokens.get_by_hash(secret_hash(token))
        if holder is not None and holder.user_id != row.id:
            raise InvalidRequestError("somebody has the same one here")
        # Who was here before may have had theirs revoked here.
        if is_new and self._apply:
            now = self._clock()
            self._api_tokens.set_chosen(tx, User(row.id, row.email, Role.MEMBER, now, now), token, now)

    def _invites(self, rows: Sequence[SourceInvite], tx: Transaction, imports: Imports) -> Sequence[Decision]:  # noqa: ARG002 - as `_users`
        emails = [normalized_email(row.user_email) for row in rows if row.state is None]
        known = imports.invites([row.id for row in rows])
        invited = dict(imports.invited(emails))
        joined = {*imports.living(emails), *self._source.living(emails), *self._unusual.intersection(emails)}
        decisions, new = [], []
        for row in rows:
            decision, fit = self._invite(row, known, invited, joined)
            if decision.outcome is Outcome.NEW and fit is not None:
                new.append(fit)
                invited[fit.user_email] = fit.id
            decisions.append(decision)
        if self._apply:
            imports.add_invites(new)
        return decisions

    def _invite(
        self, row: SourceInvite, known: Collection[str], invited: Mapping[str, str], joined: Collection[str]
    ) -> tuple[Decision, InviteRow | None]:
        email = normalized_email(row.user_email)
        outcome = _CLOSED[row.state] if row.state is not None else None
        if outcome is None and row.id in known:
            outcome = Outcome.THERE
        if outcome is None and email in joined:
            outcome = Outcome.JOINED
        if outcome is None and email in invited:
            outcome = Outcome.INVITED
        if outcome is not None:
            return Decision(row.id, email, outcome), None
        if email in self._invite_clashes:
            problem = f"{_ANOTHER.format('invite')} ({row.user_email})"
            return Decision(row.id, email, Outcome.LEFT_OUT, problem), None
        try:
            return Decision(row.id, email, Outcome.NEW), invite_row(row)
        except UnfitError as error:
            return Decision(row.id, email, Outcome.LEFT_OUT, str(error)), None


def clashing_emails(
    unusual: Iterable[tuple[str, str]], present: Callable[[Collection[str]], Collection[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """Of the addresses that are not kept as they are: how they would be kept, and which of those others have too.

    Only such addresses are held in memory: hardly any, for Medusa keeps them in lower case.
    """
    counts = Counter(kept for _, email in unusual if (kept := normalized_email(email)) != email)
    clashes = {kept for kept, count in counts.items() if count > 1}
    asked = iter(counts)
    while some := list(islice(asked, ASKED)):
        clashes.update(present(some))
    return frozenset(counts), frozenset(clashes)


def _compared(fit: UserRow, kept: UserRow) -> Decision:
    if fit == kept:
        return Decision(fit.id, kept.email, Outcome.THERE)
    if fit.deleted_at is not None and kept.deleted_at is None:
        note = "was deleted in Medusa since, and is still a user here"
        return Decision(fit.id, kept.email, Outcome.CHANGED_THERE, note=note)
    outcome = Outcome.CHANGED_THERE if fit.updated_at > kept.updated_at else Outcome.CHANGED_HERE
    return Decision(fit.id, kept.email, outcome)
