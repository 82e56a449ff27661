"""An nginx with the settings in deploy/, of which only the addresses, the certificate and the folders are others."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.certificates import self_signed_certificate
from tests.services.debian import program
from tests.services.process import free_port, running, wait_until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = "localhost"
ADDRESSES_OF_OURS = ("127.0.0.1:9001", "10.0.0.12:9001")
ADDRESS_OF_MEDUSA = "127.0.0.1:9000"

# Around the files that a system's own nginx.conf includes; everything that is written stays in the folder.
MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log warn;
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upstreams.conf;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx, for the name `localhost`."""

    http: int
    https: int
    access_log: Path

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.https}"


@contextmanager
def nginx(
    *, ours: Sequence[str], medusa: str, dashboard: Path | None = None, https: int | None = None
) -> Iterator[Nginx]:
    """Runs nginx before the two servers `ours` and before `medusa`, each as `host:port`, on 127.0.0.1 only.

    `dashboard` is the folder that holds the dashboard's index.html, `https` a port instead of a free one. Installs
    Debian's `nginx` where it is missing. Raises StartupError.
    """
    executable = program("nginx", package="nginx", folders="usr/sbin")
    with tempfile.TemporaryDirectory(prefix="medusa-auth-nginx-") as name:
        folder = Path(name)
        server = Nginx(http=free_port(), https=https or free_port(), access_log=folder / "access.log")
        (folder / "www").mkdir()
        if dashboard is not None:
            (folder / "www" / "app").symlink_to(dashboard)
        (folder / "upstreams.conf").write_text(_upstreams(ours, medusa), "utf-8")
        (folder / "site.conf").write_text(_site(server, folder), "utf-8")
        # Started by root it would serve as somebody who may not read the tests' folders.
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(user=user, folder=folder), "utf-8")
        log = folder / "log"
        command: list[str | Path] = [executable, "-p", folder, "-c", folder / "nginx.conf", "-e", log]
        with running(command, log=log, cwd=folder) as process:
            wait_until(lambda: _answers(server), process, log, "nginx")
            yield server


def _upstreams(ours: Sequence[str], medusa: str) -> str:
    others = dict(zip((*ADDRESSES_OF_OURS, ADDRESS_OF_MEDUSA), (*ours, medusa), strict=True))
    return _replaced((DEPLOY / "upstreams.conf").read_text("utf-8"), others)


def _site(server: Nginx, folder: Path) -> str:
    certificate = str(self_signed_certificate(folder))
    letsencrypt = "/etc/letsencrypt/live/store.example.com"
    others = {
        "listen 80": f"listen 127.0.0.1:{server.http}",
        "listen 443": f"listen 127.0.0.1:{server.https}",
        f"{letsencrypt}/fullchain.pem": certificate,
        f"{letsencrypt}/privkey.pem": certificate,
        "store.example.com": NAME,
        "/var/log/nginx/access.log": str(server.access_log),
        "/var/www/dashboard": str(folder / "www"),
    }
    return _replaced((DEPLOY / "nginx.conf").read_text("utf-8"), others)


def _replaced(text: str, others: dict[str, str]) -> str:
    """`text` with other words. Raises LookupError when one is not in it: the file has changed, and so must this."""
    for word, other in others.items():
        if word not in text:
            raise LookupError(f"there is no {word} in what deploy/ says")
        text = text.replace(word, other)
    return text


def _answers(server: Nginx) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.https), timeout=1).close()
    except OSError:
        return False
    return True
