"""A trajectory that was written can be read and stepped again; what is none is refused with its line."""

from __future__ import annotations

import functools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pycore.actions.codec import action_codec
from pycore.records import (
    Reading,
    RecordedEnd,
    RecordedFrame,
    RecordError,
    Recording,
    Trajectory,
    first_untrue,
    read,
    trajectory_text,
)
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk

SPACE = {"type": "discrete", "n": 6}
OF = Settings(max_steps=50, num_episodes=2, hash_interval=20, action_space=SPACE)


@pytest.fixture(scope="module")
def text() -> str:
    """Two episodes over a bad network."""
    mesh = Mesh(
        2, OF, lambda seat: Walk(2, seed=4), lambda seat: lambda episode, frame: (frame // 3 + seat) % 6,
        Conditions(delay=0.05, loss=0.1), seed=4,
    )  # fmt: skip
    kept = Trajectory()
    mesh.peers[0].session.add_sink(kept)
    mesh.run(60.0)
    assert mesh.over
    return trajectory_text(mesh.peers[0].session, kept)


def stepped(recording: Recording) -> str:
    """What is untrue of it, where Walk is what was played."""
    return first_untrue(recording, Walk(2, seed=4), [action_codec(SPACE)] * 2)


def test_what_was_written_is_read_back_and_is_true(text: str) -> None:
    """Frames from 0, hashes on every 20th, an end for each episode; and stepped again it gives the same."""
    recording = read(text)
    assert recording.header["players"] == [0, 1]
    assert [len(episode.frames) for episode in recording.episodes] == [50, 50]
    assert [frame.frame for frame in recording.episodes[1].frames if frame.hash] == [20, 40]
    assert all(episode.hash for episode in recording.episodes)
    assert stepped(recording) == ""


def test_an_episode_that_was_broken_off_has_no_hash_at_its_end(text: str) -> None:
    """What is there is true all the same."""
    recording = read("\n".join(text.splitlines()[:-3]) + "\n")
    assert [len(episode.frames) for episode in recording.episodes] == [50, 48]
    assert recording.episodes[1].hash is None
    assert stepped(recording) == ""


def test_a_record_is_read_from_its_lines_one_at_a_time(text: str) -> None:
    """Frames and ends in order, with what has been read so far; nothing is read before it is asked for."""
    given: list[str] = []

    def lines() -> Iterator[str]:
        for line in text.splitlines():
            given.append(line)
            yield line

    reading = Reading(lines())
    assert reading.header["seed"] == 4
    assert len(given) == 1
    items = iter(reading)
    first = next(items)
    assert isinstance(first, RecordedFrame)
    assert (first.episode, first.frame, first.text, len(given)) == (0, 0, given[1], 2)
    rest = list(items)
    ends = [item for item in rest if isinstance(item, RecordedEnd)]
    assert [(end.episode, end.frames) for end in ends] == [(0, 50), (1, 50)]
    assert (reading.lengths, reading.ended, reading.whole, reading.line) == ([50, 50], [True, True], True, 103)


@pytest.mark.slow
def test_a_long_record_needs_no_more_memory_than_a_line() -> None:
    """Thousands of frames go through, and what is held meanwhile stays small."""
    results = ',"infos":{},"rewards":{"0":1},"terminations":{"0":false},"truncations":{"0":false}'

    def lines() -> Iterator[str]:
        yield '{"players":[0],"pycore":1,"seed":1}'
        for frame in range(10_000):
            yield f'{{"actions":[1],"episode":0,"frame":{frame}{results}}}'

    frames = 0
    tracemalloc.start()
    try:
        for _ in Reading(lines()):
            frames += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert frames == 10_000
    assert peak < 200_000


def test_what_looks_like_a_line_end_or_like_results_is_read_as_what_it_is() -> None:
    """A text may hold U+2028 and U+0085, and an action may have a key `infos`."""
    results = ',"infos":{"0":"a\u2028b\u0085"},"rewards":{},"terminations":{},"truncations":{}'
    line = f'{{"actions":[{{"a":1,"infos":2}}],"episode":0,"frame":0{results}}}'
    recording = read('{"players":[0],"pycore":1,"seed":1}\n' + line + "\n")
    assert recording.episodes[0].frames[0].results == results
    assert recording.episodes[0].frames[0].actions == [{"a": 1, "infos": 2}]


def test_an_error_says_which_record_if_that_has_a_name(text: str) -> None:
    """Several are read at once."""
    with pytest.raises(RecordError, match=r"^trajectory-1\.jsonl: line 1: the record is empty") as found:
        Reading([], "trajectory-1.jsonl")
    assert found.value.name == "trajectory-1.jsonl"


def without_an_episode(text: str, missing: int = 0) -> str:
    """A record of three episodes, the second like the first, of which one is missing."""
    header, *lines = text.splitlines()
    first, last = lines[:51], lines[51:]
    renumbered = []
    for number, (of, rows) in enumerate(((0, first), (0, first), (1, last))):
        names = {f'"{name}":{of}': f'"{name}":{number}' for name in ("episode", "end")}
        renumbered.append([functools.reduce(lambda text, name: text.replace(*name), names.items(), r) for r in rows])
    del renumbered[missing]
    return "\n".join([header, *(line for rows in renumbered for line in rows)]) + "\n"


@pytest.mark.parametrize("missing", [0, 1])
def test_of_who_was_away_whole_episodes_are_missing_and_the_others_are_read(text: str, missing: int) -> None:
    """Of several in a row as well; each keeps its number."""
    recording = read(without_an_episode(text, missing))
    there = [50, 50, 50]
    there[missing] = 0
    assert [len(episode.frames) for episode in recording.episodes] == there
    assert [episode.hash is not None for episode in recording.episodes] == [length > 0 for length in there]
    assert [frame.episode for frame in recording.episodes[2].frames] == [2] * 50
    reading = Reading(without_an_episode(text, missing).splitlines())
    assert len(list(reading)) == 102
    assert (reading.lengths, reading.whole) == (there, False)


@pytest.mark.parametrize("number", [256, 10**12, -1, 1.0, "2"])
def test_an_episode_that_no_study_has_is_refused(text: str, number: Any) -> None:
    """And nothing is made for those before it."""
    lines = text.splitlines()
    lines[52] = lines[52].replace('"episode":1', f'"episode":{json.dumps(number)}')
    with pytest.raises(RecordError, match="not frame 0 of episode 1") as found:
        read("\n".join(lines))
    assert found.value.line == 53


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("line", "change", "complaint"),
    [
        (10, lambda value: value["actions"].__setitem__(0, 5 - value["actions"][0]), "episode 0, frame 8"),
        (10, lambda value: value["actions"].__setitem__(0, 9), "episode 0, frame 8: action 9"),
        (10, lambda value: value["actions"].append(0), "episode 0, frame 8: 3 actions for 2 seats"),
        (10, lambda value: value["rewards"].__setitem__("1", 77), "episode 0, frame 8"),
        (10, lambda value: value["truncations"].__setitem__("1", True), "episode 0, frame 8"),
        (22, lambda value: value.__setitem__("hash", "00"), "episode 0: the state before frame 20"),
        (52, lambda value: value.__setitem__("hash", "00"), "episode 0: the final state"),
    ],
)
def test_the_first_thing_that_is_not_true_is_named(text: str, line: int, change: Change, complaint: str) -> None:
    """Whatever was changed, with its frame."""
    lines = text.splitlines()
    value = json.loads(lines[line - 1])
    change(value)
    lines[line - 1] = json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert stepped(read("\n".join(lines))).startswith(complaint)


