"""Figures for a paper, of the players whom no rule excludes: PDF with its fonts inside, and PNG at 300 dpi.

A column wide, without titles, since a caption says more, in colours that differ in grey as well. The same data give
the same files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pycore.errors import UsageError
from pycore.report.findings import spread
from pycore.report.study import PlayerReport, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 3.4, 2.3
"""Inches: one column."""
DARK, LIGHT, QUIET = "#2468b4", "#e59a6f", "#5d666f"
STYLE: Final[Any] = {
    "font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42, "savefig.dpi": 300,
    "figure.figsize": (WIDTH, HEIGHT), "figure.constrained_layout.use": True, "legend.frameon": False,
    "lines.linewidth": 1.2, "axes.ymargin": 0.1,
}  # fmt: skip
KINDS: Final[dict[str, dict[str, Any]]] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
"""Files of a figure, without what would differ in each of them."""


def draw(study: Study, folder: Path) -> list[Path]:
    """Draw every figure of which there is something to show, into files. Raises UsageError without matplotlib."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; figures need: pip install 'interactive-gym-pycore[figures]'"
        ) from error
    players = [player for _, player in study.counted]
    written = []
    for name, figure in FIGURES.items():
        with mpl.rc_context(STYLE):
            drawn = Figure()
            if not figure(drawn.subplots(), players):
                continue
            for kind, metadata in KINDS.items():
                path = folder / f"{name}.{kind}"
                drawn.savefig(path, metadata=metadata)
                written.append(path)
    return written


def files() -> list[str]:
    """The names of all files that there can be."""
    return [f"{name}.{kind}" for name in FIGURES for kind in KINDS]


def _known(players: list[PlayerReport], *names: str) -> Iterator[tuple[float, ...]]:
    """Measures of the players of whom all of them are known."""
    for player in players:
        values = [player.measures[name] for name in names]
        numbers = tuple(float(each) for each in values if isinstance(each, (int, float)))
        if len(numbers) == len(names):
            yield numbers


def _whole(axes: Axes) -> None:
    """Marks on the first axis at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _round_trips(axes: Axes, players: list[PlayerReport]) -> bool:
    """Median and 90th percentile of everybody's round trip, the shortest first."""
    known = sorted(_known(players, "rtt_ms_p50", "rtt_ms_p90"))
    places = range(1, len(known) + 1)
    axes.vlines(places, [low for low, _ in known], [high for _, high in known], color=QUIET, linewidth=1)
    axes.plot(places, [low for low, _ in known], "o", color=DARK, markersize=4, label="median")
    axes.plot(places, [high for _, high in known], "_", color=QUIET, markersize=5, label="90th percentile")
    axes.set(xlabel="players, in order", ylabel="round trip (ms)", ylim=(0, None), xlim=(0.5, len(known) + 0.5))
    _whole(axes)
    axes.legend(loc="lower right")
    return bool(known)


def depths_of(players: list[PlayerReport]) -> list[int]:
    """Rollbacks by depth, over players."""
    longest = max((len(player.depths) for player in players), default=0)
    return [sum(player.depths[at] for player in players if at < len(player.depths)) for at in range(longest)]


def _depths(axes: Axes, players: list[PlayerReport]) -> bool:
    """How deep rollbacks were, as shares of all."""
    counts = depths_of(players)
    total = sum(counts)
    if not total:
        return False
    last = max(at for at, count in enumerate(counts) if count)
    axes.bar(range(last + 1), [100 * count / total for count in counts[: last + 1]], color=DARK)
    axes.set(xlabel="depth of the rollback (frames)", ylabel=f"rollbacks (%, of {total:,})")
    _whole(axes)
    return True


def _shares(axes: Axes, players: list[PlayerReport]) -> bool:
    """Frames predicted and stepped again, and ticks stalled, of every player."""
    names = {
        "predicted_pct": "frames\npredicted", "resimulated_pct": "frames\nstepped again",
        "stalled_pct": "ticks\nstalled",
    }  # fmt: skip
    found = False
    for place, name in enumerate(names):
        values = [value for (value,) in _known(players, name)]
        found |= bool(values)
        # Beside each other, so that no player hides another.
        wide = [place + 0.5 * ((at + 0.5) / len(values) - 0.5) for at in range(len(values))]
        axes.plot(wide, sorted(values), "o", color=LIGHT, markersize=3)
        if (of := spread(values)) is not None:
            axes.plot([place - 0.3, place + 0.3], [of[0], of[0]], color=DARK)
    axes.set(ylabel="share (%)", ylim=(0, None), xlim=(-0.5, len(names) - 0.5))
    axes.set_xticks(range(len(names)), list(names.values()))
    return found


def by_minute(players: list[PlayerReport], name: str) -> list[tuple[float, float, float]]:
    """Median and quartiles over the players of their largest value in each minute, while half of them played."""
    minutes: dict[int, list[float]] = {}
    seen = [player.curves for player in players if player.curves is not None]
    for curves in seen:
        largest: dict[int, float] = {}
        for second, value in zip(curves.seconds, curves.values[name], strict=True):
            if not math.isnan(value):
                minute = int(second // 60)
                largest[minute] = max(value, largest.get(minute, -math.inf))
        for minute, value in largest.items():
            minutes.setdefault(minute, []).append(value)
    found = []
    for minute in range(max(minutes, default=-1) + 1):
        of = spread(minutes.get(minute, ()))
        if of is None or 2 * len(minutes[minute]) < len(seen):
            break
        found.append(of)
    return found


def _over_time(axes: Axes, players: list[PlayerReport]) -> bool:
    """The worst round trip of each minute."""
    known = by_minute(players, "rtt_ms")
    at = [minute + 0.5 for minute in range(len(known))]
    axes.fill_between(at, [low for _, low, _ in known], [high for _, _, high in known], color=LIGHT, alpha=0.5, lw=0)
    axes.plot(at, [middle for middle, _, _ in known], "o-", color=DARK, markersize=3)
    axes.set(xlabel="minute of play", ylabel="longest round trip (ms)", ylim=(0, None), xlim=(0, None))
    _whole(axes)
    return len(known) > 1


FIGURES: Final[dict[str, Callable[[Axes, list[PlayerReport]], bool]]] = {
    "round-trips": _round_trips, "depths": _depths, "shares": _shares, "round-trips-by-minute": _over_time,
}  # fmt: skip
