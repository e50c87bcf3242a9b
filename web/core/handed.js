// @ts-check
// Written by `python -m tools.handed` from pycore/bridge/handed.py, which says why; change it there.

export const LOADING = Object.freeze({
  "pauses_ms": [
    500,
    1500,
    4000
  ],
  "stalled_ms": 20000,
  "checked_within_ms": 600000
});
export const SERVER = Object.freeze({
  "transports": [
    "websocket",
    "polling"
  ],
  "connected_within_ms": 12000,
  "reconnect_ms": 500,
  "reconnect_longest_ms": 1000,
  "refused_again_ms": 5000,
  "ping_every_ms": 2000,
  "ping_patience_ms": 4000,
  "first_pings": 5,
  "first_ping_every_ms": 250,
  "probes_kept": 64,
  "acknowledged_within_ms": 10000,
  "characters_per_s": 8000,
  "address_characters": 1900
});
export const CHANNEL = Object.freeze({
  "label": "game",
  "options": {
    "ordered": false,
    "maxRetransmits": 0
  },
  "asked_every_ms": 1000
});
export const STREAM = Object.freeze({
  "label": "stream",
  "options": {
    "ordered": true,
    "negotiated": true,
    "id": 100
  }
});
export const INBOX = Object.freeze({
  "datagrams_waiting": 2048
});
export const OUTBOX = Object.freeze({
  "rounds": 8
});
export const TICKS = Object.freeze({
  "in_a_row": 3,
  "busy_wait_ms": 4
});
export const HUD = Object.freeze({
  "every_s": 0.2
});
export const WALL = Object.freeze({
  "every_s": 1.0,
  "off_ms": 1000
});
export const PARTING = Object.freeze({
  "within_s": 3.0
});
export const PACKING = Object.freeze({
  "from_characters": 1200
});
export const PLACES = Object.freeze({
  "Comma": ",",
  "Period": ".",
  "Slash": "/",
  "Semicolon": ";",
  "Quote": "'",
  "BracketLeft": "[",
  "BracketRight": "]",
  "Backslash": "\\",
  "Backquote": "`",
  "Minus": "-",
  "Equal": "="
});
