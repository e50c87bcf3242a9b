"""`build.py docs`: the documentation as a site, with the reference made from the docstrings. Any warning fails it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tools.paths import BUILD, ROOT
from tools.process import Failed, Stopwatch, say

SITE = BUILD / "docs"


def main(options: argparse.Namespace) -> int:
    """Build it into build/docs/; or serve it and follow the changes."""
    command = [sys.executable, "-m", "mkdocs", "serve" if options.serve else "build"]
    # Material tells of mkdocs's future in a box whenever it is imported, unless this is set.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    if options.serve:
        return subprocess.call([*command, "--dev-addr", "127.0.0.1:8001"], cwd=ROOT, env=environment)
    watch = Stopwatch()
    if subprocess.call([*command, "--clean"], cwd=ROOT, env=environment):
        raise Failed("the documentation has warnings; each is a broken link, a page without a place or the like")
    say(f"the documentation is in {SITE.relative_to(ROOT)}: open index.html ({watch})")
    return 0
