"""People before a game: who may come, who waits, who is asked whether they are there, and who plays with whom."""
