"""A study's files read back: games replayed, verified, and exported as tables.

`files` finds what belongs to a game and reads it line by line; `stepping` makes its simulation; `evidence` says what
its records and metrics prove together; `tables` has the rows, `columns` what they mean, `writing` puts them into a
folder.
"""
