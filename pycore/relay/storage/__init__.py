"""The database: its tables and versions, what is written to it and read back, exported, copied and forgotten."""
