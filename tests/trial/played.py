"""Plays one published environment over a bad network in virtual time: `python -m tests.trial.played NAME FRAMES`.

Prints a line of JSON: whether every peer's record is the ground truth, and how much was rolled back. It runs in a
process of its own, since the environment may end it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

from pycore import Settings
from pycore.actions.codec import action_codec
from pycore.audit.moves import Moves
from pycore.envs import ParallelEnvAdapter, as_parallel, interface_of
from pycore.settings import MAX_SEATS
from pycore.spaces import space_of
from pycore.testing import Conditions, Mesh, ground_truth, wrong_with
from tests.trial.published import make

CONDITIONS = Conditions(delay=0.08, jitter=0.02, loss=0.08, server_delay=0.1)
SEED = 3
MOST_EPISODES = 12


def played(name: str, frames: int) -> dict[str, Any]:
    """What came of it."""
    players = tuple(as_parallel(make(name)).possible_agents)
    seated, others = players[:MAX_SEATS], players[MAX_SEATS:]

    def simulation() -> ParallelEnvAdapter:
        view = as_parallel(make(name))
        # Who has no seat does nothing.
        still = {agent: _still(action_codec(view.action_space(agent))) for agent in others}
        return ParallelEnvAdapter(view, seated, seed=SEED, bots=still, numeric_ids=False)

    first = simulation()
    turns = interface_of(first.view).takes_turns
    spaces = [space_of(first.view.action_space(agent)) for agent in first.agents]
    if turns:
        spaces = [{"type": "optional", "space": space} for space in spaces]
    codecs = [action_codec(space) for space in spaces]
    rows = Moves(first, spaces, codecs, frames).rows(SEED)
    first.reset(0)
    length = next((number for number, row in enumerate(rows, 1) if first.step(row).done), frames)
    episodes = min(MOST_EPISODES, -(-frames // length))
    settings = Settings(
        num_episodes=episodes, max_steps=frames, input_delay=2, hash_interval=30, environment=name,
        seats=[{"action_space": space, "default_action": None} for space in spaces],
    )  # fmt: skip

    def player(seat: int) -> Any:
        return lambda episode, frame: codecs[seat].to_json(rows[min(frame, frames - 1)][seat])

    mesh = Mesh(len(seated), settings, lambda seat: simulation(), player, CONDITIONS, seed=SEED)
    mesh.run(6 * frames / settings.fps + 20 * episodes + 60)
    peers = mesh.peers
    wrong: list[str] = []
    judge, count = simulation(), 0
    for episode in range(min([episodes, *(len(peer.rows) for peer in peers)])):
        truth = ground_truth(judge, settings, codecs, [peer.inputs[episode] for peer in peers], episode)
        count += len(truth.rows)
        found = [wrong_with(truth, peer.rows[episode], peer.rewards[episode], peer.finals[episode]) for peer in peers]
        wrong += [f"episode {episode}: {text}" for text in found if text]
        if not truth.complete:
            wrong.append(f"episode {episode} did not end")
    return {
        "equal": not wrong and count > 0 and all(peer.session.reason == "complete" for peer in peers),
        "wrong": wrong[0] if wrong else "",
        "reasons": sorted({peer.session.reason for peer in peers}),
        "seats": len(seated),
        "frames": count,
        "stepped again": sum(peer.session.timeline.resimulated for peer in peers),
        "hashes compared": sum(peer.session.hashes_compared for peer in peers),
        "hashes differed": sum(peer.session.hash_mismatches for peer in peers),
    }


def _still(codec: Any) -> Any:
    return lambda seen: codec.decode(codec.encode(codec.neutral()))


if __name__ == "__main__":
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    warnings.simplefilter("ignore")
    print(json.dumps(played(sys.argv[1], int(sys.argv[2]))))
