"""Rehearsals: a whole session in real browsers, over a real relay, under an impaired network, and a verdict on it.

`rehearse(Plan(game, ...), site=...)` plays and returns an `Outcome`, whose `problems` are empty if the players' records
are the same bytes, whole, alive and reproduced in CPython. A `Game` says what must be known of the environment.
It needs `interactive-gym-pycore[relay]` and Playwright with a Chromium.
"""

from pycore.rehearsal.outcome import Outcome, table, write
from pycore.rehearsal.plan import Game, Plan
from pycore.rehearsal.playing import rehearse
from pycore.rehearsal.serving import RehearsalFailed

__all__ = ["Game", "Outcome", "Plan", "RehearsalFailed", "rehearse", "table", "write"]
