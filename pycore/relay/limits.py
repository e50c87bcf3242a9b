"""What one client, one room and the whole relay may use: every bound of the server in one place.

A bound is there for one of two reasons: an honest page never comes near it, or memory would otherwise grow
with what strangers send. What runs into a bound is refused by name; nothing is dropped in silence, and no
bound of one client costs another player a message.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pycore.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the relay. Rates are per socket: `rate` events a second after a burst of `burst`."""

    input_rate: float = 240.0
    """For each player that the page sends for: its own, and those whose policies it computes. Four times 60 fps: a page
    that dispatches one input per frame stays below it at any rate in use."""
    input_burst: float = 600.0
    """A change of path sends everything unacknowledged at once: ten seconds of inputs at 60 fps."""
    signal_rate: float = 100.0
    """On the fallback path receipts travel as signals, ten a second to each other page; candidates come in
    bursts of tens."""
    signal_burst: float = 400.0
    signal_bytes_rate: float = 1_048_576.0
    """Bytes of signal payload a second: with the ping timeout it bounds what piles up for a peer that reads
    nothing."""
    signal_bytes_burst: float = 4_194_304.0
    store_rate: float = 50.0
    """A page stores three things every few seconds; what could not be stored for a while follows one another as fast as
    it is acknowledged."""
    store_burst: float = 200.0
    other_rate: float = 20.0
    """Joining, leaving, pings: a page sends a few a second at most."""
    other_burst: float = 60.0
    error_rate: float = 20.0
    """`pycore_error` events that one socket is sent; refusals beyond it are only counted."""
    error_burst: float = 60.0
    patience_rate: float = 50.0
    """Refusals that one socket may cause; beyond it, it is a flood and the socket is closed."""
    patience_burst: float = 3000.0

    frame_rate: float = 900.0
    """Frames of a connection, whatever is in them: inputs, signals and all else at their rates."""
    frame_burst: float = 6000.0
    odd_rate: float = 20.0
    """Control frames (a browser answers a ping every few seconds) and fragments of fewer than `fragment_bytes`."""
    odd_burst: float = 200.0
    fragment_bytes: int = 1024
    """A browser divides what has more than 100 KiB; the last fragment may be short."""
    bytes_rate: float = 8_388_608.0
    """Bytes that a connection sends: more than a line of a home has upwards."""
    bytes_burst: float = 67_108_864.0
    work_rate: float = 0.05
    """Of a processor's time, what one connection may have for what it sends; a page by the server takes 0.003. Who has
    used it up is read again later."""
    work_burst: float = 0.25
    """The same at once, s: a visit's worth of stores."""
    outgoing_packets: int = 4096
    """What waits for a socket that takes nothing; one that has more is closed. As `mailbox_events`."""
    outgoing_bytes: int = 4_194_304
    outgoing_s: float = 15.0
    """How long something may wait for a socket to take it, before that is closed: a phone between two cells is there
    again by then, and its page connects anew as fast as it would read."""

    action_bytes: int = 16_384
    """JSON of one action: whatever has a codec fits, a picture does not."""
    signal_bytes: int = 65_536
    """JSON of one signal's payload: a session description with many candidates has about 10 KiB."""
    signal_values: int = 4096
    """Commas in one signal, which is a text or a few: what is read without being stored is no table."""
    connection_bytes: int = 16_384
    """JSON of one `p2p_connection_type`."""
    metrics_bytes: int = 8 * 1_048_576
    """JSON of one session's metrics: some 50,000 rollback events."""
    record_bytes: int = 262_144
    """UTF-8 of one part of a trajectory; longer ones are sent in parts."""
    piece_bytes: int = 8 * 1_048_576
    """UTF-8 of a piece of a trajectory: some tens of KiB, but that a row is never divided."""
    record_parts: int = 4096
    """With `record_bytes` 1 GiB an episode: more than any session writes, little enough to count."""
    experienced_parts: int = 2**31
    """Numbers of parts of a player's experienced record: one every few seconds, and each load of a page has 2**20."""
    loads: int = 1000
    """How often the page of a seat may be loaded again in one game: no person does, and 2**11 loads have numbers."""
    stored_bytes: int = 536_870_912
    """What one player of one game may store in all, repeats included: nobody fills the disk alone."""
    store_bytes_rate: float = 2_097_152.0
    """Bytes a second that one socket may store, unpacked: a session writes some kilobytes,"""
    store_bytes_burst: float = 67_108_864.0
    """and what could not be stored for an hour comes at once."""
    free_bytes: int = 268_435_456
    """What stays free of the disk that a SQLite database is on."""
    envelope_bytes: int = 2048
    """What an event may have around its bounded field: names, ids, timestamps."""
    id_chars: int = 128
    """Length of a session id or a subject id."""
    query_chars: int = 2048
    """What a page says of its address; a longer one is not looked at."""
    depth: int = 64
    """Nesting of an action or a signal: encoders of other languages recurse."""
    episodes: int = 1_000_000
    frames: int = 2**31 - 1
    """Frame numbers are 32 bits on the wire between peers."""

    pending_stores: int = 8
    """Stores of one socket that wait for the database."""
    pending_bytes: int = 67_108_864
    """The same for all sockets, in bytes: a database that hangs does not fill the memory."""
    uploads_chars: int = 67_108_864
    """What is held of uploads of all sockets that came in pieces and are not whole."""

    rooms: int = 2000
    """Games that are remembered, those that ended included; the oldest ended one is forgotten first."""
    sockets: int = 5000
    connections: int = 6000
    """Connections of any kind, sockets among them: what is beyond is closed unread."""
    connect_rate: float = 300.0
    """Connections a second, of everybody together: each costs a millisecond until it is a socket,"""
    connect_burst: float = 1000.0
    """and after a restart all pages come at once. What is beyond is closed unread, and its page tries again."""
    address_connections: int = 400
    """Connections of one address, which may be a laboratory's: of fifty people with a socket each, and six connections
    by which their browsers load the page. 0: not bounded."""
    address_rate: float = 60.0
    """New connections of one address a second,"""
    address_burst: float = 600.0
    """and at once. A rate of 0: not bounded."""
    address_work_rate: float = 0.5
    """Of a processor's time, what one address may have for what it sends and asks for, by whichever connections: a
    hundred and fifty pages by the server, or five new pages a second. Who comes when it is used up waits,"""
    address_work_burst: float = 1.0
    """and the same at once, s. A rate of 0: not bounded."""
    silent_s: float = 20.0
    """How long a connection may say nothing before it is a socket: a phone's handshake takes seconds."""
    busy_s: float = 0.03
    """How late the loop's clock may strike, usually, before no new games begin: those that run are not late yet."""
    shed_s: float = 0.15
    """How long a round of the loop may take before the older of the inputs and signals in it are left out."""
    again_s: float = 5.0
    """When who is refused for the moment may ask again."""
    waiting_s: float = 600.0
    """How long somebody stays in the waiting room before being told that nobody came."""
    grace_s: float = 15.0
    """Where the study lets nobody return: a socket that comes back within it with the same session id gets its seat
    back; the others notice nothing. A change of the network takes one to three seconds, socket.io waits up to five
    before it tries again, and a page with Pyodide takes three to ten to load on a slow phone. Peers judge silence by
    themselves meanwhile."""
    mailbox_events: int = 4096
    """What is kept for a player meanwhile: 22 seconds of an input and two signals per frame at 60 fps."""
    mailbox_bytes: int = 4_194_304
    retention_s: float = 3600.0
    """How long an ended game is kept in memory. Metrics and records that come later are taken all the same: the
    database knows whose they are."""

    @property
    def message_bytes(self) -> int:
        """The largest message that is read at all: more than what is accepted, so that being slightly too large
        is answered with an error and only gross excess costs the socket."""
        return self.metrics_bytes * 5 // 4 + self.envelope_bytes

    def event_chars(self, event: str) -> int:
        """How long the text of an event may be; checked before anything is parsed."""
        field = {
            "pyodide_player_action": self.action_bytes,
            "webrtc_signal": self.signal_bytes,
            "p2p_connection_type": self.connection_bytes,
            # A string in JSON can take six characters for one byte (\u0001), in metrics sent as text too.
            "p2p_session_metrics": 2 * self.metrics_bytes,
            "pycore_rows": 2 * self.piece_bytes,
            "pycore_records": 6 * self.record_bytes,
            "pycore_experienced": 6 * self.record_bytes,
        }.get(event, 0)
        return field + self.envelope_bytes


