"""Confirmed frames: what they are, and who may have them.

A frame is confirmed when every peer is known to hold everybody's inputs up to it. It goes to the session's sinks once,
in order, complete: with its results as the text that records hold, and with its hash where one was taken. The hash
covers that very text, so two peers whose records differ cannot have equal hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from pycore.rollback.seats import Seat
from pycore.simulation import StepResult
from pycore.values.json import record_json


class ConfirmedFrame:
    """One confirmed frame of an episode."""

    __slots__ = ("actions", "digest", "episode", "frame", "result", "seats", "state", "text")

    def __init__(
        self,
        episode: int,
        frame: int,
        seats: Sequence[Seat],
        actions: tuple[bytes, ...],
        result: StepResult | None,
        state: object,
    ) -> None:
        self.seats = seats
        self.episode = episode
        self.frame = frame
        self.actions = actions
        """Encoded, by seat."""
        self.result = result
        self.state = state
        """The state before it, if it is to be hashed; None otherwise."""
        self.digest: bytes | None = None
        """Hash of the state before it and of the rows since the last hash, on every k-th frame."""
        self.text = ""
        """Its results as the end of a JSON object: ``,"infos":…,"rewards":…,"terminations":…,"truncations":…``."""

    @property
    def decoded(self) -> list[Any]:
        """The actions, by seat."""
        return [seat.decode(action) for seat, action in zip(self.seats, self.actions)]  # noqa: B905 - one each

    def complete(self) -> None:
        """Make its text."""
        self.text = results_text(self.result)

    def hashed(self, digest: bytes) -> None:
        """The state before it was hashed, and is needed no more."""
        self.digest = digest
        self.state = None


class Sink(Protocol):
    """Takes what is confirmed."""

    def frame(self, frame: ConfirmedFrame) -> None:
        """A frame, in order, once. The object may be kept."""

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete with so many frames; the hash of its final state and its last rows."""

    def cut(self, episode: int, frames: int) -> None:
        """The episode was broken off with so many frames: what was confirmed beyond, and its end, are taken back."""


_flags: dict[tuple[Any, ...], str] = {}
_FLAGS_KEPT: Final = 64
EXACT: Final = 2**53


def results_text(result: StepResult | None) -> str:
    """The results of a step as records hold them; empty without results."""
    if result is None:
        return ""
    infos = result.infos
    return (
        f',"infos":{_empty(infos) if not any(infos.values()) else record_json(_by_text(infos))}'
        f',"rewards":{_numbers(result.rewards)}'
        f',"terminations":{_off(result.terminations)}'
        f',"truncations":{_off(result.truncations)}'
    )


def _by_text(values: dict[Any, Any]) -> dict[str, Any]:
    """JSON's keys are text; sorting a mixture of ints and strings would fail."""
    return {str(agent): value for agent, value in values.items()}


_names: dict[tuple[Any, ...], list[tuple[Any, str]]] = {}
"""The agents of rewards in the order of a record, each with its name as the text before its value."""


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
        by_text = {str(agent): agent for agent in values}
        if not "".join(by_text).isascii():
            return record_json(_by_text(values))
        names = [(by_text[name], f"{record_json(name)}:") for name in sorted(by_text)]
        if len(_names) >= _FLAGS_KEPT:
            _names.clear()
        _names[key] = names
    return "{" + ",".join([f"{name}{values[agent]!r}" for agent, name in names]) + "}"


def _off(flags: dict[Any, Any]) -> str:
    """The text of flags, which nearly always are all off."""
    for flag in flags.values():
        if flag is not False:
            return record_json(_by_text(flags))
    return _same("f", flags)


def _empty(infos: dict[Any, Any]) -> str:
    """The text of infos with nothing in them."""
    for info in infos.values():
        if type(info) is not dict:
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
        if len(_flags) >= _FLAGS_KEPT:
            _flags.clear()
        _flags[key] = text
    return text
