"""Reads a canonical trajectory, line by line or whole.

`Reading` goes through the lines as `trajectory_text` wrote them, and holds one at a time; `read` takes a whole text.
Both refuse what is no trajectory, with the line and the reason: what is cut off in a line, has a gap, or is not spelled
as records are. A line has one spelling only, so that two records are the same where their bytes are, and the text that
the hashes cover is found by its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pycore.errors import PycoreError
from pycore.records.trajectory import VERSION
from pycore.session.publication import STAND_INS, delays_text, gone_text
from pycore.values.json import list_json, to_json

RESULTS: Final = ("infos", "rewards", "terminations", "truncations")
"""What a step gave, by agent; a simulation that gives nothing has none of them."""
ALLOWED: Final = frozenset((*RESULTS, "actions", "delays", "episode", "frame", "gone", "hash"))
MOST_EPISODES: Final = 256
"""More than a study may have."""

SPELLING: Final = "not spelled as records are, so it was edited or converted"


class RecordError(PycoreError):
    """A record cannot be read; `line` counts from 1, `name` is what the record is called, if anything."""

    code = "record"

    def __init__(self, line: int, why: str, name: str = "") -> None:
        super().__init__(f"{name}: line {line}: {why}" if name else f"line {line}: {why}")
        self.name = name
        self.line = line
        self.why = why


class RecordedFrame(NamedTuple):
    """One confirmed frame, as it was recorded."""

    frame: int
    actions: list[Any]
    """By seat."""
    hash: str | None
    """Of the state before it and the rows since the hash before, on every k-th frame."""
    results: str
    """Infos, rewards, terminations and truncations, as the text that the hashes cover; empty without results."""
    values: dict[str, Any]
    """The whole line."""
    episode: int
    text: str
    """The line as it stands in the record."""
    delays: str = ""
    """Of the first frame, the input delays of the episode as the text that hashes cover; older records have none."""
    gone: str = ""
    """Where somebody's seat is played otherwise from this frame on, how, by player, as the text that hashes cover."""

    @property
    def stand_ins(self) -> dict[str, str]:
        """What plays from this frame on in the place of players who are gone, by player."""
        found: dict[str, str] = self.values.get("gone", {})
        return found


class RecordedEnd(NamedTuple):
    """The end of an episode that was not broken off."""

    episode: int
    frames: int
    hash: str
    """Of the final state and the rows since the hash before."""
    text: str
    """The line as it stands in the record."""


class RecordedEpisode(NamedTuple):
    """The frames of one episode, from 0."""

    frames: list[RecordedFrame]
    hash: str | None
    """Of the final state; None where the episode was broken off."""


class Recording(NamedTuple):
    """A trajectory."""

    header: dict[str, Any]
    episodes: list[RecordedEpisode]


