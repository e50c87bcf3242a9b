"""The example that `build.py` plays."""

from __future__ import annotations

from pycore.rehearsal import Game
from tools.paths import ROOT

VOLLEY = Game.of(str(ROOT / "examples" / "volley.py"), {"action_space": {"type": "discrete", "n": 6}})
