"""A study's environment tried out on the server before anybody plays it: what participants would be told, told now."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pycore.errors import ConfigError, PycoreError, UsageError, described, where_raised

if TYPE_CHECKING:
    from pycore.envs import ParallelEnvAdapter
    from pycore.rehearsal.game import Game, SeatActions
    from pycore.settings import Settings
    from pycore.site import Study

SHOWN = 3
"""Sentences about what is drawn; the next one is mostly the same again."""
FRAMES = 40
"""Frames that are played: the whole truth is `pycore audit`'s and `pycore rehearse`'s to find."""


NO_PICTURE = (
    "the page will show no picture: render() gives nothing; let it return a list of objects (docs/drawing.md), or an "
    "array of pixels, in Gymnasium by render_mode='rgb_array'"
)


class Tried(NamedTuple):
    """What the environment and the settings say together."""

    settings: dict[str, Any]
    seats: int
    warnings: list[str]


def try_out(subject: str, study: Study, seats: int | None) -> Tried:
    """Make the environment, compare it with the settings, and play some frames. Raises ConfigError, also with what the
    environment raises, EnvironmentUnfit, ActionError: the study cannot be played so."""
    try:
        return _try_out(subject, study, seats)
    except PycoreError:
        raise
    except Exception as error:  # an environment may raise anything
        place = where_raised(error)
        raise ConfigError(
            f"the environment raised {described(error)}{f' ({place})' if place else ''} when it was tried out; mend "
            "that, or serve it all the same with --unchecked"
        ) from error


def _try_out(subject: str, study: Study, seats: int | None) -> Tried:
    from pycore.bridge.handed import DEMO
    from pycore.rehearsal.game import Game, actions_of
    from pycore.rehearsal.partners import try_policies, try_predictor

    warnings: list[str] = []
    game = Game.of(subject, study.settings, seats)
    actions = actions_of(game.played(), game.seats)
    for seat, (said, own) in enumerate(zip(actions, _of_environment(subject, study, game.seats), strict=False)):
        if said.space != own.space:
            warnings.append(
                f"the settings say for player {seat} the actions {dict(said.space)}, and the environment says "
                f"{dict(own.space)}: leave them out of the settings, and the environment's count"
            )
    usual: Mapping[str, Any] = DEMO["KEYS"]["usual"]
    mapping = usual if study.action_mapping is None else study.action_mapping
    people = game.people  # nobody presses keys for a policy
    sendable = [
        _sendable(mapping if seat in people else {}, of_seat, seat, study, warnings)
        for seat, of_seat in enumerate(actions)
    ]
    warnings += _play(game, game.played(), sendable)
    usually = [actions[0] for actions in sendable]
    try_policies(game, game.played(), usually)
    if trouble := try_predictor(game, game.played(), usually):
        warnings.append(trouble)
    return Tried(dict(game.settings), game.seats, warnings)


SPACES = ("action_space", "default_action", "seats")


def _of_environment(subject: str, study: Study, seats: int) -> list[SeatActions]:
    """The actions by seat as the environment alone says them; empty if it does not."""
    from pycore.rehearsal.game import Game, actions_of

    settings = {name: value for name, value in study.settings.items() if name not in SPACES}
    try:
        return actions_of(Game.of(subject, settings, seats).played(), seats)
    except UsageError:
        return []


def missing_module(error: UsageError) -> str | None:
    """The module that is not installed here, if that is why the environment could not be made."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError):
            return str(cause.name)
        cause = cause.__cause__
    return None


def _sendable(
    mapping: Mapping[str, Any], seat: SeatActions, number: int, study: Study, warnings: list[str]
) -> list[Any]:
    """The actions that the keys of a seat send, as they are played; the default one first."""
    found, wrong = [seat.codec.decode(seat.default)], {}
    for keys, action in mapping.items():
        try:
            found.append(seat.codec.decode(seat.codec.encode(action)))
        except UsageError as error:
            wrong[keys] = error
    if wrong and study.action_mapping is not None:
        keys, why = next(iter(wrong.items()))
        raise ConfigError(f"action_mapping: {keys!r} sends an action that player {number} has not: {why}") from why
    if wrong and not any("action_mapping" in warning for warning in warnings):
        warnings.append(
            "the settings have no action_mapping, and the page's usual keys send "
            f"{', '.join(map(repr, mapping.values()))}, of which player {number} has not all: say which key sends what "
            'in the settings, as "action_mapping": {"ArrowLeft": 1, "ArrowRight": 2}'
        )
    return found


def _play(game: Game, settings: Settings, sendable: list[list[Any]]) -> list[str]:
    """Some frames of what the keys send, several times over, as the page checks it, but for longer; and what a page
    would have to draw."""
    from pycore.envs import ParallelEnvAdapter

    simulation = game.simulation(settings, 1)
    if not isinstance(simulation, ParallelEnvAdapter):
        return []
    # Seats are out of step, so that they do not all do the same.
    columns = [list(islice(cycle(actions), seat, FRAMES + seat)) for seat, actions in enumerate(sendable)]
    script = list(zip(*columns, strict=True))
    simulation.check(script=script)
    return _pictures(simulation, script)


def _pictures(simulation: ParallelEnvAdapter, script: list[tuple[Any, ...]]) -> list[str]:
    """What nobody would see of the pictures of these frames, as sentences."""
    from pycore.audit.objects import oddities
    from pycore.envs.pictures import undrawable

    told: dict[str, None] = {}
    simulation.reset(0)
    for row in script:
        shown = simulation.drawn()
        simulation.resume()
        if shown is None:
            return [NO_PICTURE]
        if (why := undrawable(shown)) is not None:
            return [f"the page will show no picture: render() gives {why}"]
        if isinstance(shown, (list, tuple)):
            told |= dict.fromkeys(oddities(shown))
        if simulation.step(list(row)).done:
            break
    sentences = [f"render(): {sentence} (docs/drawing.md)" for sentence in told]
    more = len(sentences) - SHOWN
    return [*sentences[:SHOWN], *([f"render(): {more} more of the kind"] if more > 0 else [])]
