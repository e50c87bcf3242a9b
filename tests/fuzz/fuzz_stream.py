"""Whatever chunks arrive at a playing session, nothing is raised, what cannot be read moves nothing, nothing grows.

For every chunk that is handed to `Session.receive`:

- nothing is raised, neither then nor in the ticks behind it;
- a chunk that cannot be read, or is of another load of a page, changes nothing but the counters of what was refused;
- no chunk steps, publishes or changes the episode, or anything else of the game;
- what is held of a message that never comes whole is bounded, however many chunks came.

Chunks of real messages are mutated. One in three is changed as it is, and its digest gives it away; the others have a
right digest, so that what is within is looked at: places, sizes, messages that are no messages. ::

    python -m tests.fuzz.fuzz_stream --count 100000          # --seed S for the same chunks again
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycore import SEND_CHUNK, DecodeError, Session
from pycore.duties import P2P, SOCKETIO
from pycore.session.covered import Covered, Told
from pycore.session.messages.message import STATE
from pycore.values import canonical
from pycore.wire.stream import (
    CHUNK_BYTES,
    HEAD_BYTES,
    LARGEST,
    MESSAGE_BYTES,
    decode_chunk,
    encode_chunk,
    encode_message,
)
from tests.fuzz.fuzz_session import GROWTH, Broken, mutated
from tests.fuzz.table import Table, seen, size

SENDER = 1
FRAMES = (10, 20, 30)
PER_TABLE = 100
"""Chunks that one game is given: a stream that broke takes nothing more."""
LIVE = 0.1
"""Share of the chunks that are followed by a tick."""


def state_of(session: Session) -> dict[str, Any]:
    """What a session shows, and how far its streams are."""
    streams = session._parts.streams
    shown = seen(session)
    # Packets and bytes that came are counted.
    shown["metrics"].pop("network")
    return {
        **shown,
        "streams": [
            (of.incoming.received, of.incoming.held, of.outgoing.acknowledged, of.outgoing.end)
            for of in streams._streams
        ],
    }


def told_state(rng: random.Random) -> bytes:
    """What a peer could call a state: noise, or one that was changed somewhere."""
    if rng.random() < 0.5:
        return rng.randbytes(rng.randrange(300))
    state = bytearray(canonical.encode({"frame": rng.randrange(9), "cells": [[n, {"x": 1.5}] for n in range(9)]}))
    state[rng.randrange(len(state))] = rng.randrange(256)
    return bytes(state[: rng.randrange(len(state) + 1)])


def rows(rng: random.Random) -> list[bytes]:
    """What a peer could call rows."""
    parts = (b"\1", b"", b"\xff", b'\1,"infos":{"0":{}},"rewards":{"0":NaN}', rng.randbytes(9))
    return [rng.choice(parts) for _ in range(rng.randrange(40))]


def message(rng: random.Random) -> bytes:
    """A message, mostly one that could be."""
    kind = rng.choice((STATE, STATE, STATE, 0, 200))
    payload = rng.choice((
        lambda: Told(0, rng.choice(FRAMES), told_state(rng), "", rows(rng)).encode(),
        lambda: rng.randbytes(rng.randrange(40)),
        lambda: bytes(rng.randrange(60_000)),
    ))()  # fmt: skip
    whole = encode_message(kind, payload)
    if rng.random() < 0.02:
        at = rng.randrange(MESSAGE_BYTES)
        whole = whole[:at] + bytes((rng.randrange(256),)) + whole[at + 1 :]
    return whole


def chunk(table: Table, rng: random.Random, real: bytes) -> bytes:
    """A chunk that nobody sent."""
    if rng.random() < 0.33:
        return mutated(real, rng.randbytes(200), rng)
    sender, target = table.sessions[SENDER], table.target
    stream = target._parts.streams.of(target.link_to(SENDER))
    received = stream.incoming.received
    position = rng.choice((received, received, received, 0, max(0, received - rng.randrange(50)), received + 1,
                           rng.randrange(1 << 32)))  # fmt: skip
    data = b"".join([message(rng) for _ in range(rng.randrange(3))])
    at = rng.randrange(len(data) + 1)
    data = data[:at] if rng.random() < 0.05 else data
    return encode_chunk(
        sender._identity.tag,
        sender.incarnation + (rng.random() < 0.05),
        target.incarnation + (rng.random() < 0.05),
        rng.choice((stream.outgoing.acknowledged, stream.outgoing.end, rng.randrange(1 << 32))),
        position,
        data[: CHUNK_BYTES - HEAD_BYTES + (rng.random() < 0.01)],
    )


def give(table: Table, data: bytes, path: str) -> str:
    """Hand one chunk to the target, and judge what it did. Returns how it was taken."""
    session = table.target
    before = state_of(session)
    try:
        read = decode_chunk(data)
    except DecodeError:
        read = None
    except Exception as error:
        raise Broken(table.name, SENDER, data, f"the decoder raised {type(error).__name__}: {error}") from error
    try:
        session.receive(SENDER, data, table.now, path)
    except Exception as error:
        raise Broken(table.name, SENDER, data, f"receive raised {type(error).__name__}: {error}") from error
    after = state_of(session)
    if read is None and after != before:
        raise Broken(table.name, SENDER, data, "cannot be read, and yet moved something")
    streams = before.pop("streams"), after.pop("streams")
    if before != after:
        raise Broken(table.name, SENDER, data, "a chunk moved something of the game")
    if max(of[1] for of in streams[1]) > LARGEST + MESSAGE_BYTES:
        raise Broken(table.name, SENDER, data, "more is held than a message may have")
    return "refused" if read is None else "moved" if streams[0] != streams[1] else "taken"


def fuzz(seed: int) -> Iterator[str]:
    """Chunks for ever: how each was taken."""
    rng = random.Random(seed)
    while True:
        table = Table("two", rng.randrange(1 << 30))
        real = _real(table)
        # What is told is compared, with rows of a session and a state of its own.
        states = table.target._parts.states
        states.hold(Covered(0, FRAMES[0], (0, 7), [b"\1", b'\2,"infos":{"0":{}}'] * FRAMES[0], 2))
        states.differs(table.target.link_to(SENDER), 0, FRAMES[0])
        small = size(table.target)
        data = real
        for _ in range(PER_TABLE):
            data = chunk(table, rng, real)
            yield give(table, data, rng.choice((P2P, P2P, SOCKETIO)))
            if rng.random() < LIVE:
                try:
                    table.tick()
                except Exception as error:
                    raise Broken(table.name, SENDER, data, f"the next tick raised {error!r}") from error
        if (grown := size(table.target) - small) > GROWTH:
            raise Broken(table.name, SENDER, data, f"the session grew by {grown} objects")


def _real(table: Table) -> bytes:
    """A chunk that the other page sends."""
    sender = table.sessions[SENDER]
    streams = sender._parts.streams
    streams.put(sender.link_to(0), STATE, Told(0, 10, b"\0" * 400, "", []).encode(), table.now)
    outputs = sender.poll(table.now, 0, [0], streams=[0])
    (data,) = [payload for duty, _l, _s, payload in outputs if duty == SEND_CHUNK]
    return bytes(data)


def run(count: int, seed: int) -> dict[str, Any]:
    """So many chunks; what happened."""
    begun = time.monotonic()
    taken: Counter[str] = Counter()
    for how in fuzz(seed):
        taken[how] += 1
        if taken.total() >= count:
            break
    if not all(taken[how] for how in ("refused", "taken", "moved")):
        raise AssertionError(f"this fuzzes nothing: {dict(taken)}")
    return {"chunks": taken.total(), **taken, "seconds": round(time.monotonic() - begun, 1)}


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz_stream", description="Mutated chunks for a playing session.")
    parser.add_argument("--count", type=int, default=20_000, help="how many (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write what happened")
    parser.add_argument("--seed", type=int, default=1, help="of everything (default: %(default)s)")
    options = parser.parse_args(arguments)
    found = run(options.count, options.seed)
    print("  ".join(f"{name} {value}" for name, value in found.items()))
    if options.json:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
