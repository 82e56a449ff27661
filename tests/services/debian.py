"""Programs that come from Debian packages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "debian-packages"


def program(name: str, *, package: str, folders: str | None = None) -> Path:
    """Where the program `name` is: on the path, or in the last of `folders` (a pattern such as `usr/lib/x/*/bin`).

    Installs the Debian package `package` when it is nowhere. Raises LookupError when it is not there even then.
    """
    found = _find(name, folders)
    if found is None:
        subprocess.run([SCRIPT, package], check=True)
        found = _find(name, folders)
    if found is None:
        raise LookupError(f"there is no {name}, although the package {package} is installed")
    return found


def _find(name: str, folders: str | None) -> Path | None:
    if folders is not None:
        inside = [folder / name for folder in Path("/").glob(folders) if (folder / name).exists()]
        if inside:
            return max(inside)
    on_path = shutil.which(name)
    return None if on_path is None else Path(on_path)
