"""What one should know first of a study, in the order of harm."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Final

from pycore.export.measures import Value
from pycore.report.study import GameReport, Study

LONG_STALL_PCT: Final = 5.0
"""From here on a player's stalls are told."""
NAMED: Final = 3
"""Games that a finding names; of more their number is told."""


def spread(values: Iterable[Value]) -> tuple[float, float, float] | None:
    """Median, first and third quartile of the numbers (inclusive method); None without any."""
    known = [float(value) for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(known) < 2:
        return (known[0], known[0], known[0]) if known else None
    low, middle, high = statistics.quantiles(known, n=4, method="inclusive")
    return middle, low, high


def counted(count: int, what: str) -> str:
    """A number with its word."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def findings(study: Study) -> list[str]:
    """Sentences; none if there is nothing to tell."""
    said = []
    desynced = [game for game in study.games if game.status == "desynced"]
    if desynced:
        said.append(f"{counted(len(desynced), 'game')} desynced: {_why(desynced)}")
    lacking = [game for game in study.games if game.status in ("partial", "single")]
    if lacking:
        said.append(f"{counted(len(lacking), 'game')} of {len(study.games)} not proved in full: {_why(lacking)}")
    for each in study.applied:
        if each.true_of:
            reason = f" ({each.rule.reason})" if each.rule.reason else ""
            said.append(
                f"rule “{each.rule.name}”{reason} is true of {counted(each.true_of, 'player')} in "
                f"{counted(each.games, 'game')}, and excludes {counted(each.excludes, 'player')}"
            )
    unknown = sum(len(game.judgement.unknown) for game in study.games)
    if unknown:
        said.append(f"a rule could not be judged {counted(unknown, 'time')}, since a metric is not known")
    slow = [
        player for _, player in study.players
        if isinstance(share := player.measures["stalled_pct"], float) and share > LONG_STALL_PCT
    ]  # fmt: skip
    if slow:
        said.append(f"{counted(len(slow), 'player')} stood still in more than {LONG_STALL_PCT:g} % of the ticks")
    unseen = sum(player.curves is None for _, player in study.players)
    if unseen:
        said.append(f"of {counted(unseen, 'player')} there is no experienced record, and so there are no curves")
    return said


def _why(games: list[GameReport]) -> str:
    named = [f"{game.game_id}: {game.reasons[0]}" for game in games[:NAMED] if game.reasons]
    return "; ".join(named) + (f"; and {len(games) - NAMED} more" if len(games) > NAMED else "")
