"""One database, many processes: whoever comes and goes takes nothing away from those who stay."""

from __future__ import annotations

import subprocess
import sys

from tests.attacks.siege import add_user, database, living
from tests.server.helpers import Running

LOOK = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM user').fetchone()[0])"


def test_a_process_that_comes_and_goes_does_not_end_the_database_of_a_server_that_was_started_twice(server: Running):
    """The locks of SQLite are the process's: one that closes the file in any other way gives up all of them."""
    for number in range(3):
        user = add_user(server)
        seen = subprocess.run(
            [sys.executable, "-c", LOOK, str(database(server))], capture_output=True, text=True, timeout=60, check=True
        )
        assert int(seen.stdout) == number + 2
        assert user in living(server)
