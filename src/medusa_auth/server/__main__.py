"""`python -m medusa_auth.server SOCKET WORKERS`: serves on a socket that is bound already, until it is told to stop.

Settings come from the environment. A process of its own: what the command line is made of would take 20 MB of every
server's memory.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

from medusa_auth.server.http import BoundedHttpProtocol

# What is being answered when the server is told to stop has this long to finish.
GRACE_SECONDS = 30


def main(listening: socket.socket, workers: int) -> None:
    config = uvicorn.Config(
        "medusa_auth.server.app:app_from_env",
        factory=True,
        workers=workers,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if workers > 1:
        Multiprocess(config, sockets=[listening]).run()
    else:
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
