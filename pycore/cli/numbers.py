"""Numbers of the command line: `nan` and `inf` are numbers to Python, and to nothing that counts or waits."""

from __future__ import annotations

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """A number in a range, and no other; of `click.FloatRange` nan is in every one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Fails for what is none."""
        try:
            found = super().convert(value, param, ctx)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            self.fail(f"{value!r:.80} is not a finite number", param, ctx)
        return found
