"""What a rehearsal says of a page that went away in mid-game, and of those who stayed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_verdict import FRAMES, SEATS, SETTINGS, Sum, rehearsed, spoken

from pycore import records
from pycore.rehearsal import verdict
from pycore.rehearsal.departures import Broken, Departed, broken, judged
from pycore.rehearsal.reproducing import Here

LINES, READ = rehearsed()
FRAME_LINES = LINES[:-1]
"""Without the end: the episode was broken off."""
GONE = {"episode": 0, "frame": 40, "cause": "left", "on_drop": "default_action"}


def left(frames: int = 40) -> Departed:
    """Player 1 closed its page when it had so many frames."""
    metrics = {"playerId": 1, "frames": {"total": frames}}
    return Departed("left", "1", metrics, spoken(FRAME_LINES[: frames + 1]), READ["1"])


def stayed(reason: str, *players: str) -> dict[str, dict[str, Any]]:
    return {player: {"end": {"reason": reason}} for player in players or ("0",)}


def judgement(texts: dict[str, str], of: Broken | None, read: Any = None) -> list[str]:
    here = Here(Sum, SETTINGS)
    return verdict.judge(texts, READ if read is None else read, SEATS, here, here, "cpython", (), of).problems


def test_a_session_that_ended_because_a_page_left_is_right_and_says_so() -> None:
    """Both records are the same as far as each goes, and the last episode needs no end."""
    text = spoken(FRAME_LINES)
    departed, problems = judged(left(), {"0": text}, stayed("player_left"), {}, goes_on=False)
    assert problems == []
    assert departed.end == "player_left"
    said = "player 1 closed its page after 40 frames; it ended the session for the others (player_left)"
    assert str(departed) == said
    assert judgement({"0": text}, broken(departed)) == []


def test_survivors_who_were_not_settled_may_end_at_different_frames() -> None:
    """They are compared as far as all go; a difference within that is one."""
    longer, shorter = spoken(FRAME_LINES), spoken(FRAME_LINES[:70])
    of = Broken(ended=True, settled=False, seat=1, after=None)
    assert judgement({"0": longer, "2": shorter}, of) == []
    other = shorter.replace('"frame":50,', '"frame":50,"hash":"00",')
    assert other != shorter
    assert any("two games" in problem for problem in judgement({"0": longer, "2": other}, of))


def test_survivors_who_were_settled_end_at_the_same_frame() -> None:
    """Once they say that they agree, a frame less is a difference."""
    of = Broken(ended=True, settled=True, seat=1, after=(0, FRAMES - 1))
    assert judgement({"0": spoken(FRAME_LINES), "2": spoken(FRAME_LINES)}, of) == []
    assert judgement({"0": spoken(FRAME_LINES), "2": spoken(FRAME_LINES[:-1])}, of) != []


def test_a_session_that_nobody_left_needs_its_ends() -> None:
    """What is allowed to a broken session is not allowed to a whole one."""
    assert judgement({"0": spoken(FRAME_LINES)}, None) == ["episode 0 has no end"]


def test_behind_the_settled_frame_the_default_action_of_who_left_is_no_lost_input() -> None:
    """And an action of its own there would be one."""
    sum_ = Sum()
    sum_.reset(0)
    lines = [dict(line) for line in LINES]
    for line in lines[1:-1]:
        if line["frame"] > GONE["frame"]:
            line["actions"] = [line["actions"][0], 0]
    recording = records.read(spoken(lines))
    of = Broken(ended=False, settled=True, seat=1, after=(0, GONE["frame"]))
    people = [READ["0"], READ["1"]]
    assert verdict.lost_inputs(recording, people, SEATS, (), of) == []
    assert verdict.lost_inputs(recording, people, SEATS, (), None) != []
    assert verdict.lost_inputs(records.read(spoken(LINES)), people, SEATS, (), of) != []


def test_what_who_left_played_behind_the_settled_frame_does_not_count() -> None:
    """Nobody got it; up to that frame its record is the others'."""
    lines = [dict(line) for line in FRAME_LINES]
    for line in lines[1:]:
        if line["frame"] > 30:
            line["actions"] = [line["actions"][0], 7]
    text = spoken(lines)
    at = {"0": {"1": {**GONE, "frame": 30}}}
    departed, problems = judged(left(60), {"0": text}, stayed("stop"), at, goes_on=True)
    assert problems == []
    assert departed.gone == at["0"]["1"]
    assert str(departed).endswith("the others went on")
    at["0"]["1"]["frame"] = 31
    assert any("line 33 differs" in problem for problem in
               judged(left(60), {"0": text}, stayed("stop"), at, goes_on=True)[1])  # fmt: skip


@pytest.mark.parametrize(
    ("reasons", "goes_on", "what"),
    [
        ({"0": "player_left", "2": "stop"}, False, "did not end alike"), ({"0": "stop"}, False, "and went on"),
        ({"0": "player_left"}, True, "was to go on without player 1"), ({"0": "desync"}, False, "another reason"),
    ],
)  # fmt: skip
def test_a_session_that_went_on_or_ended_otherwise_than_it_should_is_wrong(
    reasons: dict[str, str], goes_on: bool, what: str
) -> None:
    """By the study's setting, for all alike, and for no other reason."""
    metrics = {player: {"end": {"reason": reason}} for player, reason in reasons.items()}
    texts = dict.fromkeys(reasons, spoken(FRAME_LINES))
    _, problems = judged(left(), texts, metrics, {}, goes_on=goes_on)
    assert any(what in problem for problem in problems)


def test_survivors_who_settled_on_different_frames_are_wrong() -> None:
    """It is the one thing that they have to agree on."""
    gone = {"0": {"1": GONE}, "2": {"1": {**GONE, "frame": 41}}}
    texts = dict.fromkeys(("0", "2"), spoken(FRAME_LINES))
    _, problems = judged(left(), texts, stayed("player_left", "0", "2"), gone, goes_on=False)
    assert any("different frames" in problem for problem in problems)


def test_what_became_of_who_left_is_in_the_verdict_for_a_script() -> None:
    """How, who, after how many frames, and whether the session ended."""
    departed, _ = judged(left(), {"0": spoken(FRAME_LINES)}, stayed("player_left"), {}, goes_on=False)
    said = json.loads(json.dumps(departed.as_json()))
    assert said == {"how": "left", "player": "1", "frames": 40, "ended": "player_left", "settled": None}
