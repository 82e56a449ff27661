"""`medusa-auth import`."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from medusa_auth.cli.common import DataDirOption, errors_shown, escaped, output
from medusa_auth.core.api_tokens import ApiTokens
from medusa_auth.core.importing import Decision, Importing, Outcome
from medusa_auth.core.password_rules import PasswordRules
from medusa_auth.errors import SettingsError, UnavailableError
from medusa_auth.server.app import utc_now
from medusa_auth.settings import Settings, from_env
from medusa_auth.store.sql.engines import is_postgresql, place, sqlalchemy_url
from medusa_auth.store.sql.importing import SqlTarget
from medusa_auth.store.sql.migrate import HEAD, look, migrate

if TYPE_CHECKING:
    from medusa_auth.store.sql.medusa_source import MedusaSource

__all__ = ["FROM_VARIABLE", "import_"]

FROM_VARIABLE = "MEDUSA_AUTH_IMPORT_FROM"
# 1 is an error, and 2 a wrong command line.
SOMETHING_LEFT_OUT = 3

_GONE_ON = "What has come over stays; the same command goes on from there."


def import_(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            envvar=FROM_VARIABLE,
            show_default=False,
            metavar="postgresql://...",
            help="The Medusa v1 database. In the variable a password is not seen by `ps`.",
        ),
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this, only say what would be done.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Copy users and invites from a Medusa v1 database: at first only say what would be done.

    The source is only read. Whoever is here already is not changed, so it can be interrupted and repeated. The exit
    status is 3 if something could not come over.
    """
    with errors_shown():
        settings = from_env(data_dir=data_dir)
        if not is_postgresql(source):
            raise SettingsError("The source has to be a PostgreSQL database: postgresql://user:password@host/database.")
        # Whether the driver, an extra, is there.
        sqlalchemy_url(source)
        from medusa_auth.store.sql.medusa_source import MedusaSource  # noqa: PLC0415

        with MedusaSource.open(source) as medusa:
            _check(settings, medusa)
            with _target(settings.database_url, apply=apply) as target:
                _say(
                    f"{'Importing' if apply else 'A dry run'}: from {place(source)} into {place(settings.database_url)}"
                )
                seen = _run(medusa, target, settings, apply=apply)
                admins = apply and target.read(lambda tx, _: bool(tx.users.admin_emails()))
    _summarize(seen, apply=apply, admins=admins)
    if seen.problems:
        raise typer.Exit(SOMETHING_LEFT_OUT)


def _check(settings: Settings, medusa: MedusaSource) -> None:
    if settings.shared:
        raise SettingsError("In shared mode users and invites are Medusa's own: there is nothing to import.")
    if medusa.is_database_of(settings.database_url):
        raise SettingsError(
            "Source and target are the same database, whose users are here already: `medusa-auth migrate` is all it "
            "needs."
        )


@contextmanager
def _target(url: str, *, apply: bool) -> Iterator[SqlTarget]:
    """The database of `url`, migrated if this is no dry run; one that is empty, if it has nothing yet."""
    with tempfile.TemporaryDirectory() as folder:
        if apply:
            migrate(url)
        else:
            schema = look(url)
            if schema.version is None and not schema.medusas:
                url = f"sqlite:///{Path(folder) / 'empty.db'}"
                migrate(url)
            elif schema.version != HEAD:
                raise SettingsError(f"The schema of {place(url)} is not up to date: `medusa-auth migrate` first.")
        with closing(SqlTarget(url)) as target:
            yield target


class _Seen:
    """What was decided, counted."""

    def __init__(self) -> None:
        self.users: Counter[Outcome] = Counter()
        self.invites: Counter[Outcome] = Counter()
        self.problems = 0


def _run(medusa: MedusaSource, target: SqlTarget, settings: Settings, *, apply: bool) -> _Seen:
    rules = PasswordRules(settings.password_min_length, enforced=settings.password_rules)
    importing = Importing(medusa, target, ApiTokens(), rules, utc_now, apply=apply)
    seen = _Seen()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output, disable=not output.is_terminal, transient=True) as progress:
        try:
            for what, count, batches, counts in (
                ("user", medusa.count_users(), importing.users(), seen.users),
                ("invite", medusa.count_invites(), importing.invites(), seen.invites),
            ):
                task = progress.add_task(f"{what}s", total=count)
                for decisions in batches:
                    counts.update(decision.outcome for decision in decisions)
                    seen.problems += _tell(what, decisions)
                    progress.advance(task, len(decisions))
        except UnavailableError as error:
            raise UnavailableError(f"{error.message} {_GONE_ON}" if apply else error.message) from None
    return seen


def _tell(what: str, decisions: Sequence[Decision]) -> int:
    """A line for each problem and each note, at once: there may be more than memory should hold."""
    for decision in decisions:
        if decision.problem is not None:
            how = "[red]Left out[/]" if decision.outcome is Outcome.LEFT_OUT else "[yellow]In part[/]"
            _say(f"{what} {decision.id}, {decision.email}: {decision.problem}.", how)
        if decision.note is not None:
            _say(f"{what} {decision.id}, {decision.email}: {decision.note}.", "[yellow]Note[/]")
    return sum(decision.problem is not None for decision in decisions)


def _say(text: str, how: str = "") -> None:
    output.print(f"{how} {escaped(text)}".strip(), highlight=False, emoji=False, soft_wrap=True)


def _summarize(seen: _Seen, *, apply: bool, admins: bool) -> None:
    table = Table("", "users", "invites", box=None, header_style="bold", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for outcome in Outcome:
        if seen.users[outcome] or seen.invites[outcome]:
            table.add_row(outcome.value, str(seen.users[outcome]), str(seen.invites[outcome]))
    table.add_row("in all", str(seen.users.total()), str(seen.invites.total()), style="bold")
    output.print(table)
    for line in _advice(seen, apply=apply, admins=admins):
        _say(line)


def _advice(seen: _Seen, *, apply: bool, admins: bool) -> Iterator[str]:
    if seen.users[Outcome.CHANGED_HERE] or seen.users[Outcome.CHANGED_THERE]:
        yield "Who was changed since the last import, on either side, stays as they are here."
    if seen.problems:
        yield f"{seen.problems} did not come over, or not as a whole: see above."
    if not apply:
        yield "Nothing was written. Once more with --apply does it."
        return
    if seen.invites[Outcome.NEW]:
        yield "The links of Medusa's invites are not good here: send them again, `medusa-auth invites resend ID`."
    if not admins:
        yield "Nobody here is an admin: `medusa-auth users update --email EMAIL --role admin` makes somebody one."
