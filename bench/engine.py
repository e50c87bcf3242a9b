"""What a tick costs beside a bare loop that does the same saves and steps, both in one run.

Every tick takes in one remote input that mispredicts `depth` frames back: `depth` frames are simulated again
and one new one is stepped, with the rollback event and everything else that the session does. The bare loop
saves and steps `depth` + 1 times and does nothing else. With `wire`, the input comes in a datagram that a real
second session wrote, and the tick's own datagram is written.

Only the standard library and pycore are used, so the same file runs in Pyodide. `python -m bench.engine KIND TICKS`
runs one of the functions below alone, for a profiler.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

from pycore.actions.codec import action_codec
from pycore.duties import CHANNEL_NEVER, SEND
from pycore.rollback.frames import Frames
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import Timeline
from pycore.session.phases import PLAYING
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.wire import datagram

State = tuple[int, int, int, int]
TICKS = 2000
WARM_UP = 300


def step(state: State, a: int, b: int) -> State:
    """The simulation: a counter, two sums, and a linear congruential generator fed with both actions."""
    frame, x, y, r = state
    return frame + 1, (x + a) & 65535, (y + b) & 65535, (r * 1664525 + 1013904223 + a * 31 + b) & 0xFFFFFFFF


class Sums:
    """The simulation's duties around `step`."""

    def __init__(self) -> None:
        self.state: State = (0, 0, 0, 1)

    def reset(self, episode: int) -> None:
        self.state = (0, 0, 0, episode + 1)

    def save(self) -> object:
        return self.state

    def load(self, state: Any) -> None:
        self.state = state

    def step(self, actions: Sequence[Any]) -> None:
        a, b = actions
        self.state = step(self.state, a, b)

    def canonical(self, state: object) -> bytes:
        return repr(state).encode()


def bare(depth: int, ticks: int) -> float:
    """Seconds for `ticks` × (`depth` + 1) saves and steps in a plain loop."""
    saved: list[State] = [(0, 0, 0, 1)] * 16
    state = saved[0]
    begin = perf_counter()
    for tick in range(ticks):
        a = tick & 3
        for i in range(depth + 1):
            saved[i] = state
            state = step(state, a, 1)
    return perf_counter() - begin


def settings(p2p: bool) -> Settings:
    """A session long enough, whose window lets a rollback be 8 deep."""
    return Settings(
        fps=60,
        input_delay=0,
        window=12,
        max_steps=1_000_000,
        hash_interval=10_000,
        interrupted_after=3600,
        dropped_after=3600,
        p2p=p2p,
        action_space={"type": "discrete", "n": 256},
    )


def pair(p2p: bool) -> tuple[Session, Session]:
    """Two sessions that have agreed to play; ours and the remote one."""
    ours, theirs = (
        Session(Sums(), settings(p2p), game_id="bench", players=[0, 1], me=seat, now=0.0, wall_ms=0.0)
        for seat in (0, 1)
    )
    for tick in range(400):
        now = tick / 60
        for session, other in ((ours, theirs), (theirs, ours)):
            for duty, _link, _seq, payload in session.poll(now, 0, [0 if p2p else CHANNEL_NEVER]):
                if duty == SEND:
                    other.receive(session.me, payload, now)
                elif payload[0] == "webrtc_signal":
                    other.receive_signal(session.me, payload[1]["payload"], now)
        if ours.phase == theirs.phase == PLAYING and all(session.links[0].healthy is p2p for session in (ours, theirs)):
            return ours, theirs
    raise AssertionError("the sessions did not begin to play")


def stepped(session: Session, ticks: int) -> None:
    """Raises AssertionError if there were ticks that stepped nothing: they would pass for cheap ones."""
    if session.frame != WARM_UP + ticks:
        raise AssertionError(f"{session.frame} frames in {WARM_UP + ticks} ticks")


def tick_without_wire(depth: int, ticks: int) -> tuple[float, int]:
    """Seconds for `ticks` ticks with a rollback of `depth` frames each, and the rollback events that they made."""
    ours, _theirs = pair(p2p=False)
    seat = 1
    outbox = ours.links[0].own[0]
    seconds = 0.0
    begun = 0
    for tick in range(WARM_UP + ticks):
        now = 10 + tick / 60
        if tick == WARM_UP:
            begun = ours.timeline.events.count
        begin = perf_counter()
        frame = ours.frame - depth
        if frame >= 0:
            # Another action than the one before, which was the prediction.
            ours.store_remote_input(seat, (frame & 1) + 1, frame, now)
            # No path is up, so nothing was dispatched; the peer has it all the same.
            outbox.dispatch(frame + depth - 1, now)
            ours.acknowledge(seat, min(frame, outbox.dispatched))
        ours.poll(now, tick & 3, (CHANNEL_NEVER,), False)
        ours.advance(now)
        if tick >= WARM_UP:
            seconds += perf_counter() - begin
    stepped(ours, ticks)
    return seconds, ours.timeline.events.count - begun


