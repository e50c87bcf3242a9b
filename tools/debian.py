"""Packages of Debian, for what pip and npm do not bring: installed by root on Debian or a descendant only."""

from __future__ import annotations

import os
import shutil

from tools.process import Failed, run, say


def gist(error: Failed) -> str:
    """The line of a failed command's output that says most: the first that speaks of an error, else the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines[1:] if "error" in line.lower() or line.startswith("E:")), lines[-1])


def install(package: str) -> bool:
    """Install a package without what it only recommends; false where that is not possible, which is said."""
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    say(f"trying Debian's package {package}")
    # A server that is installed for tests is not to be started for good.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        run([apt, "update", "-q"], env=quiet, attempts=2, timeout=600)
        run([apt, "install", "-y", "-q", "--no-install-recommends", package], env=quiet, attempts=2, timeout=1800)
    except Failed as error:
        say(f"that did not work: {gist(error)}")
        return False
    return True