class Reading:
    """A trajectory that is read once, from lines without their ends; it holds no more than the line of now.

    The header is there at once. Iterating gives frames and ends in order; `episode` is that of the first frame,
    where earlier ones are left out. Raises RecordError, with the name given.
    """

    def __init__(self, lines: Iterable[str], name: str = "", episode: int = 0) -> None:
        self._lines = iter(lines)
        self.name = name
        first = next(self._lines, None)
        if first is None:
            raise RecordError(1, "the record is empty", name)
        self.line = 1
        """Number of the newest line."""
        self.header_text = first
        """The first line as it stands in the record."""
        self.header = self._header(first)
        self.lengths = [0] * episode
        """Frames that were read, by episode."""
        self.ended = [True] * episode
        """Whether its end was read, by episode."""

    @property
    def whole(self) -> bool:
        """At least one episode was read, and each up to its end."""
        return bool(self.ended) and all(self.ended)

    def __iter__(self) -> Iterator[RecordedFrame | RecordedEnd]:
        for text in self._lines:
            self.line += 1
            value = self._value(text)
            yield self._end(text, value) if "end" in value else self._frame(text, value)

    def _end(self, text: str, value: dict[str, Any]) -> RecordedEnd:
        lengths = self.lengths
        episode = len(lengths) - 1
        if value["end"] != episode or not lengths or self.ended[-1]:
            raise self._refused(f"the end of episode {value['end']} where episode {episode} runs")
        if value.get("frames") != lengths[-1]:
            raise self._refused(f"an end after {value.get('frames')} frames; there are {lengths[-1]}")
        digest = value.get("hash")
        if text != f'{{"end":{episode},"frames":{lengths[-1]},"hash":"{digest}"}}':
            raise self._refused(f"{SPELLING}: {text!r:.80}")
        self.ended[-1] = True
        return RecordedEnd(episode, lengths[-1], str(digest), text)

    def _frame(self, text: str, value: dict[str, Any]) -> RecordedFrame:
        lengths = self.lengths
        if value.get("frame") == 0:
            self._begin(value.get("episode"))
        episode = len(lengths) - 1
        if not lengths or self.ended[-1] or value.get("episode") != episode or value.get("frame") != lengths[-1]:
            raise self._refused(f"frame {value.get('frame')} of episode {value.get('episode')}, not {self._expected()}")
        actions = value.get("actions")
        if not isinstance(actions, list):
            raise self._refused("a frame without actions")
        frame = lengths[-1]
        digest = value.get("hash")
        hashed = "" if digest is None else f',"hash":"{digest}"'
        delays = self._delays(value, frame, len(actions)) if "delays" in value else ""
        gone = self._gone(value["gone"]) if "gone" in value else ""
        try:
            begins = f'{{"actions":{list_json(actions)}{delays},"episode":{episode},"frame":{frame}{gone}{hashed}'
        except RecursionError:
            raise self._refused("the actions are nested too deeply") from None
        results = text[len(begins) : -1]
        if not text.startswith(begins) or text[-1] != "}" or not (results == "" or results.startswith(',"infos":')):
            raise self._refused(f"{SPELLING}: {text!r:.80}")
        if not ALLOWED.issuperset(value):
            raise self._refused(f"a frame with {sorted(set(value) - ALLOWED)[0]!r}, which no record has")
        if results:
            for name in RESULTS:
                if not isinstance(value.get(name), dict):
                    raise self._refused(f"a frame whose {name} are no object")
        lengths[-1] += 1
        return RecordedFrame(frame, actions, digest, results, value, episode, text, delays, gone)

    def _begin(self, episode: Any) -> None:
        """Another episode, if it comes behind those before it. Who was away, or had not stored anything yet when the
        page crashed, and came back to a later one, has nothing of those in between."""
        after = len(self.lengths)
        if type(episode) is int and after <= episode < MOST_EPISODES:
            self.lengths += [0] * (episode - after + 1)
            self.ended += [False] * (episode - after + 1)

    def _delays(self, value: dict[str, Any], frame: int, seats: int) -> str:
        """The input delays of an episode, as its first line spells them."""
        delays = value["delays"]
        of_seats = isinstance(delays, list) and len(delays) == seats and all(type(each) is int for each in delays)
        if frame or not of_seats:
            raise self._refused(f"input delays that are {delays!r:.60}, in frame {frame}")
        return delays_text(delays)

    def _gone(self, gone: Any) -> str:
        """What plays in the place of players who are gone, as a line spells it."""
        players = [str(player) for player in self.header["players"]]
        named = isinstance(gone, dict) and all(
            player in players and what in STAND_INS for player, what in gone.items()
        )  # fmt: skip
        if not named or not gone:
            raise self._refused(f"players who are gone that are {gone!r:.60}")
        return gone_text(gone)

    def _header(self, text: str) -> dict[str, Any]:
        header = self._value(text)
        if header.get("pycore") != VERSION:
            raise self._refused(f"this is no trajectory of version {VERSION}: it begins with {text!r:.60}")
        players = header.get("players")
        if not isinstance(players, list) or not players or not all(type(player) in (int, str) for player in players):
            raise self._refused(f"a header whose players are {players!r:.60}")
        if len({*map(str, players)}) < len(players):
            raise self._refused(f"a header in which two players are called alike: {players!r:.60}")
        if not isinstance(header.get("policies", {}), dict):
            raise self._refused(f"a header whose policies are {header['policies']!r:.60}")
        if type(header.get("seed")) is not int:
            raise self._refused(f"a header whose seed is {header.get('seed')!r:.60}")
        if text != to_json(header):
            raise self._refused(f"{SPELLING}: {text!r:.80}")
        return header

    def _value(self, text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._refused(f"no JSON: {error}") from None
        if not isinstance(value, dict):
            raise self._refused(f"no object: {text!r:.60}")
        return value

    def _refused(self, why: str) -> RecordError:
        return RecordError(self.line, why, self.name)

    def _expected(self) -> str:
        if not self.lengths:
            return "frame 0 of episode 0"
        if self.ended[-1]:
            return f"frame 0 of episode {len(self.lengths)}"
        return f"frame {self.lengths[-1]} of episode {len(self.lengths) - 1}"


def read(text: str) -> Recording:
    """Read a whole trajectory. Raises RecordError for what is none, is cut off in a line, or has a gap."""
    # Not splitlines(): texts of infos may hold characters that it takes for line ends.
    reading = Reading(text.removesuffix("\n").split("\n") if text else ())
    episodes: list[RecordedEpisode] = []
    for item in reading:
        if isinstance(item, RecordedEnd):
            episodes[-1] = episodes[-1]._replace(hash=item.hash)
            continue
        while len(episodes) <= item.episode:
            episodes.append(RecordedEpisode([], None))
        episodes[-1].frames.append(item)
    return Recording(reading.header, episodes)
