"""What each participant's visit came to: one code, decided here, from what was stored.

A study pays people, or sends them on, by such a code. So it is decided by the server, from evidence that it has: the
end of the session in the metrics that a page has stored, the rows of its episodes up to their ends, a time of waiting
that is over, a seat that is gone. It is written down before anybody is told; and whoever has been sent on with one gets
no second one, whatever is loaded again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pycore.relay.games.seats import Seat, digest

COMPLETED: Final = "completed"
WAITED_IN_VAIN: Final = "waited_in_vain"
PARTNER_LEFT: Final = "partner_left"
EXCLUDED: Final = "excluded"
INCOMPLETE: Final = "incomplete"
"""The page says that it came to its end, and has not stored what was played."""
FAILED: Final = "failed"
LASTING: Final = (COMPLETED, EXCLUDED)
"""What no end changes that another load of the page comes to: it has played, or may not play."""
OUTCOMES: Final = (COMPLETED, WAITED_IN_VAIN, PARTNER_LEFT, EXCLUDED, INCOMPLETE, FAILED)

REMEMBERED: Final = 20_000
"""People who were sent on; of others the database is asked."""

_BY_REASON: Final = {
    "complete": COMPLETED, "stop": COMPLETED,
    "player_left": PARTNER_LEFT, "returned": PARTNER_LEFT, "no_return": PARTNER_LEFT, "partition": PARTNER_LEFT,
    "partner_exclusion": PARTNER_LEFT, "ready_timeout": PARTNER_LEFT,
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

    def is_for(self, game_id: str, player: str) -> bool:
        """Whether it is of that game's player."""
        return (self.game_id, self.player) == (game_id, player)

    def row(self) -> dict[str, Any]:
        """As the database has it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Outcome:
        """From a row of the database."""
        return cls(**{name: row[name] for name in cls.__slots__})


class SentOn:
    """Who was sent on, and with what: so far as it is known to this process."""

    def __init__(self, next_of: Callable[[str, str | None], str | None]) -> None:
        """`next_of`: the address to which the study sends somebody with that outcome and subject; None: to none."""
        self._next_of = next_of
        self._known: OrderedDict[str, Outcome] = OrderedDict()

    def of(self, person: str) -> Outcome | None:
        """The outcome with which somebody was sent on."""
        return self._known.get(person)

    def stands(self, game_id: str, seat: Seat, code: str) -> str:
        """What a game came to for a seat: with what its person was sent on for it, if that was done; otherwise this."""
        known = self._known.get(person_of(seat.subject_id, seat.session))
        if known is not None and known.is_for(game_id, str(seat.player)):
            return known.outcome
        return code

    def remember(self, outcome: Outcome) -> None:
        """It is written down."""
        if outcome.final:
            self._known[outcome.person] = outcome
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def row(self, outcome: Outcome) -> dict[str, Any]:
        """As the database is given it: final if it sends somebody on."""
        return outcome.row() | {"final": self._next_of(outcome.outcome, outcome.subject) is not None}

    def told(self, outcome: Outcome) -> dict[str, Any]:
        """What a page is told, by the event `outcome`."""
        return {
            "outcome": outcome.outcome, "waited_s": round(outcome.waited_s, 1),
            "next": self._next_of(outcome.outcome, outcome.subject), "game_id": outcome.game_id,
        }  # fmt: skip

    def told_again(self, outcome: Outcome) -> dict[str, Any]:
        """What a page is told that asks for a game, though its person was sent on before: the whole visit came to it,
        also where the study has no address for it any more, so that nobody waits."""
        return {**self.told(outcome), "game_id": None}


def person_of(subject: str | None, session: str) -> str:
    """Who somebody is: by the subject id where one is known, otherwise by the session, a digest."""
    return session if subject is None else digest(f"subject {subject}")


def outcome_of(reason: str | None, loads: int = 0) -> str:
    """What a session came to for a player, by why it ended. `loads`: how often its page was loaded again."""
    if reason == "no_return" and loads:
        return FAILED  # it is this page that did not come back
    return _BY_REASON.get(reason or "", FAILED)


def asked_to_stop(reason: str | None) -> bool:
    """Whether a session that came to its end did so because somebody asked for it, before all its episodes."""
    return reason == "stop"
