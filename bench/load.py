"""wrk, on the core of the load."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.debian import program

from bench.cores import LOAD_CORE

__all__ = ["DisturbedError", "Header", "Load", "Rates"]

# Name and value.
Header = tuple[str, str]

LOGIN_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = %s
"""
TURNS_SCRIPT = """
local headers, turn = {%s}, 0
request = function()
  turn = turn %% #headers + 1
  return wrk.format("GET", nil, {[headers[turn][1]] = headers[turn][2]})
end
"""
TRIES = 5
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class DisturbedError(Exception):
    """Not all answers were successes, or there was none: on a core that others keep busy a server soon says 503."""


@dataclass(frozen=True)
class Load:
    """Short runs of `seconds`, repeated in `rounds` by all that is compared, in turns."""

    seconds: float
    rounds: int
    connections: int = 32

    def checks(self, url: str, *headers: Header) -> float:
        """How many a second. Raises DisturbedError."""
        return _rate(self._told(f"{url}/admin/auth", headers, self.connections))

    def checks_of(self, url: str, headers: Sequence[Header]) -> float:
        """As `checks`, of many who take turns, so that no two ask the same at the same time."""
        with _script(TURNS_SCRIPT % ", ".join(_pair(*each) for each in headers)) as script:
            return _rate(self._told(f"{url}/admin/auth", (), self.connections, "-s", script))

    def logins(self, url: str, body: Mapping[str, str], *headers: Header) -> float:
        """How many a second, of four at once."""
        with _script(LOGIN_SCRIPT % json.dumps(json.dumps(dict(body)))) as script:
            return _rate(self._told(f"{url}/admin/auth", headers, 4, "-s", script))

    def slowest(self, url: str, *headers: Header, connections: int) -> float:
        """The 99th percentile of checks, in milliseconds."""
        told = self._told(f"{url}/admin/auth", headers, connections, "--latency")
        value, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", told)[0]
        return float(value) * _UNITS[unit]

    def of_core(self, cpu_seconds: Callable[[], float], subject: Callable[[], float]) -> Callable[[], float]:
        """As `subject`, in a second of the server's own time on its core.

        That is what a busy core gives in a second, and it stays so where the load or something else is in the way.
        """

        def measured() -> float:
            before = cpu_seconds()
            return subject() * self.seconds / (cpu_seconds() - before)

        return measured

    def in_turns(self, subjects: Mapping[str, Callable[[], float]]) -> Rates:
        """What each of `subjects` gives, round by round. Raises DisturbedError if one is disturbed again and again."""
        found: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(self.rounds):
            for name, subject in subjects.items():
                found[name].append(_undisturbed(subject))
        return Rates(found)

    def _told(self, url: str, headers: Sequence[Header], connections: int, *more: str) -> str:
        wrk: Path = program("wrk", package="wrk")
        options = [f"-d{self.seconds}s", "-t1", f"-c{connections}", *more]
        for name, value in headers:
            options += ["-H", f"{name}: {value}"]
        command = ["taskset", "-c", str(LOAD_CORE), str(wrk), *options, url]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in told or "Socket errors" in told or _rate(told) == 0:
            raise DisturbedError(told)
        return told


@dataclass(frozen=True)
class Rates:
    """By subject, one figure a round."""

    by_name: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.by_name[name])

    def ratio(self, name: str, beside: str) -> float:
        """The median of the rounds' ratios: of the same moment, for the machine is not as fast at another."""
        pairs = zip(self.by_name[name], self.by_name[beside], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def spread(self, name: str, beside: str) -> str:
        """The least and the greatest of the rounds' ratios."""
        ratios = [one / other for one, other in zip(self.by_name[name], self.by_name[beside], strict=True)]
        return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _undisturbed(subject: Callable[[], float]) -> float:
    for _ in range(TRIES - 1):
        try:
            return subject()
        except DisturbedError as error:
            print(f"A round is done again:\n{error}", file=sys.stderr)
    return subject()


def _pair(name: str, value: str) -> str:
    return "{%s, %s}" % (json.dumps(name), json.dumps(value))  # noqa: UP031 - braces are Lua's


@contextmanager
def _script(text: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text)
        script.flush()
        yield script.name


def _rate(told: str) -> float:
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0])
