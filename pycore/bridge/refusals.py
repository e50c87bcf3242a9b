"""Local actions that the session refuses: what the player and the log are told of them, and how often.

The default action is played in their place, so nobody stands still; but whoever pressed the key must not wonder why
nothing happened. A page asks for an action at every tick, and a key may be held for seconds: each cause is told once
and not again for a while, however often it comes.
"""

from __future__ import annotations

from typing import Final

from pycore.errors import ActionError, ActionTooLarge

AGAIN_AFTER: Final = 10.0
"""Seconds for which a cause that was told is not told again."""
SHOWN: Final = 5.0
"""Seconds for which the player is shown what is told."""

CODES: Final = {True: "action_too_large", False: "action_unknown"}
"""What the player is told as a name, for a page that says it in another language; by whether it is too large."""
TOO_LARGE: Final = "What you did is too large to be sent to the other players, so it was not played."
UNKNOWN: Final = "What you did is no action of this game, so it was not played."


class Refusals:
    """Remembers what was told, by cause, and says when something is to be told."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, int]] = {}
        """When each cause was told last, and how often it came since."""
        self._notice = ""
        self._until = 0.0

    def note(self, error: ActionError, now: float) -> str:
        """An action was refused: the line for the log if it is to be told, which the player is then too; else empty."""
        told, untold = self._told.get(error.code, (None, 0))
        if told is not None and now < told + AGAIN_AFTER:
            self._told[error.code] = told, untold + 1
            return ""
        self._told[error.code] = now, 0
        self._notice = TOO_LARGE if isinstance(error, ActionTooLarge) else UNKNOWN
        self._until = now + SHOWN
        since = f" (and {untold} more times since the last such line)" if untold else ""
        return f"{error}; the default action is played instead{since}"

    def notice(self, now: float) -> str:
        """What the player is shown at this time; empty: nothing."""
        return self._notice if now < self._until else ""

    def notice_code(self, now: float) -> str:
        """The same as a name; empty: nothing."""
        return CODES[self._notice == TOO_LARGE] if now < self._until else ""
