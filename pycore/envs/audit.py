"""Whether an environment can be rolled back: tried out before a session, so that a study does not find out.

A rollback needs four laws. Each is tried by playing the same actions several times over and comparing
canonical states and results, frame by frame:

1. *A reset with the same seed gives the same state*, and so do the same steps from there.
2. *A loaded state is the saved one*, and saving changes nothing.
3. *Steps from a loaded state are the steps that followed when it was saved*: nothing that `step` depends on
   is missing in the state. What an environment hides shows in states, rewards, infos or observations.
4. *A game in which frames are guessed and taken back is the game without them*. What a copy of some object leaves out
   may show only when it has been left out again and again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

from pycore.envs.outside import forget_memos
from pycore.errors import CanonicalError, EnvironmentUnfit
from pycore.simulation import Observing, Simulation
from pycore.values.canonical import decode, encode, short_repr
from pycore.values.differences import first_differences
from pycore.values.results import results_text

__all__ = ["check_rollback", "play_guesses"]

DEPTHS: Final = (1, 0, 3, 1, 7, 0)
"""Frames that are guessed before each frame, in turn."""


class Checkable(Simulation, Observing, Protocol):
    """A simulation that has observations as well, and the environment that it is of."""

    @property
    def env(self) -> Any:
        """As it was given."""


def check_rollback(
    simulation: Checkable,
    script: Sequence[Sequence[Any]],
    episode: int = 0,
    *,
    law_1: bool = True,
    captured: bool = False,
) -> None:
    """Raise `EnvironmentUnfit` if the simulation breaks one of the laws while playing the script.

    Without `law_1` an environment may count its resets: players who reset it alike still agree, and whether they
    do is compared before every episode. Of a `captured` state nobody has written the methods, so none are named.
    """
    get, put, way_out = _CAPTURE if captured else _METHODS
    simulation.reset(episode)
    start = _state(simulation)
    first: Run | None = None
    if law_1:
        seen = _looks(simulation.observations)
        first = _play(simulation, script)
        simulation.reset(episode)
        _compare(start, _state(simulation), "reset() with the same seed gave another state", _SEED)
        looks = _looks(simulation.observations)
        _compare(seen, looks, "reset() with the same seed gave other observations", _SEED)
    saves = [simulation.save()]
    _compare(start, _state(simulation), f"{get} changed the state", "return a copy, and draw nothing")
    again = _play(simulation, script, saves)
    if first is None:
        first = again
    _compare_runs(first, again, 0, "the same seed and actions gave something else", _SEED)

    # The middle comes first: set_state() may put what it leaves out to its initial value. Frame 0 comes
    # twice: the first load may have spoilt it.
    for frame in (len(first) // 2, 0, 0):
        before = first[frame - 1][0] if frame else start
        _compare(before, simulation.canonical(saves[frame]), "a saved state changed later", way_out)
        simulation.load(saves[frame])
        _compare(before, _state(simulation), f"{get} after {put} gave another state", way_out)
        rest = _play(simulation, script[frame : len(first)])
        what = f"after {put} the same actions gave something else than before"
        _compare_runs(first[frame:], rest, frame, what, way_out)
    # From a reset and without memos, as a page begins: what lies elsewhere a load leaves as it was at the end, and a
    # table that is full shows nothing any more.
    forget_memos(simulation.env)
    simulation.reset(episode)
    if not law_1:
        simulation.load(saves[0])
    rolled = _play(simulation, script[: len(first)], guess=True)
    what = "with frames that were guessed and taken back the same actions gave something else"
    _compare_runs(first, rolled, 0, what, way_out)


_SEED = (
    "draw everything from generators seeded in reset(seed), use no clock, no id() or hash(), no order of a "
    "set, and set all attributes anew in reset()"
)
_METHODS = (
    "get_state()",
    "set_state()",
    (
        "let get_state() return everything that step() reads and changes, counters and generators included, and "
        "set_state() put all of it back"
    ),
)
_CAPTURE = (
    "saving",
    "a load",
    (
        "let step() read and change nothing but attributes, not what lies in a module, a class, a memo or a library of "
        "C, compare texts and tuples by == and not by `is`, and walk no set; or give get_state() and set_state()"
    ),
)
"""How saving and loading are called, and the way out."""

Run = list[tuple[bytes, bytes]]


def play_guesses(simulation: Simulation, script: Sequence[Sequence[Any]], frame: int) -> None:
    """Play what comes later in the script, some frames deep, and take it back: as over a network, only more often."""
    saved = simulation.save()
    for actions in script[frame + 1 : frame + 1 + DEPTHS[frame % len(DEPTHS)]]:
        result = simulation.step(list(actions))
        if result is not None and result.done:
            break
    simulation.load(saved)


def _play(
    simulation: Checkable, script: Sequence[Sequence[Any]], saves: list[object] | None = None, guess: bool = False
) -> Run:
    """Step through the script, up to the end of the episode: state and outcome of every frame."""
    run = []
    for frame, actions in enumerate(script):
        if guess:
            play_guesses(simulation, script, frame)
        result = simulation.step(list(actions))
        outcome: dict[str, Any] = {"observations": simulation.observations}
        done = False
        if result is not None:
            done = result.done
            outcome["done"] = done
            # As a record has it: what it has no form for is a constant there, and no difference.
            outcome["results"] = results_text(result)
        run.append((_state(simulation), _outcome(outcome)))
        if done:
            break
        if saves is not None:
            saves.append(simulation.save())
    return run


def _state(simulation: Checkable) -> bytes:
    try:
        return simulation.canonical(simulation.save())
    except CanonicalError as error:
        raise EnvironmentUnfit(f"the state cannot be compared between players: {error}") from error


def _outcome(outcome: dict[str, Any]) -> bytes:
    outcome["observations"] = _looks(outcome["observations"])
    text = outcome.pop("results", "")
    try:
        return encode({**outcome, **json.loads(f"{{{text[1:]}}}")})
    except CanonicalError:  # too deep or too long for that, though not for a record
        return encode({**outcome, "results": text})


def _looks(observations: Any) -> bytes:
    # Observations are neither sent nor recorded, so they may be anything; then they are no evidence.
    try:
        return encode(observations)
    except CanonicalError:
        return b"\x00"


def _compare_runs(expected: Run, found: Run, start: int, what: str, way_out: str) -> None:
    for frame, (before, now) in enumerate(zip(expected, found, strict=False), start):
        _compare(before[0], now[0], f"{what}, in the state after frame {frame}", way_out)
        _compare(before[1], now[1], f"{what}, in what step() returned for frame {frame}", way_out)
    if len(expected) != len(found):
        ends = f"the episode ended after {len(found)} frames, not {len(expected)}"
        raise EnvironmentUnfit(f"{what}: {ends}. Way out: {way_out}")


def _compare(expected: bytes, found: bytes, what: str, way_out: str) -> None:
    if expected == found:
        return
    left, right = (decode(data, max_bytes=len(data), max_items=len(data)) for data in (expected, found))
    if isinstance(left, dict) and isinstance(left.get("observations"), bytes):
        for side in (left, right):
            size = len(side["observations"])
            side["observations"] = decode(side["observations"], max_bytes=size, max_items=size)
    differences = first_differences(left, right, 3)
    places = "; ".join([f"{path} was {short_repr(a)}, then {short_repr(b)}" for path, a, b in differences])
    raise EnvironmentUnfit(f"{what}: {places}. Way out: {way_out}")
