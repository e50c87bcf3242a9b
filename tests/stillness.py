"""Games whose subject is a healthy network, played until no page stood still in one: any may on a machine that is busy.

Who is not heard for half a second is rightly missed, and then the inputs go by the server for a while. What a test says
of a network without that is said of a game in which every page went on. The games before it are judged by whoever plays
them; and only a page that really stood still, by its own clock, is a reason for another one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

PAUSE_MS = 300
"""Silence is half a second without a packet, and a packet has its way to go."""
TRIES = 4
STOOD = "this page stood still"
SCRIPT = f"""(() => {{
  let seen = performance.now();
  let was = false;
  setInterval(() => {{
    const now = performance.now();
    const playing = window.pycoreStatus?.phase === 'playing';
    if (was && playing && now - seen > {PAUSE_MS}) console.debug('{STOOD}', Math.round(now - seen));
    seen = now;
    was = playing;
  }}, 20);
}})();"""


class Stillness:
    """Which of the pages that it follows stood still while they played."""

    def __init__(self) -> None:
        self.pages: list[Any] = []
        self.seen: list[str] = []

    def follow(self, page: Any) -> Any:
        """Follow a page from its next address on."""
        page.add_init_script(SCRIPT)
        page.on("console", self._hear)
        self.pages.append(page)
        return page

    def _hear(self, message: Any) -> None:
        if message.text.startswith(STOOD):
            self.seen.append(message.text)

    def undisturbed(self, play: Callable[[], Result]) -> Result:
        """What `play` gives, of the first game in which no page stood still; at the last, of whatever game it was."""
        for left in reversed(range(TRIES)):
            self.seen.clear()
            result = play()
            if not (self.seen and left):
                break
            for page in self.pages:
                with contextlib.suppress(Exception):  # it may be closed, with its browser
                    page.context.close()
            self.pages.clear()
        return result
