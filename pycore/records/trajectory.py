"""The canonical trajectory: confirmed frames only, the same bytes on every peer.

It is JSON Lines. Its first line names version, game, seed, players by seat, environment, a digest of the agreed
configuration and, where there are any, for whom of the players policies play and which one plays on for who is gone;
then comes one line per confirmed frame
with actions, rewards, terminations, truncations and infos, on every k-th frame with the hash of the state before it,
and one line at the end of each episode with the hash of the final state. The first line of an episode has its input
delays, and the line of the first frame that is played in the place of a player who is gone says so. It holds nothing
that differs between peers (no time, no local id, no path, no prediction), so it is byte-identical on all of them.
JSON's keys are sorted, floats are written by `repr`.

An info that JSON cannot spell is recorded as a text that says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from pycore.session.confirmed import ConfirmedFrame
from pycore.session.publication import CUT_FRAMES
from pycore.session.session import Session
from pycore.values import canonical
from pycore.values.json import list_json, to_json
from pycore.values.sums import plus

VERSION: Final = 1
REMEMBERED: Final = 256
"""Rows of actions whose text is remembered: of few actions all, and of many or long ones no more than this."""


class Trajectory:
    """Collects confirmed frames as text; it is a sink of the session."""

    def __init__(self) -> None:
        self._episodes: list[_Episode] = []
        self.totals: dict[Any, Any] = {}
        """Confirmed rewards of the newest episode, summed by agent as `plus` does."""
        self._texts: dict[tuple[bytes, ...], str] = {}
        """The beginnings of lines, by the actions in them: mostly the same few."""
        self._totals_before: deque[tuple[int, dict[Any, Any]]] = deque(maxlen=CUT_FRAMES)
        """What they were before each of the last frames, which may be taken back."""
        self.cuts: list[tuple[int, int]] = []
        """What was taken back so far: the episode, and the frames that it kept."""

    def frame(self, frame: ConfirmedFrame) -> None:
        """Write down a confirmed frame."""
        while len(self._episodes) <= frame.episode:
            self._episodes.append(_Episode(frame.frame))
            self.totals = {}
            self._totals_before.clear()
        digest = "" if frame.digest is None else f',"hash":"{frame.digest.hex()}"'
        text = self._texts.get(frame.actions)
        if text is None or frame.delays:
            text = self._begun(frame)
        self._episodes[frame.episode].lines.append(
            f'{text}{frame.episode},"frame":{frame.frame}{frame.gone}{digest}{frame.text}}}'
        )
        if frame.result is not None:
            totals = self.totals
            self._totals_before.append((frame.frame, totals.copy()))
            for agent, reward in frame.result.rewards.items():
                totals[agent] = plus(totals.get(agent, 0), reward)

    def _begun(self, frame: ConfirmedFrame) -> str:
        """A line up to the number of its episode, remembered for the next frame with these actions."""
        text = f'{{"actions":{list_json(frame.recorded)}{frame.delays},"episode":'
        if frame.delays:
            return text
        if len(self._texts) >= REMEMBERED:
            self._texts.clear()
        self._texts[frame.actions] = text
        return text

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete."""
        self._episodes[episode].end = digest

    def cut(self, episode: int, frames: int) -> None:
        """The episode has so many frames only."""
        if episode < len(self._episodes):
            of = self._episodes[episode]
            self.cuts.append((episode, frames))
            del of.lines[max(0, frames - of.first) :]
            of.end = None
            while self._totals_before and self._totals_before[-1][0] >= frames:
                _frame, self.totals = self._totals_before.pop()

    @property
    def episodes(self) -> int:
        """Episodes of which at least one frame is confirmed."""
        return len(self._episodes)

    def lines(self, episode: int) -> Iterator[str]:
        """The lines of one episode, without line ends."""
        if episode >= len(self._episodes):
            return
        yield from self._episodes[episode].lines
        if end := self.end_line(episode):
            yield end

    def first(self, episode: int) -> int:
        """The first frame that there is of an episode: 0, but for who was added later."""
        return self._episodes[episode].first

    def rows(self, episode: int, frame: int) -> list[str]:
        """The lines of the frames of an episode from this one on, without line ends."""
        of = self._episodes[episode]
        return of.lines[max(0, frame - of.first) :]

    def end_line(self, episode: int) -> str:
        """The line at the end of an episode; empty where it is not complete."""
        of = self._episodes[episode]
        return "" if of.end is None else to_json({"end": episode, "frames": len(of.lines), "hash": of.end.hex()})


class _Episode:
    __slots__ = ("end", "first", "lines")

    def __init__(self, first: int) -> None:
        self.first = first
        """The frame of the first line: who was added later has none of those before."""
        self.lines: list[str] = []
        self.end: bytes | None = None
        """Hash of the final state, once the episode is complete."""


def header(session: Session) -> str:
    """The first line of a trajectory."""
    policies, stand_in = session.settings.policies, session.settings.stand_in
    return to_json(
        {
            **({"policies": {**policies}} if policies else {}),
            **({"stand_in": {**stand_in}} if stand_in is not None else {}),
            "pycore": VERSION,
            "game_id": session.game_id,
            "seed": session.seed,
            "players": session.players,
            "environment": session.settings.environment,
            "configuration": canonical.digest(session.configuration).hex(),
        }
    )


def trajectory_text(session: Session, trajectory: Trajectory, episode: int | None = None) -> str:
    """The trajectory of an episode, or of the whole session, as JSON Lines with the header in front."""
    episodes = range(trajectory.episodes) if episode is None else (episode,)
    lines = [header(session)]
    for each in episodes:
        lines.extend(trajectory.lines(each))
    return "\n".join(lines) + "\n"
