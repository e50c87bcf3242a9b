"""The verdict passes what is right, and names the first thing that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest

from pycore import records
from pycore.rehearsal import verdict
from pycore.simulation import StepResult
from pycore.values import canonical

DELAY, FRAMES = 1, 90


class Sum:
    """Adds up what the players do."""

    def __init__(self, seed: int = 3) -> None:
        self.seed, self.state = seed, (0, 0)

    def reset(self, episode: int) -> None:
        self.state = (self.seed + episode, 0)

    def save(self) -> object:
        return self.state

    def load(self, state: Any) -> None:
        self.state = state

    def step(self, actions: Any) -> StepResult:
        self.state = self.state[0] + actions[0], self.state[1] + actions[1]
        over = dict.fromkeys((0, 1), False)
        return StepResult({0: self.state[0], 1: -self.state[1]}, over, over, {0: {}, 1: {}}, False)

    def canonical(self, state: object) -> bytes:
        return canonical.encode(list(state))  # type: ignore[call-overload]


def played(seat: int, frame: int) -> int:
    """What a player does: something else than the default now and then."""
    return (frame // 5 + seat) % 3


def rehearsed() -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """The lines of a true trajectory of one episode, and what the pages read from their players."""
    sum_ = Sum()
    sum_.reset(0)
    rows = b""

    def hashed() -> str:
        state = sum_.canonical(sum_.save())
        return blake2b(state + blake2b(rows, digest_size=8).digest(), digest_size=8).hexdigest()

    lines: list[dict[str, Any]] = [{"pycore": 1, "players": [0, 1], "seed": 3}]
    for frame in range(FRAMES):
        actions = [0 if frame < DELAY else played(seat, frame - DELAY) for seat in (0, 1)]
        line: dict[str, Any] = {"episode": 0, "frame": frame, "actions": actions}
        if frame and frame % 30 == 0:
            line["hash"] = hashed()
            rows = b""
        result = sum_.step(actions)
        line["rewards"] = {str(agent): reward for agent, reward in result.rewards.items()}
        line["infos"] = {"0": {}, "1": {}}
        line["terminations"] = line["truncations"] = {"0": False, "1": False}
        text = dense(line)
        rows += bytes(actions) + text[text.index(',"infos"') : -1].encode()
        lines.append(line)
    lines.append({"end": 0, "frames": FRAMES, "hash": hashed()})
    read = {str(seat): [{str(frame): played(seat, frame) for frame in range(FRAMES)}] for seat in (0, 1)}
    return lines, read


def dense(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, separators=(",", ":"))


def spoken(lines: list[dict[str, Any]]) -> str:
    return "".join(dense(line) + "\n" for line in lines)


def judged(text: str, other: str | None = None, read: Any = None) -> tuple[list[str], list[str]]:
    given = rehearsed()[1] if read is None else read
    return verdict.judge({"0": text, "1": text if other is None else other}, given, DELAY, lambda _, seed: Sum(seed))


def test_a_true_record_has_nothing_wrong_with_it() -> None:
    assert judged(spoken(rehearsed()[0])) == ([], [])


def test_the_first_line_that_differs_between_players_is_shown() -> None:
    lines, _ = rehearsed()
    lines[5]["actions"] = [9, 9]
    problems, _ = judged(spoken(rehearsed()[0]), spoken(lines))
    assert problems[0].startswith("line 6 differs between player 0 and player 1")


def test_a_record_that_is_only_longer_differs_too() -> None:
    text = spoken(rehearsed()[0])
    assert "has 92 lines, player 1 91" in judged(text, "".join(text.splitlines(True)[:-1]))[0][0]


def drop(lines: list[dict[str, Any]]) -> None:
    del lines[8]


def cut_end(lines: list[dict[str, Any]]) -> None:
    lines.pop()


def short_end(lines: list[dict[str, Any]]) -> None:
    lines[-1]["frames"] = 7


def nothing(lines: list[dict[str, Any]]) -> None:
    del lines[1:]


def reward(lines: list[dict[str, Any]]) -> None:
    lines[40]["rewards"]["0"] += 1


def hash_(lines: list[dict[str, Any]]) -> None:
    lines[31]["hash"] = "00"


def last_hash(lines: list[dict[str, Any]]) -> None:
    lines[-1]["hash"] = "00"


SPOILT: list[tuple[Callable[[list[dict[str, Any]]], None], str]] = [
    (drop, "line 9: frame 8 of episode 0, not frame 7 of episode 0"),
    (cut_end, "episode 0 has no end"),
    (short_end, "line 92: an end after 7 frames; there are 90"),
    (nothing, "no frame was recorded"),
    (reward, "frame 39: $.rewards['0'] is 38, here 37"),
    (hash_, "the state before frame 30 has another hash"),
    (last_hash, "the final state has another hash"),
]


@pytest.mark.parametrize(("spoil", "complaint"), SPOILT)
def test_each_way_of_being_wrong_is_named(spoil: Callable[[list[dict[str, Any]]], None], complaint: str) -> None:
    lines, _ = rehearsed()
    spoil(lines)
    problems, _lost = judged(spoken(lines))
    assert len(problems) == 1
    assert complaint in problems[0]


def test_an_input_that_a_player_gave_and_that_is_not_recorded_is_lost() -> None:
    lines, read = rehearsed()
    read["1"][0]["50"] = 7
    problems, lost = judged(spoken(lines), read=read)
    assert lost == ["episode 0, frame 51, seat 1: 2 instead of 7"]
    assert problems == [f"1 inputs differ from what the players did; the first: {lost[0]}"]


def test_a_state_that_never_changes_and_an_idle_player_prove_nothing() -> None:
    lines, _ = rehearsed()
    for line in lines:
        if "hash" in line:
            line["hash"] = "11"
    assert verdict.trivial(records.read(spoken(lines))) == "episode 0: the state never changed"
    lines, _ = rehearsed()
    for line in lines[1:-1]:
        line["actions"][1] = 0
    assert verdict.trivial(records.read(spoken(lines))) == "the player on seat 1 never did anything"


def test_books_that_do_not_add_up_are_told() -> None:
    def of(player: int, **inputs: int) -> dict[str, Any]:
        names = ("sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO", "resentViaSocketIO")
        return {
            "playerId": player,
            "inputs": dict.fromkeys(names, 0) | inputs,
            "sync": {"p2pHashMismatches": player},
        }

    one, two = of(0, sentViaP2P=5, receivedViaP2P=4), of(1, sentViaP2P=4, sentViaSocketIO=1, receivedViaP2P=5)
    assert verdict.wrong_books([one, two], {"inputs_relayed": 3}) == [
        "player 1 sent 5 inputs, player 0 received 4",
        "player 1 saw 1 states that differ",
        "the players gave the server 1 inputs, it relayed 3",
    ]
