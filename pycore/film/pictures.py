"""What an environment draws of a record's frames: the page's lists of objects, or arrays of pixels as PNG.

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
from pycore.records.reader import RecordedFrame
from pycore.simulation import Renderable, Simulation, StepResult

DATA: Final = "data:image/png;base64,"


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
                if str(agent) in self._totals and isinstance(reward, (int, float)):
                    self._totals[str(agent)] += reward
        return result

    def shot(self, item: RecordedFrame, seen: Sequence[Any] | None = None) -> Shot:
        """What there is to see after a frame; `seen` is what a participant was shown of it."""
        pixels, picture, objects = None, "null", False
        if self._pictures is not None:
            picture = self._pictures.render() or "null"
            objects = picture != "null"
        if not objects:
            drawn = getattr(self._simulation, "drawn", None)
            pixels = png_of(drawn()) if callable(drawn) else None
            if pixels is not None:
                picture = f'"{DATA}{base64.b64encode(pixels).decode()}"'
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
        if "NaN" in picture or "Infinity" in picture:
            picture = json.dumps(finite(json.loads(picture)), separators=(",", ":"))
        return Shot(item.episode, item.frame, f'{text[:-1]},"picture":{picture}}}', pixels, objects)


def png_of(drawn: Any) -> bytes | None:
    """An array of numpy's with rows, columns and one, three or four bytes a pixel as PNG; None for anything else."""
    shape = getattr(drawn, "shape", None)
    if str(getattr(drawn, "dtype", None)) != "uint8" or not isinstance(shape, tuple) or 0 in shape:
        return None
    if len(shape) == 2:
        shape = (*shape, 1)
    kinds = {1: 0, 3: 2, 4: 6}
    if len(shape) != 3 or shape[2] not in kinds:
        return None
    height, width, depth = shape
    data, line = drawn.tobytes(), width * depth
    rows = b"".join(b"\0" + data[at : at + line] for at in range(0, height * line, line))
    head = struct.pack(">IIBBBBB", width, height, 8, kinds[depth], 0, 0, 0)
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
