"""The Python of README.md, as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server.helpers import EMAIL, PASSWORD, Running

README = Path(__file__).resolve().parents[2] / "README.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_what_readme_shows_runs(server: Running, number: int):
    lines = SNIPPETS[number].replace("http://localhost:9000", server.url).replace('"..."', repr(PASSWORD)).splitlines()
    # Of a Medusa's other routes there is none here.
    program = "\n".join(line for line in lines if not line.endswith("# against a store"))
    command = [sys.executable, "-c", f"{program}\nprint('done')"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.stderr == ""
    assert run.stdout.endswith("done\n")


def test_there_are_some_with_the_administrators_address():
    assert len(SNIPPETS) == 2
    assert all(EMAIL in snippet for snippet in SNIPPETS)
