"""Sums of rewards: numbers add up, vectors component by component, and what goes by names by its name.

A sum begins with 0, to which anything can be added; 0, or no reward (None), added to anything changes nothing. None is
the sum of what has none, such as texts, or vectors of two lengths, and nothing that is added to it makes it one again.
"""

from __future__ import annotations

from typing import Any

__all__ = ["plus"]

NUMBERS = (int, float, bool)
DEEPEST = 64
"""Lists and dictionaries within each other; what is deeper has no sum."""


def plus(total: Any, reward: Any, depth: int = 0) -> Any:
    """The sum of all rewards before, and of another: a number, a list by component, a dict by name, or None."""
    if depth > DEEPEST:
        return None
    kind = type(reward)
    if kind in NUMBERS and type(total) in NUMBERS:
        try:
            return total + reward
        except OverflowError:  # an integer that no float reaches
            return None
    if kind not in (list, tuple, dict) and hasattr(reward, "tolist"):
        return plus(total, reward.tolist(), depth + 1)
    if total is None or reward is None:
        return total
    if isinstance(reward, dict):
        return _by_name(total, reward, depth + 1)
    if isinstance(reward, (list, tuple)):
        return _by_component(total, reward, depth + 1)
    return total if kind in NUMBERS and reward == 0 else None


def _by_component(total: Any, reward: list[Any] | tuple[Any, ...], depth: int) -> list[Any] | None:
    before = [0] * len(reward) if _is_nothing(total) else total
    if not isinstance(before, list) or len(before) != len(reward):
        return None
    sums = [plus(*pair, depth) for pair in zip(before, reward, strict=True)]
    return None if None in sums else sums


def _by_name(total: Any, reward: dict[Any, Any], depth: int) -> dict[Any, Any] | None:
    before = {} if _is_nothing(total) else total
    if not isinstance(before, dict):
        return None
    sums = {name: plus(before.get(name, 0), reward.get(name, 0), depth) for name in {**before, **reward}}
    return None if None in sums.values() else sums


def _is_nothing(total: Any) -> bool:
    return type(total) in NUMBERS and total == 0