@pytest.mark.parametrize(
    ("spoil", "line", "complaint"),
    [
        (lambda lines: lines.clear(), 1, "empty"),
        (lambda lines: lines.__setitem__(0, '{"a": 1}'), 1, "no trajectory of version 1"),
        (lambda lines: lines.__setitem__(4, lines[4][:20]), 5, "no JSON"),
        (lambda lines: lines.__setitem__(4, "[1]"), 5, "no object"),
        (lambda lines: lines.pop(4), 5, "frame 4 of episode 0, not frame 3 of episode 0"),
        (lambda lines: lines.insert(4, lines[4]), 6, "frame 3 of episode 0, not frame 4 of episode 0"),
        (lambda lines: lines.pop(1), 2, "frame 1 of episode 0, not frame 0 of episode 0"),
        (lambda lines: lines.__setitem__(51, '{"end":0,"frames":9}'), 52, "an end after 9 frames"),
        (lambda lines: lines.insert(52, lines[51]), 53, "the end of episode 0"),
        (lambda lines: lines.__setitem__(4, '{"episode":0,"frame":3}'), 5, "a frame without actions"),
        (lambda lines: lines.__setitem__(1, '{"end":0,"frames":0}'), 2, "the end of episode 0 where"),
        (lambda lines: lines.insert(52, lines[50]), 53, "frame 49 of episode 0, not frame 0 of episode 1"),
        (lambda lines: lines.__setitem__(4, lines[4].replace(",", ", ")), 5, "not spelled as records are"),
        (lambda lines: lines.__setitem__(4, lines[4] + "\r"), 5, "not spelled as records are"),
        (lambda lines: lines.__setitem__(51, lines[51] + " "), 52, "not spelled as records are"),
        (lambda lines: lines.__setitem__(0, lines[0] + " "), 1, "not spelled as records are"),
        (lambda lines: lines.__setitem__(4, lines[4][:-1] + ',"wall":1}'), 5, "a frame with 'wall'"),
        (lambda lines: lines.__setitem__(4, lines[4][: lines[4].index(',"trunc')] + "}"), 5, "whose truncations are"),
        (lambda lines: lines.__setitem__(0, lines[0].replace("[0,1]", "{}")), 1, "a header whose players"),
        (lambda lines: lines.__setitem__(0, lines[0].replace('"seed":4', '"seed":"4"')), 1, "a header whose seed"),
        (lambda lines: lines.__setitem__(4, "[" * 100_000), 5, "no JSON"),
    ],
)
def test_what_is_no_trajectory_is_refused_with_its_line(
    text: str, spoil: Callable[[list[str]], object], line: int, complaint: str
) -> None:
    """A foreign, truncated or mixed-up file is not read as far as it goes."""
    lines = text.splitlines()
    spoil(lines)
    with pytest.raises(RecordError, match=complaint) as found:
        read("\n".join(lines))
    assert found.value.line == line
