"""What stands over the page's game: one notice at a time, said once."""

from __future__ import annotations

from collections.abc import Callable


class Overlay:
    """`say("overlay", kind=…, title=…, text=…, code=…)` has the page show it, or take it away where kind is empty."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._shown = ("", "", "", "")

    @property
    def kind(self) -> str:
        """Of what is shown now."""
        return self._shown[0]

    def show(self, kind: str, title: str = "", text: str = "", code: str = "") -> None:
        """Show this in place of what is shown now."""
        shown = (kind, title, text, code)
        if shown != self._shown:
            self._shown = shown
            self._say("overlay", kind=kind, title=title, text=text, code=code)
