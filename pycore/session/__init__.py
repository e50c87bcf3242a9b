"""A session: episodes of one game with everybody, in two calls per tick."""
