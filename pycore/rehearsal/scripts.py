"""What scripted players do: actions by seat, episode and frame, made from a seed before a browser is opened.

In a session an action is for one frame, whatever the network does, so a whole game can be written down beforehand.
Where one player moves at a time, or a policy looks at what it plays, the game is played in CPython meanwhile: the moves
are legal in the frames that they are for. Elsewhere everybody does anything of their space, held for some frames as
people hold keys, and now and then nothing.

A script is a list of runs, `[frames, action]`, which a page goes through again when it is through (`inputs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from pycore.actions.codec import ActionCodec
from pycore.audit.moves import legal_move
from pycore.audit.sampling import sampled
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ActionError, ConfigError, described
from pycore.records.partners import Partners
from pycore.rehearsal.game import Game, SeatActions, actions_of
from pycore.settings import Settings

Run = list[Any]
"""Frames, and the action that is held so long."""
Policy = Callable[[Any, Any], Any]
"""Takes an agent's observation and its id; gives its action."""

HELD: Final = (3, 12)
"""Frames for which an action is held."""
IDLE: Final = 0.15
"""How often a player does nothing in between."""
MOVED: Final = 0.4
"""How probably whoever's turn it is moves in a frame."""


def scripts_of(
    game: Game, settings: Settings, frames: int, seed: int, game_seed: int, policy: Policy | None = None
) -> list[list[list[Run]]]:
    """By seat and episode, for about so many frames. `seed` is that of the players, `game_seed` the game's own."""
    seats = actions_of(settings, game.seats)
    if game.turns or policy is not None:
        simulation = game.simulation(settings, game_seed)
        if not isinstance(simulation, ParallelEnvAdapter):
            raise ConfigError(f"{game.subject} makes a simulation of its own, and no policy can look into that")
        partners = Partners(simulation, settings, range(game.seats), game.policies(), game_seed)
        if policy is not None:
            rows = _policy_rows(simulation, policy, seats, partners.seats)
        else:
            rows = _turns(simulation, seats, Random(seed))
        return _played(simulation, rows, seats, settings, frames, partners)
    lengths = _lengths(settings, frames)
    return [
        [runs(list(islice(_anything(of, Random(f"{seed} {seat} {episode}")), length))) for episode, length in lengths]
        for seat, of in enumerate(seats)
    ]


def runs(actions: Sequence[Any]) -> list[Run]:
    """The same actions, one after the other, as runs."""
    found: list[Run] = []
    for action in actions:
        if found and type(found[-1][1]) is type(action) and found[-1][1] == action:
            found[-1][0] += 1
        else:
            found.append([1, action])
    return found


def _lengths(settings: Settings, frames: int) -> list[tuple[int, int]]:
    """Episodes and how many frames they need; those that end early begin with the first scripts again."""
    length = max(1, min(settings.max_steps, frames))
    return [(episode, length) for episode in range(min(settings.num_episodes, -(-frames // length) + 1))]


def _anything(seat: SeatActions, rng: Random) -> Iterator[Any]:
    """Actions of a space, held."""
    while True:
        action = seat.idle if rng.random() < IDLE else seat.spelled(sampled(dict(seat.space), rng))
        for _ in range(rng.randint(*HELD)):
            yield action


Rows = Callable[[], list[Any]]
"""The actions of the frame of now, by seat; None is no move."""


def _turns(simulation: ParallelEnvAdapter, seats: Sequence[SeatActions], rng: Random) -> Rows:
    """Legal moves of whoever's turn it is."""
    waiting = [seat.idle for seat in seats]

    def row() -> list[Any]:
        moves = list(waiting)
        env, agents = simulation.view.env, simulation.agents
        mover = env.agent_selection if env.agents else None
        if mover in agents and rng.random() < MOVED:
            seat = agents.index(mover)
            space = dict(seats[seat].space)
            space = space["space"] if space["type"] == "optional" else space
            moves[seat] = legal_move(env, mover, space, rng)
        return moves

    return row


def _policy_rows(
    simulation: ParallelEnvAdapter, policy: Policy, seats: Sequence[SeatActions], computed: Sequence[int]
) -> Rows:
    """What a policy does with what every player sees, but those who are `computed`: it may know nothing of these."""

    def row() -> list[Any]:
        pairs = enumerate(zip(simulation.players, simulation.agents, strict=True))
        return [
            seats[seat].idle if seat in computed else policy(simulation.observations.get(player), agent)
            for seat, (player, agent) in pairs
        ]

    return row


def _played(
    simulation: ParallelEnvAdapter,
    rows: Rows,
    seats: Sequence[SeatActions],
    settings: Settings,
    frames: int,
    partners: Partners,
) -> list[list[list[Run]]]:
    """Play episode after episode, and write down what a page reads: so many frames before it counts."""
    scripts: list[list[list[Run]]] = [[] for _ in seats]
    total = 0
    for episode in range(settings.num_episodes):
        simulation.reset(episode)
        partners.begin(episode)
        columns: list[list[Any]] = [[] for _ in seats]
        for frame in range(settings.max_steps):
            chosen = _called(rows)
            acted = [
                seat.codec.decode(seat.default) if frame < seat.delay else _played_as(seat.codec, action)
                for seat, action in zip(seats, chosen, strict=True)
            ]
            partners.act(frame, acted)
            for column, seat, action in zip(columns, seats, acted, strict=True):
                if frame >= seat.delay:
                    column.append(seat.codec.to_json(action))
            total += 1
            simulation.resume()  # what a policy drew is not the game's
            if simulation.step(acted).done or total >= frames:
                break
        for script, column, seat in zip(scripts, columns, seats, strict=True):
            # A page reads a few frames more than count.
            script.append(runs([*column, *[seat.idle] * (seat.delay + 1)]))
        if total >= frames:
            break
    return scripts


def _called(rows: Rows) -> list[Any]:
    try:
        return rows()
    except Exception as error:
        raise ConfigError(f"the players' policy raised {described(error)}") from error


def _played_as(codec: ActionCodec, action: Any) -> Any:
    try:
        return codec.decode(codec.encode(action))
    except ActionError as error:
        raise ConfigError(f"the players' policy gave no action of the space: {error}") from error
