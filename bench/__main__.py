"""`make bench`: measures, prints what it found, and writes docs/performance.md and docs/scale.md from it.

Read the ratios, not the numbers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench.checks import checks, logins, two_workers
from bench.enumeration import enumeration
from bench.growth import growth
from bench.load import Load
from bench.medusas import beside_medusa
from bench.memory import memory
from bench.page import page
from bench.results import Results, Table
from bench.revocation import revocation
from bench.scale import scale
from bench.setups import Setups, setups
from bench.storm import storm

DOCS = Path(__file__).parents[1] / "docs"
# What is compared in ratios near an aim is done more often: a shared machine gives each round another share of itself.
USUAL, OFTEN, QUICK = Load(seconds=1, rounds=3), Load(seconds=1, rounds=9), Load(seconds=1, rounds=2)


def _parts(quick: bool) -> dict[str, Callable[[Setups], Table]]:  # noqa: FBT001 - called once, below
    load, often = (QUICK, QUICK) if quick else (USUAL, OFTEN)
    return {
        "checks": lambda stores: checks(stores, often),
        "medusa": lambda stores: beside_medusa(stores, often),
        "workers": lambda stores: two_workers(stores, load),
        "logins": lambda stores: logins(stores, load),
        "growth": lambda stores: growth(stores, load, 20_000 if quick else 1_000_000),
        "storm": lambda stores: storm(stores, load),
        "memory": lambda stores: memory(stores, 1_000 if quick else 10_000),
        "revocation": lambda stores: revocation(stores, 10 if quick else 100),
        "enumeration": lambda stores: enumeration(stores, 50 if quick else 200),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds, fewer sessions")
    parser.add_argument("--only", action="append", choices=list(_parts(quick=True)), help="no page is written then")
    parser.add_argument("--pages", type=Path, help="a folder for the pages; docs, unless the run is a quick one")
    arguments = parser.parse_args()
    parts = _parts(arguments.quick)
    results, began, console = Results(), time.monotonic(), Console(width=160)
    for name in arguments.only or parts:
        with tempfile.TemporaryDirectory(prefix="medusa-auth-bench-") as folder, setups(Path(folder)) as stores:
            table = parts[name](stores)
        results.append(table)
        _show(console, table)
    pages: Path | None = arguments.pages or (None if arguments.quick else DOCS)
    if pages is not None and not arguments.only:
        minutes = (time.monotonic() - began) / 60
        (pages / "performance.md").write_text(page(results, minutes, quick=arguments.quick), "utf-8")
        (pages / "scale.md").write_text(scale(results), "utf-8")


def _show(console: Console, table: Table) -> None:
    shown = RichTable(*table.columns, title=table.title, box=None, title_justify="left")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown, "")


main()
