"""Who asks is told soon after it was looked at, or not at all.

A process may stand still at any point: stopped, swapped out, its machine suspended. If that is between a check and its
answer, what was revoked meanwhile would be told to be good, however much later.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from math import inf

from medusa_auth.core.identities import PROVEN_WITHIN
from medusa_auth.store.hearing import steady

__all__ = ["is_over", "tell_any_time", "tell_soon", "told_until"]

# From the beginning of a check to its answer, in seconds: not more than for its proof.
TOLD_WITHIN = PROVEN_WITHIN

_until: ContextVar[float] = ContextVar("told_until", default=inf)
# Every request asks for these, so they are no functions of Python's.
# Said of an answer that tells nobody that a credential is good.
tell_any_time: Callable[[], object] = partial(_until.set, inf)
# The moment after which this request's answer is too old.
told_until: Callable[[], float] = _until.get


def tell_soon() -> None:
    """Said by whoever begins to look at who asks."""
    _until.set(steady() + TOLD_WITHIN)


def is_over(moment: float) -> bool:
    return moment < inf and steady() > moment
