"""The ground truth of a session: one bare simulation stepped with the inputs that the players really gave.

Comparing two peers with each other is not enough, both could be wrong alike. The truth here knows nothing of
networks, predictions or rollbacks: it is a plain loop.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

from pycore.actions.codec import ActionCodec, default_of
from pycore.policy import Outlook, Policy
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.values import canonical
from pycore.values.json import record_json
from pycore.values.results import results_text

NOBODY: Final[Mapping[int, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What an episode must have been."""

    rows: list[tuple[bytes, ...]]
    """Encoded action per seat, frame by frame."""
    rewards: list[Any]
    final_hash: bytes
    hashes: dict[int, bytes]
    """Hashes of the states that all compare, by frame."""
    complete: bool
    """Whether the episode ended; false when the inputs ran out before."""


def ground_truth(
    simulation: Simulation,
    settings: Settings,
    codec: ActionCodec | Sequence[ActionCodec],
    inputs: Sequence[Mapping[int, bytes]],
    episode: int,
    stop_frame: int | None = None,
    *,
    policies: Mapping[int, Policy] = NOBODY,
    seed: int = 0,
    input_delays: Sequence[int] | None = None,
    gone: Mapping[int, int | Sequence[tuple[int, int | None]]] = NOBODY,
    stand_in: Policy | None = None,
) -> Truth:
    """Step an episode with everybody's true inputs (per seat: frame -> encoded action).

    `codec` is every seat's, or one for each. `input_delays` are those that the episode was played with, by seat; None:
    those of the settings. `policies` play their seats,
    which have no inputs, from the first frame on, in a game of this `seed`; those with a reaction time see what was
    shown so many frames ago, and do the default action until something was. `gone` has the last frame with an input of
    their own, by seat of those who were gone; behind it the seat has its default action, or `stand_in` plays it. Of who
    came back it has such a frame for each time that it went, with the first frame that it played again, or None.
    """
    simulation.reset(episode)
    seats = range(len(inputs))
    codecs = [codec] * len(inputs) if isinstance(codec, ActionCodec) else codec
    defaults = [default_of(codecs[seat], settings.of_seat(seat, "default_action")) for seat in seats]
    delays = [settings.of_seat(seat, "input_delay") for seat in seats] if input_delays is None else input_delays
    recorded = [0 if seat in policies else delay for seat, delay in enumerate(delays)]
    since_hash = blake2b(f',"delays":{_spelled(recorded)}'.encode(), digest_size=8)
    away = {
        seat: [
            (max(last, delays[seat] - 1) + 1, settings.max_steps if back is None else back)
            for last, back in ([(of, None)] if isinstance(of, int) else of)
        ]
        for seat, of in gone.items()
    }
    rows: list[tuple[bytes, ...]] = []
    rewards: list[Any] = []
    last = settings.max_steps - 1 if stop_frame is None else min(settings.max_steps - 1, stop_frame)
    hashes: dict[int, bytes] = {}
    every = settings.hash_interval or max(1, round(settings.fps))
    complete = False
    shown: list[Any] = []

    def plays(seat: int, frame: int) -> bool:
        """Whether who owns a seat plays it in a frame."""
        return not any(first <= frame < back for first, back in away.get(seat, ()))

    def of_seat(seat: int, frame: int) -> bytes:
        """What a seat does in a frame, encoded."""
        if seat in policies:
            policy, reaction = policies[seat], settings.reaction_time(seat)
        elif plays(seat, frame):
            return inputs[seat][frame] if frame >= delays[seat] else defaults[seat]
        elif stand_in is None:
            return defaults[seat]
        else:
            policy, reaction = stand_in, settings.stand_in_reaction
        return defaults[seat] if frame < reaction else codecs[seat].encode(
            _act(policy, seat, shown, reaction, seed, episode)
        )  # fmt: skip

    for frame in range(last + 1):
        if any(
            delays[seat] <= frame and plays(seat, frame) and frame not in inputs[seat]
            for seat in seats if seat not in policies
        ):  # fmt: skip
            break
        if policies or stand_in is not None:
            shown.append(copy.deepcopy(simulation.observations))  # type: ignore[attr-defined]
        row = tuple([of_seat(seat, frame) for seat in seats])
        if frame and not frame % every:
            hashes[frame] = _hash(simulation, since_hash)
            since_hash = blake2b(digest_size=8)
        result = simulation.step([codecs[seat].decode(encoded) for seat, encoded in enumerate(row)])
        rows.append(row)
        what = "default_action" if stand_in is None else "policy"
        went = {str(seat): what for seat, spans in away.items() for first, _ in spans if first == frame}
        went |= {str(seat): "player" for seat, spans in away.items() for _, back in spans if back == frame}
        told = f',"gone":{_spelled(went)}' if went else ""
        since_hash.update(b"".join(row) + (told + results_text(result)).encode())
        rewards.append(None if result is None else result.rewards)
        if frame == last or (result is not None and result.done):
            complete = True
            break
    return Truth(rows=rows, rewards=rewards, final_hash=_hash(simulation, since_hash), hashes=hashes, complete=complete)


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _act(policy: Policy, seat: int, shown: Sequence[Any], reaction: int, seed: int, episode: int) -> Any:
    """What a policy does in the frame behind what was `shown` so far; each has a generator that nobody drew from."""
    frame = len(shown) - 1
    drawn = blake2b(canonical.encode([seed, episode, seat, frame]), digest_size=8).digest()
    outlook = Outlook(seat, seat, episode, shown[frame - reaction].get(seat))
    return policy.act(outlook, frame, random.Random(int.from_bytes(drawn, "big")))


def _hash(simulation: Simulation, rows: Any) -> bytes:
    """The hash of the state of now and of the rows since the hash before it."""
    return blake2b(simulation.canonical(simulation.save()) + rows.digest(), digest_size=8).digest()


def wrong_with(truth: Truth, rows: Sequence[tuple[bytes, ...]], rewards: Sequence[Any], final: bytes | None) -> str:
    """What is wrong with a peer's canonical record of an episode, first difference first; empty if nothing is."""
    for frame, (true, found) in enumerate(zip(truth.rows, rows, strict=False)):
        if true != found:
            return f"frame {frame}: actions {[e.hex() for e in found]} instead of {[e.hex() for e in true]}"
        # As a record spells them: an array has no truth, and a NaN is not equal to itself.
        if record_json(truth.rewards[frame]) != record_json(rewards[frame]):
            return f"frame {frame}: rewards {rewards[frame]} instead of {truth.rewards[frame]}"
    if len(rows) != len(truth.rows):
        return f"{len(rows)} frames instead of {len(truth.rows)}"
    if final != truth.final_hash:
        return f"final state {final.hex() if final else None} instead of {truth.final_hash.hex()}"
    return ""
