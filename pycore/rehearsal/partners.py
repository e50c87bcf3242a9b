"""The policies and the predictor of a game in CPython: tried before anybody plays with them.

A policy's actions are also computed again from a record. Both with what the pages do it with, `pycore.rollback`: what
is found here a page would tell a participant, or, of a policy that keeps something from call to call, two pages as a
desync.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycore.actions.codec import action_codec
from pycore.errors import ConfigError, PolicyError
from pycore.records.partners import Partners
from pycore.records.reader import Recording
from pycore.records.replay import items_of, replay
from pycore.rehearsal.game import Game
from pycore.rollback.prediction import Guessing
from pycore.rollback.seats import Seat
from pycore.settings import Settings

FRAMES = 40
"""Frames that are tried."""
BACK = 5
"""So many of them are stepped twice, again and again."""


def try_policies(game: Game, settings: Settings, row: Sequence[Any], seed: int = 1) -> None:
    """Have the game's policies play some frames, back and forth, with this row of the people's actions, and two sets
    of them side by side; the one that plays on for who is gone has everybody's seat. Raises ConfigError for what fails,
    and for what is no pure function of what it sees."""
    both = []
    after = settings.stood_in(range(game.seats))
    for _ in range(2):
        simulation = game.simulation(after, seed)
        simulation.reset(0)
        policies = game.policies()
        if (stand_in := game.stand_in()) is not None:
            policies = dict.fromkeys(range(game.seats), stand_in) | policies
        both.append((simulation, Partners(simulation, after, range(game.seats), policies, seed)))
    try:
        (one, partners), (other, others) = both
        for frame in range(FRAMES):
            before = one.save()
            acted, again = list(row), list(row)
            first = partners.act(frame, acted)
            if frame % BACK == 0:
                # As in a rollback: the state is loaded, and another frame was computed meanwhile.
                guessed = one.step(list(acted))
                if guessed is None or not guessed.done:
                    partners.act(frame + 1, list(row))
                one.load(before)
            if not first == partners.act(frame, list(row)) == others.act(frame, again):
                raise ConfigError(
                    f"a policy that plays a seat does not do the same twice in frame {frame}: it must be a pure "
                    "function of what it is shown, keep nothing from one call to the next, and draw from `random` alone"
                )
            result = one.step(acted)
            other.step(again)
            if result is not None and result.done:
                break
    except PolicyError as error:
        raise ConfigError(str(error)) from error


def try_predictor(game: Game, settings: Settings, row: Sequence[Any], seed: int = 1) -> str:
    """Have the game's predictor guess some frames of everybody whose actions come from a page; what it says that is no
    action, or raises, as a sentence, which is empty if there is nothing. Raises ConfigError if it cannot be made."""
    predictor = game.predictor()
    if predictor is None:
        return ""
    simulation = game.simulation(settings, seed)
    simulation.reset(0)
    seats = [
        Seat(seat, seat, action_codec(settings.of_seat(seat, "action_space")),
             settings.of_seat(seat, "default_action"), 0)
        for seat in range(game.seats)
    ]  # fmt: skip
    guessing = Guessing(simulation, seats, range(game.seats), predictor)
    actions = [seat.codec.decode(seat.codec.encode(action)) for seat, action in zip(seats, row, strict=True)]
    computed = settings.computed(range(game.seats))  # what every page computes none has to guess
    guessed = [seat for seat in seats if seat.number not in computed]
    for frame in range(FRAMES):
        for seat in guessed:
            guessing.guess(seat.number, seat.codec.encode(actions[seat.number]), 1 + frame % 4, frame)
            if guessing.failure:
                return (
                    f"the predictor {settings.predictor} failed in frame {frame}, for player {seat.number}: "
                    f"{guessing.failure}; where it does, the last action is repeated"
                )
        result = simulation.step(list(actions))
        if result is not None and result.done:
            break
    return ""


def recomputed(game: Game, settings: Settings, recording: Recording) -> str:
    """The first frame in which a policy does not do what is recorded of it; empty if there is none."""
    seed = recording.header["seed"]
    simulation = game.simulation(settings, seed)
    partners = Partners(simulation, settings, range(game.seats), game.policies(), seed, game.stand_in())
    codecs = [action_codec(settings.of_seat(seat, "action_space")) for seat in range(game.seats)]
    difference = replay(items_of(recording), simulation, codecs, partners=partners).difference
    return str(difference) if difference is not None and difference.kind == "policy" else ""
