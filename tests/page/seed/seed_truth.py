"""What a game must have been: the environment in CPython, stepped with the actions that the data names."""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ARENA = Path(__file__).resolve().parents[1] / "arena.py"


def arena(binding: str) -> str:
    """The study's code: the arena, and the line that binds `env`."""
    return f"{ARENA.read_text('utf-8')}\n{binding}\n"


def value_of(text: str) -> Any:
    """A field of a CSV file as a Python value."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def values_of(columns: Mapping[str, Sequence[str]], name: str) -> list[Any]:
    return [value_of(text) for text in columns[name]]


def make_env(code: str) -> Any:
    """Run the study's code as the page does; what it bound to `env`."""
    names: dict[str, Any] = {"__name__": "study", "interactive_gym_globals": {}}
    exec(compile(code, "study.py", "exec"), names)
    return names["env"]


def replay(
    code: str, actions: Mapping[Any, Sequence[Any]], lengths: Sequence[int], seed: int | None
) -> list[list[tuple[dict[Any, Any], ...]]]:
    """Per episode and step: rewards, terminateds, truncateds, infos.

    `actions` are the columns of all episodes, one after the other; `lengths` the steps of each. With a seed, each
    episode begins as the page begins it, with that seed for the environment and the global generator.
    """
    env = make_env(code)
    episodes = []
    at = 0
    for length in lengths:
        if seed is None:
            env.reset()
        else:
            random.seed(seed)
            env.reset(seed=seed)
        steps = []
        for index in range(at, at + length):
            _, *rest = env.step({agent: column[index] for agent, column in actions.items()})
            steps.append(tuple(rest))
        at += length
        episodes.append(steps)
    return episodes
