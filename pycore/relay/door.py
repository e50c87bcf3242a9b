"""Whether new games begin: the operator may close the study, and open it again.

Games that run go on, and whoever is loaded again comes back into them; only who is new is told to go. It is this
process's alone: one that is started is open.
"""

from __future__ import annotations

from typing import Final

from pycore.relay.fields import Refused

CLOSED: Final = "study_closed"


class Door:
    """The way into a study's games."""

    def __init__(self) -> None:
        self.is_open = True

    def check(self) -> None:
        """Raises `Refused` for who is new, unless it is open."""
        if not self.is_open:
            raise Refused(CLOSED, "the study is closed; nobody is let in at the moment")
