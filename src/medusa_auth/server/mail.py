"""Sends what is in the outbox, over SMTP or into a folder.

No request waits for a mail server: the sender looks into the outbox by itself, at its own pace.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

import structlog

from medusa_auth.core.clocks import Clock
from medusa_auth.core.outbox import Letter, Outbox
from medusa_auth.errors import UnavailableError
from medusa_auth.model import Mail, MailKind
from medusa_auth.server.templates import environment
from medusa_auth.setting_values import SMTP_PORTS
from medusa_auth.store.base import Records

__all__ = ["FolderTransport", "Mailer", "NotTakenError", "Postman", "SmtpTransport", "Transport"]

_log = structlog.get_logger()

# Not at once: who sees how long other requests take must not learn that a mail is being sent.
LOOK_EVERY = 0.5  # seconds
REST_AFTER_FAILURE = 5.0
# Other processes find their turn to write by looking again and again: they must not find it taken each time.
REST_AFTER_CROSSING_OUT = 0.05
SMTP_SECONDS = 20.0  # for each answer of a mail server
# For a whole mail; with one more answer, less than it is claimed for: else another sender would send it, too.
MAIL_SECONDS = 80.0
# At a stop, for the mail that is on its way.
LAST_MAIL_SECONDS = 5.0
# Lines may be as long as RFC 5322 (2.1.1) allows: a link stays whole, also for who reads a mail's source.
_WHOLE_LINES = SMTP.clone(max_line_length=998)
SUBJECTS: Mapping[MailKind, str] = {
    MailKind.INVITE: "You are invited to the store's admin",
    MailKind.PASSWORD_RESET: "Set a new password",
    MailKind.PASSWORD_CHANGED: "Your password was changed",
    MailKind.NEW_ADMINISTRATOR: "There is a new administrator",
}


class NotTakenError(OSError):
    """A mail server did not take the mail. `code` is its answer's (RFC 5321, 4.2), if it gave one."""

    def __init__(self, code: int | None) -> None:
        super().__init__("not taken")
        self.code = code


class Transport(Protocol):
    """Takes one mail away."""

    async def send(self, message: EmailMessage, name: str) -> None:
        """Raises OSError, or NotTakenError with the mail server's code. `name` is a file's, and the mail's own."""


class FolderTransport:
    """Writes each mail into a file of its own, for its owner alone; the log says where."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, name: str) -> None:
        path = self._folder / f"{name}.eml"
        await asyncio.to_thread(self._write, path, message.as_bytes(policy=SMTPUTF8))
        _log.info("mail written", path=str(path))

    def _write(self, path: Path, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # Whole or not at all: whoever watches the folder sees no half of a mail.
        draft = path.with_suffix(".tmp")
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
        draft.replace(path)


class SmtpTransport:
    """A mail server, by its URL: `smtp`, `smtp+starttls` or `smtps`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._options: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": parts.port or SMTP_PORTS[parts.scheme],
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": parts.scheme == "smtps",
            "start_tls": {"smtp": None, "smtp+starttls": True, "smtps": False}[parts.scheme],
            "timeout": SMTP_SECONDS,
        }

    async def send(self, message: EmailMessage, name: str) -> None:  # noqa: ARG002 - a folder's
        # Here and not above: a server without a mail server does without it, and has 1 MB less.
        import aiosmtplib  # noqa: PLC0415

        try:
            async with asyncio.timeout(MAIL_SECONDS):
                await aiosmtplib.send(message, **self._options)
        except aiosmtplib.SMTPException as error:
            raise NotTakenError(getattr(error, "code", None)) from error


