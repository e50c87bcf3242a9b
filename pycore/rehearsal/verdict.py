"""What a rehearsal proves: the players' canonical records are the same, whole, alive, and true.

- the same: byte for byte on every peer;
- whole: in every episode frames 0 to the end without a gap;
- alive: the state changed, and the players did something else than the default;
- accounted for: what one side sent the other received, and on a healthy link no input crossed the server;
- true: every action that a page read from its player stands in the records, at its frame, and nothing else; and
  the environment, stepped in CPython with nothing but these actions, gives the same rewards and the same hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pycore import records
from pycore.actions.codec import ActionCodec, action_codec, default_of
from pycore.errors import ActionError
from pycore.records import RecordError, Recording, first_untrue
from pycore.simulation import Simulation

BYTES: Final[Mapping[str, Any]] = MappingProxyType({"type": "discrete", "n": 256})
"""Actions of one byte."""

HASHES_TO_CHANGE = 2

Replica = Callable[[Sequence[Any], int], Simulation]
"""Makes, of the players and the seed, the simulation that is stepped in CPython."""


def judge(
    texts: Mapping[str, str],
    read: Mapping[str, Sequence[Mapping[str, Any]]],
    delay: int,
    replica: Replica,
    default: Any = 0,
    space: Any = BYTES,
) -> tuple[list[str], list[str]]:
    """What is wrong with the players' trajectories, and which inputs were lost; both empty if all is well.

    `texts` are the trajectories by player, `read` what each page read from its player (see `lost_inputs`).
    """
    problems = []
    lost: list[str] = []
    text = next(iter(texts.values()))
    if difference := first_difference(texts):
        problems.append(difference)
    try:
        recording = records.read(text)
    except RecordError as error:
        return [*problems, str(error)], lost
    if missing := incomplete(recording):
        return [*problems, missing], lost
    players = recording.header["players"]
    lost = lost_inputs(recording, [read[str(player)] for player in players], delay, default, space)
    if lost:
        problems.append(f"{len(lost)} inputs differ from what the players did; the first: {lost[0]}")
    problems += [found for found in (trivial(recording, default, space), untrue(recording, replica, space)) if found]
    return problems, lost


def first_difference(texts: Mapping[str, str]) -> str:
    """The first line in which two players' records differ; empty if there is none."""
    (first, text), *others = texts.items()
    for name, other in others:
        for number, (left, right) in enumerate(zip(text.splitlines(), other.splitlines(), strict=False), 1):
            if left != right:
                return f"line {number} differs between player {first} and player {name}:\n  {left}\n  {right}"
        if text != other:
            lengths = len(text.splitlines()), len(other.splitlines())
            return f"player {first} has {lengths[0]} lines, player {name} {lengths[1]}"
    return ""


def incomplete(recording: Recording) -> str:
    """What is missing from a trajectory; empty if nothing is."""
    if not recording.episodes:
        return "no frame was recorded"
    for number, episode in enumerate(recording.episodes):
        if episode.hash is None:
            return f"episode {number} has no end"
    return ""


def trivial(recording: Recording, default: Any = 0, space: Any = BYTES) -> str:
    """Why a trajectory proves nothing; empty if it does prove something."""
    codec = action_codec(space)
    idle = codec.to_json(codec.decode(default_of(codec, default)))
    for number, episode in enumerate(recording.episodes):
        hashes = {frame.hash for frame in episode.frames if frame.hash is not None} | {episode.hash}
        if len(hashes) < HASHES_TO_CHANGE and len(episode.frames) > 60:
            return f"episode {number}: the state never changed"
    for seat in range(len(recording.episodes[0].frames[0].actions)):
        if all(frame.actions[seat] == idle for episode in recording.episodes for frame in episode.frames):
            return f"the player on seat {seat} never did anything"
    return ""


def lost_inputs(
    recording: Recording,
    read: Sequence[Sequence[Mapping[str, Any]]],
    delay: int,
    default: Any = 0,
    space: Any = BYTES,
) -> list[str]:
    """Actions that were read from a player and do not stand in the records, or stand there without being read.

    `read[seat][episode]` maps the frame (as text) at which the page read an action to that action. Actions are compared
    as they are played: a float is rounded to the dtype of its space.
    """
    wrong = []
    codec = action_codec(space)
    idle = codec.decode(default_of(codec, default))
    for number, episode in enumerate(recording.episodes):
        for frame in episode.frames:
            for seat, action in enumerate(frame.actions):
                given = read[seat][number] if number < len(read[seat]) else {}
                expected = idle if frame.frame < delay else given.get(str(frame.frame - delay))
                if _played(codec, action) != _played(codec, expected):
                    where = f"episode {number}, frame {frame.frame}, seat {seat}"
                    wrong.append(f"{where}: {action!r} instead of {expected!r}")
    return wrong


def _played(codec: ActionCodec, action: Any) -> Any:
    """An action as bytes; what is none as itself."""
    try:
        return codec.encode(action)
    except ActionError:
        return action


def untrue(recording: Recording, replica: Replica, space: Any) -> str:
    """The first line that the environment does not reproduce in CPython; empty if it reproduces all.

    `replica` makes the simulation from the header's players and seed, `space` is the action space of every seat.
    """
    players = recording.header["players"]
    simulation = replica(players, recording.header["seed"])
    return first_untrue(recording, simulation, [action_codec(space)] * len(players))


def wrong_books(metrics: Sequence[Mapping[str, Any]], relay: Mapping[str, Any]) -> list[str]:
    """What does not add up between two players' metrics and the relay's own count."""
    wrong = []
    for one, other in (metrics, metrics[::-1]):
        sent = one["inputs"]["sentViaP2P"] + one["inputs"]["sentViaSocketIO"]
        received = other["inputs"]["receivedViaP2P"] + other["inputs"]["receivedViaSocketIO"]
        if sent != received:
            wrong.append(f"player {one['playerId']} sent {sent} inputs, player {other['playerId']} received {received}")
        if one["sync"]["p2pHashMismatches"]:
            wrong.append(f"player {one['playerId']} saw {one['sync']['p2pHashMismatches']} states that differ")
    by_server = sum(of["inputs"]["sentViaSocketIO"] + of["inputs"]["resentViaSocketIO"] for of in metrics)
    if relay.get("inputs_relayed") != by_server:
        wrong.append(f"the players gave the server {by_server} inputs, it relayed {relay.get('inputs_relayed')}")
    return wrong
