"""A page that came back in a rehearsal: where it went on, and which actions may be of either of its loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from pycore.records import RecordedEpisode, RecordedFrame, Recording
from pycore.rehearsal.departures import Departed
from pycore.rehearsal.game import actions_of
from pycore.rehearsal.resumed import Resumed, resumed, without_beginnings
from pycore.rehearsal.verdict import lost_inputs
from pycore.settings import Settings

SETTINGS = Settings(fps=20, window=10)


def before(read: list[dict[str, Any]], players: Sequence[int] = (0, 1)) -> Departed:
    """What player 1 had read, and stepped, when its page was loaded again."""
    header = json.dumps({"players": players, "pycore": 1, "seed": 3}, sort_keys=True, separators=(",", ":"))
    return Departed("reloaded", "1", {"frames": {"total": 70}, "playerId": "1"}, f"{header}\n", read)


def metrics(last: int = 49, episode: int = 1, **own: Any) -> dict[str, dict[str, Any]]:
    """The other says where player 1 came back, and player 1 what it stepped again."""
    back = {"playerId": "1", "episode": episode, "frame": last, "load": 1}
    unseen = [] if last < 0 else [{"episode": episode, "from": 0, "to": last}]
    return {"0": {"returns": [back]}, "1": {"load": 1, "unseen": unseen, "returns": [], **own}}


def frames(first: int, stop: int, action: int) -> dict[str, int]:
    return {str(frame): action for frame in range(first, stop)}


def test_what_both_loads_read_is_one_reading_cut_where_the_later_one_played() -> None:
    """Episodes before are the first load's, those behind the second's."""
    first = [frames(0, 80, 1), frames(0, 60, 2)]
    second = [{"0": 9, **frames(50, 80, 3)}, frames(0, 80, 4)]
    found, read, problems = resumed(before(first), metrics(), second, SETTINGS, 2, 4.5)
    assert problems == []
    assert found is not None
    assert (found.seat, found.episode, found.frame, found.frames) == (1, 1, 50, 70)
    assert read == [frames(0, 80, 1), {**frames(0, 50, 2), **frames(50, 80, 3)}, frames(0, 80, 4)]
    said = "player 1 loaded its page again after 70 frames, and played on 4.5 s later, from frame 50 of episode 1 on"
    assert str(found) == said
    assert found.as_json() == {"player": "1", "frames": 70, "episode": 1, "frame": 50, "seconds": 4.5}


def test_only_frames_that_may_have_been_sent_before_are_unsure() -> None:
    """Those of the window and two input delays, of that seat and episode."""
    found, _, _ = resumed(before([{}, {}]), metrics(), [], SETTINGS, 2)
    assert found is not None
    unsure = [frame for frame in range(200) if found.is_unsure(1, 1, frame)]
    assert unsure == list(range(50, 50 + 10 + 4 + 1))
    assert not any(found.is_unsure(seat, episode, 55) for seat, episode in ((0, 1), (1, 0), (1, 2)))


def test_the_seat_of_who_came_back_is_counted_with_those_of_policies() -> None:
    """Who has metrics is a person; in front of them policies may sit."""
    found, _, _ = resumed(before([{}, {}], (7, 0, 1)), metrics(), [], SETTINGS, 2)
    assert found is not None
    assert found.seat == 2
    assert found.is_unsure(2, 1, 52)
    assert not found.is_unsure(1, 1, 52)


@pytest.mark.parametrize("told", [(0, 79), (1, -1)])
def test_others_who_stand_at_an_end_and_behind_it_say_the_same(told: tuple[int, int]) -> None:
    """The page is told of the one or the other; of two places in one episode they say differently."""
    of = metrics(79, 0)
    of["2"] = metrics(-1)["0"]
    of["1"]["unseen"] = [{"episode": 0, "from": 0, "to": 79}] if told == (0, 79) else []
    later = [*([{}] if told == (0, 79) else []), frames(0, 80, 3)]
    found, read, problems = resumed(before([frames(0, 80, 1)]), of, later, SETTINGS, 1)
    assert problems == []
    assert found is not None
    assert (found.episode, found.frame) == (told[0], told[1] + 1)
    assert read == [frames(0, 80, 1), frames(0, 80, 3)]
    of["2"]["returns"][0].update({"episode": 0, "frame": 60})
    assert "say differently where player 1 came back" in resumed(before([]), of, [], SETTINGS, 1)[2][0]


def test_a_page_that_came_back_between_two_episodes_stepped_nothing_again() -> None:
    """It plays from frame 0 on."""
    found, read, problems = resumed(before([frames(0, 80, 1)]), metrics(-1), [frames(0, 80, 3)], SETTINGS, 1)
    assert problems == []
    assert found is not None
    assert (found.episode, found.frame) == (1, 0)
    assert read == [frames(0, 80, 1), frames(0, 80, 3)]


@pytest.mark.parametrize(
    ("of", "what"),
    [
        ({"0": {"returns": []}, "1": {"load": 1, "unseen": []}}, "did not come back"),
        ({**metrics(), "1": {"load": 0}}, "did not come back"),
        (metrics(unseen=[{"episode": 1, "from": 0, "to": 30}]), "stepped"),
        ({**metrics(), "2": {"returns": [{"playerId": "1", "episode": 1, "frame": 48, "load": 1}]}}, "differently"),
    ],
)
def test_a_return_that_is_none_or_is_told_differently_is_a_problem(of: Any, what: str) -> None:
    """By the metrics of all."""
    found, _, problems = resumed(before([{}, {}]), of, [], SETTINGS, 1)
    assert found is None
    assert len(problems) == 1
    assert what in problems[0]


def test_an_action_around_a_return_may_be_of_either_load_and_no_other() -> None:
    """Judged in the verdict."""
    settings = Settings(fps=20, input_delay=0, action_space={"type": "discrete", "n": 6})
    seats = actions_of(settings, 2)
    back = Resumed("1", 1, 70, 0, 2, 4, frames(0, 5, 3))

    def lost(*own: int) -> list[str]:
        rows = [RecordedFrame(frame, [1, action], None, "", {}, 0, "") for frame, action in enumerate(own)]
        recording = Recording({"players": [0, 1]}, [RecordedEpisode(rows, None)])
        return lost_inputs(recording, [[frames(0, 7, 1)], [frames(0, 7, 2)]], seats, (), None, back)

    assert lost(2, 2, 2, 2, 2, 2) == []
    assert lost(2, 2, 3, 0, 3, 2) == [], "the load before, or the default"
    assert len(lost(2, 3, 2, 2, 2, 2)) == 1, "before the return"
    assert len(lost(2, 2, 2, 2, 2, 3)) == 1, "behind what could have been sent before it"
    assert len(lost(2, 2, 4, 2, 2, 2)) == 1, "of neither"


def record(gone: dict[tuple[int, int], str], *left_out: tuple[int, int]) -> str:
    """Two episodes of 40 frames, as a trajectory; `gone` says when the seat of player 1 is played by whom. Without the
    frames of an episode from one on, and its end."""
    lines: list[dict[str, Any]] = [{"players": [0, 1, 2], "pycore": 1, "seed": 3}]
    for episode in (0, 1):
        for frame in range(40):
            line: dict[str, Any] = {"actions": [1, 2, 3], "episode": episode, "frame": frame}
            if (episode, frame) in gone:
                line["gone"] = {"1": gone[episode, frame]}
            lines.append(line)
        lines.append({"end": episode, "frames": 40, "hash": "0123456789abcdef"})
    for episode, first in left_out:
        lines = [
            line for line in lines
            if line.get("end") != episode and (line.get("episode") != episode or line["frame"] < first)
        ]  # fmt: skip
    return "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in lines)


RESUMED = Resumed("1", 1, 35, 1, 12, 30, {}, None)


def test_who_was_away_at_the_end_of_an_episode_has_a_beginning_of_it_and_no_other_game() -> None:
    """Played for from frame 34 of it to frame 12 of the next; the record lacks what it had not confirmed as well."""
    gone = {(0, 34): "default_action", (1, 0): "default_action", (1, 12): "player"}
    whole, short = record(gone), record(gone, (0, 30))
    texts, said = without_beginnings({"0": whole, "1": short, "2": whole}, RESUMED)
    assert texts == {"0": whole, "2": whole}
    assert said == ["player 1 was away at the end of episode 0: its record has 30 of 40 frames of it"]


@pytest.mark.parametrize(
    ("gone", "left_out", "other"),
    [
        ({}, (0, 30), ""),
        ({(0, 34): "default_action", (0, 39): "player"}, (0, 30), ""),
        ({(0, 34): "default_action", (1, 0): "default_action", (1, 12): "player"}, (1, 30), ""),
        ({(0, 34): "default_action", (1, 0): "default_action", (1, 12): "player"}, (0, 30), '"actions":[1,2,4]'),
    ],
    ids=["was never away", "was back in time", "of an episode in which it was back", "of another game"],
)
def test_whatever_else_lacks_or_differs_is_a_difference(
    gone: dict[tuple[int, int], str], left_out: tuple[int, int], other: str
) -> None:
    whole, short = record(gone), record(gone, left_out)
    if other:
        short = short.replace('"actions":[1,2,3]', other, 1)
    texts = {"0": whole, "1": short, "2": whole}
    assert without_beginnings(texts, RESUMED) == (texts, [])
