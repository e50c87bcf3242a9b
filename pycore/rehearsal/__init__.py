"""Rehearsals: a whole session in real browsers, over a real relay, under an impaired network, and a verdict on it.

`rehearse(Plan(Game.of("game.py"), ...), site=...)` plays and returns an `Outcome`, whose `problems` are empty if the
players' records are the same bytes, whole, alive and reproduced by the environment. A `Game` is an environment with its
settings; what the players do is made of its action spaces. It needs `interactive-gym-pycore[rehearse]` and a Chromium.
`Simulated` plays the same game in virtual time, and needs neither.
"""

from pycore.rehearsal.game import Game
from pycore.rehearsal.outcome import Outcome, table, write
from pycore.rehearsal.plan import Plan
from pycore.rehearsal.playing import rehearse
from pycore.rehearsal.serving import RehearsalFailed
from pycore.rehearsal.simulated import Simulated

__all__ = ["Game", "Outcome", "Plan", "RehearsalFailed", "Simulated", "rehearse", "table", "write"]
