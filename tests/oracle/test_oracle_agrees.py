"""pycore and the oracle agree: about every dispatch, message, warning, rollback event and figure of the export.

The oracle (oracle.js) was written from the requirements alone, in another language. Two real sessions play, the test
is their network, and each side's story is told to the oracle afterwards. What a property did not meet it did not
prove, so each counts what happened and asks for it at the end.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from typing import Any, Protocol

import oracle_scripts as scripts
import pytest
from hypothesis import Phase, given, settings
from oracle_compare import differences, met, story
from oracle_engines import InNode, InProcess
from oracle_stage import LIMIT, Script, Segment, Stage

from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER
from pycore.events import Log

pytestmark = pytest.mark.filterwarnings("ignore:co_lnotab is deprecated")  # js2py's fork, on 3.12 and later

THOROUGH = os.environ.get("PYCORE_HYPOTHESIS") == "thorough"
PLAYERS: dict[bool, tuple[int | str, int | str]] = {False: (0, 1), True: ("10", "9")}


class Engine(Protocol):
    """Whatever runs the oracle."""

    def tell(self, story: dict[str, Any]) -> dict[str, Any]:
        """What the oracle decides in this story."""


def compare(script: Script, *engines: Engine, names: bool = False) -> Counter[str]:
    """Run the script, tell both sides' stories to the oracle, and fail with the first difference."""
    stage = Stage(script, PLAYERS[names]).run()
    judge(stage, *engines)
    count = met(stage)
    count["complete"] = stage.complete
    return count


@functools.cache
def played(script: Script) -> Stage:
    """A session is the same every time: for many oracles it is played once."""
    return Stage(script).run()


def judge(stage: Stage, *engines: Engine) -> None:
    """Tell the stories of sessions that were played; their first difference from the oracle is a failure."""
    for seat, side in enumerate(stage.sides):
        told = [engine.tell(story(side)) for engine in engines]
        assert all(other == told[0] for other in told[1:]), "the engines disagree about the oracle"
        found = differences(stage, seat, told[0])
        assert not found, f"player {seat}: " + "; ".join(found)


def explore(strategy: Any, examples: int, *engines: Engine) -> Counter[str]:
    """Compare on drawn scripts; returns what was met. Always the same scripts, unless thorough."""
    count: Counter[str] = Counter()
    more = 10 if THOROUGH else 1

    @settings(derandomize=not THOROUGH, max_examples=examples * more, database=None)
    @given(strategy)
    def agree(script: Script) -> None:
        nonlocal count
        count += compare(script, *engines, names=script.hold % 2 == 0)

    agree()
    return count


def lacking(count: Counter[str], least: dict[str, int]) -> dict[str, int]:
    """What was met too rarely for the comparison to say anything about it."""
    return {what: count[what] for what, times in least.items() if count[what] < times}


@pytest.mark.slow
def test_node_and_pycore_agree_on_any_session(in_node: InNode) -> None:
    """For any network, refusals, exceptions and hand-fed inputs, pycore does what the seed's rules say."""
    # As many in every run, however few of the other laws it has: among half as many the rare things are not met.
    count = explore(scripts.scripts(), 120, in_node)
    print(dict(count))
    least = {
        "sentViaP2P": 500,
        "sentViaSocketIO": 500,
        "receivedViaP2P": 500,
        "receivedViaSocketIO": 500,
        "resentViaSocketIO": 50,
        "event": 200,
        "depth 4 and more": 5,
        "event while stalled": 20,
        "event with a rollback pending": 10,
        "event against a re-simulated prediction": 1,
        "stall": 100,
        "refusal": 30,
        "exception": 5,
        "desync": 3,
        "socketio: congested": 3,
        "socketio: closed": 3,
        "socketio: failed": 3,
        "p2p: opened": 3,
        "p2p: recovered": 2,
        "hand: true": 10,
        "hand: other": 5,
        "hand: far": 10,
        "hand: epoch": 10,
        "complete": 90,
    }
    assert not lacking(count, least)


@pytest.mark.slow
def test_js2py_and_pycore_agree_on_short_sessions(in_process: InProcess) -> None:
    """The same comparison without leaving the process."""
    count = explore(scripts.scripts(longest=16, episodes=2, most=3), 12, in_process)
    print(dict(count))
    assert not lacking(count, {"sentViaP2P": 50, "sentViaSocketIO": 50, "event": 15, "refusal": 2})


