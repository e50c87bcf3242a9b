"""Writes what Python hands to the shims into their folders: `python -m tools.handed`.

`pycore.bridge.handed` and `pycore.interactive_gym.handed` decide it; a test says when these files lag behind.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pycore.bridge.handed import CORE, DEMO, WATCH
from pycore.interactive_gym.handed import HANDED
from tools.paths import WEB
from tools.process import say

FILES = {
    "core/handed.js": ("pycore/bridge/handed.py", CORE),
    "demo/handed.js": ("pycore/bridge/handed.py", DEMO),
    "watch/handed.js": ("pycore/bridge/handed.py", WATCH),
    "interactive_gym/handed.js": ("pycore/interactive_gym/handed.py", HANDED),
}


def module(source: str, values: Mapping[str, Any]) -> str:
    """The text of an ES module that exports the values."""
    lines = [
        "// @ts-check",
        f"// Written by `python -m tools.handed` from {source}, which says why; change it there.",
        "",
    ]
    for name, value in values.items():
        lines.append(f"export const {name} = Object.freeze({json.dumps(value, indent=2)});")
    return "\n".join(lines) + "\n"


def texts() -> dict[str, str]:
    """What each file has to say, by its name in web/."""
    return {name: module(source, values) for name, (source, values) in FILES.items()}


def main(web: Path = WEB) -> int:
    """Write the files that lag behind."""
    for name, text in texts().items():
        path = web / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            say(f"web/{name} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
