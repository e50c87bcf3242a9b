"""The example that `build.py` plays: what a rehearsal must know of it."""

from __future__ import annotations

from pycore.rehearsal import Game
from tools.paths import ROOT

VOLLEY = Game(name="volley_v1", module=ROOT / "examples" / "volley.py", action_space={"type": "discrete", "n": 6})
