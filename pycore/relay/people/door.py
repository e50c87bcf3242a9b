"""Whether new games begin. Those that run are never asked: whoever is loaded again comes back into them.

Three things close the door. The operator closes the study, and opens it again; a server that is started is as the
database says (`pycore.relay.storage.study`). The process has as much to do as it can without the games that run being
late (`load`), or it is about to end (`drain`): both pass, so who is refused is told when to ask again, by then perhaps
another process.
"""

from __future__ import annotations

from typing import Final

from pycore.relay.fields import Refused
from pycore.relay.limits import Limits

CLOSED: Final = "study_closed"
BUSY: Final = "server_busy"
DRAINING: Final = "draining"


class Door:
    """The way into a study's games."""

    def __init__(self, limits: Limits) -> None:
        self._again_ms = round(1000 * limits.again_s)
        self.is_open = True
        """The operator has not closed the study."""
        self.busy = False
        self.draining = False

    def refusal(self) -> Refused | None:
        """Why nobody who is new is let in; None: they are."""
        if not self.is_open:
            return Refused(CLOSED, "the study is closed; nobody is let in at the moment")
        if self.draining:
            return self.drained()
        if self.busy:
            return Refused(BUSY, "the server has as many games as it can carry; ask again", self._again_ms)
        return None

    def drained(self) -> Refused:
        """What who waits is told when the process is about to end."""
        return Refused(DRAINING, "the server is about to be stopped or started again; ask again", self._again_ms)
