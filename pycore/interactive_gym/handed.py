"""What the shims in the host page are handed before they run; written into `web/interactive_gym/handed.js`.

See `pycore.bridge.handed`. The page must know what its generation can do before Python is there, and a page whose
Python never comes must still tell the server that it withdraws.
"""

from __future__ import annotations

from typing import Any, Final

from pycore.bridge.handed import RETRIES_MS
from pycore.interactive_gym.generations import GENERATIONS

HANDED: Final[dict[str, Any]] = {
    "GENERATIONS": {name: generation.as_dict() for name, generation in GENERATIONS.items()},
    # Events of the page's server that Python hears.
    "EVENTS": (
        "pyodide_other_player_action", "webrtc_signal", "end_game", "p2p_pause", "p2p_resume", "p2p_game_ended",
        "partner_excluded", "trigger_data_export",
    ),
    # After a return of the connection the page registers its participant first.
    "SERVER": {
        "registering_ms": 500, "acknowledged_within_ms": 5000, "characters_per_s": 8000, "retries_ms": RETRIES_MS,
    },
    # A server that waits for bots as if they were players never says that the game is ready.
    "READY": {"patience_ms": 1000},
    # A page that steps when it is told to and takes longer than this is given up for the moment, s. A page that steps
    # by itself is late, not gone, for so many periods, may catch up so many, and may be early by a share of one: its
    # timer and ours drift against each other.
    "PACE": {"stuck_s": 1, "late_periods": 2.5, "arrears_periods": 3, "early_periods": 0.25},
    # Frames between two looks of the page's monitor, as its own module has it.
    "MONITOR": {"every_frames": 30},
}  # fmt: skip
