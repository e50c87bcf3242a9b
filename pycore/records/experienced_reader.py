"""Reads an experienced record, line by line.

`Experience` goes through the lines as they were written, and holds one at a time. What is no such record, was edited,
is cut off in a line or lacks lines is refused with the line and the reason. A record without its end is read as far as
it goes: its session was aborted, and `ended` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pycore.records.experienced import VERSION
from pycore.records.reader import SPELLING, RecordError
from pycore.values.json import EXACT, to_json

COUNTS: Final = ("stalls", "rollbacks", "resimulated", "max_depth", "predicted_frames")
"""The whole numbers of a second."""
OF_PEERS: Final = ("rtt_ms", "jitter_ms", "advantage", "input_age")
"""The numbers of each other player in it, as far as they are known."""
REACH: Final = 1024
"""Frames that a correction can have, and back that it can begin: more than any window."""


class Displayed(NamedTuple):
    """A picture of the state after a frame."""

    episode: int
    frame: int
    shown: list[Any]
    """The action of every seat with which the frame was stepped."""
    predicted: list[int]
    """Seats whose action was a guess."""
    time_ms: int
    input_ms: int | None
    """When the player's own action in it was read."""
    hidden: bool
    load: int = 0
    """How often the page had been loaded again."""


class SecondOfPlay(NamedTuple):
    """What happened in a second."""

    second: int
    time_ms: int
    episode: int
    frame: int
    values: dict[str, Any]
    """The whole line."""
    load: int = 0


class Happening(NamedTuple):
    """An event."""

    event: str
    time_ms: int
    episode: int
    frame: int
    more: dict[str, Any]
    """What belongs to it."""
    load: int = 0


class Over(NamedTuple):
    """The end of the session."""

    reason: str
    time_ms: int
    load: int = 0


Item = Displayed | SecondOfPlay | Happening | Over


