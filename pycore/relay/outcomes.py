"""What each participant's visit came to: one code, decided here, from what was stored.

A study pays people, or sends them on, by such a code. So it is decided by the server, from evidence that it has: the
end of the session in the metrics that a page has stored, a time of waiting that is over, a seat that is gone. It is
written down before anybody is told; and whoever has been sent on with one gets no second one, whatever is loaded again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

COMPLETED: Final = "completed"
WAITED_IN_VAIN: Final = "waited_in_vain"
PARTNER_LEFT: Final = "partner_left"
EXCLUDED: Final = "excluded"
FAILED: Final = "failed"
OUTCOMES: Final = (COMPLETED, WAITED_IN_VAIN, PARTNER_LEFT, EXCLUDED, FAILED)

_BY_REASON: Final = {
    "complete": COMPLETED, "stop": COMPLETED,
    "player_left": PARTNER_LEFT, "returned": PARTNER_LEFT, "no_return": PARTNER_LEFT, "partition": PARTNER_LEFT,
    "partner_exclusion": PARTNER_LEFT,
    "excluded": EXCLUDED, "focus_loss_timeout": EXCLUDED,
}  # fmt: skip
"""By why a session ended for a player; whatever is not here has failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one participant."""

    person: str
    """A digest: of the subject id, or where none is known of the session."""
    subject: str | None
    outcome: str
    waited_s: float
    """How long it has waited for a game."""
    decided: float
    """Unix time, s."""
    game_id: str | None = None
    player: str | None = None
    final: bool = False
    """It was sent on, and gets no other one."""

    def row(self) -> dict[str, Any]:
        """As the database has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def outcome_of(reason: str | None, loads: int = 0) -> str:
    """What a session came to for a player, by why it ended. `loads`: how often its page was loaded again."""
    if reason == "no_return" and loads:
        return FAILED  # it is this page that did not come back
    return _BY_REASON.get(reason or "", FAILED)
