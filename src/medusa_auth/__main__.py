"""`python -m medusa_auth`."""

from medusa_auth.cli import main

main()
