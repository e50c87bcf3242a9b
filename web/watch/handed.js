// @ts-check
// Written by `python -m tools.handed` from pycore/bridge/handed.py, which says why; change it there.

export const WATCHING = Object.freeze({
  "list_every_ms": 2000,
  "ask_every_ms": 1000,
  "over_every_ms": 30000,
  "turn_ms": 33,
  "longest_ms": 20,
  "pictures": 6,
  "rows_ahead": 2000
});
