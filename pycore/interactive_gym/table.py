"""The page's data file of an episode, from confirmed frames only: one row per frame, every column of equal length.

The page's server flattens nested dictionaries with dots, pads short columns at the end and writes a CSV. So what is
missing in a frame (an info that only some frames have, an agent that has left) gets its empty place here, and no
column can be longer than the episode: nothing shifts, and both players' files have the same rows.

Personal columns, which differ between players: `timestamp` (when this page first stepped the frame), `isFocused.*`
(who looked at the page at that moment), `wasSpeculative.*` (whether this page first stepped the frame with a guess
of that agent's action) and `rollbackEvents` (this page's mispredictions, from the top).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pycore.simulation import StepResult

PER_AGENT = ("actions", "rewards", "terminateds", "truncateds", "infos", "isFocused", "wasSpeculative")


class EpisodeTable:
    """Rows of one episode. `episode` counts from 0."""

    def __init__(self, episode: int) -> None:
        self.episode = episode
        self.rows = 0
        self.timestamps: list[int] = []
        self.focus: list[dict[str, bool]] = []
        self.people: list[tuple[Any, ...]] = []
        """The people's actions in the order of seats."""
        self._columns: dict[str, dict[str, list[Any]]] = {name: {} for name in PER_AGENT}

    def add(
        self,
        *,
        actions: Mapping[Any, Any],
        people: tuple[Any, ...],
        result: StepResult | None,
        focus: dict[str, bool],
        guessed: Mapping[Any, bool],
        timestamp: int,
    ) -> None:
        """Append the next frame; dictionaries are by agent."""
        self.timestamps.append(timestamp)
        self.focus.append(focus)
        self.people.append(people)
        self._put("actions", actions)
        if result is not None:
            self._put("rewards", result.rewards)
            self._put("terminateds", result.terminations)
            self._put("truncateds", result.truncations)
            self._put("infos", _flat(result.infos))
        self._put("isFocused", focus)
        self._put("wasSpeculative", guessed)
        self.rows += 1

    def cut(self, rows: int) -> None:
        """Keep so many rows."""
        if rows < self.rows:
            for values in (self.timestamps, self.focus, self.people):
                del values[rows:]
            for columns in self._columns.values():
                for column in columns.values():
                    del column[rows:]
            self.rows = rows

    def _put(self, name: str, values: Mapping[Any, Any]) -> None:
        columns = self._columns[name]
        for key, value in values.items():
            column = columns.get(str(key))
            if column is None:
                column = columns[str(key)] = []
            if len(column) > self.rows:
                # Two keys that read alike, as 0 and "0" do: one cell.
                column.pop()
            elif len(column) < self.rows:
                column.extend([None] * (self.rows - len(column)))
            column.append(value)

    def export(
        self,
        subjects: Mapping[str, Any],
        events: Iterable[Mapping[str, Any]],
        start: int = 0,
        stop: int | None = None,
    ) -> dict[str, Any]:
        """What the page sends as an episode's data, or as the rows of it from `start` up to `stop`.

        `events` are the episode's rollback events.
        """
        stop = self.rows if stop is None else stop
        data: dict[str, Any] = {}
        for name in PER_AGENT:
            part = {key: column[start:stop] for key, column in self._columns[name].items()}
            data[name] = {key: column + [None] * (stop - start - len(column)) for key, column in part.items()}
        data["episode_num"] = [self.episode] * (stop - start)
        data["t"] = list(range(start, stop))
        data["timestamp"] = self.timestamps[start:stop]
        data["player_subjects"] = dict(subjects)
        # A column longer than the others would add rows.
        data["rollbackEvents"] = list(events)[: stop - start]
        return data


def joined(exports: list[dict[str, Any]]) -> dict[str, Any]:
    """Several episodes' data as one table; a column that an episode lacks is empty there."""
    whole: dict[str, Any] = {name: {} for name in PER_AGENT}
    whole.update(episode_num=[], t=[], timestamp=[], player_subjects={}, rollbackEvents=[])
    for data in exports:
        before, rows = len(whole["t"]), len(data["t"])
        for name in PER_AGENT:
            columns = whole[name]
            for key in [*columns, *(key for key in data[name] if key not in columns)]:
                column = columns.setdefault(key, [None] * before)
                column.extend(data[name].get(key, [None] * rows))
        for name in ("episode_num", "t", "timestamp"):
            whole[name].extend(data[name])
        whole["player_subjects"] = data["player_subjects"]
    return whole


def _flat(infos: Mapping[Any, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for agent, info in infos.items():
        if isinstance(info, Mapping):
            for key, value in info.items():
                flat[f"{agent}.{key}"] = value
        else:
            flat[str(agent)] = info
    return flat
