"""What an environment draws of a record's frames: the page's lists of objects, or its pixels as PNG.

The picture of a frame shows the state after it, as in the experienced record. An environment that gives its permanent
objects at the start of an episode only is asked there, as the page asks it.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pycore.bridge.view import Pictures
from pycore.envs.pictures import PIXELS
from pycore.records.reader import RecordedFrame
from pycore.simulation import Renderable, Simulation, StepResult
from pycore.values.sums import plus

DATA: Final = "data:image/png;base64,"
WHOLE: Final = frozenset(("uuid", "object_type", "columns", "rows", "channels", PIXELS))
"""What a picture of pixels has that fills the world."""


class Shot(NamedTuple):
    """One frame, and what was drawn of it."""

    episode: int
    frame: int
    text: str
    """All of it as JSON, for the page."""
    pixels: bytes | None
    """The picture as PNG, where the environment draws arrays."""
    objects: bool
    """Whether it draws objects."""


class Filmed:
    """A simulation that is stepped by a replay and drawn by its side."""

    def __init__(self, simulation: Simulation, players: Sequence[Any]) -> None:
        self._simulation = simulation
        self._pictures = Pictures(simulation) if isinstance(simulation, Renderable) else None
        self._players = [str(player) for player in players]
        self._totals: dict[str, Any] = dict.fromkeys(self._players, 0)

    def reset(self, episode: int) -> None:
        """As the simulation does; what lasts for the episode is drawn."""
        self._simulation.reset(episode)
        if self._pictures is not None:
            self._pictures.begin()

    def save(self) -> object:
        """As the simulation does."""
        return self._simulation.save()

    def load(self, state: object) -> None:
        """As the simulation does."""
        self._simulation.load(state)

    def canonical(self, state: object) -> bytes:
        """As the simulation does."""
        return self._simulation.canonical(state)

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        """As the simulation does; rewards are summed."""
        result = self._simulation.step(actions)
        if result is not None:
            for agent, reward in result.rewards.items():
                if str(agent) in self._totals:
                    self._totals[str(agent)] = plus(self._totals[str(agent)], reward)
        return result

    def shot(self, item: RecordedFrame, seen: Sequence[Any] | None = None) -> Shot:
        """What there is to see after a frame; `seen` is what a participant was shown of it."""
        picture, pixels = self._picture()
        infos = item.values.get("infos", {})
        known = [infos[player] for player in self._players if isinstance(infos.get(player), dict)]
        score = next((info["score"] for info in known if "score" in info), None)
        about = {
            "episode": item.episode, "frame": item.frame, "actions": item.actions, "rewards": self._totals,
            "score": score,
        }  # fmt: skip
        if seen is not None:
            about["seen"] = list(seen)
        text = json.dumps(finite(about), ensure_ascii=False, separators=(",", ":"))
        drawn = pixels is None and picture != "null"
        return Shot(item.episode, item.frame, f'{text[:-1]},"picture":{picture}}}', pixels, drawn)

    def _picture(self) -> tuple[str, bytes | None]:
        """What is drawn now, as JSON; and as PNG, if it is a picture of pixels and nothing else."""
        picture = "" if self._pictures is None else self._pictures.render()
        if self._pictures is None or not picture:
            return "null", None
        if f'"object_type":"{PIXELS}"' not in picture:
            return picture, None
        shown = json.loads(picture)
        for item in shown["objects"]:
            if item["object_type"] == PIXELS:
                data = self._pictures.pixels(item[PIXELS])
                if len(shown["objects"]) == 1 and item.keys() <= WHOLE:
                    png = png_of(item["columns"], item["rows"], item["channels"], data)
                    return f'"{DATA}{base64.b64encode(png).decode()}"', png
                item[PIXELS] = base64.b64encode(data).decode()
        return json.dumps(shown, separators=(",", ":")), None


def png_of(width: int, height: int, channels: int, data: bytes) -> bytes:
    """Pixels, row by row with three or four bytes to one, as PNG."""
    line = width * channels
    rows = b"".join(b"\0" + data[at : at + line] for at in range(0, height * line, line))
    head = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def finite(value: Any) -> Any:
    """The same with NaN and infinities as texts: JSON has no numbers for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
