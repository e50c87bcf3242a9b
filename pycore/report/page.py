"""The report as one HTML file that loads nothing: text, tables and SVG made here, curves drawn by uPlot in the page.

Texts of records (ids, names, reasons) are escaped by the template, JSON cannot end its element, and the page's policy
lets no script run but the two whose hashes it names.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import math
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import jinja2
from markupsafe import Markup

from pycore.errors import ConfigError
from pycore.export.measures import MEASURES, Value
from pycore.report import drawing
from pycore.report.drawing import Part, Span
from pycore.report.findings import counted, findings, spread
from pycore.report.series import Curves, Mark
from pycore.report.study import PERCENTILES, GameReport, PlayerReport, Study
from pycore.site.pages import web
from pycore.version import __version__

OPEN: Final = 3
"""So many games are shown in full at once; of more each is a line that opens."""

SUMMARY: Final = (
    "minutes", "rtt_ms_p50", "jitter_ms_p50", "input_age_p50", "rollbacks_per_minute", "max_depth", "predicted_pct",
    "guessed_right_pct", "resimulated_pct", "stalled_pct", "tick_ms_p99", "display_ms_p99", "hidden_s", "waited_s",
    "hashes_compared", "desyncs",
)  # fmt: skip
"""Measures whose median and quartiles are told over the players."""

SESSIONS: Final = (
    "evidence", "end_reason", "frames", "minutes", "path", "rtt_ms_p50", "rtt_ms_p90", "jitter_ms_p50",
    "input_age_p50", "rollbacks_per_minute", "max_depth", "predicted_pct", "guessed_right_pct", "stalled_pct",
    "display_ms_p99", "times_hidden", "hash_mismatches", "desyncs",
)  # fmt: skip
"""Columns of the table of sessions."""

TITLES: Final = {
    "evidence": "evidence", "end_reason": "end", "frames": "frames", "minutes": "minutes", "path": "path",
    "rtt_ms_p50": "RTT median, ms", "rtt_ms_p90": "RTT p90, ms", "jitter_ms_p50": "jitter median, ms",
    "input_age_p50": "input age median, frames", "rollbacks_per_minute": "rollbacks per minute",
    "max_depth": "maximum depth, frames", "predicted_pct": "frames predicted, %",
    "guessed_right_pct": "guesses right, %", "resimulated_pct": "frames stepped again, %",
    "stalled_pct": "ticks stalled, %", "tick_ms_p99": "tick p99, ms", "display_ms_p99": "frame time p99, ms",
    "times_hidden": "times hidden", "hidden_s": "hidden, s", "waited_s": "waited, s",
    "hash_mismatches": "hashes that differed", "hashes_compared": "hashes compared", "desyncs": "desyncs",
}  # fmt: skip

CHARTS: Final = (
    ("Round trip and jitter", "ms", (("rtt_ms", "round trip"), ("jitter_ms", "jitter"))),
    ("Input age and depth of rollbacks", "frames", (("input_age", "input age"), ("max_depth", "deepest rollback"))),
    ("Frames shown and predicted", "per second", (("displayed", "shown"), ("predicted_frames", "predicted"))),
    ("Frame advantage", "frames", (("advantage", "ahead of the other"),)),
    ("Stalls", "ticks per second", (("stalls", "stalled"),)),
    ("Longest tick", "ms", (("tick_ms_max", "tick"),)),
)
"""Title, unit, and the curves in it. What is summed is per point, so over more seconds where these share one."""

KINDS: Final = {"p2p": "first", "socketio": "second"}
CHANGES: Final = 30
"""Changes of a path that are listed, of each player."""


class Shown(NamedTuple):
    """One player of a game as the template takes it."""

    player: PlayerReport
    name: str
    excluded_by: list[str]
    """Rules."""
    charts: str
    """Which curves of the page's data are theirs; empty: there are none."""
    strips: list[tuple[str, Markup]]
    depths: Markup
    guesses: Markup
    stalls: Markup


