"""docs/differences.md, read."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
WIDTH = 118


class Document:
    """The parts of the document that tests compare with what is so."""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def load(cls) -> Document:
        return cls((ROOT / "docs" / "differences.md").read_text(encoding="utf-8"))

    def kinds(self) -> dict[str, tuple[str, set[str]]]:
        """By kind, in their order: what is said of it, and the names of the exchanges listed under it."""
        parts = re.split(r"^### `([a-z0-9-]+)`$", self._section("The kinds"), flags=re.MULTILINE)[1:]
        return {kind: self._read(text) for kind, text in zip(parts[::2], parts[1::2], strict=True)}

    def counts(self) -> dict[str, int]:
        """The table of kinds at the beginning: how many exchanges show each."""
        return {
            kind: int(count)
            for kind, count in re.findall(r"^\| \[`([a-z0-9-]+)`\].* (\d+) \|$", self._text, re.MULTILINE)
        }

    def headers(self) -> dict[str, tuple[str, str]]:
        """The table of headers by name, in lower case: Medusa's value and ours."""
        rows = re.findall(
            r"^\| `([A-Z][A-Za-z-]+)` \| (.+?) \| (.+?) \|", self._section("On every answer"), re.MULTILINE
        )
        return {name.lower(): (medusa.strip("`"), ours.strip("`")) for name, medusa, ours in rows}

    def proofs(self) -> list[tuple[str, str]]:
        """The tests that are named: a file and a function."""
        return re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", self._text)

    def claims(self) -> list[str]:
        """The points of the last section."""
        return re.findall(r"^- (.+(?:\n  .+)*)", self._section("What no single exchange shows"), re.MULTILINE)

    def _section(self, heading: str) -> str:
        return self._text.split(f"\n## {heading}\n")[1].split("\n## ")[0]

    @staticmethod
    def _read(text: str) -> tuple[str, set[str]]:
        said, _, names = text.partition("\nSeen in ")
        return said.strip(), set(re.findall(r"`([^`]+)`", names))


def name_list(names: set[str]) -> str:
    """The end of a kind's section, to be pasted."""
    listed = ", ".join(f"`{name}`" for name in sorted(names))
    lines = textwrap.wrap(listed, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"Seen in {len(names)}:", *lines])