class Experience:
    """An experienced record that is read once, from lines without their ends.

    The header is there at once; iterating gives what happened, in order. Raises RecordError, with the name given.
    """

    def __init__(self, lines: Iterable[str], name: str = "") -> None:
        self._lines = iter(lines)
        self.name = name
        self.line = 1
        """Number of the newest line."""
        first = next(self._lines, None)
        if first is None:
            raise RecordError(1, "the record is empty", name)
        self.header = self._header(first)
        """Of the first load of the page."""
        self.load = self._load(self.header)
        """Of the newest line: how often the page had been loaded again."""
        self.ended: str | None = None
        """The reason of the end, once it was read."""
        self._seats = len(self.header["players"])
        self._second = -1
        self._episode = 0
        self._newest = -1
        """The highest frame of the episode."""
        self._gap = self._pause = False
        """Lines were dropped, so that frames, or seconds, may be missing here."""

    def __iter__(self) -> Iterator[Item]:
        for text in self._lines:
            self.line += 1
            value = self._value(text)
            if "pycore_experienced" in value:
                self._loaded_again(text)
                continue
            if self.ended is not None:
                raise self._refused("a line behind the end")
            if "shown" in value:
                yield self._displayed(value)
            elif "second" in value:
                yield self._of_second(value)
            elif "event" in value:
                yield self._happening(value)
            elif "end" in value:
                reason = value["end"]
                if not isinstance(reason, str):
                    raise self._refused("an end without a reason")
                self.ended = reason
                yield Over(reason, self._whole(value, "time_ms"), self.load)
            else:
                raise self._refused(f"neither a displayed frame nor a second, an event or the end: {text!r:.60}")

    def _loaded_again(self, text: str) -> None:
        """A later load's header: it counts its seconds anew, and begins to play where it caught up."""
        header = self._header(text)
        load = self._load(header)
        if load <= self.load:
            raise self._refused(f"load {load} of the page behind load {self.load}")
        for name, known in self.header.items():
            if name not in ("load", "input_delay") and header.get(name) != known:
                raise self._refused(f"{name} of load {load} is {header.get(name)!r:.60}, not {known!r:.60}")
        self.load = load
        self.ended = None
        self._second = self._newest = -1
        self._gap = self._pause = False

    def _displayed(self, value: dict[str, Any]) -> Displayed:
        episode, frame = self._whole(value, "episode"), self._whole(value, "frame")
        if episode != self._episode:
            if episode < self._episode:
                raise self._refused(f"frame {frame} of episode {episode} behind episode {self._episode}")
            self._episode = episode
            self._newest = -1
        if frame > self._newest + 1 and not self._gap:
            raise self._refused(f"frame {frame} of episode {episode} behind frame {self._newest}: lines are missing")
        self._gap = False
        self._newest = max(self._newest, frame)
        shown, predicted = value["shown"], value.get("predicted", [])
        if not isinstance(shown, list) or len(shown) != self._seats:
            raise self._refused(f"a frame without an action for each of {self._seats} seats")
        if not isinstance(predicted, list) or any(
            type(seat) is not int or not 0 <= seat < self._seats for seat in predicted
        ):
            raise self._refused(f"seats that were guessed of which there are none: {predicted!r:.40}")
        read = self._whole(value, "input_ms") if "input_ms" in value else None
        hidden = value.get("hidden", False)
        return Displayed(episode, frame, shown, predicted, self._whole(value, "time_ms"), read, bool(hidden), self.load)

    def _of_second(self, value: dict[str, Any]) -> SecondOfPlay:
        second = self._whole(value, "second")
        if second != self._second + 1 and not (self._pause and second > self._second):
            raise self._refused(f"second {second} behind second {self._second}: lines are missing")
        self._second = second
        self._pause = False
        for name in COUNTS:
            self._whole(value, name)
        self._measure(value, "tick_ms_max")
        peers = value.get("peers")
        if not isinstance(peers, dict) or not all(isinstance(peer, dict) for peer in peers.values()):
            raise self._refused("a second without peers")
        for peer in peers.values():
            for name in OF_PEERS:
                self._measure(peer, name)
            if not isinstance(peer.get("path"), str | None):
                raise self._refused(f"path is {peer['path']!r:.40}; it must be a text")
        return SecondOfPlay(
            second, self._whole(value, "time_ms"), self._whole(value, "episode"), self._whole(value, "frame"), value,
            self.load,
        )

    def _happening(self, value: dict[str, Any]) -> Happening:
        event = value["event"]
        if not isinstance(event, str):
            raise self._refused("an event without a name")
        if event == "lost":
            self._gap = self._pause = True
        if event in ("corrected", "unseen"):
            first, last = self._whole(value, "from"), self._whole(value, "to")
            if event == "corrected" and last - first >= REACH:
                raise self._refused(f"frames {first} to {last}, corrected at once; {REACH} are the most")
        if event == "gone":
            self._gone(value)
        if event == "unseen":
            self._episode = self._whole(value, "episode")
            self._newest = value["to"]
        more = {key: of for key, of in value.items() if key not in ("event", "time_ms", "episode", "frame")}
        return Happening(
            event, self._whole(value, "time_ms"), self._whole(value, "episode"), self._whole(value, "frame"), more,
            self.load,
        )

    def _gone(self, value: dict[str, Any]) -> None:
        """Whose last action was agreed on, and which it is."""
        if value.get("player") not in self.header["players"]:
            players = self.header["players"]
            raise self._refused(f"player {value.get('player')!r:.40} is gone, of players {players!r:.60}")
        last = value.get("last")
        if not isinstance(last, dict):
            raise self._refused(f"somebody is gone whose last action is {last!r:.40}")
        for name in ("episode", "frame"):
            self._whole(last, name)

    def _header(self, text: str) -> dict[str, Any]:
        header = self._value(text)
        if header.get("pycore_experienced") != VERSION:
            raise self._refused(f"this is no experienced record of version {VERSION}: it begins with {text!r:.60}")
        players = header.get("players")
        if not isinstance(players, list) or header.get("player") not in players:
            raise self._refused(f"a header whose player is {header.get('player')!r:.60}, of players {players!r:.60}")
        if not isinstance(header.get("game_id"), str):
            raise self._refused("a header without a game_id")
        return header

    def _load(self, header: dict[str, Any]) -> int:
        return self._whole(header, "load") if "load" in header else 0

    def _whole(self, value: dict[str, Any], name: str) -> int:
        number = value.get(name)
        if type(number) is not int or not -EXACT <= number <= EXACT:
            raise self._refused(f"{name} is {number!r:.40}; it must be a whole number that a float holds")
        return number

    def _measure(self, value: dict[str, Any], name: str) -> None:
        """A number that may be unknown."""
        number = value.get(name)
        if number is not None and type(number) is not float:
            self._whole(value, name)

    def _value(self, text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
            if not isinstance(value, dict):
                raise self._refused(f"no object: {text!r:.60}")
            if to_json(value) != text:
                raise self._refused(f"{SPELLING}: {text!r:.80}")
        except (ValueError, RecursionError) as error:
            raise self._refused(f"no JSON: {error}") from None
        return value

    def _refused(self, why: str) -> RecordError:
        return RecordError(self.line, why, self.name)
