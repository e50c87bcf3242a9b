"""The verdict passes what is right, and names the first thing that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest

from pycore import records
from pycore.rehearsal import verdict
from pycore.rehearsal.game import actions_of
from pycore.rehearsal.reproducing import Here, reproduced
from pycore.settings import Settings
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


SETTINGS = json.dumps({"input_delay": DELAY, "action_space": {"type": "discrete", "n": 256}})
SEATS = actions_of(Settings.of(json.loads(SETTINGS)), 2)


def judged(
    text: str,
    other: str | None = None,
    read: Any = None,
    here: Callable[[], Any] = Sum,
    there: Callable[[], Any] = Sum,
    way: str = "cpython",
) -> tuple[list[str], list[str]]:
    given = rehearsed()[1] if read is None else read
    texts = {"0": text, "1": text if other is None else other}
    problems, lost, _ = verdict.judge(texts, given, SEATS, Here(here, SETTINGS), Here(there, SETTINGS), way)
    return problems, lost


def test_a_true_record_has_nothing_wrong_with_it() -> None:
    assert judged(spoken(rehearsed()[0])) == ([], [])


def test_the_first_line_that_differs_between_players_is_shown() -> None:
    lines, _ = rehearsed()
    lines[5]["actions"] = [9, 9]
    problems, _ = judged(spoken(rehearsed()[0]), spoken(lines))
    assert problems[0] == (
        "the players saw two games: episode 0, frame 4 (line 6): $.actions[0] is 0 for player 0 and 9 for player 1; "
        "$.actions[1] is 1 for player 0 and 9 for player 1"
    )


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
    assert verdict.idle_seats(records.read(spoken(lines)), SEATS) == [1]


def test_books_that_do_not_add_up_are_told() -> None:
    def of(player: int, **inputs: int) -> dict[str, Any]:
        names = ("sentViaP2P", "sentViaSocketIO", "receivedViaP2P", "receivedViaSocketIO", "givenToServer")
        return {
            "playerId": player,
            "inputs": dict.fromkeys(names, 0) | inputs,
            "sync": {"p2pHashMismatches": player},
        }

    one = of(0, sentViaP2P=5, receivedViaP2P=4)
    two = of(1, sentViaP2P=4, sentViaSocketIO=1, receivedViaP2P=5, givenToServer=1)
    assert verdict.wrong_books([one, two], {"inputs_relayed": 3}) == [
        "player 1 sent 5 inputs, player 0 received 4",
        "player 1 saw 1 states that differ",
        "the players gave the server 1 inputs, it relayed 3",
    ]


class Rounding(Sum):
    """The same with other arithmetic."""

    def step(self, actions: Any) -> StepResult:
        self.state = self.state[0], self.state[1] + (actions[0] == 2)
        return super().step(actions)

    def canonical(self, state: object) -> bytes:
        return canonical.encode({"env": dict(zip(("left", "right"), state, strict=True))})  # type: ignore[call-overload]


class Other(Sum):
    """The true game, with fields that have names."""

    canonical = Rounding.canonical


class Clock(Other):
    """Each one adds something of its own."""

    made = 0

    def __init__(self, seed: int = 3) -> None:
        super().__init__(seed)
        Clock.made += 1
        self.own = Clock.made

    def reset(self, episode: int) -> None:
        self.state = (self.seed, self.own)


def hashed_again(make: Callable[[], Any]) -> str:
    """The true record's text, with the hashes that a simulation gives."""
    lines, _ = rehearsed()
    simulation = make()
    simulation.reset(0)
    rows = b""
    for line in lines[1:]:
        if "hash" in line:
            state = simulation.canonical(simulation.save())
            line["hash"] = blake2b(state + blake2b(rows, digest_size=8).digest(), digest_size=8).hexdigest()
            rows = b""
        if "actions" in line:
            result = simulation.step(line["actions"])
            line["rewards"] = {str(agent): reward for agent, reward in result.rewards.items()}
            text = dense(line)
            rows += bytes(line["actions"]) + text[text.index(',"infos"') : -1].encode()
    return spoken(lines)


def test_arithmetic_that_only_cpython_has_is_told_from_a_game_that_differs_each_time() -> None:
    """Pyodide reproduces the record: the players are right, and the message says by what to judge them."""
    (problem,), _ = judged(hashed_again(Other), here=Rounding, there=Other)
    assert "CPython does not reproduce it" in problem
    assert "Pyodide does reproduce it" in problem
    assert "--reproduce pyodide" in problem
    assert "env.right" in problem
    assert judged(hashed_again(Other), here=Rounding, there=Other, way="pyodide") == ([], [])
    assert judged(hashed_again(Other), here=Rounding, there=Rounding, way="no") == ([], [])