class Postman:
    """Puts a letter into words: text and HTML, and links that begin with `public_url`, whatever a request said."""

    def __init__(self, *, public_url: str, invite_url: str, reset_url: str, sender: str) -> None:
        self._public_url = public_url
        self._urls = {MailKind.INVITE: invite_url, MailKind.PASSWORD_RESET: reset_url}
        name, address = parseaddr(sender)
        self._sender = Address(name, addr_spec=address)
        self._templates = environment()

    def message(self, letter: Letter) -> EmailMessage:
        """The mail to `letter`'s recipient."""
        mail = letter.mail
        message = EmailMessage(policy=_WHOLE_LINES)
        message["From"] = self._sender
        message["To"] = _address(mail.recipient)
        message["Subject"] = SUBJECTS[mail.kind]
        message["Date"] = format_datetime(mail.created_at)
        # The same at every try, so that a mail server that has it already can tell.
        message["Message-ID"] = f"<{mail.created_at:%Y%m%d%H%M%S%f}.{mail.id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834
        values = self._values(letter)
        text, page = (self._templates.get_template(f"mail/{mail.kind.value}.{kind}") for kind in ("txt", "html"))
        message.set_content(text.render(values))
        message.add_alternative(page.render(values), subtype="html")
        return message

    def link(self, kind: MailKind, token: str) -> str:
        """Where the reader of a mail of that kind goes."""
        url = self._urls[kind].replace("{token}", quote(token))
        return self._public_url + url if url.startswith("/") else url

    def _values(self, letter: Letter) -> dict[str, Any]:
        return {
            "letter": letter,
            "mail": letter.mail,
            "link": "" if letter.token is None else self.link(letter.mail.kind, letter.token),
            "public_url": self._public_url,
            "life": _in_words(letter.life),
            "subject": SUBJECTS[letter.mail.kind],
        }


class Mailer:
    """Looks into the outbox, and sends what is due, each mail by one sender at a time."""

    def __init__(self, records: Records, outbox: Outbox, postman: Postman, transport: Transport, clock: Clock) -> None:
        self._records = records
        self._outbox = outbox
        self._postman = postman
        self._transport = transport
        self._clock = clock
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Mails are sent meanwhile.

        One that is on its way at the end has a moment to arrive, and is sent again by whoever starts next if it does
        not: a mail server that says nothing holds up no stop.
        """
        sender = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.wait([sender], timeout=LAST_MAIL_SECONDS)
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender

    async def _run(self) -> None:
        while not self._stopping.is_set():
            rest = LOOK_EVERY
            try:
                await self.deliver_due()
            except UnavailableError:
                rest = REST_AFTER_FAILURE
            except Exception:  # noqa: BLE001 - logged; without a sender no mail would go out
                _log.exception("the mail sender failed, and goes on")
                rest = REST_AFTER_FAILURE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), rest)

    async def deliver_due(self) -> int:
        """Send all that is due now, as long as nobody asked to stop; how many went out. Raises UnavailableError."""
        sent = 0
        while not self._stopping.is_set() and await self._records.read(lambda tx: tx.outbox.has_due(self._clock())):
            letter = await self._records.write(lambda tx: self._outbox.take(tx, self._clock()))
            if letter is None:
                await asyncio.sleep(REST_AFTER_CROSSING_OUT)
            else:
                sent += await self._deliver(letter)
        return sent

    async def _deliver(self, letter: Letter) -> bool:
        mail = letter.mail
        try:
            await self._transport.send(self._postman.message(letter), _name(mail))
        except (OSError, ValueError) as error:
            # What a mail server says may hold anything; its number does not.
            _log.warning(
                "mail not sent, will be tried again",
                mail=mail.id,
                kind=mail.kind.value,
                attempt=mail.attempts,
                error=type(error.__cause__ or error).__name__,
                code=getattr(error, "code", None),
            )
            await self._records.write(lambda tx: self._outbox.failed(tx, mail, self._clock()))
            return False
        await self._records.write(lambda tx: self._outbox.sent(tx, mail, self._clock()))
        _log.info("mail sent", mail=mail.id, kind=mail.kind.value)
        return True


def _address(recipient: str) -> Address:
    """`recipient` for a header. Raises ValueError if no mail can be sent there."""
    try:
        if recipient.isascii():
            return Address(addr_spec=recipient)
        # The parser takes other letters before the `@` for a mistake (RFC 6532 does not).
        local, _, domain = recipient.rpartition("@")
        return Address(username=local, domain=domain)
    except (AttributeError, LookupError, MessageError):
        # What Python's parser raises, beside ValueError, at what it did not expect.
        raise ValueError("not an address") from None


def _name(mail: Mail) -> str:
    return f"{mail.created_at:%Y%m%dT%H%M%S}-{mail.id}-{mail.kind.value}"


def _in_words(life: timedelta | None) -> str:
    if life is None:
        return ""
    if life.days:
        return f"{life.days} days"
    return f"{life // timedelta(minutes=1)} minutes"
