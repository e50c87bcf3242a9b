"""What a load does not bring back: attributes that `get_state` may have forgotten, and what is no attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pycore.audit.comparison import decoded
from pycore.audit.findings import Finding
from pycore.envs import ParallelEnvAdapter
from pycore.envs.capture import Capture
from pycore.envs.outside import looks
from pycore.errors import EnvironmentUnfit
from pycore.values.canonical import encode
from pycore.values.differences import first_differences

__all__ = ["Outside", "attributes_left"]

NAMED: Final = 6


def attributes_left(adapter: ParallelEnvAdapter, rows: Sequence[Sequence[Any]]) -> Finding | None:
    """Attributes that set_state() leaves as they are after these rows."""
    try:
        capture = Capture(adapter.env)
    except EnvironmentUnfit:
        return None
    adapter.reset(0)
    state, before = adapter.save(), encode(capture.contents(capture.save()))
    _play(adapter, rows)
    adapter.load(state)
    after = encode(capture.contents(capture.save()))
    if before == after:
        return None
    left = first_differences(decoded(before), decoded(after), NAMED)
    return Finding(
        "attributes_left",
        "risk",
        "set_state() does not restore "
        + ", ".join(path.removeprefix("$.layers[0].").removeprefix("$.") for path, _, _ in left),
        "put these into get_state() and set_state(), unless step() never reads them",
    )


class Outside:
    """What lies outside of an environment, as it was before anything was played."""

    def __init__(self, adapter: ParallelEnvAdapter) -> None:
        adapter.reset(0)
        self._adapter = adapter
        self._state = adapter.save()
        self._before = looks(adapter.env)

    def left(self) -> Finding | None:
        """Names of modules and classes that have something else after what was played, whatever is loaded."""
        adapter, before = self._adapter, self._before
        now = adapter.save()
        adapter.load(self._state)
        left = [name for name, seen in looks(adapter.env).items() if name not in before or before[name] != seen]
        adapter.load(now)  # what the game left in the environment is for the trials that follow
        if not left:
            return None
        return Finding(
            "outside_left",
            "risk",
            f"playing changes what lies outside of the environment, and no load restores it: {', '.join(left[:NAMED])}"
            + (" and others" if len(left) > NAMED else ""),
            "keep it in an attribute of the environment, unless it only saves work, as a memo of what never changes",
        )


def _play(adapter: ParallelEnvAdapter, rows: Sequence[Sequence[Any]]) -> None:
    for row in rows:
        result = adapter.step(list(row))
        if result is not None and result.done:
            break
