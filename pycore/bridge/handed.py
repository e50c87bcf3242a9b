"""What the shims are handed before they run: how patient to be, how often to try again, what is of no use later.

Some of it is needed before Python is there (its own files are loaded by it), so it is not given at run time: it is
written into the `handed.js` of each folder of web/ (`python -m tools.handed`), and a test keeps them alike.
What a running game needs beyond this stands in its orders, one by one.
"""

from __future__ import annotations

from typing import Any, Final

from pycore.bridge.bridge import WALL_OFF_MS

RETRIES_MS: Final = (1000, 2000, 4000, 8000, 16_000, 30_000)
"""Pauses before something is sent to a server once more; the last one again and again."""

CORE: Final[dict[str, Any]] = {
    # A participant who was invited must not be lost to a moment's outage: pauses before a file is asked for again.
    # One that stops coming is asked for anew. What has a checksum shows nothing before it is whole: Pyodide's largest
    # package takes so long at 64 kbit/s.
    "LOADING": {"pauses_ms": (500, 1500, 4000), "stalled_ms": 20_000, "checked_within_ms": 600_000},
    # A server that is away for a moment is found again within a second or two of its return. One that has no place
    # says so and is asked again.
    # An unanswered ping is no sample of the round trip. The first ones follow each other quickly: the one with the
    # shortest round trip says best what the server's clock shows. Those that came before a game are kept for it.
    "SERVER": {
        "transports": ("websocket", "polling"),
        # A network may swallow a WebSocket: so long until it is asked another way. A handshake takes four round
        # trips, which are seconds where Python is loaded beside it by a slow line.
        "connected_within_ms": 12_000,
        "reconnect_ms": 500,
        "reconnect_longest_ms": 1000,
        "refused_again_ms": 5000,
        "ping_every_ms": 2000,
        "ping_patience_ms": 4000,
        "first_pings": 5,
        "first_ping_every_ms": 250,
        "probes_kept": 64,
        # What is large takes longer than that on a slow line (64 kbit/s): sent once more, it would wait behind itself.
        "acknowledged_within_ms": 10_000,
        "characters_per_s": 8000,
        # The page's address goes with the handshake, in which the relay reads 4,096 characters of JSON in all; a longer
        # one is left out, so that it keeps nobody from playing.
        "address_characters": 1900,
    },
    # An input is worthless when the next one is there.
    "CHANNEL": {"label": "game", "options": {"ordered": False, "maxRetransmits": 0}, "asked_every_ms": 1000},
    # What no datagram has room for goes beside them, in order and whole. Both sides open it with the connection, by its
    # number, so that no word of its own is needed; the browser gives numbers to the other channel from 0 on.
    "STREAM": {"label": "stream", "options": {"ordered": True, "negotiated": True, "id": 100}},
    # A frozen page finds everything that was sent meanwhile in its queue; datagrams beyond this are stale.
    "INBOX": {"datagrams_waiting": 2048},
    # A packet that cannot be sent is dispatched again by Python, whose answer may fail as well; at most so often.
    "OUTBOX": {"rounds": 8},
    # Ticks in a row without giving the browser a turn; lateness beyond as many periods is given up. The wait is for
    # a tick that was still at work when the next one was due.
    "TICKS": {"in_a_row": 3, "busy_wait_ms": 4},
    "HUD": {"every_s": 0.2},
    # The wall clock is read anew so often, since the clock of the ticks may stand still while a machine sleeps; so many
    # seconds after it woke up may have the times from before.
    # By so much it may be off before it counts as put right.
    "WALL": {"every_s": 1.0, "off_ms": int(WALL_OFF_MS)},
    # Whose Python raised tells the others so, who wait for two seconds before they believe the server that it left.
    "PARTING": {"within_s": 3.0},
    # A text that fits a packet of the network gains nothing.
    "PACKING": {"from_characters": 1200},
    # What stands at a place of the US layout, beside letters and digits: it is meant where the layout has it nowhere.
    "PLACES": {
        "Comma": ",", "Period": ".", "Slash": "/", "Semicolon": ";", "Quote": "'", "BracketLeft": "[",
        "BracketRight": "]", "Backslash": "\\", "Backquote": "`", "Minus": "-", "Equal": "=",
    },
}
"""For every page."""

DEMO: Final[dict[str, Any]] = {
    # A session that ended so, and of which nothing was played, was none: another one is asked for in its place.
    "UNBEGUN": ("player_left", "ready_timeout"),
    # With these codes the relay will never take it: trying again is of no use, it stays for the download.
    "STORING": {
        "retries_ms": RETRIES_MS,
        "final": ("foreign_room", "malformed", "too_large", "not_your_seat", "unknown_event"),
        # What it does not take for the moment, and not within so long either, may never be taken: nobody waits for it.
        "passing_ms": 30_000,
        # Some browsers' databases never answer: the memory does then.
        "database_within_ms": 3000,
        # Metrics that are larger than that wait while inputs go by the server, which would have to wait behind them (an
        # eighth of a second at 1 Mbit/s), and go in pieces of that while they might. Records do not: they come in small
        # pieces, and no closed tab may lose them.
        "patient": ("p2p_session_metrics",),
        "large_characters": 16_000,
    },
    # Actions by key, if a study has no mapping of its own: nothing, left, right, jump, and jump with either. Other keys
    # stand for the same ones, where a mapping does not use them itself.
    "KEYS": {
        "usual": {"ArrowLeft": 1, "ArrowRight": 2, "ArrowUp": 3, "ArrowLeft,ArrowUp": 4, "ArrowRight,ArrowUp": 5},
        "aliases": {"a": "ArrowLeft", "d": "ArrowRight", "w": "ArrowUp", "s": "ArrowDown", " ": "ArrowUp"},
    },
    # A stick counts as pressed from half of its way on. The axes are those of the standard layout.
    "GAMEPAD": {"prefix": "Gamepad:", "tilt": 0.5, "axes": ("LeftX", "LeftY", "RightX", "RightY")},
    # A correction is seen in full within so long, unless the study says otherwise. A file that a sprite shows is asked
    # for again after these pauses: who plays without it sees less than the others.
    "DRAWING": {"corrections_s": 0.1, "images_again_ms": (500, 1500, 4000, 10_000, 30_000)},
    # Who begins another game waits until the others have what they need of the last one, or do not fetch it.
    "SETTLING": {"patience_ms": 3000, "look_every_ms": 100},
    # A server that was started anew may not be able to read yet whether a game goes on that a page comes back to.
    # So long after the server was away for this page, others may still be on their way to it: nobody's page is called
    # reloading for that.
    "RETURNING": {"again_ms": 2000, "others_follow_s": 6.0},
}
"""For our own page."""

WATCH: Final[dict[str, Any]] = {
    # What is shown is seconds old in any case. So many games have a picture: each steps its game again, all together no
    # longer than that in a turn. What is over is asked for seldom; of its rows, beyond an answer's worth, so many wait
    # to be stepped.
    "WATCHING": {
        "list_every_ms": 2000,
        "ask_every_ms": 1000,
        "over_every_ms": 30_000,
        "turn_ms": 33,
        "longest_ms": 20,
        "pictures": 6,
        "rows_ahead": 2000,
    },
}
"""For the page that watches."""
