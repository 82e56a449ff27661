"""`medusa-auth serve`."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import typer

from medusa_auth.cli.common import DataDirOption, output, warn, with_parts
from medusa_auth.errors import SettingsError
from medusa_auth.model import Role
from medusa_auth.server.app import Parts
from medusa_auth.settings import DATA_DIR_VARIABLE, PUBLIC_URL_VARIABLE, Settings, unknown_variables, usable_cores
from medusa_auth.store.base import Transaction

__all__ = ["serve"]

FIRST_ADMIN_EMAIL = "admin@example.com"
PASSWORD_BYTES = 15
THREADS_VARIABLE = "MEDUSA_AUTH_HASHING_THREADS"


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 9000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    data_dir: DataDirOption = None,
) -> None:
    """Serve Medusa's admin auth API. The first start makes the data folder, secrets, database and an administrator."""

    async def work(parts: Parts) -> _Start:
        return _Start(parts.settings, _listen(host, port), await _first_admin(parts))

    start = with_parts(data_dir, work)
    # The server reads its settings for itself.
    os.environ[DATA_DIR_VARIABLE] = str(start.settings.data_dir)
    os.environ[PUBLIC_URL_VARIABLE] = os.environ.get(PUBLIC_URL_VARIABLE) or start.url
    if not os.environ.get(THREADS_VARIABLE):
        os.environ[THREADS_VARIABLE] = str(max(1, (usable_cores() - 1) // workers))
    _welcome(start)
    _warn_of_slips(start)
    sys.stdout.flush()
    # The server takes this process's place: without what the command line is made of, it has 20 MB less.
    number = str(start.listening.fileno())
    program = ["worker", number] if workers == 1 else ["supervisor", number, str(workers)]
    os.execv(sys.executable, [sys.executable, "-m", f"medusa_auth.server.{program[0]}", *program[1:]])  # noqa: S606 - ourselves


@dataclass(frozen=True, slots=True)
class _FirstAdmin:
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class _Start:
    settings: Settings
    listening: socket.socket
    first_admin: _FirstAdmin | None

    @property
    def url(self) -> str:
        host, port = self.listening.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    """Bound before anything is promised. Raises SettingsError if the address cannot be had."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.set_inheritable(True)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}, port {port} ({error.strerror}): choose another with --host and --port."
        ) from None
    return listening


async def _first_admin(parts: Parts) -> _FirstAdmin | None:
    """Make an administrator where there is none; the password is known to nobody else, and not kept."""
    if await parts.records.read(lambda tx: tx.users.exist()):
        return None
    admin = _FirstAdmin(FIRST_ADMIN_EMAIL, secrets.token_urlsafe(PASSWORD_BYTES))
    password_hash = await parts.passwords.hash(admin.password)

    def make(tx: Transaction) -> bool:
        if tx.users.exist():
            return False
        parts.users.create(tx, email=admin.email, password_hash=password_hash, now=parts.clock(), role=Role.ADMIN)
        return True

    return admin if await parts.records.write(make) else None


def _welcome(start: _Start) -> None:
    url = start.url
    email, password = (start.first_admin.email, start.first_admin.password) if start.first_admin else ("...", "...")
    lines = [f"[bold]medusa-auth[/] serves on [bold]{url}[/], its data is in {start.settings.data_dir}", ""]
    if start.first_admin:
        lines += [
            "The first administrator was made. The password is shown this once:",
            f"  email     {email}",
            f"  password  {password}",
            "",
        ]
    lines += [
        "[bold]Try[/]",
        f"  curl -i -c cookies.txt {url}/admin/auth -H 'Content-Type: application/json' \\",
        f"""    -d '{{"email": "{email}", "password": "{password}"}}'""",
        f"  curl -b cookies.txt {url}/admin/auth",
        "",
        "[bold]or, in Python[/]",
        "  from medusa_auth import Medusa",
        f'  with Medusa("{url}") as medusa:',
        f'      medusa.admin.auth.create_session(email="{email}", password="{password}")',
        "      print(medusa.admin.auth.get_session().user)",
        "",
    ]
    if start.settings.shared:
        lines += [
            "[bold]Shared[/] with a Medusa v1, and less strict for it (docs/shared.md)",
            "",
        ]
    if start.settings.api_page:
        lines += [f"[bold]The API[/]  {url}/docs", ""]
    output.print("\n".join(lines), highlight=False, soft_wrap=True, emoji=False)


def _warn_of_slips(start: _Start) -> None:
    """What is most likely not meant, and no reason not to serve."""
    for name in unknown_variables():
        warn(f"{name} is no setting: it is misspelt, or of another version.")
    public_url = os.environ[PUBLIC_URL_VARIABLE]
    if urlsplit(public_url).hostname in ("0.0.0.0", "::"):  # noqa: S104 - asked, not bound
        warn(f"Links in mails begin with {public_url}, which leads nowhere: set {PUBLIC_URL_VARIABLE}.")
    if start.settings.smtp_url and not os.environ.get("MEDUSA_AUTH_MAIL_FROM"):
        warn("Mails come from medusa-auth@localhost, which few mail servers take: set MEDUSA_AUTH_MAIL_FROM.")
