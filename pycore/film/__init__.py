"""A record to look at: its frames drawn again, as one page with a slider and as pictures; and stepped in Pyodide.

`pictures` has what the environment draws, `viewer` puts it into a page and has a browser draw it, `making` does all of
that while a replay runs, and `elsewhere` runs the replay where the players did.
"""
