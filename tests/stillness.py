"""What is true of a game only while no page stands still, as any may on a machine that is busy.

Who is not heard for half a second is rightly missed, and then the inputs go by the server for a while. What a test says
of a network without that may fail in a game in which a page stood still, by its own clock; then another one is played.
For no other reason is there another one, and what must hold of every game is asserted of each.
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

    def undisturbed(self, play: Callable[[], Result], holds: Callable[[Result], None]) -> Result:
        """What `play` gives, of the first game of which `holds` is true, after which it was asserted.

        Where it is not, and no page stood still, it fails at once; and so does whatever `play` asserts.
        """
        for left in reversed(range(TRIES)):
            self.seen.clear()
            result = play()
            try:
                holds(result)
            except AssertionError:
                if not (self.seen and left):
                    raise
            else:
                return result
            for page in self.pages:
                with contextlib.suppress(Exception):  # it may be closed, with its browser
                    page.context.close()
            self.pages.clear()
        raise AssertionError("the last game raises or is returned")
