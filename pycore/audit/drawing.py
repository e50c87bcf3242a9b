"""Whether drawing changes the game, and whether a page can show what is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pycore.audit.comparison import Frame, fields_that_differ, rows_that_differ
from pycore.audit.findings import Finding
from pycore.audit.objects import oddities
from pycore.envs import ParallelEnvAdapter
from pycore.envs.pictures import in_page_terms, undrawable
from pycore.values.results import results_text

__all__ = ["findings_of_drawing"]

PICTURES: Final = 10
"""Frames from one picture to the next."""
DO: Final = "draw from what is there, and change nothing: pictures are drawn as often as a screen wants them"


def findings_of_drawing(
    adapter: ParallelEnvAdapter, rows: Sequence[Sequence[Any]], first: Sequence[Frame]
) -> Iterator[Finding]:
    """The rows are played once more, with pictures; `first` is what came of them without any."""
    if not callable(getattr(adapter.env, "render", None)):
        do = "return a list of objects to draw"
        yield Finding("no_render", "note", "it has no render(): a page shows nothing", do)
        return
    shown: Any = None
    odd: dict[str, None] = {}
    adapter.reset(0)
    for row, without in zip(rows, first, strict=False):
        if without.frame % PICTURES == 0:
            before = adapter.canonical(adapter.save())
            shown = adapter.drawn()
            if isinstance(shown, (list, tuple)) and in_page_terms(shown) is None:
                odd |= dict.fromkeys(oddities(shown))
            after = adapter.canonical(adapter.save())
            adapter.resume()
            if before != after:
                fields = fields_that_differ(before, after)
                yield Finding("render_changes", "wrong", f"render() changed the state: {fields}", DO)
                break
        result = adapter.step(list(row))
        now = Frame(0, without.frame, adapter.canonical(adapter.save()), results_text(result))
        if now != without:
            fields = fields_that_differ(without.state, now.state) or rows_that_differ(without.row, now.row)
            what = f"where pictures are drawn meanwhile, the game differs, first after frame {now.frame}: {fields}"
            yield Finding("render_changes", "wrong", what, DO)
            break
        if result.done:
            break
    if odd:
        told, *more = odd
        others = f"; {len(more)} more of the kind" if more else ""
        do = "docs/drawing.md has every object and its fields; another page than pycore's may draw it otherwise"
        yield Finding("drawn_oddly", "note", f"in what render() lists, {told}{others}", do)
    why = "None" if shown is None else undrawable(shown)
    if why is not None:
        yield Finding(
            "nothing_drawn",
            "note",
            f"a page of pycore cannot draw what render() gives: {why}",
            "return a list of objects to draw, or an array of pixels (in Gymnasium: render_mode='rgb_array')",
        )
