"""Pages that do not stay to the end: one that is closed, or loaded again, in mid-game, and what it had by then.

As it goes, a page writes down what the verdict needs of it, where another page of its browser finds it: nothing can be
asked of it any more, and what it read after an earlier question would be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from pycore import records

KEPT: Final = "pycore.departed"

KEEP: Final = """
window.addEventListener('pagehide', () => {
  const game = window.pycoreGame;
  if (!game) return;
  const keep = () => localStorage.setItem('KEPT', JSON.stringify({
    metrics: game.exportSessionMetrics(), records: game.records(), read: window.pycoreRead,
  }));
  keep();
  // Some ticks more may be made before the page is really gone.
  const read = window.pycoreReadAction;
  window.pycoreReadAction = (frame) => {
    const action = read(frame);
    keep();
    return action;
  };
});
""".replace("KEPT", KEPT)
"""What every page runs before anything else."""

PLAYED: Final = ("complete", "stop")
"""Why sessions end that were played as they were meant to."""
WITHOUT: Final = ("player_left", "returned")
"""Why they end when somebody is gone, or came back as another one."""

BLANK: Final = "api/health"
"""An address of the relay without a page of ours."""


@dataclass(frozen=True)
class Departed:
    """What a page had when it went: `how` is `left` or `reloaded`; the rest as it is asked of a page that stays."""

    how: str
    player: str
    metrics: Mapping[str, Any]
    records: str
    read: Sequence[Mapping[str, Any]]
    end: str = ""
    """Why the session ended for those who stayed; empty if it went on without that player."""
    gone: Mapping[str, Any] | None = None
    """What those who stayed were told when it was settled: episode and frame of its last own action; None if nothing
    was settled."""

    @property
    def seat(self) -> int:
        """By its own record: among those who have metrics policies do not count."""
        players = records.Reading(self.records.splitlines()).header["players"]
        return [str(player) for player in players].index(self.player)

    def as_json(self) -> dict[str, Any]:
        """For the verdict of a script."""
        return {
            "how": self.how, "player": self.player, "frames": self.metrics["frames"]["total"],
            "ended": self.end or None, "settled": self.gone,
        }  # fmt: skip

    def __str__(self) -> str:
        frames = self.metrics["frames"]["total"]
        what = "closed its page" if self.how == "left" else "loaded its page again"
        then = f"it ended the session for the others ({self.end})" if self.end else "the others went on"
        return f"player {self.player} {what} after {frames:,} frames; {then}"


class Broken(NamedTuple):
    """A session that not all played to its end."""

    ended: bool
    """It ended for all, in the middle of an episode."""
    settled: bool
    """Those who stayed know the last frame of the one who went, and end or go on there: their records are the same,
    and not only as far as the shortest one goes."""
    seat: int
    after: tuple[int, int] | None
    """The last episode and frame with an action of its own, where that is settled."""


def broken(departed: Departed | None) -> Broken | None:
    """What the judgement has to know of it."""
    if departed is None:
        return None
    at = departed.gone
    after = None if at is None else (int(at["episode"]), int(at["frame"]))
    return Broken(bool(departed.end), at is not None, departed.seat, after)


def judged(
    departed: Departed,
    texts: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, Any]],
    gone: Mapping[str, Mapping[str, Any]],
    goes_on: bool,
) -> tuple[Departed, list[str]]:
    """The same with how it went on for the others, and what is wrong with that.

    `goes_on`: the others were to play on. `texts`, `metrics` and `gone` (what pages were told of players who are gone,
    by player) are of those who stayed.
    """
    reasons = {player: str(of["end"]["reason"]) for player, of in metrics.items()}
    early = sorted({reason for reason in reasons.values() if reason not in PLAYED})
    problems = []
    if len(set(reasons.values())) > 1:
        said = ", ".join(f"{player}: {reason}" for player, reason in reasons.items())
        problems.append(f"the session did not end alike for those who stayed ({said})")
    if goes_on and early:
        problems.append(f"the session was to go on without player {departed.player}, and ended: {early[0]}")
    if not goes_on and not early:
        problems.append(f"the session was to end without player {departed.player}, and went on")
    if early and early[0] not in WITHOUT:
        problems.append(f"a page went away, and the session ended for another reason: {early[0]}")
    settled = [of[departed.player] for of in gone.values() if departed.player in of]
    at = settled[0] if len(settled) == len(metrics) else None
    if any((of["episode"], of["frame"]) != (settled[0]["episode"], settled[0]["frame"]) for of in settled):
        problems.append(f"those who stayed settled player {departed.player} on different frames: {settled}")
    found = replace(departed, end=early[0] if early else "", gone=at)
    longest = max(texts.values(), key=len)
    own = _until(departed.records, broken(found))
    if difference := _difference(departed.player, own, longest):
        problems.append(difference)
    return found, problems


def _difference(player: str, own: str, other: str) -> str:
    """The first line in which the record of who went and of who stayed differ, as far as both go."""
    for number, (left, right) in enumerate(zip(own.splitlines(), other.splitlines(), strict=False), 1):
        if left != right:
            return (
                f"line {number} differs between player {player}, who went, and those who stayed:\n  {left}\n  {right}"
            )
    return ""


def _until(text: str, at: Broken | None) -> str:
    """A record up to the frame on which the others settled: behind it who went may have played what nobody got."""
    if at is None or at.after is None:
        return text
    kept = []
    for line in text.splitlines():
        of = json.loads(line)
        if "frame" in of and (of["episode"], of["frame"]) > at.after:
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def leave(page: Any, url: str) -> Departed | None:
    """Close the page, as a person does; None if it was in no game."""
    context = page.context
    page.close()
    return _found(context, url, "left")


def reload(page: Any, url: str) -> Departed | None:
    """Load the page again, as a person does."""
    page.reload(wait_until="commit")
    return _found(page.context, url, "reloaded")


def go_elsewhere(page: Any, url: str) -> Departed | None:
    """Have the page's tab show nothing, from where a person comes back."""
    page.goto("about:blank")
    return _found(page.context, url, "reloaded")


def _found(context: Any, url: str, how: str) -> Departed | None:
    page = context.new_page()
    try:
        page.goto(f"{url}{BLANK}")
        text = page.evaluate("(name) => localStorage.getItem(name)", KEPT)
    finally:
        page.close()
    if text is None:
        return None
    kept = json.loads(text)
    return Departed(how, str(kept["metrics"]["playerId"]), kept["metrics"], kept["records"], kept["read"])
