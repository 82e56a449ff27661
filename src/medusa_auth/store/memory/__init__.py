"""Everything in memory: for tests, and for guards beside which there is no database. It ends with the process."""
