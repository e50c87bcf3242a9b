"""What a simulation may offer beside its duties: each under its own name, asked for once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from test_adapters import Flat

import pycore
from pycore import Contents, Observing, Renderable, Resumable, simulation
from pycore.envs import ParallelEnvAdapter
from pycore.interactive_gym.bots import CastSimulation
from pycore.values.canonical import encode


class Bare:
    """The five duties and nothing else."""

    def reset(self, episode: int) -> None: ...

    def save(self) -> object: ...

    def load(self, state: object) -> None: ...

    def step(self, actions: Sequence[Any]) -> None: ...

    def canonical(self, state: object) -> bytes:
        return b""


ADAPTER = ParallelEnvAdapter(Flat(), [0, 1], seed=0)


NAMES = {Renderable: "render", Resumable: "resume", Observing: "observations", Contents: "contents"}


@pytest.mark.parametrize("offered", NAMES)
def test_a_simulation_of_duties_alone_offers_nothing_else(offered: Any) -> None:
    """And one that has the name offers it; None in the place of a method is a no."""
    name = NAMES[offered]
    assert not isinstance(Bare(), offered)
    assert isinstance(type("With", (Bare,), {name: lambda *args: {}})(), offered)
    if offered is not Observing:
        assert not isinstance(type("Without", (Bare,), {name: None})(), offered)


def test_an_adapter_offers_all_of_them() -> None:
    """And what wraps it for a page with bots, what that page uses."""
    for offered in NAMES:
        assert isinstance(ADAPTER, offered)
    cast = CastSimulation(ADAPTER, None)  # type: ignore[arg-type]
    assert isinstance(cast, Resumable)
    assert isinstance(cast, Contents)


def test_contents_go_through_what_wraps_an_adapter() -> None:
    """The value is that of its canonical bytes."""
    cast = CastSimulation(ADAPTER, None)  # type: ignore[arg-type]
    cast.reset(0)
    saved = cast.save()
    assert encode(cast.contents(saved)) == cast.canonical(saved)


def test_the_protocols_are_public() -> None:
    """Under the names of the module that defines them."""
    for name in simulation.__all__:
        assert getattr(pycore, name) is getattr(simulation, name)
        assert name in pycore.__all__