def test_a_game_that_differs_each_time_is_told_with_its_field() -> None:
    """Two runs of the same actions in CPython are enough to know it."""
    lines = hashed_again(Other).splitlines(True)
    spoilt = [line.replace('"hash":"', '"hash":"00') if '"frame":30' in line else line for line in lines]
    (problem,), _ = judged("".join(lines), "".join(spoilt), here=Clock, there=Other)
    assert problem.startswith("the players saw two games: episode 0, frame 30")
    assert "something else each time: env.right" in problem


class Forgetful(Other):
    """What it saves lacks how often it was stepped, and the game goes by it."""

    def reset(self, episode: int) -> None:
        super().reset(episode)
        self.steps = 0

    def step(self, actions: Any) -> StepResult:
        self.steps += 1
        self.state = self.state[0], self.state[1] + self.steps // 40
        return super().step(actions)


def test_what_a_saved_state_lacks_is_looked_for_by_taking_frames_back() -> None:
    """The field in which the game then differs is named."""
    lines = hashed_again(Forgetful).splitlines(True)
    spoilt = "".join(line.replace('"hash":"', '"hash":"0') if '"frame":60' in line else line for line in lines)
    said = reproduced("cpython", spoilt, Here(Forgetful, SETTINGS), Here(Forgetful, SETTINGS))
    assert "lost when the state is saved and loaded: env.right was " in said


def test_a_hash_that_nobody_comes_to_without_a_rollback_is_a_state_that_was_not_saved_whole() -> None:
    """Neither CPython nor Pyodide gives it, and both give the same."""
    lines = hashed_again(Other).splitlines(True)
    spoilt = "".join(line.replace('"hash":"', '"hash":"0') if '"frame":60' in line else line for line in lines)
    said = reproduced("cpython", spoilt, Here(Other, SETTINGS), Here(Other, SETTINGS))
    assert "lost when the state is saved and loaded" in said


def test_what_is_read_by_seats_with_spaces_of_their_own_is_compared_as_it_is_played() -> None:
    """A float is rounded to its dtype; a seat's own delay counts."""
    box = {"type": "box", "shape": [1], "dtype": "float32", "low": -1, "high": 1}
    three = {"type": "discrete", "n": 3}
    seats = actions_of(Settings(seats=[{"action_space": box, "input_delay": 2}, {"action_space": three}]), 2)
    rounded = seats[0].spelled([0.1])
    assert rounded != [0.1]
    lines = [{"pycore": 1, "players": [0, 1], "seed": 3}]
    lines += [{"actions": [[0.0] if frame < 2 else rounded, 0 if frame < 1 else 2], "episode": 0, "frame": frame}
              for frame in range(4)]  # fmt: skip
    recording = records.read(spoken(lines))
    read = [[{str(frame): [0.1] for frame in range(5)}], [{str(frame): 2 for frame in range(5)}]]
    assert verdict.lost_inputs(recording, read, seats) == []
    # It may rise from one episode to the next, and then the same actions are those of later frames.
    assert verdict.lost_inputs(recording, read, seats, [[3, 1]])[0].startswith("episode 0, frame 2, seat 0")
    read[1][0]["1"] = 1
    assert verdict.lost_inputs(recording, read, seats) == ["episode 0, frame 2, seat 1: 2 instead of 1"]


def test_three_players_books_add_up_over_all_links() -> None:
    """What goes by the server goes there once for both others."""

    def of(player: int, sent: int, received: int) -> dict[str, Any]:
        inputs = {"sentViaP2P": sent - 4, "receivedViaP2P": received - 4, "sentViaSocketIO": 4,
                  "receivedViaSocketIO": 4, "resentViaSocketIO": 0, "givenToServer": 2}  # fmt: skip
        return {"playerId": player, "inputs": inputs, "sync": {"p2pHashMismatches": 0}}

    metrics = [of(0, 10, 8), of(1, 8, 10), of(2, 8, 8)]
    assert verdict.wrong_books(metrics, {"inputs_relayed": 6}) == []
    metrics[2]["inputs"]["receivedViaP2P"] -= 1
    assert verdict.wrong_books(metrics, {"inputs_relayed": 5}) == [
        "the players sent 26 inputs over all links and received 25",
        "the players gave the server 6 inputs, it relayed 5",
    ]