def tick_with_wire(depth: int, ticks: int) -> tuple[float, int]:
    """The same with the remote input decoded from a real datagram, and the own one encoded.

    What we send takes nearly as long as what comes: where one way alone did, we would be ahead, time sync would have us
    follow, and the rollbacks would be half as deep.
    """
    ours, theirs = pair(p2p=True)
    seconds = 0.0
    begun = again = 0
    packets: list[bytes] = []
    answers: list[bytes] = []
    back = max(0, depth - 3)
    for tick in range(WARM_UP + ticks):
        now = 10 + tick / 60
        if tick == WARM_UP:
            begun, again = ours.timeline.events.count, ours.timeline.resimulated
        for duty, _link, _seq, payload in theirs.poll(now, (theirs.frame & 1) + 1, (0,), False):
            if duty == SEND and payload[0] == datagram.KIND:
                packets.append(payload)
        theirs.advance(now)
        late = packets[-1 - depth] if len(packets) > depth else None
        begin = perf_counter()
        if late is not None:
            ours.receive(1, late, now)
        outputs = ours.poll(now, tick & 3, (0,), False)
        ours.advance(now)
        if tick >= WARM_UP:
            seconds += perf_counter() - begin
        for duty, _link, _seq, payload in outputs:
            if duty == SEND and payload[0] == datagram.KIND:
                answers.append(payload)
        if len(answers) > back:
            theirs.receive(0, answers[-1 - back], now)
    stepped(ours, ticks)
    if ours.timeline.resimulated - again < ticks * depth:
        raise AssertionError(f"{ours.timeline.resimulated - again} frames again in {ticks} rollbacks of {depth}")
    return seconds, ours.timeline.events.count - begun


def resimulation(depth: int, ticks: int) -> tuple[float, int]:
    """Only the part of such a tick that no rollback can do without: the timeline loads, steps `depth` frames again and
    one new one. No session is around it, so everything of it lies in the caches."""
    codec = action_codec({"type": "discrete", "n": 256}, 100)
    simulation = Sums()
    timeline = Timeline(simulation, Frames(2, 32, 32), [Seat(seat, seat, codec, 0, 0) for seat in range(2)], None)
    simulation.reset(0)
    timeline.begin(1_000_000)
    seconds = 0.0
    for tick in range(WARM_UP + ticks):
        frame = timeline.current
        timeline.fix(0, frame, codec.encode(tick & 3))
        if frame >= depth:
            timeline.take(1, frame - depth, codec.encode(((frame - depth) & 1) + 1), 0.0, 0)
        begin = perf_counter()
        timeline.advance(True)
        if tick >= WARM_UP:
            seconds += perf_counter() - begin
    if timeline.current != WARM_UP + ticks:
        raise AssertionError(f"{timeline.current} frames in {WARM_UP + ticks} ticks")
    return seconds, timeline.rollbacks


