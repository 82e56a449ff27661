"""What tests read in mails, and in the outbox."""

from __future__ import annotations

import re
from email.message import EmailMessage

from tests.server.helpers import Running, rows


def text_of(message: EmailMessage) -> str:
    return _content(message, "plain")


def html_of(message: EmailMessage) -> str:
    return _content(message, "html")


def _content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def link_in(message: EmailMessage) -> str:
    """The link in the text; the HTML has the same one, as a link and to copy."""
    (link,) = re.findall(r"^https?://\S+$", text_of(message), re.MULTILINE)
    assert f'href="{link}"' in html_of(message)
    assert f">{link}<" in html_of(message)
    return str(link)


def to(messages: list[EmailMessage], recipient: str) -> list[EmailMessage]:
    return [message for message in messages if message["To"] == recipient]


def waiting(server: Running) -> list[tuple[str, int]]:
    """Recipients and tries of the mails that did not go out yet."""
    query = "SELECT recipient, attempts FROM auth_outbox WHERE sent_at IS NULL ORDER BY id"
    return [(str(recipient), int(attempts)) for recipient, attempts in rows(server, query)]


def sent(server: Running) -> int:
    """How many mails went out."""
    ((count,),) = rows(server, "SELECT count(*) FROM auth_outbox WHERE sent_at IS NOT NULL")
    return int(count)