def limit_of(where: str, name: str, value: Any) -> float:
    """A limit that somebody has set, known to be one; `where` it was. Raises `ConfigError`."""
    known = {each.name: each.default for each in fields(Limits)}
    if name not in known:
        raise ConfigError(f"{where}{name}: there is no such limit; {nearest(name, known)}")
    whole = type(known[name]) is int
    # A whole number may be larger than any other one is.
    if type(value) not in ((int,) if whole else (int, float)) or not 0 <= value <= sys.float_info.max:
        what = "a whole number" if whole else "a number"
        raise ConfigError(f"{where}{name} is {value!r:.80}; it must be {what}, not below 0")
    return int(value) if whole else float(value)


def limits_of(where: str, values: Any) -> dict[str, float]:
    """Limits by name, of an object or a table of them. Raises `ConfigError`."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where.rstrip('.')} is {values!r:.80}; it must have limits by name, as sockets and 2000")
    return {str(name): limit_of(where, str(name), value) for name, value in values.items()}


DEBT_S = 5.0
"""A connection that is not read for longer would not be heard to live."""


class TokenBucket:
    """Lets `rate` events a second through, after a burst; the clock is the caller's."""

    __slots__ = ("_burst", "_level", "_rate", "_then")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._then = 0.0

    def spend(self, now: float, cost: float) -> None:
        """Something that passed has cost so much: what is owed must be there again before anything else passes, but
        for more than `DEBT_S` seconds nobody owes."""
        self.take(now, 0.0)
        self._level = max(self._level - cost, -DEBT_S * self._rate)

    def is_full(self, now: float) -> bool:
        """Whether the whole burst is there."""
        return self.take(now, 0.0) and self._level >= self._burst

    def owed(self, now: float) -> float:
        """How long until anything passes again, s; 0: it does."""
        return 0.0 if self.take(now, 0.0) else -self._level / self._rate

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Whether an event of that cost may pass now; if not, it costs nothing."""
        self._level = min(self._burst, self._level + max(0.0, now - self._then) * self._rate)
        self._then = now
        if self._level < cost:
            return False
        self._level -= cost
        return True
