"""The command line, `medusa-auth`."""

from __future__ import annotations

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """What the installed command runs."""
    if sys.argv[1:2] == ["serve"]:
        # It means to read the keys anew. Until there is somebody who does, it waits, and ends nobody.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        # The bare installation is the client, without what the command line is made of.
        from medusa_auth.cli.app import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("medusa_auth"):
            raise
        sys.exit(f"The command line needs more than the client ({error.name}): pip install 'medusa-auth[server]'")
    app()
