"""Scripted players in a page: what it reads instead of the keyboard, kept for the verdict, and how long its ticks take.

Every page has the scripts of all seats, and goes by the seat that the server gives it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

SCRIPT = """
(() => {
  const scripts = SCRIPTS;
  const log = [];
  const pace = { start: [], work: [], flags: [] };
  let plan = [];
  let last = Infinity;
  let timed = null;
  let began = -1;
  const unrolled = (runs) => runs.flatMap(([frames, action]) => Array(frames).fill(action));
  const time = (game) => {
    timed = game;
    const advance = game.advance.bind(game);
    game.advance = () => {
      const flags = advance();
      if (began >= 0) {
        pace.work[began] = performance.now() - pace.start[began];
        pace.flags[began] = flags;
      }
      began = -1;
      return flags;
    };
  };
  window.pycoreRead = log;
  window.pycorePace = pace;
  window.pycoreReadAction = (frame) => {
    const game = window.pycoreGame;
    if (game && game !== timed && game.advance) time(game);
    if (window.pycoreStatus?.phase === 'playing') began = pace.start.push(performance.now()) - 1;
    else if (pace.start.at(-1) !== null) pace.start.push(null);
    if (frame < last) {
      if (frame === 0 && last > 0) log.push({});
      const own = scripts[String(game?.myPlayerId ?? 0)];
      plan = unrolled(own[(log.length - 1) % own.length]);
    }
    last = frame;
    return log[log.length - 1][frame] = plan[frame % plan.length];
  };
})();
"""
"""Another script for every episode; what was read is kept by episode and frame, for the comparison with the records.

A tick begins with the reading of the action, and its work ends with `advance`; null stands for a time without play.
"""


def script(scripts: Sequence[Any]) -> str:
    """What a page runs before anything else, so that its player is scripted; `scripts` are by seat."""
    by_player = {str(seat): of for seat, of in enumerate(scripts)}
    return SCRIPT.replace("SCRIPTS", json.dumps(by_player, separators=(",", ":")))
