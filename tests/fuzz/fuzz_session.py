"""Whatever bytes arrive at a playing session, nothing is raised, what cannot be read moves nothing, nothing grows.

In full, for every packet that is handed to `Session.receive`:

- nothing is raised; the decoders behind it know one error;
- a packet that cannot be read changes nothing but the counters of what was refused;
- no packet steps, publishes or changes the episode by itself: that is for `poll` and `advance`;
- frames are published in order and without a gap, whatever is believed;
- a session is of bounded size, however many packets came.

Packets of real sessions, of two to five peers who play on meanwhile, are mutated: bits, bytes, lengths, cuts,
insertions, two spliced into one; one in twelve is random altogether. Most keep their address, so that they come past
the door. ::

    python -m tests.fuzz.fuzz_session --count 1000000       # or --seconds S; --seed S for the same packets again
    python -m tests.fuzz.fuzz_session --write-corpus        # after a change of the format
    python -m tests.fuzz.fuzz_session --replay FILE

The corpus has one packet for each way in which a packet was taken or refused; an ordinary test replays it. A packet
that breaks the invariant is written to build/fuzz/; put it into the corpus once it is mended.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycore import P2P, SOCKETIO
from tests.fuzz.packets import ADDRESS, unreadable
from tests.fuzz.table import GAMES, Packet, Table, seen, size, stood_still

CORPUS = Path(__file__).with_name("corpus")
FOUND = Path(__file__).parents[2] / "build" / "fuzz"
PER_TABLE = 300
"""Packets that one game is given before the next one begins."""

GROWTH, PER_LINK = 1200, 300
"""Objects by which a session may grow meanwhile: its metrics do, a few for each packet that is believed. As many ticks
with honest packets alone take 720 objects of a session of two, 1,070 of one of four; of 1,400 games that were given
mutated ones none grew by more than 1,000 and 1,510."""

RANDOM = 1 / 12
"""Share of the packets of which nothing but the address is anybody's."""
MEGABYTES = 24
"""By which the process may grow after its first tenth, however many packets come."""

CORPUS_SEED, CORPUS_COUNT = 7, 12_000
INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)


class Broken(AssertionError):
    """The invariant does not hold. Carries the game and the packet."""

    def __init__(self, game: str, sender: int, data: bytes, what: str) -> None:
        super().__init__(f"{what}\n  game {game}, from seat {sender}, {len(data)} bytes: {data.hex()}")
        self.game, self.sender, self.data = game, sender, data


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A packet that nobody sent."""
    door = 0 if rng.random() < 0.03 else ADDRESS
    if rng.random() < RANDOM:
        return data[:door] + rng.randbytes(rng.choice((rng.randrange(8), rng.randrange(64), rng.randrange(1500))))
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        at = rng.randrange(door, max(door + 1, len(changed)))
        kind = rng.randrange(8)
        if at >= len(changed):
            changed += rng.randbytes(rng.randrange(1, 9))
        elif kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice(INTERESTING)
        elif kind == 2:
            changed[at] = (changed[at] + rng.choice((-2, -1, 1, 2))) & 0xFF
        elif kind == 3:
            del changed[at:]
        elif kind == 4:
            del changed[at : at + rng.randrange(1, 4)]
        elif kind == 5:
            changed[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 6:
            changed[at:at] = changed[at : at + rng.randrange(1, 40)] * rng.choice((1, 1, 30))
        else:
            changed[at:] = other[min(at, len(other)) :]
    return bytes(changed)


def give(table: Table, sender: int, data: bytes, path: str = P2P) -> str:
    """Hand one packet to the target, and judge what it did. Returns how it was taken."""
    session = table.target
    before = table.seen or seen(session)
    why = reading(table, sender, data)
    try:
        session.receive(sender, data, table.now, path)
    except Exception as error:
        raise Broken(table.name, sender, data, f"receive raised {type(error).__name__}: {error}") from error
    table.seen = after = seen(session)
    if why is not None and after != before:
        moved = [name for name in before if before[name] != after[name]]
        raise Broken(table.name, sender, data, f"cannot be read, and yet moved {', '.join(moved)}")
    if not stood_still(before, after):
        raise Broken(table.name, sender, data, "a packet stepped, published or changed the episode")
    return "moved" if after != before else "taken" if why is None else f"refused: {why}"


def reading(table: Table, sender: int, data: bytes) -> str | None:
    """Why the packet cannot be read; the decoders' one error is the only one that may come of it."""
    try:
        return unreadable(data, table.target)
    except Exception as error:
        raise Broken(table.name, sender, data, f"the decoder raised {type(error).__name__}: {error}") from error


def live(table: Table, sender: int, data: bytes) -> None:
    """One tick after a packet: nothing raises then either."""
    try:
        table.tick()
    except Exception as error:
        raise Broken(table.name, sender, data, f"the next tick raised {type(error).__name__}: {error}") from error