def fused(depth: int, ticks: int) -> tuple[float, int]:
    """What such a tick does at least, all of it in one function whose names are local: take an input in, note the
    misprediction, fix the own input, roll back, step, collect what is confirmed. No link is looked at, nobody may be
    silent, slow or gone, no episode ends, and nothing is hashed. So much would a tick take if dividing the work cost
    nothing."""
    simulation = Sums()
    simulation.reset(0)
    save, load, step = simulation.save, simulation.load, simulation.step
    size, ahead = 32, 16
    mask = size - 1
    encoded, actions = [[b"\0", b"\0"] for _ in range(size)], [[0, 0] for _ in range(size)]
    missing, states, results = [3] * size, [(0, 0, 0, 0)] * size, [None] * size
    guesses, own, held = [b""] * size, [b""] * size, [-1, -1]
    encode = {number: bytes([number]) for number in range(256)}
    decode = {data: number for number, data in encode.items()}
    pack, events, numbers, depths = struct.Struct("<IIBHIId").pack, bytearray(), {b"\0": 0}, [0] * (depth + 1)
    past: list[list[bytes]] = []
    waiting: list[tuple[int, list[int], Any]] = []
    hits = rollbacks = 0
    opened, collected, acknowledged = ahead, -1, -1
    seconds = 0.0
    for current in range(WARM_UP + ticks):
        now = 10 + current / 60
        begin = perf_counter()
        start, pending = current, False
        frame = current - depth
        if frame >= 0:
            given = encode[(frame & 1) + 1]
            slot = frame & mask
            if held[1] < frame <= opened and missing[slot] & 2:
                used = encoded[slot][1]
                encoded[slot][1] = given
                actions[slot][1] = decode[given]
                missing[slot] ^= 2
                known = frame
                while known < opened and not missing[(known + 1) & mask] & 2:
                    known += 1
                held[1] = known
                hits += guesses[slot] == given
                if used != given:
                    number = numbers.setdefault(given, len(numbers))
                    events += pack(frame, current, 1, 0, numbers[used], number, now)
                    start, pending = frame, True
            acknowledged = frame
        given = encode[current & 3]
        slot = current & mask
        encoded[slot][0] = own[slot] = given
        actions[slot][0] = decode[given]
        missing[slot] &= ~1
        held[0] = current
        if pending:
            load(states[start & mask])
            depths[current - start] += 1
            rollbacks += 1
        else:
            states[slot] = save()
        slot = start & mask
        anchor = held[1] & mask
        guess, action = encoded[anchor][1], actions[anchor][1]
        for after in range(start + 1, current + 2):
            row = actions[slot]
            if missing[slot]:
                encoded[slot][1] = guess
                row[1] = action
            step(row)
            if after <= current:
                slot = after & mask
                states[slot] = save()
        guesses[slot] = encoded[slot][1]
        while opened <= current + ahead:
            opened += 1
            missing[opened & mask] = 3
        confirmed = min(held[0], held[1], acknowledged)
        while collected < confirmed:
            collected += 1
            slot = collected & mask
            past.append(encoded[slot][:])
            waiting.append((collected, actions[slot][:], results[slot]))
        if current >= WARM_UP:
            seconds += perf_counter() - begin
        waiting.clear()
    if len(past) != WARM_UP + ticks - depth:
        raise AssertionError(f"{len(past)} frames were confirmed in {WARM_UP + ticks} ticks")
    return seconds, rollbacks


def measure(run: Callable[[int, int], tuple[float, int]], depth: int, rounds: int = 9) -> tuple[float, float, float]:
    """Ratio to the bare loop, microseconds per tick, microseconds of the bare loop: medians of alternating rounds."""
    ratios, ours, bares = [], [], []
    for _ in range(rounds):
        plain = bare(depth, TICKS)
        seconds, events = run(depth, TICKS)
        if depth and events < TICKS * 0.99:
            raise AssertionError(f"only {events} rollbacks in {TICKS} ticks: this measures something else")
        ratios.append(seconds / plain)
        ours.append(seconds / TICKS * 1e6)
        bares.append(plain / TICKS * 1e6)
    return median(ratios), median(ours), median(bares)


def figures(where: str) -> list[dict[str, Any]]:
    """The engine's figures on this interpreter."""
    goals = {"engine.tick.depth8": 3.5, "engine.tick.depth8.wire": 5.6}
    rows: list[dict[str, Any]] = []
    for name, run, depth in (
        ("engine.tick.depth8", tick_without_wire, 8),
        ("engine.tick.depth8.wire", tick_with_wire, 8),
        ("engine.tick.depth0", tick_without_wire, 0),
        ("engine.resimulation.depth8", resimulation, 8),
        ("engine.fused.depth8", fused, 8),
    ):
        ratio, us, plain = measure(run, depth)
        goal = goals.get(name)
        rows.append({"name": f"{name}.{where}.ratio", "value": round(ratio, 2), "unit": "ratio", "goal": goal})
        rows.append({"name": f"{name}.{where}.us", "value": round(us, 2), "unit": "µs", "goal": None})
        rows.append({"name": f"{name}.{where}.bare.us", "value": round(plain, 2), "unit": "µs", "goal": None})
    return rows


if __name__ == "__main__":
    if len(sys.argv) > 1:  # one kind of tick alone, for a profiler
        globals()[sys.argv[1]](8, int(sys.argv[2]))
    else:
        print(json.dumps(figures("cpython")))
