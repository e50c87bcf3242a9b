"""Reads a canonical trajectory, and steps it again.

`read` takes JSON Lines as `trajectory_text` wrote them and refuses what is none, with the line and the reason.
`first_untrue` steps a simulation with nothing but the recorded actions and says where it first gives something else:
results are compared as the text that was hashed, and every hash with the state and the rows that it covers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pycore.actions.codec import ActionCodec
from pycore.errors import ActionError, PycoreError
from pycore.records.trajectory import VERSION
from pycore.simulation import Simulation
from pycore.values.blake2 import blake2b
from pycore.values.canonical import HASH_BYTES
from pycore.values.results import results_text


class RecordError(PycoreError):
    """A record cannot be read; `line` counts from 1."""

    code = "record"

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


class RecordedFrame(NamedTuple):
    """One confirmed frame, as it was recorded."""

    frame: int
    actions: list[Any]
    """By seat."""
    hash: str | None
    """Of the state before it and the rows since the hash before, on every k-th frame."""
    results: str
    """Infos, rewards, terminations and truncations, as the text that the hashes cover; empty without results."""
    values: dict[str, Any]
    """The whole line."""


class RecordedEpisode(NamedTuple):
    """The frames of one episode, from 0."""

    frames: list[RecordedFrame]
    hash: str | None
    """Of the final state; None where the episode was broken off."""


class Recording(NamedTuple):
    """A trajectory."""

    header: dict[str, Any]
    episodes: list[RecordedEpisode]


def read(text: str) -> Recording:
    """Read a trajectory. Raises RecordError for what is none, is cut off in a line, or has a gap."""
    lines = text.splitlines()
    if not lines:
        raise RecordError(1, "the record is empty")
    header = _line(lines[0], 1)
    if header.get("pycore") != VERSION:
        raise RecordError(1, f"this is no trajectory of version {VERSION}: it begins with {lines[0]!r:.60}")
    frames: list[list[RecordedFrame]] = []
    ends: list[str | None] = []
    for number, line in enumerate(lines[1:], 2):
        value = _line(line, number)
        if "end" in value:
            if value["end"] != len(frames) - 1 or ends[-1] is not None:
                raise RecordError(number, f"the end of episode {value['end']} where episode {len(frames) - 1} runs")
            if value.get("frames") != len(frames[-1]):
                raise RecordError(number, f"an end after {value.get('frames')} frames; there are {len(frames[-1])}")
            ends[-1] = str(value.get("hash"))
            continue
        if value.get("episode") == len(frames) and value.get("frame") == 0:
            frames.append([])
            ends.append(None)
        if not frames or value.get("episode") != len(frames) - 1 or value.get("frame") != len(frames[-1]):
            expected = f"frame {len(frames[-1])} of episode {len(frames) - 1}" if frames else "frame 0 of episode 0"
            raise RecordError(number, f"frame {value.get('frame')} of episode {value.get('episode')}, not {expected}")
        if not isinstance(value.get("actions"), list):
            raise RecordError(number, "a frame without actions")
        at = line.find(',"infos":')
        results = line[at:-1] if at >= 0 else ""
        frames[-1].append(RecordedFrame(value["frame"], value["actions"], value.get("hash"), results, value))
    return Recording(header, [RecordedEpisode(of, end) for of, end in zip(frames, ends, strict=True)])


def _line(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise RecordError(number, f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise RecordError(number, f"no object: {line!r:.60}")
    return value


def first_untrue(recording: Recording, simulation: Simulation, codecs: Sequence[ActionCodec]) -> str:
    """The first place where the simulation, stepped with the recorded actions, gives something else; empty if none.

    `codecs` are those of the seats: hashes cover actions as they were encoded.
    """
    for number, episode in enumerate(recording.episodes):
        simulation.reset(number)
        rows = blake2b(digest_size=HASH_BYTES)
        for frame in episode.frames:
            if frame.hash is not None:
                if frame.hash != _hash(simulation, rows):
                    return f"episode {number}: the state before frame {frame.frame} has another hash here"
                rows = blake2b(digest_size=HASH_BYTES)
            if len(frame.actions) != len(codecs):
                return f"episode {number}, frame {frame.frame}: {len(frame.actions)} actions for {len(codecs)} seats"
            try:
                encoded = [codec.encode(action) for codec, action in zip(codecs, frame.actions, strict=True)]
            except ActionError as error:
                return f"episode {number}, frame {frame.frame}: {error}"
            decoded = [codec.decode(action) for codec, action in zip(codecs, encoded, strict=True)]
            results = results_text(simulation.step(decoded))
            if results != frame.results:
                return f"episode {number}, frame {frame.frame}: {frame.results[1:]!r:.300}, here {results[1:]!r:.300}"
            rows.update(b"".join(encoded) + results.encode())
        if episode.hash is not None and episode.hash != _hash(simulation, rows):
            return f"episode {number}: the final state has another hash here"
    return ""


def _hash(simulation: Simulation, rows: Any) -> str:
    state = simulation.canonical(simulation.save())
    return blake2b(state + rows.digest(), digest_size=HASH_BYTES).hexdigest()
