// @ts-check
// Written by `python -m tools.handed` from pycore/bridge/handed.py, which says why; change it there.

export const UNBEGUN = Object.freeze([
  "player_left",
  "ready_timeout"
]);
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
  "passing_ms": 30000,
  "database_within_ms": 3000,
  "patient": [
    "p2p_session_metrics"
  ],
  "large_characters": 16000
});
export const KEYS = Object.freeze({
  "usual": {
    "ArrowLeft": 1,
    "ArrowRight": 2,
    "ArrowUp": 3,
    "ArrowLeft,ArrowUp": 4,
    "ArrowRight,ArrowUp": 5
  },
  "aliases": {
    "a": "ArrowLeft",
    "d": "ArrowRight",
    "w": "ArrowUp",
    "s": "ArrowDown",
    " ": "ArrowUp"
  }
});
export const GAMEPAD = Object.freeze({
  "prefix": "Gamepad:",
  "tilt": 0.5,
  "axes": [
    "LeftX",
    "LeftY",
    "RightX",
    "RightY"
  ]
});
export const DRAWING = Object.freeze({
  "corrections_s": 0.1,
  "images_again_ms": [
    500,
    1500,
    4000,
    10000,
    30000
  ]
});
export const SETTLING = Object.freeze({
  "patience_ms": 3000,
  "look_every_ms": 100
});
export const RETURNING = Object.freeze({
  "again_ms": 2000,
  "others_follow_s": 6.0
});