def fuzz(seed: int) -> Iterator[tuple[Table, int, bytes, str]]:
    """Mutated packets for ever: the game, the sender, the packet, how it was taken."""
    rng = random.Random(seed)
    while True:
        table = Table(rng.choice(list(GAMES)), rng.randrange(1 << 30))
        small = size(table.target)
        sender, data = table.heard[-1]
        for _ in range(PER_TABLE):
            if table.over:
                break
            sender, real = rng.choice(table.heard)
            data = mutated(real, rng.choice(table.heard)[1], rng)
            yield table, sender, data, give(table, sender, data, rng.choice((P2P, P2P, SOCKETIO)))
            if rng.random() < 0.2:
                live(table, sender, data)
        if (grown := size(table.target) - small) > GROWTH + PER_LINK * len(table.target.links):
            raise Broken(table.name, sender, data, f"the session grew by {grown} objects")


# The corpus ----------------------------------------------------------------------------------------------------------


def signature(game: str, how: str, data: bytes) -> str:
    """What tells one packet of the corpus from another: why it was refused; else the game, how, and its kind."""
    if how.startswith("refused"):
        return "-".join(re.findall("[a-z]+", how))
    return f"{game}-{how}-{data[0]:02x}"


def corpus() -> dict[str, Packet]:
    """One packet for each way of being taken, and real ones of each kind and size; always the same.

    By name, which begins with the game's.
    """
    found: dict[str, Packet] = {}
    for game in GAMES:
        for sender, data in Table(game, CORPUS_SEED).heard:
            found.setdefault(f"{game}-real-{data[0]:02x}-{len(data).bit_length()}", (sender, data))
    ways = set()
    for number, (table, sender, data, how) in enumerate(fuzz(CORPUS_SEED)):
        if number >= CORPUS_COUNT:
            break
        if (way := signature(table.name, how, data)) not in ways:
            ways.add(way)
            found[way if way.startswith(table.name) else f"{table.name}-{way}"] = sender, data
    return found


def write_corpus(folder: Path = CORPUS) -> int:
    """Replace the corpus; returns how many packets it has. A file's first byte is the seat that sent the packet."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.bin"):
        old.unlink()
    packets = corpus()
    for name, (sender, data) in packets.items():
        (folder / f"{name}.bin").write_bytes(bytes((sender,)) + data)
    return len(packets)


def replay(file: Path) -> str:
    """Give one packet of the corpus to a game of its kind, by both paths; returns how it was taken peer-to-peer."""
    content = file.read_bytes()
    sender, data = content[0], content[1:]
    taken = []
    for path in (P2P, SOCKETIO):
        table = Table(file.name.partition("-")[0], CORPUS_SEED)
        taken.append(give(table, sender, data, path))
        for _ in range(10):
            live(table, sender, data)
    return taken[0]


# The command ---------------------------------------------------------------------------------------------------------


def keep(error: Broken) -> Path:
    """Write the packet that broke it, as a file of the corpus."""
    FOUND.mkdir(parents=True, exist_ok=True)
    file = FOUND / f"{error.game}-broken-{time.strftime('%H%M%S')}.bin"
    file.write_bytes(bytes((error.sender,)) + error.data)
    return file


def run(seconds: float, count: int | None, seed: int) -> dict[str, Any]:
    """Fuzz for so long, or so many packets; what happened."""
    taken: Counter[str] = Counter()
    games = {f"games of {peers}": 0 for peers in sorted({peers for peers, _ in GAMES.values()})}
    begun = time.monotonic()
    last: Table | None = None
    small = 0.0
    for table, _sender, _data, how in fuzz(seed):
        if table is not last:
            last = table
            games[f"games of {len(table.sessions)}"] += 1
        taken[how.partition(":")[0]] += 1
        done = taken.total() / count if count is not None else (time.monotonic() - begun) / seconds
        if done >= 0.1 and not small:
            small = megabytes()
        if done >= 1:
            break
    if not all(taken[how] for how in ("refused", "taken", "moved")) and taken.total() > 1000:
        raise AssertionError(f"this fuzzes nothing: {dict(taken)}")
    grown = megabytes() - small
    if grown > MEGABYTES:
        raise AssertionError(f"the process grew by {grown:.0f} MB after its first tenth")
    spent = time.monotonic() - begun
    return {"packets": taken.total(), **taken, **games, "grown MB": round(grown, 1), "seconds": round(spent, 1)}


def megabytes() -> float:
    """The most memory that this process has had, as Linux counts it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz_session", description="Mutated packets for a playing session.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: %(default)g)")
    parser.add_argument("--count", type=int, default=None, help="or: how many packets")
    parser.add_argument("--seed", type=int, default=1, help="of everything (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write what happened")
    parser.add_argument("--replay", type=Path, default=None, metavar="FILE", help="one packet of the corpus")
    parser.add_argument("--write-corpus", action="store_true", help="make the corpus anew")
    options = parser.parse_args(arguments)
    if options.write_corpus:
        print(f"{write_corpus()} packets in {CORPUS}")
        return 0
    try:
        if options.replay:
            print(f"{options.replay.name}: {replay(options.replay)}")
            return 0
        found = run(options.seconds, options.count, options.seed)
    except Broken as error:
        traceback.print_exc()
        print(f"kept as {keep(error)}; seed {options.seed}", file=sys.stderr)
        return 1
    print("  ".join(f"{name} {value}" for name, value in found.items()))
    if options.json:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
