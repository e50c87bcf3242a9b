"""Scripted players: what a page reads instead of the keyboard, drawn from a seed, and kept for the verdict."""

from __future__ import annotations

from pycore.rehearsal.plan import Game

SCRIPT = """
(() => {
  let state = SEED >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const draw = DRAW;
  const log = [];
  let plan = [];
  let last = Infinity;
  window.pycoreRead = log;
  window.pycoreReadAction = (frame) => {
    if (frame < last) {
      plan = [];
      if (frame === 0 && last > 0) log.push({});
    }
    last = frame;
    while (plan.length <= frame) {
      const action = draw(random);
      for (let hold = 3 + Math.floor(random() * 10); hold > 0; hold -= 1) plan.push(action);
    }
    log[log.length - 1][frame] = plan[frame];
    return plan[frame];
  };
})();
"""
"""A new plan for every episode; what was read is kept by episode and frame, for the comparison with the records."""


def script(game: Game, seed: int) -> str:
    """What a page runs before anything else, so that its player is scripted."""
    return SCRIPT.replace("SEED", str(seed)).replace("DRAW", game.drawing())