def render(study: Study, title: str) -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(web() / "report"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"value": value, "date": _date, "number": number, "total": total, "counted": counted}
    curves: dict[str, Any] = {}
    games = [(game, [_shown(game, player, curves) for player in game.players]) for game in study.games]
    scripts = [Markup(_script(path)) for path in (_vendored("uPlot.iife.min.js"), web() / "report" / "report.js")]
    styles = [_vendored("uPlot.min.css").read_text("utf-8"), (web() / "report" / "report.css").read_text("utf-8")]
    return environment.get_template("report.html").render(
        title=title,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {_hashes(scripts)}",
        study=study,
        findings=findings(study),
        spreads=[(TITLES[name], *_spreads(study, name)) for name in SUMMARY],
        environments=sorted({game.environment for game in study.games if game.environment}),
        sessions=SESSIONS,
        titles=TITLES,
        meanings={TITLES[name]: MEASURES[name].what for name in TITLES},
        percentiles=PERCENTILES,
        games=games,
        is_open=len(games) <= OPEN,
        agreement={game.game_id: _agreement(game) for game in study.games},
        changes=CHANGES,
        data=Markup(json.dumps({"charts": CHARTS, "curves": curves}).replace("<", "\\u003c")),
        licence=Markup(_vendored("uPlot.LICENSE").read_text("utf-8").replace("--", "- -")),
        scripts=scripts,
        styles=Markup("\n".join(styles)),
        version=__version__,
    )


def _vendored(name: str) -> Path:
    """A file of uPlot's: in a wheel beside the page, in a checkout among npm's packages."""
    npm = web() / "node_modules" / "uplot"
    for path in (web() / "vendor" / name, npm / "dist" / name, npm / name.removeprefix("uPlot.")):
        if path.is_file():
            return path
    raise ConfigError(
        f"uPlot's file {name} is not in {web()}: install pycore from its wheel, or run `python3 build.py env` in the "
        "checkout, which installs the npm packages"
    )


def _script(path: Path) -> str:
    text = path.read_text("utf-8")
    if "</script" in text:
        raise ConfigError(f"{path} cannot stand inside of a page: it has </script in it")
    return text


