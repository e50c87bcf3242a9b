"""Steps a canonical trajectory again, with nothing but its actions, and says where something else comes out.

Results are compared as the text that was hashed, and every hash with the state and the rows that it covers. The first
difference ends it: it is told with the fields that differ. One frame is held at a time, so a record may be of any
length.

Policies that are at hand are computed as well, and so is the one that plays on for who is gone: what is recorded of
their seats has to be what they do. The frame is stepped with what is recorded, whatever they do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from pycore.actions.codec import ActionCodec
from pycore.errors import PolicyError, PycoreError, described, where_raised
from pycore.records.partners import Partners
from pycore.records.reader import RecordedEnd, RecordedFrame, Recording
from pycore.session.publication import STAND_INS
from pycore.simulation import Simulation
from pycore.values.blake2 import blake2b
from pycore.values.canonical import HASH_BYTES
from pycore.values.differences import MISSING, first_differences
from pycore.values.results import results_text

POLICY: Final = STAND_INS[1]
FIELDS: Final = 10
"""So many fields of a difference are named."""

Field = tuple[str, Any, Any]
"""Path, what was recorded, what came out here; `MISSING` where one side has nothing."""


class Difference(NamedTuple):
    """The first place where a record and the simulation are two."""

    kind: str
    """`results`, `hash`, `final_hash`, `actions` (cannot be stepped), `raised` (the simulation did) or `policy` (one
    of a seat does something else, or raised)."""
    episode: int
    frame: int
    """Of `final_hash`: the number of frames."""
    recorded: str
    here: str
    fields: list[Field]
    """Of results: where they differ."""
    agreed: int | None
    """Of a hash: the frame of the last hash of the episode that was the same; None if there was none."""
    state_bytes: int | None
    """Of a hash: the size of the state here, in its canonical form."""
    seat: int | None = None
    """Of a policy that does something else: its seat."""

    def __str__(self) -> str:
        where = f"episode {self.episode}, frame {self.frame}"
        if self.kind in ("hash", "final_hash"):
            what = "the final state" if self.kind == "final_hash" else f"the state before frame {self.frame}"
            since = "no hash before it was compared" if self.agreed is None else f"frame {self.agreed} still agreed"
            return (
                f"episode {self.episode}: {what} has another hash here "
                f"({self.recorded}, here {self.here}; a state of {self.state_bytes} bytes; {since})"
            )
        if self.seat is not None:
            return f"{where}: the policy on seat {self.seat} does {self.here}, and {self.recorded} is recorded of it"
        if self.kind in ("actions", "policy"):
            return f"{where}: {self.here}"
        if self.kind == "raised":
            return f"{where}: the environment raised {self.here}"
        if not self.fields:
            return f"{where}: {self.recorded!r:.300}, here {self.here!r:.300}"
        named = "; ".join(f"{path} is {shown(one)}, here {shown(other)}" for path, one, other in self.fields)
        return f"{where}: {named}"


class Replay:
    """What a replay has done so far; complete when its iteration is through."""

    def __init__(self, first: tuple[int, int] = (0, 0), last: tuple[int, float] | None = None) -> None:
        self._first = first
        self._last = last
        self.frames = 0
        """Frames whose results were compared."""
        self.hashes = 0
        """Hashes that were compared."""
        self.stepped = 0
        """Frames that were stepped."""
        self.acted = 0
        """Actions of policies that were computed, and were those of the record."""
        self.difference: Difference | None = None
        """The first difference, if there is one."""

    def run(
        self,
        items: Iterable[RecordedFrame | RecordedEnd],
        simulation: Simulation,
        codecs: Sequence[ActionCodec],
        partners: Partners | None = None,
    ) -> Iterator[RecordedFrame | RecordedEnd]:
        """Step frames and ends in order, and give back those of the range as they were found to be true.

        Everything up to the end of the range is stepped, what is behind it only read. `codecs` are those of the seats:
        hashes cover actions as they were encoded. `partners` are policies whose actions are computed.
        """
        rows = blake2b(digest_size=HASH_BYTES)
        agreed: int | None = None
        for item in items:
            place = (item.episode, item.frames if isinstance(item, RecordedEnd) else item.frame)
            if self.difference is not None or (self._last is not None and place > self._last_of(item)):
                continue
            within = place >= self._first
            if not isinstance(item, RecordedEnd) and item.frame == 0:
                rows = blake2b(item.delays.encode(), digest_size=HASH_BYTES)
                agreed = None
            try:
                if not isinstance(item, RecordedEnd) and item.frame == 0:
                    simulation.reset(item.episode)
                    if partners is not None:
                        partners.begin(item.episode)
                if item.hash is not None:
                    if within:
                        self.difference = self._hash(item, simulation, rows, agreed)
                        self.hashes += 1
                        agreed = place[1]
                    rows = blake2b(digest_size=HASH_BYTES)
                if not isinstance(item, RecordedEnd) and self.difference is None:
                    self.difference = self._step(item, simulation, codecs, rows, within, partners)
            except Exception as error:  # an environment may raise anything
                at = where_raised(error)
                what = described(error) + (f" ({at})" if at else "")
                self.difference = Difference("raised", *place, "", what, [], None, None)
            if within and self.difference is None:
                yield item

    def _last_of(self, item: RecordedFrame | RecordedEnd) -> tuple[int, float]:
        assert self._last is not None
        episode, frame = self._last
        # The final state comes out of the last frame, and is verified with it.
        return (episode, frame + 1) if isinstance(item, RecordedEnd) else (episode, frame)

    def _hash(
        self, item: RecordedFrame | RecordedEnd, simulation: Simulation, rows: Any, agreed: int | None
    ) -> Difference | None:
        state = simulation.canonical(simulation.save())
        here = blake2b(state + rows.digest(), digest_size=HASH_BYTES).hexdigest()
        if here == item.hash:
            return None
        if isinstance(item, RecordedEnd):
            return Difference("final_hash", item.episode, item.frames, item.hash, here, [], agreed, len(state))
        return Difference("hash", item.episode, item.frame, str(item.hash), here, [], agreed, len(state))

    def _step(
        self,
        item: RecordedFrame,
        simulation: Simulation,
        codecs: Sequence[ActionCodec],
        rows: Any,
        within: bool,
        partners: Partners | None,
    ) -> Difference | None:
        def refused(why: str) -> Difference:
            return Difference("actions", item.episode, item.frame, "", why, [], None, None)

        if len(item.actions) != len(codecs):
            return refused(f"{len(item.actions)} actions for {len(codecs)} seats")
        try:
            encoded = [codec.encode(action) for codec, action in zip(codecs, item.actions, strict=True)]
            decoded = [codec.decode(action) for codec, action in zip(codecs, encoded, strict=True)]
        except PycoreError as error:
            return refused(str(error))
        if partners is not None:
            for player, what in item.stand_ins.items():
                if what == POLICY:
                    partners.take_over(player, item.frame)
            different = self._computed(item, encoded, decoded, codecs, partners, within)
            if different is not None:
                return different
        results = results_text(simulation.step(decoded))
        self.stepped += 1
        if within:
            if results != item.results:
                fields = _fields(item.results, results)
                return Difference(
                    "results", item.episode, item.frame, item.results[1:], results[1:], fields, None, None
                )
            self.frames += 1
        rows.update(b"".join(encoded) + (item.gone + results).encode())
        return None


    def _computed(
        self,
        item: RecordedFrame,
        encoded: list[bytes],
        decoded: list[Any],
        codecs: Sequence[ActionCodec],
        partners: Partners,
        within: bool,
    ) -> Difference | None:
        """Have the policies act, which goes through every frame, and compare it where that is asked for."""
        place = item.episode, item.frame
        try:
            acted = partners.act(item.frame, list(decoded))
        except PolicyError as error:
            return Difference("policy", *place, "", str(error), [], None, None)
        for seat in partners.seats if within else ():
            if acted[seat] != encoded[seat]:
                here = codecs[seat].to_json(codecs[seat].decode(acted[seat]))
                recorded = item.actions[seat]
                field = (f"$.actions[{seat}]", recorded, here)
                return Difference("policy", *place, shown(recorded), shown(here), [field], None, None, seat)
            self.acted += 1
        return None


def replay(
    items: Iterable[RecordedFrame | RecordedEnd],
    simulation: Simulation,
    codecs: Sequence[ActionCodec],
    *,
    episode: int | None = None,
    first: int = 0,
    last: int | None = None,
    partners: Partners | None = None,
) -> Replay:
    """Step all of a record, or verify one episode, or its frames from `first` to `last`; what came of it.

    Earlier frames and episodes are stepped all the same: the state is what they made of it. `partners` are policies
    that are computed, and compared with what is recorded of their seats.
    """
    done = started(episode, first, last)
    for _ in done.run(items, simulation, codecs, partners):
        pass
    return done


def started(episode: int | None = None, first: int = 0, last: int | None = None) -> Replay:
    """A replay of that range, to be run."""
    if episode is None:
        return Replay()
    return Replay((episode, first), (episode, float("inf") if last is None else last))


def items_of(recording: Recording) -> Iterator[RecordedFrame | RecordedEnd]:
    """Frames and ends of a record that was read whole."""
    for number, episode in enumerate(recording.episodes):
        yield from episode.frames
        if episode.hash is not None:
            yield RecordedEnd(number, len(episode.frames), episode.hash, "")


def first_untrue(recording: Recording, simulation: Simulation, codecs: Sequence[ActionCodec]) -> str:
    """The first place where the simulation, stepped with the recorded actions, gives something else; empty if none.

    `codecs` are those of the seats: hashes cover actions as they were encoded.
    """
    difference = replay(items_of(recording), simulation, codecs).difference
    return "" if difference is None else str(difference)


def shown(value: Any) -> str:
    """One side of a field, as JSON where it has a value."""
    if value is MISSING:
        return "missing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."


def _fields(recorded: str, here: str) -> list[Field]:
    """Where the results differ; empty if only their spelling does."""
    try:
        return differing(*(json.loads("{" + text[1:] + "}") for text in (recorded, here)))
    except (ValueError, RecursionError):
        return []


def differing(one: Any, other: Any) -> list[Field]:
    """The first fields in which two values of JSON differ; none if nothing can be said of them."""
    try:
        return first_differences(one, other, FIELDS)
    except PycoreError:
        return []
