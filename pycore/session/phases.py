"""The phases of a session."""

from __future__ import annotations

from typing import Final

# Phases of a session, in the order in which it goes through them; the page shows them.
CONNECTING: Final = 0
READYING: Final = 1
PLAYING: Final = 2
HOLDING: Final = 3
BETWEEN: Final = 4
DONE: Final = 5
FAILED: Final = 6
PHASE_NAMES: Final = ("connecting", "readying", "playing", "holding", "between episodes", "done", "failed")
