"""What a rehearsal proves: the players' canonical records are the same, whole, alive, and true.

- the same: byte for byte on every peer;
- whole: in every episode frames 0 to the end without a gap;
- alive: the state changed, and the players did something else than the default;
- accounted for: what one side sent the other received, and on a healthy link no input crossed the server;
- true: every action that a page read from its player stands in the records, at its frame, and nothing else; and
  the environment, stepped in CPython with nothing but these actions, gives the same rewards and the same hashes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pycore.simulation import Simulation
from pycore.values import canonical

HASHES_TO_CHANGE = 2

Replica = Callable[[Sequence[Any], int], Simulation]
"""Makes, of the players and the seed, the simulation that is stepped in CPython."""


def judge(
    texts: Mapping[str, str],
    read: Mapping[str, Sequence[Mapping[str, Any]]],
    delay: int,
    replica: Replica,
    default: Any = 0,
) -> tuple[list[str], list[str]]:
    """What is wrong with the players' trajectories, and which inputs were lost; both empty if all is well.

    `texts` are the trajectories by player, `read` what each page read from its player (see `lost_inputs`).
    """
    problems = []
    lost: list[str] = []
    text = next(iter(texts.values()))
    if difference := first_difference(texts):
        problems.append(difference)
    if missing := incomplete(text):
        return [*problems, missing], lost
    players = episodes_of(text)[0]["players"]
    lost = lost_inputs(text, [read[str(player)] for player in players], delay, default)
    if lost:
        problems.append(f"{len(lost)} inputs differ from what the players did; the first: {lost[0]}")
    problems += [found for found in (trivial(text, default), untrue(text, replica)) if found]
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


def episodes_of(text: str) -> tuple[dict[str, Any], list[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Header, frames by episode, and end lines of a trajectory."""
    header, *lines = (json.loads(line) for line in text.splitlines())
    episodes: list[list[dict[str, Any]]] = []
    ends = []
    for line in lines:
        if "end" in line:
            ends.append(line)
            continue
        while len(episodes) <= line["episode"]:
            episodes.append([])
        episodes[line["episode"]].append(line)
    return header, episodes, ends


def incomplete(text: str) -> str:
    """What is missing from a trajectory; empty if nothing is."""
    _header, episodes, ends = episodes_of(text)
    if not episodes:
        return "no frame was recorded"
    for number, frames in enumerate(episodes):
        for expected, line in enumerate(frames):
            if line["frame"] != expected:
                return f"episode {number}: frame {line['frame']} stands where frame {expected} should"
        end = next((line for line in ends if line["end"] == number), None)
        if end is None:
            return f"episode {number} has no end"
        if end["frames"] != len(frames):
            return f"episode {number} ends after {end['frames']} frames, but {len(frames)} are recorded"
    return ""


def trivial(text: str, default: Any = 0) -> str:
    """Why a trajectory proves nothing; empty if it does prove something."""
    _header, episodes, ends = episodes_of(text)
    for number, frames in enumerate(episodes):
        hashes = {line["hash"] for line in frames if "hash" in line} | {ends[number]["hash"]}
        if len(hashes) < HASHES_TO_CHANGE and len(frames) > 60:
            return f"episode {number}: the state never changed"
    seats = len(episodes[0][0]["actions"])
    for seat in range(seats):
        if all(line["actions"][seat] == default for frames in episodes for line in frames):
            return f"the player on seat {seat} never did anything"
    return ""


def lost_inputs(text: str, read: Sequence[Sequence[Mapping[str, Any]]], delay: int, default: Any = 0) -> list[str]:
    """Actions that were read from a player and do not stand in the records, or stand there without being read.

    `read[seat][episode]` maps the frame (as text) at which the page read an action to that action.
    """
    wrong = []
    _header, episodes, _ends = episodes_of(text)
    for number, frames in enumerate(episodes):
        for line in frames:
            frame = line["frame"]
            for seat, action in enumerate(line["actions"]):
                given = read[seat][number] if number < len(read[seat]) else {}
                expected = default if frame < delay else given.get(str(frame - delay))
                if action != expected:
                    wrong.append(f"episode {number}, frame {frame}, seat {seat}: {action!r} instead of {expected!r}")
    return wrong


def untrue(text: str, replica: Replica) -> str:
    """The first line that the environment does not reproduce in CPython; empty if it reproduces all.

    `replica` makes the simulation from the header's players and seed.
    """
    header, episodes, ends = episodes_of(text)
    adapter = replica(header["players"], header["seed"])
    for number, frames in enumerate(episodes):
        adapter.reset(number)
        for line in frames:
            if "hash" in line and line["hash"] != canonical.digest(adapter.canonical(adapter.save())).hex():
                return f"episode {number}: the state before frame {line['frame']} has another hash in CPython"
            result = adapter.step(line["actions"])
            rewards = {str(agent): reward for agent, reward in result.rewards.items()} if result else {}
            if rewards != line["rewards"]:
                return f"episode {number}, frame {line['frame']}: rewards {line['rewards']}, in CPython {rewards}"
        if ends[number]["hash"] != canonical.digest(adapter.canonical(adapter.save())).hex():
            return f"episode {number}: the final state has another hash in CPython"
    return ""


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
