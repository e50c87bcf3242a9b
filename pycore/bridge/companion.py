"""What a page may add to a bridge: a companion, which is asked and told, and overrides nothing.

A bridge is whole without one. A page that names things its own way (`pycore.interactive_gym`) gives its bridge a
companion when it makes it; the bridge calls it from its first poll on, never while it is being made.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from pycore.events import News


class Companion(Protocol):
    """Stands beside a bridge."""

    def action(self, text: str) -> Any:
        """The local action, from the JSON text of one that is no integer."""

    def take(self, event: str, data: Any, came: float) -> bool:
        """An event of the server or of the connection, before the bridge looks at it; true: it is dealt with.

        Whatever is malformed may raise what reading it raises (ValueError, KeyError, TypeError and their like).
        """

    def passes(self, event: str, data: dict[str, Any]) -> bool:
        """Whether the session may say this to the server as it is; false: the companion has seen to it otherwise."""

    def follow(self, event: News) -> None:
        """News of the session, which the page has been told."""

    def refused(self, notice: str, now: float) -> None:
        """A local action was not played, and the player is to be told so in these words."""


class Alone:
    """The companion of a page that adds nothing."""

    def action(self, text: str) -> Any:
        """As the text has it."""
        return json.loads(text)

    def take(self, event: str, data: Any, came: float) -> bool:
        """Nothing is this page's own."""
        return False

    def passes(self, event: str, data: dict[str, Any]) -> bool:
        """Everything."""
        return True

    def follow(self, event: News) -> None:
        """Nobody listens."""

    def refused(self, notice: str, now: float) -> None:
        """The HUD has it."""
