"""The actions of a trial: of everybody in every frame, or of whoever's turn it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from pycore.actions.codec import ActionCodec
from pycore.audit.sampling import sampled, script
from pycore.envs import ParallelEnvAdapter
from pycore.envs.interfaces import interface_of
from pycore.envs.turns import mask_of

__all__ = ["Moves", "legal_move"]

MOVED: Final = 0.6
"""How probably whoever's turn it is moves in a frame."""


class Moves:
    """Makes rows of actions, by seat, as the environment is given them."""

    def __init__(
        self, adapter: ParallelEnvAdapter, spaces: list[dict[str, Any]], codecs: list[ActionCodec], frames: int
    ) -> None:
        self._adapter = adapter
        # That nobody has to move is the trial's own affair.
        self._spaces = [space["space"] if space["type"] == "optional" else space for space in spaces]
        self._codecs = codecs
        self._frames = frames
        self.turns = interface_of(adapter.view).takes_turns
        """Whether one agent moves at a time."""

    def rows(self, seed: int) -> list[list[Any]]:
        """Random actions, the same for the same seed."""
        if self.turns:
            return list(self._in_turns(seed))
        return [self._as_played(row) for row in script(self._spaces, self._frames, seed)]

    def changed(self, rows: Sequence[Sequence[Any]], seat: int, seed: int) -> list[list[Any]]:
        """The same rows, but for one seat."""
        if self.turns:
            return list(self._in_turns(seed, seat, rows))
        others = self.rows(seed)
        return [[*row[:seat], other[seat], *row[seat + 1 :]] for row, other in zip(rows, others, strict=True)]

    def recorded(self, row: Sequence[Any]) -> list[Any]:
        """A row as JSON has it; None is no move."""
        return [
            None if action is None else codec.to_json(action) for codec, action in zip(self._codecs, row, strict=True)
        ]

    def _as_played(self, row: Sequence[Any]) -> list[Any]:
        return [codec.decode(codec.encode(action)) for codec, action in zip(self._codecs, row, strict=True)]

    def _in_turns(self, seed: int, only: int | None = None, rows: Sequence[Sequence[Any]] = ()) -> Iterator[list[Any]]:
        """Legal moves of whoever's turn it is, and frames without a move, found by playing."""
        rng = Random(f"moves {seed}")
        adapter, agents = self._adapter, self._adapter.agents
        episode = 0
        adapter.reset(episode)
        for number in range(self._frames):
            row: list[Any] = [None] * len(agents) if only is None else list(rows[number])
            env = adapter.view.env
            mover = env.agent_selection if env.agents else None
            if mover in agents and (only is None or mover == agents[only]) and rng.random() < MOVED:
                seat = agents.index(mover)
                codec = self._codecs[seat]
                row[seat] = codec.decode(codec.encode(legal_move(env, mover, self._spaces[seat], rng)))
            yield row
            if adapter.step(row).done:
                episode += 1
                adapter.reset(episode)


def legal_move(env: Any, agent: Any, space: dict[str, Any], rng: Random) -> Any:
    """A move of the space that the agent's action mask allows, if there is a mask; as JSON has it."""
    mask = mask_of(env, agent)
    if mask is not None and space["type"] == "discrete":
        legal = [number for number, allowed in enumerate(mask) if allowed]
        if legal:
            return space.get("start", 0) + rng.choice(legal)
    return sampled(space, rng)
