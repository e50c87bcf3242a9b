"""A page loses the server for good, or all do for a while, and channels close and are cut besides: the game goes on by
what is left, whether or not the server says who is away."""

from __future__ import annotations

import random
from typing import Any

import pytest
from drawing import seeds

from pycore import PLAYING, Settings
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with

STANDS = 6.0
"""Seconds that a page may stand besides: a fallback, three probes by a server that answers none, and the way back."""
LOOK = 0.25
STOOD = (30, 32, 38, 50)
"""Where it stood when nobody asked whether anything came back by the server."""


def disturbed(rng: random.Random) -> tuple[Mesh, float]:
    """A mesh in which the server is lost, and channels with it; and for how long channels are away, all together."""
    seats = rng.choice([2, 2, 3, 4])
    conditions = Conditions(
        delay=rng.choice([0.01, 0.05, 0.15, 0.3]), jitter=rng.choice([0.0, 0.02, 0.05]),
        loss=rng.choice([0.0, 0.0, 0.05, 0.15]), server_delay=rng.choice([0.02, 0.1, 0.3]),
    )  # fmt: skip
    settings = Settings(
        max_steps=1500, action_space={"type": "discrete", "n": 6}, fps=rng.choice([10, 30, 60]),
        window=rng.choice([4, 8, 12]),
    )  # fmt: skip
    mesh = Mesh(
        seats, settings, lambda seat: Walk(seats, seed=1),
        lambda seat: lambda episode, frame: (frame // 4 + seat) % 6, conditions, seed=3,
    )  # fmt: skip
    when, who = rng.uniform(3.0, 15.0), rng.randrange(seats)
    if rng.random() < 0.5:
        mesh.at(when, lambda: mesh.server.lose(who, 0.0, None))
    else:
        mesh.at(when, mesh.server.go_away)
        mesh.at(when + rng.uniform(5.0, 25.0), mesh.server.come_back)
    away = 0.0
    for _ in range(rng.choice([1, 1, 2, 3])):
        begins, lasts = rng.uniform(2.0, 25.0), rng.uniform(0.2, 6.0)
        a, b = rng.sample(range(seats), 2)
        goes, comes = rng.choice([
            (mesh.close, mesh.open_channels), (mesh.cut, mesh.restore),
            (lambda a=a, b=b: mesh.close_channel(a, b), lambda a=a, b=b: mesh.open_channel(a, b)),
        ])  # fmt: skip
        mesh.at(begins, goes)
        mesh.at(begins + lasts, comes)
        away += lasts
    return mesh, away


def played(mesh: Mesh, until: float) -> float:
    """Play to the end; how long somebody stood in the middle of an episode at most, seconds."""
    since: list[tuple[Any, float]] = [(None, 0.0)] * len(mesh.peers)
    stood = 0.0
    while mesh.now < until and not mesh.over:
        mesh.run(mesh.now + LOOK)
        for seat, page in enumerate(mesh.peers):
            place = page.session.episode, page.session.frame, page.session.phase
            if place != since[seat][0]:
                since[seat] = place, mesh.now
            elif page.session.phase == PLAYING:
                stood = max(stood, mesh.now - since[seat][1])
    return stood


@pytest.mark.slow
def test_without_the_server_the_game_goes_on_by_the_channels() -> None:
    """To the end, with the truth, and nobody stands much longer than channels are away."""
    numbers, _ = seeds(10)
    for number in [*STOOD, *numbers]:
        mesh, away = disturbed(random.Random(f"server lost {number}"))
        mesh.server.announces = bool(number % 2)
        stood = played(mesh, 240.0)
        assert [page.session.reason for page in mesh.peers] == ["complete"] * len(mesh.peers), number
        assert stood <= away + STANDS, (number, stood, away)
        inputs = [page.inputs[0] for page in mesh.peers]
        truth = ground_truth(Walk(len(inputs), seed=1), mesh.settings, mesh.peers[0].session.codec, inputs, 0)
        for page in mesh.peers:
            assert wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) == "", number
