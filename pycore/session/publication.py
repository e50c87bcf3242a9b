"""From confirmed frames to records and hashes, as time allows.

Frames are collected from the ring as soon as they are confirmed, and completed in order: the text of their results,
and the hash where one is due. A tick with a rollback has enough to do, so that work waits for the ticks behind it, a
few frames in each, unless too many wait. The state of a hash is encoded in pieces where the simulation allows it; an
unfinished one is done before the next begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pycore.rollback.timeline import Timeline
from pycore.session.confirmed import ConfirmedFrame, Sink
from pycore.session.covered import Covered
from pycore.session.past import Past
from pycore.simulation import Contents, Simulation
from pycore.values.blake2 import blake2b
from pycore.values.canonical import HASH_BYTES, Encoder
from pycore.values.json import list_json, to_json

PER_TICK: Final = 4
"""Frames that are completed in a tick."""
BEHIND: Final = 32
"""So many may wait for ticks without a rollback, which complete few and begin no hash."""
ROWS: Final = 1024
"""Parts of rows that the hash of the rows takes in at a time."""
PLAYER: Final = "player"
"""Who plays a seat that is its own again, as it is recorded."""
STAND_INS: Final = ("default_action", "policy", PLAYER)
"""What may play in the place of a player who is gone; or that player again, who came back."""
CUT_FRAMES: Final = 256
"""Frames that a cut may take back: as many as all can hold beyond an end, which is less than a ring of frames has."""
ITEMS: Final = 2000
"""Values of a state that are encoded in a tick."""
LARGE_BYTES: Final = 8192
"""A state of fewer bytes takes no time worth sharing out."""

OwnHash = Callable[[Covered, bytes], None]
"""Takes what we hashed, and its hash."""


class Publication:
    """The confirmed frames of a session on their way to its sinks."""

    __slots__ = (
        "_bare",
        "_before",
        "_collected_end",
        "_delays",
        "_encoder",
        "_every",
        "_gone",
        "_hasher",
        "_large",
        "_most_rows",
        "_next_hash",
        "_own_hash",
        "_rows",
        "_seats",
        "_sinks",
        "_size",
        "_unhashed",
        "collected",
        "ended",
        "ends_without",
        "past",
        "published",
        "waiting",
    )

    def __init__(
        self, sinks: Sequence[Sink], hash_every: int, own_hash: OwnHash, seats: int, remembers: bool = False
    ) -> None:
        self._sinks = tuple(sinks)
        self._seats = seats
        self._most_rows = ROWS + CUT_FRAMES * seats
        """Parts of rows of which the oldest `ROWS` cannot be cut any more."""
        self._every = hash_every
        self._own_hash = own_hash
        self.waiting: deque[ConfirmedFrame] = deque()
        """Confirmed frames that are not complete yet."""
        self._unhashed: list[bytes] = []
        """Rows that the hash of the rows has not taken in yet, one part for each seat: it takes many at a time."""
        self._before: deque[tuple[int, Any, list[bytes]]] = deque(maxlen=CUT_FRAMES)
        """Of the last hashes: the frame, and the hash of the rows and those that it had not taken in, before it."""
        self.past: Past | None = Past(seats) if remembers else None
        """What was done in the episode's collected frames, for whoever returns; None: nobody does."""
        self._encoder: Encoder | None = None
        self._hasher = self._rows = blake2b(digest_size=HASH_BYTES)
        self._size = 0
        """Bytes of the state that is hashed."""
        self._gone: dict[int, dict[str, str]] = {}
        """What plays in the place of players who are gone, by player, by the frame from which on it does."""
        self.begin(False)

    def add_sink(self, sink: Sink) -> None:
        """Another one takes what is published from here on."""
        self._sinks = (*self._sinks, sink)
        self._bare = False

    def begin(self, large: bool, delays: Sequence[int] = ()) -> None:
        """Start an episode; `large`: its states are encoded in pieces where they can be, which takes longer in all.
        `delays` are its input delays by seat."""
        self._large = large
        self.waiting.clear()
        self._encoder = None
        self._delays = delays_text(delays)
        self._rows = blake2b(self._delays.encode(), digest_size=HASH_BYTES)
        self._gone.clear()
        self._bare = not self._sinks
        """Whether nobody takes a frame, and nothing is recorded of it but its actions and results."""
        self._unhashed.clear()
        self._before.clear()
        if self.past is not None:
            self.past = Past(self._seats)
        self._next_hash = self._every
        self._collected_end = False
        self.collected = -1
        """Last frame that was taken out of the ring."""
        self.published = -1
        """Last frame that went to the sinks."""
        self.ended = False
        """Whether the end of the episode was published."""
        self.ends_without: int | None = None
        """The frame with which it ends only because somebody is gone: an end once all who are left are there."""

    def end_without(self, frame: int | None) -> None:
        """The episode ends with this frame only because somebody is gone."""
        self.ends_without = frame

    def release(self, frame: int, player: str, what: str) -> None:
        """From this frame on `what` plays in the place of a player who is gone. No such frame was collected yet."""
        self._gone.setdefault(frame, {})[player] = what
        self._bare = False

    def unmark(self, frame: int, player: str) -> None:
        """From this frame on nobody else plays than before. No such frame was collected yet."""
        if self._gone.get(frame, {}).pop(player, None) is not None and not self._gone[frame]:
            del self._gone[frame]

    def left_at(self, player: str) -> int | None:
        """The last frame before another plays a player's seat, as far as frames are collected; None: nobody does."""
        found = None
        for frame, of, what in self.marks:
            if of == player:
                found = None if what == PLAYER else frame - 1
        return found

    @property
    def marks(self) -> list[tuple[int, str, str]]:
        """Of the collected frames those from which on somebody else plays a seat: frame, player, what."""
        of = sorted(self._gone.items())
        return [(frame, *one) for frame, players in of if frame <= self.collected for one in sorted(players.items())]

    def collect(self, episode: int, upto: int, timeline: Timeline) -> None:
        """Take confirmed frames out of the ring, up to this one."""
        frames = timeline.frames
        past = self.past
        recent = None if past is None else past.recent
        plain = self._bare and not self.waiting
        for frame in range(self.collected + 1, upto + 1):
            slot = frame & frames.mask
            actions = frames.encoded[slot]
            result = frames.results[slot]
            if recent is not None:
                recent += actions
            if plain and result is None and frame != self._next_hash:
                # Nobody takes the frame, and there is nothing to it but the actions.
                self._unhashed += actions
                self.published = frame
                continue
            plain = False
            state = None
            if frame == self._next_hash:
                self._next_hash += self._every
                state = timeline.state(frame)
            self.waiting.append(ConfirmedFrame(episode, frame, timeline.seats, tuple(actions), result, state))
        if past is not None and len(past.recent) >= past.most:
            past.join()
        self.collected = upto

    def finish(self, episode: int, state: object) -> None:
        """The last frame was collected; `state` is the final one."""
        if not self._collected_end:
            self._collected_end = True
            self.waiting.append(ConfirmedFrame(episode, self.collected + 1, (), (), None, state))

    def work(self, simulation: Simulation, busy: bool) -> None:
        """Complete what waits, as much as a tick has time for; `busy`: there was a rollback in it."""
        waiting = self.waiting
        most = PER_TICK
        if busy and len(waiting) <= BEHIND:
            if len(waiting) <= PER_TICK or (waiting[0].state is not None and self._large):
                return
            most = 1
        # Where hashes come quicker than their states are encoded, the pieces would pile up.
        items = None if len(waiting) > BEHIND else ITEMS
        self._complete(simulation, items, most)

    def flush(self, simulation: Simulation) -> None:
        """Complete everything that waits."""
        self._complete(simulation, None, len(self.waiting))

    def break_off(self, simulation: Simulation, episode: int) -> None:
        """The episode ends here, and for others perhaps elsewhere: complete what is confirmed. An end that only an
        agreement makes one is taken back."""
        self.flush(simulation)
        if self.ended and self.published == self.ends_without:
            self.cut(episode, self.published + 1)

    def cut(self, episode: int, frames: int) -> None:
        """The episode ends with so many frames; what was collected beyond, the end included, is taken back.

        The hash of its end is what it had been if nothing had ever been beyond.
        """
        while self.waiting and self.waiting[-1].frame >= frames:
            self.waiting.pop()
            self._encoder = None
        taken_back = self.published >= frames or self.ended
        if taken_back:
            until = self.published + 1
            while self._before and self._before[-1][0] >= frames:
                until, self._rows, self._unhashed = self._before.pop()
            if until > frames:
                del self._unhashed[-(until - frames) * self._seats :]
        self.ended = self._collected_end = False
        self.published = min(self.published, frames - 1)
        self.collected = min(self.collected, frames - 1)
        if self.past is not None:
            self.past.cut(frames)
        if taken_back:
            for sink in self._sinks:
                sink.cut(episode, frames)

    def _complete(self, simulation: Simulation, items: int | None, most: int) -> None:
        """Complete so many of what waits, but none behind one that is not done after so many values of its state were
        encoded.

        What raises is not tried again, or sinks had a frame twice, and what stands behind it is dropped.
        """
        waiting = self.waiting
        try:
            while most and waiting and self._publish(waiting[0], simulation, items):
                waiting.popleft()
                most -= 1
        except Exception:
            waiting.clear()
            raise

    def _publish(self, entry: ConfirmedFrame, simulation: Simulation, items: int | None) -> bool:
        """Whether an entry is complete, and with the sinks, after so many values of its state were encoded at most."""
        if entry.state is not None and not self._take_hash(entry, simulation, items):
            return False
        if entry.actions:
            rows = self._unhashed
            rows += entry.actions
            if entry.frame == 0:
                entry.begins(self._delays)
            if entry.frame in self._gone:
                entry.lacks(gone_text(self._gone[entry.frame]))
                rows[-1] += entry.gone.encode()
            if entry.result is not None:
                entry.complete()
                rows[-1] += entry.text.encode()
            if len(rows) > self._most_rows:
                self._hash_rows(ROWS)
            self.published = entry.frame
            for sink in self._sinks:
                sink.frame(entry)
            return True
        self.ended = True
        assert entry.digest is not None
        for sink in self._sinks:
            sink.end(entry.episode, entry.frame, entry.digest)
        return True

    def _take_hash(self, entry: ConfirmedFrame, simulation: Simulation, items: int | None) -> bool:
        hasher: Any
        if self._large and isinstance(simulation, Contents):
            if self._encoder is None:
                self._hasher = blake2b(digest_size=HASH_BYTES)
                self._size = 0
                self._encoder = Encoder(simulation.contents(entry.state), self._put)
            while not self._encoder.run(ITEMS):
                if items is not None:
                    return False
            self._encoder = None
            hasher = self._hasher
        else:
            encoded = simulation.canonical(entry.state)
            self._size = len(encoded)
            hasher = blake2b(encoded, digest_size=HASH_BYTES)
        rows = self._unhashed[:]
        before = self._before
        before.append((entry.frame, self._rows.copy(), rows))
        while before[0][0] < entry.frame - CUT_FRAMES:
            before.popleft()
        self._hash_rows(len(self._unhashed))
        hasher.update(self._rows.digest())
        self._rows = blake2b(digest_size=HASH_BYTES)
        digest = hasher.digest()
        covered = Covered(entry.episode, entry.frame, entry.state, rows, self._size)
        entry.hashed(digest)
        self._own_hash(covered, digest)
        return True

    def _put(self, part: bytes) -> None:
        self._size += len(part)
        self._hasher.update(part)

    def _hash_rows(self, parts: int) -> None:
        self._rows.update(b"".join(self._unhashed[:parts]))
        del self._unhashed[:parts]


def delays_text(delays: Sequence[int]) -> str:
    """The input delays of an episode as part of a JSON object; empty: there are none. The hash of the rows begins with
    it."""
    return f',"delays":{list_json(list(delays))}' if delays else ""


def gone_text(players: Mapping[str, str]) -> str:
    """What plays in the place of players who are gone, by player, as part of a JSON object."""
    return f',"gone":{to_json(players)}'
