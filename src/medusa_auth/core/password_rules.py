"""Which new passwords are accepted (NIST SP 800-63B-4, 3.1.1.2; ASVS 5.0, V6.2).

Long enough, not too common, not one's own name: there are no rules of composition, and none to change it regularly.
The common ones, `data/common_passwords.txt`, are those of the lists that come with Django 5.2 and zxcvbn 4.5.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from medusa_auth.errors import InvalidRequestError

__all__ = ["PasswordRules"]

# Longer ones cost time to hash and gain nothing; NIST asks for at least 64 characters.
MAX_PASSWORD_BYTES = 1024
# The rule of passwords beside a second factor; tokens that are made here have 256 bits.
MIN_API_TOKEN_LENGTH = 8


class PasswordRules:
    """`min_length` is in code points (NIST: 15 where the password is all there is, 8 beside a second factor).

    With `enforced` False everything is accepted, as in Medusa.
    """

    def __init__(self, min_length: int = 8, *, enforced: bool = True) -> None:
        self._min_length = min_length
        self.enforced = enforced

    def check(self, password: str, own: Iterable[str | None] = ()) -> None:
        """Raises InvalidRequestError, which says why, if `password` is not good enough.

        `own` are the user's email and names: a password that is one of them is refused.
        """
        if not self.enforced:
            return
        # Before it is normalized, which takes seconds for a hundred thousand marks in the wrong order.
        if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
            raise InvalidRequestError(f"The password is too long: it can have at most {MAX_PASSWORD_BYTES} bytes.")
        words = _own_words([_folded(word) for word in own if word and len(word) <= MAX_PASSWORD_BYTES])
        self._check(unicodedata.normalize("NFC", password), words)

    def check_api_token(self, api_token: str) -> None:
        """Raises InvalidRequestError if an API token that somebody chose is guessed too easily; empty is none."""
        if not self.enforced or not api_token:
            return
        if len(api_token) < MIN_API_TOKEN_LENGTH:
            raise InvalidRequestError(f"api_token is too short: it needs at least {MIN_API_TOKEN_LENGTH} characters")
        if len(api_token) <= MAX_PASSWORD_BYTES and f"\n{_folded(api_token)}\n" in _common():
            raise InvalidRequestError("api_token is a common password, and guessed first")

    def _check(self, password: str, own: set[str]) -> None:
        if len(password) < self._min_length:
            raise InvalidRequestError(f"The password is too short: it needs at least {self._min_length} characters.")
        folded = _folded(password)
        if folded in own:
            raise InvalidRequestError("The password is your own email or name: choose another one.")
        if f"\n{folded}\n" in _common():
            raise InvalidRequestError("The password is among the most common ones, which are guessed first.")


def _own_words(words: list[str]) -> set[str]:
    """The email, what comes before its @, each name, and all names together."""
    names = [word for word in words if "@" not in word]
    return {*words, *(word.partition("@")[0] for word in words), " ".join(names), "".join(names)}


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().strip()


@cache
def _common() -> str:
    """One text and not a set: it is asked seldom, and takes a tenth of the memory."""
    return "\n" + files("medusa_auth.core").joinpath("data/common_passwords.txt").read_text(encoding="utf-8")
