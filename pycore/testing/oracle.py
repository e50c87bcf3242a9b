"""The ground truth of a session: one bare simulation stepped with the inputs that the players really gave.

Comparing two peers with each other is not enough, both could be wrong alike. The truth here knows nothing of
networks, predictions or rollbacks: it is a plain loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycore.actions.codec import ActionCodec
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.values import canonical


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What an episode must have been."""

    rows: list[tuple[bytes, ...]]
    """Encoded action per seat, frame by frame."""
    rewards: list[Any]
    final_hash: bytes
    complete: bool
    """Whether the episode ended; false when the inputs ran out before."""


def ground_truth(
    simulation: Simulation,
    settings: Settings,
    codec: ActionCodec,
    inputs: Sequence[Mapping[int, bytes]],
    episode: int,
    stop_frame: int | None = None,
) -> Truth:
    """Step an episode with everybody's true inputs (per seat: frame -> encoded action)."""
    simulation.reset(episode)
    default = codec.encode(settings.default_action)
    rows: list[tuple[bytes, ...]] = []
    rewards: list[Any] = []
    last = settings.max_steps - 1 if stop_frame is None else min(settings.max_steps - 1, stop_frame)
    complete = False
    for frame in range(last + 1):
        if frame < settings.input_delay:
            row = (default,) * len(inputs)
        elif all(frame in of_seat for of_seat in inputs):
            row = tuple(of_seat[frame] for of_seat in inputs)
        else:
            break
        result = simulation.step([codec.decode(encoded) for encoded in row])
        rows.append(row)
        rewards.append(None if result is None else result.rewards)
        if frame == last or (result is not None and result.done):
            complete = True
            break
    digest = canonical.digest(simulation.canonical(simulation.save()))
    return Truth(rows=rows, rewards=rewards, final_hash=digest, complete=complete)


def wrong_with(truth: Truth, rows: Sequence[tuple[bytes, ...]], rewards: Sequence[Any], final: bytes | None) -> str:
    """What is wrong with a peer's canonical record of an episode, first difference first; empty if nothing is."""
    for frame, (true, found) in enumerate(zip(truth.rows, rows, strict=False)):
        if true != found:
            return f"frame {frame}: actions {[e.hex() for e in found]} instead of {[e.hex() for e in true]}"
        if truth.rewards[frame] != rewards[frame]:
            return f"frame {frame}: rewards {rewards[frame]} instead of {truth.rewards[frame]}"
    if len(rows) != len(truth.rows):
        return f"{len(rows)} frames instead of {len(truth.rows)}"
    if final != truth.final_hash:
        return f"final state {final.hex() if final else None} instead of {truth.final_hash.hex()}"
    return ""
