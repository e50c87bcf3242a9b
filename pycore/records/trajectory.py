"""The canonical trajectory: confirmed frames only, the same bytes on every peer.

It is JSON Lines. Its first line names version, game, seed, players by seat,
environment and a digest of the agreed configuration; then comes one line per confirmed frame with actions,
rewards, terminations, truncations and infos, on every k-th frame with the hash of the state before it, and one
line at the end of each episode with the hash of the final state. It holds nothing that differs between peers
(no time, no local id, no path, no prediction), so it is byte-identical on all of them. JSON's keys are sorted,
floats are written by `repr`.

An info that JSON cannot spell is recorded as a text that says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pycore.actions.codec import ActionCodec
from pycore.session.session import Session
from pycore.simulation import StepResult
from pycore.values import canonical
from pycore.values.json import UNRECORDABLE, to_json

VERSION: Final = 1


class Trajectory:
    """Collects confirmed frames; it is the session's sink."""

    MOST: Final = 64
    """Frames that are kept as they came, should nobody call `write`: as text they take a tenth of the memory."""

    def __init__(self, codec: ActionCodec) -> None:
        self._codec = codec
        self._episodes: list[_Episode] = []
        self.totals: dict[Any, float] = {}
        """Confirmed rewards of the newest episode, summed by agent."""

    def __call__(
        self, episode: int, frame: int, encoded: list[bytes], result: StepResult | None, digest: bytes | None
    ) -> None:
        while len(self._episodes) <= episode:
            self._episodes.append(_Episode())
            self.totals = {}
        of = self._episodes[episode]
        if not encoded:
            of.end = digest
            return
        of.frames += 1
        of.fresh.append((frame, tuple(encoded), result, digest))
        if result is not None:
            totals = self.totals
            for agent, reward in result.rewards.items():
                totals[agent] = totals.get(agent, 0) + reward
        if len(of.fresh) >= self.MOST:
            self._write(episode, of, self.MOST)

    @property
    def waiting(self) -> int:
        """Frames of the newest episode that are kept as they came."""
        return len(self._episodes[-1].fresh) if self._episodes else 0

    def write(self, most: int) -> None:
        """Make text of some frames of the newest episode, which is work that can wait for a tick with little else."""
        if self._episodes and self._episodes[-1].fresh:
            self._write(len(self._episodes) - 1, self._episodes[-1], most)

    def _write(self, episode: int, of: _Episode, most: int) -> None:
        decode = self._codec.decode
        for frame, row, result, digest in of.fresh[:most]:
            line: dict[str, Any] = {"episode": episode, "frame": frame, "actions": [decode(e) for e in row]}
            if result is not None:
                line["rewards"] = _by_text(result.rewards)
                line["terminations"] = _by_text(result.terminations)
                line["truncations"] = _by_text(result.truncations)
                line["infos"] = _by_text(result.infos)
            if digest is not None:
                line["hash"] = digest.hex()
            try:
                text = to_json(line)
            except (TypeError, ValueError):
                # An environment's info may hold anything; the frame is worth more than it.
                line["infos"] = dict.fromkeys(line.get("infos", ()), UNRECORDABLE)
                text = to_json(line)
            of.lines.append(text)
        del of.fresh[:most]

    @property
    def episodes(self) -> int:
        """Episodes of which at least one frame is confirmed."""
        return len(self._episodes)

    def lines(self, episode: int) -> Iterator[str]:
        """The lines of one episode, without line ends."""
        if episode >= len(self._episodes):
            return
        of = self._episodes[episode]
        self._write(episode, of, len(of.fresh))
        yield from of.lines
        if of.end is not None:
            yield to_json({"end": episode, "frames": of.frames, "hash": of.end.hex()})


class _Episode:
    __slots__ = ("end", "frames", "fresh", "lines")

    def __init__(self) -> None:
        self.frames = 0
        self.lines: list[str] = []
        self.fresh: list[tuple[int, tuple[bytes, ...], StepResult | None, bytes | None]] = []
        self.end: bytes | None = None
        """Hash of the final state, once the episode is complete."""


def _by_text(values: dict[Any, Any]) -> dict[str, Any]:
    """JSON's keys are text; sorting a mixture of ints and strings would fail."""
    return {str(agent): value for agent, value in values.items()}


def header(session: Session) -> str:
    """The first line of a trajectory."""
    return to_json(
        {
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
