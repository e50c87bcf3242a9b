"""Steps a record again, in CPython or inside a page: this file's text is what a page's Python is given.

So it imports nothing but what a page has. `make` makes a new environment; `text` is a canonical trajectory, `settings`
the study's settings, as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from pycore.actions.codec import ActionCodec, action_codec
from pycore.bridge.game import Game, simulation_of
from pycore.records.reader import RecordedEnd, RecordedFrame, Recording, read
from pycore.records.replay import Replay, items_of, started
from pycore.settings import Settings
from pycore.simulation import Simulation


class Again:
    """A record that is being stepped again; `stepped` goes on after each frame and end that came out as recorded."""

    def __init__(self, make: Callable[[], Any], text: str, settings: str) -> None:
        self.recording: Recording = read(text)
        header = self.recording.header
        given = Settings.of(json.loads(settings))
        players = header["players"]
        game = Game(
            game_id=str(header.get("game_id")), players=players, me=0, seed=header["seed"], settings=given, ice={},
            now=0.0, wall_ms=0.0,
        )  # fmt: skip
        self.simulation: Simulation = simulation_of(make(), game)
        self.codecs: list[ActionCodec] = [
            action_codec(given.of_seat(seat, "action_space")) for seat in range(len(players))
        ]
        self.replay: Replay = started()

    def stepped(self) -> Iterator[RecordedFrame | RecordedEnd]:
        """Frames and ends, in order, until something differs."""
        return self.replay.run(items_of(self.recording), self.simulation, self.codecs)

    def state(self, episode: int, frame: int, back: int = 0) -> bytes:
        """The canonical state before a frame, or at the end of its episode, whatever the record says it gave.

        With `back`, so many frames are taken back and stepped again after each one: what a state lacks shows.
        """
        simulation = self.simulation
        for number in range(episode + 1):
            simulation.reset(number)
            held: list[tuple[object, list[Any]]] = []
            for item in self.recording.episodes[number].frames:
                if number == episode and item.frame == frame:
                    break
                pairs = zip(self.codecs, item.actions, strict=True)
                held.append((simulation.save(), [codec.decode(codec.encode(action)) for codec, action in pairs]))
                simulation.step(held[-1][1])
                held = held[-back:] if back else []
                if held:
                    simulation.load(held[0][0])
                for at, (_, actions) in enumerate(held):
                    held[at] = (simulation.save(), actions)
                    simulation.step(actions)
        return simulation.canonical(simulation.save())


def difference_of(again: Again) -> dict[str, Any] | None:
    """The first difference that was found: its kind, place and words."""
    found = again.replay.difference
    if found is None:
        return None
    return {"kind": found.kind, "episode": found.episode, "frame": found.frame, "said": str(found)}


def told(make: Callable[[], Any], text: str, settings: str) -> str:
    """The first difference from the record, as JSON; ``null`` if there is none."""
    again = Again(make, text, settings)
    for _ in again.stepped():
        pass
    return json.dumps(difference_of(again))


def state_hex(make: Callable[[], Any], text: str, settings: str, episode: int, frame: int) -> str:
    """A state as text; see `Again.state`."""
    return Again(make, text, settings).state(episode, frame).hex()
