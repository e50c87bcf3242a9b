"""A record stepped again in Pyodide, under Node: where the players stepped it.

For environments whose arithmetic is another one in CPython. What runs there is this very core, with the same reader and
the same comparison, line by line from the file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.audit import pyodide
from pycore.errors import UsageError
from pycore.export.partners import FOR_GONE, Named, not_at_hand
from pycore.factory import POLICY, parts_of
from pycore.records.replay import Difference
from pycore.values.differences import MISSING

_REPLAY: Final = """
from pycore.actions.codec import action_codec
from pycore.bridge.game import Game, simulation_of
from pycore.errors import PycoreError, described
from pycore.records.reader import Reading
from pycore.records.partners import Partners
from pycore.records.replay import shown, started
from pycore.settings import Settings
found = {"python": sys.version.split()[0], "refused": None, "difference": None, "frames": 0, "hashes": 0, "lengths": [],
         "computed": [], "missing": [], "acted": 0}
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
        policies = {}
        for seat, player, place, name in job["policies"]:
            try:
                policies[seat] = getattr(importlib.import_module(place), name)()
            except Exception as error:
                found["missing"].append([player, described(error)])
        found["computed"] = [player for seat, player, *_ in job["policies"] if seat in policies and seat is not None]
        after = policies.pop(None, None)
        if policies or after is not None:
            partners = Partners(simulation, settings, game.players, policies, game.seed, after)
        else:
            partners = None
        done = started(job["episode"], job["first"] or 0, job["last"])
        for _ in done.run(reading, simulation, codecs, partners):
            pass
        found.update(frames=done.frames, hashes=done.hashes, acted=done.acted, lengths=reading.lengths)
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
    acted: int = 0
    computed: Sequence[str] = ()
    """The players whose policies were computed there."""
    notes: Sequence[str] = ()
    """A sentence for each that could not be."""


def replayed_in_pyodide(
    folder: Path, env: str, file: Path, named: Named,
    episode: int | None, first: int | None, last: int | None,
) -> Elsewhere:  # fmt: skip
    """Step a record in the Pyodide in `folder`, and compute the policies that are named. Raises UsageError with what is
    wrong."""
    texts = {f"of player {player}": text for player, text in named.texts.values()}
    made: list[tuple[int | None, str, str]] = [(seat, player, text) for seat, (player, text) in named.texts.items()]
    if named.stand_in is not None:
        texts[FOR_GONE] = named.stand_in
        made.append((None, "", named.stand_in))
    imported = []
    for seat, player, text in made:
        place, name = parts_of(text, POLICY)
        module = ".".join(Path(place).with_suffix("").parts) if place.endswith(".py") else place
        imported.append((seat, player, module, name))
    job = {
        "settings": named.settings.as_dict(), "name": str(file), "episode": episode, "first": first, "last": last,
        "policies": imported,
    }  # fmt: skip
    found = pyodide.play(folder, env, _REPLAY, job, file)
    if found["refused"] is not None:
        raise UsageError(found["refused"])
    difference = found["difference"]
    if difference is not None:
        fields = [(path, _value(one), _value(other)) for path, one, other in difference.pop("said")]
        difference = Difference(**{**difference, "fields": fields})
    missing = [(f"of player {player}" if player else FOR_GONE, why) for player, why in found["missing"]]
    notes = [not_at_hand(what, texts[what], why) for what, why in missing]
    return Elsewhere(
        found["frames"], found["hashes"], difference, found["lengths"], found["python"], found["acted"],
        found["computed"], notes,
    )  # fmt: skip


def _value(spelled: str) -> Any:
    try:
        return MISSING if spelled == "missing" else json.loads(spelled)
    except ValueError:
        return spelled