COURSES = {
    "clean": {"sentViaP2P": 160, "sentViaSocketIO": 0, "refusal": 0, "event": 0},
    "at the limit": {"sentViaP2P": 160, "sentViaSocketIO": 0, "refusal": 0},
    "one refusal": {"sentViaP2P": 159, "sentViaSocketIO": 1, "refusal": 1, "socketio: congested": 0},
    "two refusals": {"sentViaP2P": 158, "sentViaSocketIO": 2, "refusal": 2, "socketio: congested": 0},
    "congested": {"refusal": 3, "socketio: congested": 1, "p2p: recovered": 1},
    "closed": {"refusal": 2, "socketio: closed": 2, "p2p: recovered": 2},
    "never open": {"sentViaP2P": 0, "sentViaSocketIO": 160, "refusal": 0},
    "exceptions": {"exception": 8, "refusal": 8, "socketio: congested": 2},
    "over": {"sentViaP2P": 20, "sentViaSocketIO": 0, "socketio: closed": 0},
}
"""What must have been met, to the number."""
AT_LEAST = {
    "late": {"event": 20, "depth 4 and more": 2},
    "overtaken": {"event": 10, "event against a re-simulated prediction": 1},
    "silent": {"socketio: silence": 1, "p2p: recovered": 1},
    "by hand": {"hand: true": 5, "hand: other": 5, "hand: far": 5, "hand: epoch": 5},
    "lopsided": {"stood": 3, "event": 5},
    "unheard": {"socketio: unheard": 1, "p2p: recovered": 1},
}


@pytest.mark.parametrize("name", scripts.KNOWN)
def test_a_session_of_known_course_takes_it_and_the_oracle_says_the_same(in_node: InNode, name: str) -> None:
    """Refusals, fallbacks and rollbacks come as often as the script makes them, to the input."""
    count = compare(scripts.KNOWN[name], in_node)
    exact = COURSES.get(name, {})
    assert {what: count[what] for what in exact} == exact
    assert not lacking(count, {"complete": 1, **AT_LEAST.get(name, {})})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exceptions", "overtaken", "by hand"])
def test_js2py_and_node_tell_the_same_story(in_process: InProcess, in_node: InNode, name: str) -> None:
    """Two engines, one oracle: an engine's own error cannot pass for a rule."""
    compare(scripts.KNOWN[name], in_process, in_node)


# -- the comparison can fail --------------------------------------------------------------------------------------

