"""Running commands so that a person can follow: a line when something slow begins, the output when it failed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PAUSES = (2.0, 8.0)
"""Seconds between the attempts of a command that needs the network."""


class Missing(Exception):
    """Something the task needs is not there. The message says what, and what to do about it."""


class Failed(Exception):
    """A command failed for a reason of its own. The message is the command and the end of its output."""


def say(text: str) -> None:
    """One progress line; flushed, so that it appears in order beside the output of child processes."""
    print(f"[build] {text}", flush=True)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    attempts: int = 1,
    timeout: float | None = None,
) -> str:
    """Run a command quietly and return its output (stdout and stderr as one).

    `env` is added to the environment. A command that fails is tried again `attempts - 1` times, for what may
    fail because of the network; the last failure raises `Failed` with the last 30 lines of output.
    """
    words = [str(word) for word in command]
    for attempt in range(attempts):
        try:
            done = subprocess.run(
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
            )
        except FileNotFoundError as error:
            raise Failed(f"{words[0]}: not found") from error
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(words)}\ngave no result in {timeout:g} s") from error
        if done.returncode == 0:
            return done.stdout
        if attempt + 1 < attempts:
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            say(f"{Path(words[0]).name} failed, trying again in {pause:g} s")
            time.sleep(pause)
    tail = "\n".join(done.stdout.strip().splitlines()[-30:])
    raise Failed(f"{' '.join(words)}\nended with status {done.returncode}:\n{tail}")


class Stopwatch:
    """Seconds since it was made, for the lines that say how long something took."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def size(path: Path) -> str:
    """The size of a file, for people."""
    count = path.stat().st_size
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} kB"


def is_windows() -> bool:
    # A function, because type checkers take `sys.platform` for a constant and call the other branch unreachable.
    return os.name == "nt" and sys.platform != "cygwin"
