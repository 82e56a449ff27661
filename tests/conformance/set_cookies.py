"""Two Set-Cookie headers, part by part."""

from __future__ import annotations

from tests.conformance.differences import Difference


def set_cookie_differences(medusa: str | None, ours: str | None) -> list[Difference]:
    """The whole header where one side has none; else the cookie and its attributes, and their order."""
    if medusa is None or ours is None:
        return [] if medusa is ours else [Difference("set-cookie", medusa, ours)]
    theirs, mine = _parts(medusa), _parts(ours)
    found = [
        Difference(f"set-cookie/{name}", theirs.get(name), mine.get(name))
        for name in [*theirs, *(name for name in mine if name not in theirs)]
        if theirs.get(name) != mine.get(name)
    ]
    common = [[name for name in one if name in other] for one, other in ((theirs, mine), (mine, theirs))]
    if common[0] != common[1]:
        found.append(Difference("set-cookie order", medusa, ours))
    return found


def _parts(header: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in header.split("; "))
    return {name: value for name, _, value in pairs}
