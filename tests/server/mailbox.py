"""The mails that a server under test wrote, and the tokens in their links."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

from tests.server.helpers import Running

__all__ = ["Mailbox"]

PATIENCE = 10.0  # seconds
LOOK_EVERY = 0.02


class Mailbox:
    """Each mail is told once: a second look waits for a newer one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[Path] = set()

    @classmethod
    def of(cls, server: Running) -> Mailbox:
        return cls(server.parts.settings.data_dir / "mail")

    def token(self, recipient: str) -> str:
        """The token of the next link to `recipient`. Waits for it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for token in self._new_tokens(recipient):
                return token
            time.sleep(LOOK_EVERY)
        raise AssertionError(f"no link came for {recipient}")

    def recipients(self, kind: str, count: int) -> Sequence[str]:
        """Whom mails of `kind` were written to, once there are `count`."""
        deadline = time.monotonic() + PATIENCE
        while len(paths := sorted(self._folder.glob(f"*-{kind}.eml"))) < count and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
        return sorted(str(_read(path)["to"]) for path in paths)

    def _new_tokens(self, recipient: str) -> Iterator[str]:
        for path in sorted(set(self._folder.glob("*.eml")) - self._seen):
            message = _read(path)
            found = re.search(r"#token=(\S+)", _text(message))
            if message["to"] == recipient and found:
                self._seen.add(path)
                yield unquote(found[1])


def _read(path: Path) -> EmailMessage:
    # From text: out of bytes, the module reads no header beyond ASCII (RFC 6532).
    return email.message_from_string(path.read_text(encoding="utf-8"), policy=email.policy.default)


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
