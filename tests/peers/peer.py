"""Runs the JavaScript beside this file: what Medusa v1 is made of, to compare ours with."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TIMEOUT = 60.0


class PeerError(Exception):
    """A script did not answer; the message says why."""


def run_peer(script: str, payload: object) -> Any:
    """What `script` (such as `is_email.js`) prints for `payload`, both as JSON.

    Raises PeerError when it ends with an error or takes longer than a minute, or when its packages are not installed.
    """
    if not (HERE / "node_modules").is_dir():
        raise PeerError("the JavaScript packages are not installed: npm ci --prefix tests/peers --ignore-scripts")
    try:
        done = subprocess.run(
            ["node", HERE / script],
            input=json.dumps(payload),
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=False,
            cwd=HERE,
            env=_environment(),
        )
    except FileNotFoundError:
        raise PeerError("node is not installed") from None
    except subprocess.TimeoutExpired:
        raise PeerError(f"{script} did not answer in {TIMEOUT:.0f} s") from None
    if done.returncode:
        raise PeerError(f"{script} ended with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def _environment() -> dict[str, str]:
    """The environment without proxies, which axios would use for the server on this machine too."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
