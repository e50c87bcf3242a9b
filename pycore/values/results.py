"""The results of a step as records spell them.

Every peer writes the same bytes, and the hash covers them. What nearly every frame has is written without an encoder:
flags that are all off and infos with nothing in them have a text by their agents, rewards are numbers that spell
themselves.
"""

from __future__ import annotations

from typing import Any, Final

from pycore.simulation import StepResult
from pycore.values.json import EXACT, UNRECORDABLE, record_json

KEPT: Final = 64
"""Sets of agents whose texts are kept; an environment has one."""

_flags: dict[tuple[Any, ...], str] = {}
"""Texts of flags that are all off and of empty infos, by kind and agents."""
_names: dict[tuple[Any, ...], list[tuple[Any, str]]] = {}
"""The agents of rewards in the order of a record, each with its name as the text before its value."""


def results_text(result: StepResult | None) -> str:
    """The results of a step as records hold them; empty without results."""
    if result is None:
        return ""
    return (
        f',"infos":{_infos(result.infos)}'
        f',"rewards":{_numbers(result.rewards)}'
        f',"terminations":{_off(result.terminations)}'
        f',"truncations":{_off(result.truncations)}'
    )


def _by_text(values: dict[Any, Any]) -> dict[str, Any]:
    """JSON's keys are text; sorting a mixture of ints and strings would fail."""
    return {_name(agent): value for agent, value in values.items()}


def _name(agent: Any) -> str:
    """An agent as text, where it has one: Python writes no integer of thousands of digits."""
    try:
        return str(agent)
    except Exception:  # an agent may be anything
        return UNRECORDABLE


def _numbers(values: dict[Any, Any]) -> str:
    """The text of rewards: a finite float or a small integer spells itself, and the names are those of every frame."""
    for agent, value in values.items():
        if not (
            (type(agent) is str or type(agent) is int)
            and ((type(value) is float and value - value == 0.0) or (type(value) is int and -EXACT <= value <= EXACT))
        ):
            return record_json(_by_text(values))
    key = (*values,)
    names = _names.get(key)
    if names is None:
        by_text = {_name(agent): agent for agent in values}
        if not "".join(by_text).isascii():
            return record_json(_by_text(values))
        names = [(by_text[name], f"{record_json(name)}:") for name in sorted(by_text)]
        if len(_names) >= KEPT:
            _names.clear()
        _names[key] = names
    return "{" + ",".join([f"{name}{values[agent]!r}" for agent, name in names]) + "}"


def _off(flags: dict[Any, Any]) -> str:
    """The text of flags, which nearly always are all off."""
    for flag in flags.values():
        if flag is not False:
            return record_json(_by_text(flags))
    return _same("f", flags)


def _infos(infos: dict[Any, Any]) -> str:
    """The text of infos, in which nearly always is nothing. What is no dictionary is not asked whether it is empty: the
    truth of an array of several numbers is an error."""
    for info in infos.values():
        if type(info) is not dict or info:
            return record_json(_by_text(infos))
    return _same("i", infos)


def _same(kind: str, values: dict[Any, Any]) -> str:
    """The text of a dictionary of a kind whose values are all alike, kept by its keys."""
    for agent in values:
        if type(agent) is not int and type(agent) is not str:
            # True would find what was kept of 1.
            return record_json(_by_text(values))
    key = (kind, *values)
    text = _flags.get(key)
    if text is None:
        text = record_json(_by_text(values))
        if len(_flags) >= KEPT:
            _flags.clear()
        _flags[key] = text
    return text
