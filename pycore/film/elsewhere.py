"""A record stepped again in Pyodide, under Node: where the players stepped it.

For environments whose arithmetic is another one in CPython. What runs there is this very core, with the same reader and
the same comparison, line by line from the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.audit import pyodide
from pycore.errors import UsageError
from pycore.records.replay import Difference
from pycore.settings import Settings
from pycore.values.differences import MISSING

_REPLAY: Final = """
from pycore.actions.codec import action_codec
from pycore.bridge.game import Game, simulation_of
from pycore.errors import PycoreError
from pycore.records.reader import Reading
from pycore.records.replay import shown, started
from pycore.settings import Settings
found = {"python": sys.version.split()[0], "refused": None, "difference": None, "frames": 0, "hashes": 0, "lengths": []}
with open("/file", encoding="utf-8", newline="\\n") as lines:
    try:
        reading = Reading((line.removesuffix("\\n") for line in lines), job["name"])
        header = reading.header
        settings = Settings.of(job["settings"])
        game = Game(
            game_id=str(header.get("game_id")), players=header["players"], me=0, seed=header["seed"],
            settings=settings, ice={}, now=0.0, wall_ms=0.0,
        )
        simulation = simulation_of(make(), game)
        codecs = [action_codec(settings.of_seat(seat, "action_space")) for seat in range(len(game.players))]
        done = started(job["episode"], job["first"] or 0, job["last"])
        for _ in done.run(reading, simulation, codecs):
            pass
        found.update(frames=done.frames, hashes=done.hashes, lengths=reading.lengths)
        if done.difference is not None:
            found["difference"] = done.difference._asdict() | {"said": [
                [path, shown(one), shown(other)] for path, one, other in done.difference.fields
            ], "fields": []}
    except PycoreError as error:
        found["refused"] = str(error)
json.dumps(found)
"""


class Elsewhere(NamedTuple):
    """What came of it, as `Replay` has it."""

    frames: int
    hashes: int
    difference: Difference | None
    lengths: list[int]
    """Frames by episode."""
    python: str
    """The version of the Python there."""


def replayed_in_pyodide(
    folder: Path, env: str, file: Path, settings: Settings, episode: int | None, first: int | None, last: int | None
) -> Elsewhere:
    """Step a record in the Pyodide in `folder`. Raises UsageError with what is wrong."""
    job = {
        "settings": settings.as_dict(), "name": str(file), "episode": episode, "first": first, "last": last,
    }  # fmt: skip
    found = pyodide.play(folder, env, _REPLAY, job, file)
    if found["refused"] is not None:
        raise UsageError(found["refused"])
    difference = found["difference"]
    if difference is not None:
        fields = [(path, _value(one), _value(other)) for path, one, other in difference.pop("said")]
        difference = Difference(**{**difference, "fields": fields})
    return Elsewhere(found["frames"], found["hashes"], difference, found["lengths"], found["python"])


def _value(spelled: str) -> Any:
    try:
        return MISSING if spelled == "missing" else json.loads(spelled)
    except ValueError:
        return spelled

