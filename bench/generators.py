"""What the generators of a process cost a rollback: an environment that has nothing else to save or to step.

A rollback of eight frames, as the timeline does it: `resume`, one load, eight times save and step. With numpy
loaded and the default `rngs` that is all about generators; with ``rngs=()`` it is the adapter itself.
"""

from __future__ import annotations

import json
import random
from statistics import median
from time import perf_counter
from typing import Any

from pycore.envs import RNGS, ParallelEnvAdapter

DEPTH = 8
ROUNDS = 15
REPEATS = 40


class Empty:
    """Two agents, a frame number, and nothing happens."""

    def __init__(self) -> None:
        self.agents = [0, 1]
        self.frame = 0

    def reset(self, seed: int) -> Any:
        self.agents, self.frame = [0, 1], 0
        return {0: 0, 1: 0}, {}

    def step(self, actions: dict[Any, Any]) -> Any:
        self.frame += 1
        return {0: 0, 1: 0}, {0: 0, 1: 0}, {0: False, 1: False}, {0: False, 1: False}, {}

    def get_state(self) -> Any:
        return {"frame": self.frame}

    def set_state(self, state: Any) -> None:
        self.frame = state["frame"]


def rollback_us(adapters: dict[str, ParallelEnvAdapter]) -> dict[str, float]:
    """The median microseconds of a rollback, of rounds that alternate between the adapters."""
    saved = {}
    for name, adapter in adapters.items():
        adapter.reset(0)
        saved[name] = adapter.save()
    times: dict[str, list[float]] = {name: [] for name in adapters}
    for _ in range(ROUNDS):
        for name, adapter in adapters.items():
            state = saved[name]
            for _ in range(REPEATS):
                begin = perf_counter()
                adapter.resume()
                adapter.load(state)
                for frame in range(DEPTH):
                    adapter.save()
                    adapter.step([frame, 0])
                times[name].append(perf_counter() - begin)
    return {name: median(found) * 1e6 for name, found in times.items()}


def figures() -> list[dict[str, Any]]:
    """The rollback with numpy's generator and Python's, and without any."""
    import numpy.random

    both = ParallelEnvAdapter(Empty(), [0, 1], seed=1, rngs=RNGS)
    none = ParallelEnvAdapter(Empty(), [0, 1], seed=1, rngs=())
    found = rollback_us({"engine.generators.depth8.us": both, "engine.generators.none.us": none})
    for adapter, goes_back in ((both, True), (none, False)):
        adapter.reset(0)
        saved = adapter.save()
        first = numpy.random.random_sample(), random.random()
        adapter.load(saved)
        if (first == (numpy.random.random_sample(), random.random())) is not goes_back:
            raise AssertionError("the generators are not what a rollback takes back: this measures something else")
    goals = {"engine.generators.depth8.us": 80}
    return [{"name": name, "value": round(us, 2), "unit": "µs", "goal": goals.get(name)} for name, us in found.items()]


if __name__ == "__main__":
    print(json.dumps(figures()))
