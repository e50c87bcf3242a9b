"""Explores every state that a model can reach, breadth first, and says what is wrong there: for the models of settling
and of reopening."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass
class Explored:
    """What was found."""

    states: int = 0
    ends: int = 0
    """States from which nothing goes on by itself."""
    counts: Counter[str] = field(default_factory=Counter)
    """States that have something, by what the model calls it: without any, nothing was explored."""
    wrong: list[str] = field(default_factory=list)


class Explorable(Protocol[S]):
    """A model."""

    first: S

    def steps(self, state: S) -> Iterator[tuple[bool, S]]:
        """Every other state that one event leads to, and whether that comes by itself."""

    def features(self, state: S) -> Iterable[str]:
        """What there is in a state."""

    def judge(self, before: S, state: S) -> Iterator[str]:
        """What is wrong with a state, or with the step that led to it."""

    def judge_end(self, state: S) -> Iterator[str]:
        """What is wrong where nothing goes on by itself."""


def explore(model: Explorable[S], most: int) -> Explored:
    """All of a model; stops at the first fault. More states than `most` are a failure."""
    found = Explored()
    # Of states that were seen their hashes are enough, and a tenth of the memory.
    seen = {hash(model.first)}
    waiting = deque([model.first])
    while waiting and not found.wrong:
        state = waiting.popleft()
        found.states += 1
        assert found.states <= most, "the model is too large to be explored"
        found.counts.update(model.features(state))
        stands = True
        for certain, following in model.steps(state):
            stands = stands and not certain
            key = hash(following)
            if key not in seen:
                seen.add(key)
                waiting.append(following)
                found.wrong += model.judge(state, following)
        if stands:
            found.ends += 1
            found.wrong += model.judge_end(state)
    return found


def report(model: Explorable[S], most: int, file: Path | None) -> int:
    """Explore it and say what came of it, in a file too; 1 if it is wrong."""
    started = time.monotonic()
    found = explore(model, most)
    seconds = time.monotonic() - started
    figures = {"states": found.states, **found.counts, "ends": found.ends}
    counts = ", ".join(f"{value} {name}" for name, value in figures.items())
    print(f"{counts}, {seconds:.1f} s: {found.wrong or 'right'}")
    if file is not None:
        text = json.dumps({**figures, "wrong": len(found.wrong), "seconds": round(seconds, 1)})
        file.write_text(text + "\n", "utf-8")
    return 1 if found.wrong else 0
