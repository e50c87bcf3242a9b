"""Bars and strips as SVG, coloured by the page's style sheet; whatever text is in them is escaped.

Sizes are pixels at 100 %. A drawing has a title for who does not see it, and every mark one for who points at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup, escape

WIDTH: Final = 340
ROW: Final = 20
LABEL: Final = 110
STRIP: Final = 1000
"""Units across a strip, which is as wide as the page allows."""
LEFT_OPEN: Final = 24
"""Columns of a histogram; what is beyond shares the last one."""


class Part(NamedTuple):
    """A piece of a bar."""

    value: float
    kind: str
    """A class of the style sheet."""
    title: str


class Span(NamedTuple):
    """A piece of a strip, from and to in the strip's own units."""

    begin: float
    end: float
    kind: str
    title: str


def columns(counts: Sequence[int], what: str, label: str) -> Markup:
    """A histogram of whole numbers: how many were 0, 1, 2 … ; empty where there is nothing to count."""
    if not sum(counts):
        return Markup("")
    last = max(number for number, count in enumerate(counts) if count)
    shown = list(counts[: last + 1])
    beyond = len(shown) > LEFT_OPEN
    if beyond:
        shown = [*shown[: LEFT_OPEN - 1], sum(shown[LEFT_OPEN - 1 :])]
    height, base = 110, 126
    step = (WIDTH - 10) / max(len(shown), 8)
    most = max(shown)
    every = -(-len(shown) // 12)
    drawn = []
    for number, count in enumerate(shown):
        tall = height * count / most
        x, name = 5 + number * step, f"{number}{'+' if beyond and number == len(shown) - 1 else ''}"
        drawn.append(
            _rect(x + 1, base - tall, step - 2, tall, "first", f"{what} {name}: {count}") if count else Markup("")
        )
        if number % every == 0:
            drawn.append(_text(x + step / 2, base + 14, name, "middle"))
        if count and (count == most or len(shown) <= 8):
            drawn.append(_text(x + step / 2, base - tall - 3, f"{count}", "middle"))
    axis = Markup('<line class="axis" x1="5" x2="{}" y1="{}" y2="{}"/>').format(WIDTH - 5, base + 0.5, base + 0.5)
    return _svg(WIDTH, base + 20, label, [*drawn, axis])


def bars(rows: Iterable[tuple[str, Sequence[Part], str]], whole: float | None, label: str) -> Markup:
    """Bars beside each other: name, pieces, and what is written behind; `whole` is a full bar, None the longest."""
    rows = list(rows)
    longest = whole or max((sum(part.value for part in parts) for _, parts, _ in rows), default=0)
    if not rows or not longest:
        return Markup("")
    room = WIDTH - LABEL - 60
    drawn = []
    for number, (name, parts, behind) in enumerate(rows):
        y = number * ROW
        drawn.append(_text(LABEL - 6, y + 14, name if len(name) <= 17 else f"{name[:16]}…", "end"))
        drawn.append(_rect(LABEL, y + 3, room, ROW - 6, "ground", name))
        x: float = LABEL
        for part in parts:
            wide = room * part.value / longest
            drawn.append(_rect(x, y + 3, wide, ROW - 6, part.kind, part.title))
            x += wide
        drawn.append(_text(WIDTH - 54, y + 14, behind, "start"))
    return _svg(WIDTH, len(rows) * ROW, label, drawn)


def strip(spans: Iterable[Span], length: float, label: str) -> Markup:
    """A line of time, or of frames, with what was when; drawn as wide as there is room."""
    drawn = []
    for span in spans:
        begin = min(max(span.begin, 0.0), length)
        wide = max(min(span.end, length) - begin, 0.0)
        if length > 0:
            drawn.append(
                _rect(STRIP * begin / length, 0, max(STRIP * wide / length, 1.5), 12, span.kind, span.title)
            )
    inner = Markup("").join([_rect(0, 0, STRIP, 12, "ground", ""), *drawn])
    return Markup(
        '<svg class="strip" role="img" aria-label="{}" viewBox="0 0 {} 12" preserveAspectRatio="none">{}</svg>'
    ).format(label, STRIP, inner)


def _svg(width: float, height: float, label: str, drawn: Iterable[Markup]) -> Markup:
    return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">{}</svg>').format(
        label, width, height, width, height, Markup("").join(drawn)
    )


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str) -> Markup:
    told = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">{}</rect>').format(
        escape(kind), x, y, width, height, told
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)
