// @ts-check
// Written by `python -m tools.handed` from pycore/bridge/handed.py, which says why; change it there.

export const STORING = Object.freeze({
  "retries_ms": [
    1000,
    2000,
    4000,
    8000,
    16000,
    30000
  ],
  "final": [
    "foreign_room",
    "malformed",
    "too_large",
    "not_your_seat",
    "unknown_event"
  ],
  "part_characters": 60000
});
export const SETTLING = Object.freeze({
  "patience_ms": 3000,
  "look_every_ms": 100
});