def _hashes(scripts: Iterable[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _spreads(study: Study, name: str) -> tuple[str, str, int]:
    """Median and quartiles over those who count, over all, and of how many who count it is known."""
    of_counted = [player.measures[name] for _, player in study.counted]
    of_all = [player.measures[name] for _, player in study.players]
    known = sum(each is not None for each in of_counted)
    return told(spread(of_counted)), told(spread(of_all)), known


def told(of: tuple[float, float, float] | None) -> str:
    """Median and quartiles: `84 [71, 96]`."""
    return "–" if of is None else f"{number(of[0])} [{number(of[1])}, {number(of[2])}]"


def number(of: float | int | None) -> str:
    """A number as it is read: three digits that count, whole ones whole."""
    if of is None or (isinstance(of, float) and math.isnan(of)):
        return "–"
    if isinstance(of, float) and math.isinf(of):
        return "∞" if of > 0 else "-∞"
    if isinstance(of, int) or of == int(of):
        return f"{int(of):,}"
    return f"{of:,.0f}" if abs(of) >= 100 else f"{of:.1f}" if abs(of) >= 10 else f"{of:.2f}"


def total(of: Any) -> str:
    """A sum of rewards as it is read; of vectors by component, and by name where they have names."""
    if isinstance(of, dict):
        return ", ".join(f"{name} {total(part)}" for name, part in of.items())
    return ", ".join(map(total, of)) if isinstance(of, list) else number(of)


def value(of: Value) -> str:
    """A measure as it is read."""
    if isinstance(of, bool):
        return "yes" if of else "no"
    return of if isinstance(of, str) else number(of)


def _date(seconds: float | None) -> str:
    if seconds is None:
        return ""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return ""


def _shown(game: GameReport, player: PlayerReport, curves: dict[str, Any]) -> Shown:
    key = ""
    strips: list[tuple[str, Markup]] = []
    if player.curves is not None:
        strips = _strips(player.curves)
        if player.curves.seconds:
            key = f"c{len(curves)}"
            curves[key] = _plain(player.curves)
    excluded_by = list(dict.fromkeys(each.rule for each in game.excluded(player)))
    causes = [(name, [Part(count, "second", f"{name}: {count}")], number(count)) for name, count in
              sorted(player.causes.items(), key=lambda each: -each[1]) if count]  # fmt: skip
    return Shown(
        player, game.named(player.player), excluded_by, key, strips,
        drawing.columns(player.depths, "depth", "rollbacks by depth"),
        _guesses(player),
        drawing.bars(causes, None, "ticks that stalled, by cause"),
    )  # fmt: skip


def _guesses(player: PlayerReport) -> Markup:
    """For each other player, the share of frames that were stepped with a guess of theirs."""
    rows = []
    for other, of in player.guesses.items():
        open_ = max(0, of.frames - of.right - of.wrong)
        parts = [
            Part(of.right, "first", f"{of.right} right"), Part(of.wrong, "second", f"{of.wrong} wrong"),
            Part(open_, "third", f"{open_} of which it is not known"),
        ]  # fmt: skip
        share = f"{number(100 * of.frames / player.stepped)} %" if player.stepped else number(of.frames)
        rows.append((f"player {other}", parts, share))
    most = max((of.frames for of in player.guesses.values()), default=0)
    return drawing.bars(rows, max(player.stepped or 0, most), "frames predicted, by the player who was guessed")


def _plain(curves: Curves) -> dict[str, Any]:
    """Curves as JSON has them: null where nothing is known."""
    return {
        "share": curves.share,
        "seconds": _numbers(curves.seconds),
        "values": {name: _numbers(of) for name, of in curves.values.items()},
    }


def _numbers(of: array[float]) -> list[float | int | None]:
    rounded = [round(each, 1) if math.isfinite(each) else None for each in of]
    return [int(each) if each is not None and each == int(each) else each for each in rounded]


def _strips(curves: Curves) -> list[tuple[str, Markup]]:
    """When which path was used, the page was hidden, and nothing was stepped."""
    length = curves.length
    found = []
    for other in dict.fromkeys(mark.player for mark in curves.paths):
        marks = [mark for mark in curves.paths if mark.player == other]
        found.append((f"path to {other}", drawing.strip(_spans(marks, length), length, f"path to player {other}")))
    for name, marks, what, until in (
        ("hidden", curves.sights, "hidden", "shown"), ("stalled", curves.stalls, "", "resumed"),
    ):  # fmt: skip
        spans = [
            span._replace(kind="third" if name == "hidden" else "second")
            for span, mark in zip(_spans(marks, length), marks, strict=True)
            if mark.what != until and (not what or mark.what == what)
        ]
        if spans:
            found.append((name, drawing.strip(spans, length, f"when it was {name}")))
    return found


def _spans(marks: Sequence[Mark], length: float) -> list[Span]:
    """From each moment to the next."""
    ends = [*(mark.second for mark in marks[1:]), length][: len(marks)]
    return [
        Span(mark.second, end, KINDS.get(mark.what, "third"), f"{mark.what}, {mark.second:.1f} to {end:.1f} s")
        for mark, end in zip(marks, ends, strict=True)
    ]


def _agreement(game: GameReport) -> list[tuple[str, Markup]]:
    """For each player what the record has, episode by episode, and where something differed."""
    found = []
    begins = [sum(each.frames for each in game.episodes[:at]) for at in range(len(game.episodes))]
    for player in game.players:
        spans = []
        for index, (begin, held) in enumerate(zip(begins, player.lengths, strict=False)):
            kind = "first" if index % 2 == 0 else "fourth"
            spans.append(Span(begin, begin + held, kind, f"episode {index}: {held} frames"))
        places = [(each.get("episode"), each.get("frame"), str(each.get("kind"))) for each in player.desyncs]
        if game.parting is not None:
            places.append((*game.parting, "records"))
        for episode, frame, kind in places:
            if isinstance(episode, int) and isinstance(frame, int) and 0 <= episode < len(begins):
                at = begins[episode] + frame
                said = f"{kind} differ: episode {episode}, frame {frame}"
                spans.append(Span(at, at + game.frames / 200, "bad", said))
        if spans:
            of = f"player {player.player}"
            found.append((of, drawing.strip(spans, game.frames, f"frames in the record of {of}")))
    return found