MUTANTS = {
    "the latest pending frame instead of the first": (
        "Math.min(this.pendingRollbackFrame, frame)",
        "Math.max(this.pendingRollbackFrame, frame)",
    ),
    "packets counted instead of inputs": (
        "if (this.inputs[player][frame] !== undefined) { return false; }",
        "if (this.inputs[player][frame] !== undefined) { this.p2pMetrics.inputsReceivedViaP2P += 1; return false; }",
    ),
    "the action of the first stepping": (
        "  this.used[frame] = used;\n",
        "  if (!again) { this.used[frame] = used; }\n",
    ),
    "a prediction of the newest input": (
        "  anchor = this.held(player);\n",
        "  for (anchor = frame; anchor >= 0 && inputs[anchor] === undefined; anchor--) {}\n",
    ),
    "no limit to the buffer": ("|| link.buffered > BUFFER_LIMIT", ""),
    "a limit that is refused itself": ("link.buffered > BUFFER_LIMIT", "link.buffered >= BUFFER_LIMIT"),
    "four refusals": ("REFUSALS_UNTIL_FALLBACK = 3", "REFUSALS_UNTIL_FALLBACK = 4"),
    "refusals that are never forgiven": ("  link.refusals = 0;\n  this.disp", "  this.disp"),
    "an exception that is no refusal": ("  link.refusals = link.refusalsBefore;\n", "  link.refusals = -1;\n"),
    "a depth that is one less": ("depth = this.frameNumber - frame;", "depth = this.frameNumber - frame - 1;"),
    "an event for agreement, too": ("  if (same(used, action)) { return true; }\n", ""),
    "rollbacks counted as frames": ("  this.rollbacksPerformed += 1;", "  this.framesTotal += 1;"),
    "the timestamp in seconds": ("(now - this.startedAt) * 1000)", "(now - this.startedAt))"),
    "the fallback's frame is the next": ("FallbackFrame = this.frameNumber;", "FallbackFrame = this.frameNumber + 1;"),
    "the epoch ignored": (" || epoch !== this.syncEpoch", ""),
    "the frame in a message": ("frame_number: input.frame,", "frame_number: input.frame - this.inputDelay,"),
    "a window that is one wider": ("- known > this.window)", "- known > this.window + 1)"),
    "the return in no time": ("silence: 1, other: 3", "silence: 1, other: 9"),
    "a fallback when all is over": ("  if (this.over) { return; }\n", ""),
    "nobody stands for a slow one": ("  if (stands) { return; }\n", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_comparison_finds_an_oracle_with_another_rule(node: None, name: str) -> None:
    """An oracle with one rule altered is told apart: by the known courses, or else by drawn sessions.

    Every oracle is told of the same sessions, since the same test draws them the same way.
    """
    mutant = InNode(MUTANTS[name])

    @settings(derandomize=True, max_examples=150, database=None, phases=[Phase.generate])
    @given(scripts.scripts())
    def agree(script: Script) -> None:
        judge(played(script), mutant)

    def search() -> None:
        for script in scripts.KNOWN.values():
            judge(played(script), mutant)
        agree()

    try:
        with pytest.raises(AssertionError, match=r"player \d: "):
            search()
    finally:
        mutant.close()


@pytest.mark.slow
def test_the_comparison_finds_it_inside_the_process_too() -> None:
    """The same with js2py, for one rule."""
    with pytest.raises(AssertionError, match=r"player \d: "):
        compare(scripts.ONE_REFUSAL, InProcess(MUTANTS["no limit to the buffer"]))


# -- differences that are open -------------------------------------------------------------------------------------


def test_a_channel_that_closes_while_socketio_carries_the_inputs_gives_no_warning(in_node: InNode) -> None:
    """The warning belongs to a refused P2P send; where none was tried there is none."""
    closes = Segment(ticks=2, channels=(CHANNEL_CLOSED, CHANNEL_CLOSED))
    congested = Segment(ticks=3, channels=(LIMIT + 1, 0))
    compare(Script(segments=(congested, closes), episodes=1), in_node)


def test_a_path_change_has_the_frame_at_which_it_happened(in_node: InNode) -> None:
    """The fallback that a third exception brings has the frame of that exception, as `p2pFallbackFrame` has."""
    compare(Script(segments=(Segment(ticks=6, throws=(True, False)),), episodes=1), in_node)


def test_inputs_whose_packet_raised_ride_in_the_next_one(in_node: InNode) -> None:
    """What counts as sent peer-to-peer was in a packet that went, also when the server is out of reach."""
    raises = Segment(ticks=18, throws=(True, False), sockets=(False, True))
    compare(Script(segments=(raises,), window=20, input_delay=3, episodes=1), in_node)


def test_a_probe_that_raises_moves_no_input() -> None:
    """An input counts once, for its first dispatch, whatever becomes of packets that carry none."""
    stage = Stage(Script(segments=(), opens=False, max_steps=200, episodes=1))
    stage.during(Segment(ticks=20, channels=(CHANNEL_NEVER, CHANNEL_NEVER)))
    while not stage.export(0)["inputs"]["sentViaP2P"]:
        stage.during(Segment(ticks=1))
    stage.during(Segment(ticks=6, channels=(CHANNEL_CLOSED, CHANNEL_CLOSED)))
    side, before = stage.sides[0], stage.export(0)["inputs"]
    assert before["sentViaSocketIO"] > 6
    first_probe = 0
    side.session.send_failed(side.other, first_probe, side.now)
    assert stage.export(0)["inputs"] == before


def test_a_packet_without_a_new_input_that_raises_is_no_refused_input() -> None:
    """The warning says that an input goes by socket.io; none does."""
    stage = Stage(Script(segments=(), max_steps=200, episodes=1))
    stage.during(Segment(ticks=25))
    side = stage.sides[0]
    assert side.session.send_failed(side.other, 9999, side.now) == []
    assert [event for event in side.session.news() if isinstance(event, Log)] == []
