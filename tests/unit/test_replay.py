"""A record is stepped again, in bounded memory, and the first difference is told with what differs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from records_support import SPACE, changed, played, walk

from pycore.actions.codec import action_codec
from pycore.records import Difference, Reading
from pycore.records.replay import Replay, replay
from pycore.simulation import StepResult
from pycore.testing import Walk

CODECS = [action_codec(SPACE)] * 2


def again(text: str, simulation: Any = None, **range_: Any) -> Replay:
    """The text, stepped again."""
    reading = Reading(text.removesuffix("\n").split("\n"))
    return replay(reading, simulation or walk(), CODECS, **range_)


def difference(text: str, simulation: Any = None, **range_: Any) -> Difference:
    """What differs; there must be something."""
    found = again(text, simulation, **range_).difference
    assert found is not None
    return found


@pytest.fixture
def text() -> str:
    """Two episodes of 50 frames with hashes at 20 and 40."""
    return played()[0]["0"]


def test_a_true_record_is_found_to_be_true(text: str) -> None:
    """Every frame and every hash was compared."""
    done = again(text)
    assert (done.difference, done.frames, done.hashes, done.stepped) == (None, 100, 6, 100)


def test_results_that_differ_are_told_field_by_field(text: str) -> None:
    """With their paths, the recorded value and the one that came out here."""

    def spoil(value: dict[str, Any]) -> None:
        value["rewards"]["1"] = 77
        value["infos"]["0"] = {"score": 3}

    found = difference(changed(text, 10, spoil))
    assert (found.kind, found.episode, found.frame) == ("results", 0, 8)
    assert [(path, recorded) for path, recorded, _ in found.fields] == [
        ("$.infos['0']", {"score": 3}),
        ("$.rewards['1']", 77),
    ]
    assert "$.rewards['1'] is 77, here " in str(found)
    assert "$.infos['0'] is {\"score\": 3}, here missing" in str(found)


def test_a_hash_that_differs_is_told_with_the_state_it_is_of(text: str) -> None:
    """Which one, the size of the state, and up to where the hashes agreed."""
    found = difference(changed(text, 42, lambda value: value.update(hash="00" * 8)))
    assert (found.kind, found.episode, found.frame, found.agreed) == ("hash", 0, 40, 20)
    assert found.state_bytes is not None
    assert found.state_bytes > 10
    assert "the state before frame 40 has another hash here" in str(found)
    assert f"a state of {found.state_bytes} bytes" in str(found)
    last = difference(changed(text, 52, lambda value: value.update(hash="00" * 8)))
    assert (last.kind, last.frame, last.agreed) == ("final_hash", 50, 40)


def test_a_state_that_is_hidden_from_the_rows_is_found_by_the_hash(text: str) -> None:
    """The rows are the same, the state is not: an environment of another version."""

    class Other(Walk):
        def canonical(self, state: object) -> bytes:
            return super().canonical(state) + b"!"

    found = difference(text, Other(2, seed=4))
    assert (found.kind, found.frame, found.agreed) == ("hash", 20, None)


def test_what_the_environment_raises_is_told_with_its_frame(text: str) -> None:
    """Wherever it is: no traceback of ours."""

    class Breaks(Walk):
        def step(self, actions: Sequence[Any]) -> StepResult | None:
            if self.state[0] == 33:
                raise ZeroDivisionError("a ball of no size")
            return super().step(actions)

    found = difference(text, Breaks(2, seed=4))
    line = Breaks.step.__code__.co_firstlineno + 2
    said = f"the environment raised ZeroDivisionError: a ball of no size (test_replay.py:{line})"
    assert str(found) == f"episode 0, frame 33: {said}"


def test_a_range_is_verified_alone_and_what_is_before_it_stepped(text: str) -> None:
    """A change outside of the range is not its matter, one inside is; nothing is stepped behind it."""
    early = changed(text, 10, lambda value: value["rewards"].update({"1": 77}))
    done = again(early, episode=1, first=10, last=19)
    assert (done.difference, done.frames, done.hashes, done.stepped) == (None, 10, 0, 70)
    assert again(early, episode=0, first=0, last=7).difference is None
    assert difference(early, episode=0, first=8, last=8).frame == 8
    late = changed(text, 102, lambda value: value["rewards"].update({"1": 77}))
    assert again(late, episode=0).difference is None
    assert difference(late, episode=1).frame == 49
    # The last frame's outcome is the final state.
    assert again(text, episode=0, first=49, last=49).hashes == 1
    assert again(text, episode=0, first=48, last=48).hashes == 0


def test_the_frames_of_the_range_come_out_as_they_were_recorded(text: str) -> None:
    """To be written, line by line, as soon as they are found to be true."""
    done = Replay((1, 5), (1, 7))
    reading = Reading(text.removesuffix("\n").split("\n"))
    assert [item.text for item in done.run(reading, walk(), CODECS)] == text.split("\n")[57:60]


@pytest.mark.slow
def test_a_long_record_is_stepped_in_bounded_memory() -> None:
    """One frame at a time, whatever their number."""

    def lines() -> Iterator[str]:
        yield '{"players":[0,1],"pycore":1,"seed":4}'
        game = walk()
        game.reset(0)
        for frame in range(10_000):
            result = game.step([1, 2])
            assert result is not None
            rewards = f'{{"0":{result.rewards[0]},"1":{result.rewards[1]}}}'
            flags = '{"0":false,"1":false}'
            yield (
                f'{{"actions":[1,2],"episode":0,"frame":{frame},"infos":{{}},"rewards":{rewards},'
                f'"terminations":{flags},"truncations":{flags}}}'
            )

    tracemalloc.start()
    try:
        done = replay(Reading(lines()), walk(), CODECS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (done.difference, done.frames) == (None, 10_000)
    assert peak < 300_000
