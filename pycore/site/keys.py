"""The names of keys in a study's `action_mapping`: those that browsers give (`KeyboardEvent.key`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pycore.errors import nearest

NAMED: Final = (
    "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", "Escape", "Tab", "Backspace", "Delete", "Insert",
    "Home", "End", "PageUp", "PageDown", "Shift", "CapsLock", "ContextMenu", "Pause", "ScrollLock", "NumLock",
    "PrintScreen", "Clear", "Help", "Dead", "Process", "Unidentified", *(f"F{number}" for number in range(1, 25)),
)  # fmt: skip
"""Keys that are no character. Control, Alt and Meta are missing: with them down a page takes no key for the game."""
GAMEPAD: Final = (
    *(f"Gamepad:{number}" for number in range(17)),
    *(f"Gamepad:{stick}{way}" for stick in ("LeftX", "LeftY", "RightX", "RightY") for way in "-+"),
)
"""Buttons and sticks of a gamepad, as the standard layout has them."""
MEANT: Final = {
    "space": " ", "spacebar": " ", "left": "ArrowLeft", "right": "ArrowRight", "up": "ArrowUp", "down": "ArrowDown",
    "esc": "Escape", "return": "Enter", "del": "Delete",
}  # fmt: skip
"""What other programs call them."""


def singles(mapping: Iterable[str]) -> list[str]:
    """The single keys of a mapping, whose names are of one key, or of several with commas between."""
    found = [[name] if name == "," else name.split(",") for name in mapping]
    return list(dict.fromkeys(key if key == " " else key.strip() for keys in found for key in keys))


def unknown_keys(mapping: Iterable[str]) -> Iterator[str]:
    """A sentence for every name of a mapping that no key has."""
    for name in mapping:
        for key in singles([name]):
            if len(key) == 1 or key in NAMED or key in GAMEPAD:
                continue
            if key.lower().startswith("gamepad"):
                yield f"action_mapping: no part of a gamepad is called {key!r}; {nearest(key, GAMEPAD)}"
                continue
            physical = key.startswith(("Key", "Digit")) and len(key) in (4, 6)
            meant = key[-1].lower() if physical else MEANT.get(key.lower())
            hint = nearest(key, NAMED) if meant is None else f"did you mean {meant!r}?"
            yield f"action_mapping: no key is called {key!r}, so nobody can press it; {hint}"
