"""Two engines for the oracle: js2py inside this process, and Node as one long-lived child that speaks JSON lines.

js2py 0.74 patches bytecode in a way that ended with Python 3.12; its fork, imported as `js2py_`, takes over there.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("oracle.js")
DRIVER = Path(__file__).with_name("node_driver.js")
PATIENCE = 30.0
"""Seconds in which Node must answer one story: it takes milliseconds, and a hang must not hang the tests."""

Story = dict[str, Any]
Told = dict[str, Any]


def source() -> str:
    """The oracle's text."""
    return SOURCE.read_text(encoding="utf-8")


class InProcess:
    """The oracle in js2py. `change` alters its text first: (old, new), where old must occur exactly once."""

    def __init__(self, *changes: tuple[str, str]) -> None:
        self._context = _js2py().EvalJs()
        self._context.execute(changed(source(), changes))
        self._tell = self._context.tellStory

    def tell(self, story: Story) -> Told:
        """What the oracle decides in this story."""
        return json.loads(self._tell(json.dumps(story)))


class InNode:
    """The oracle in a Node process of its own, which ends with `close`."""

    def __init__(self, *changes: tuple[str, str]) -> None:
        node = find_node()
        if node is None:
            raise FileNotFoundError("Node is not on the PATH: the oracle cannot run in it")
        self._child = subprocess.Popen(
            [node, str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self._ask(changed(source(), changes)) == {"ready": True}

    def tell(self, story: Story) -> Told:
        """What the oracle decides in this story."""
        return self._ask(story)

    def _ask(self, question: Any) -> Told:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        watchdog = threading.Timer(PATIENCE, self._child.kill)
        watchdog.start()
        try:
            self._child.stdin.write(json.dumps(question) + "\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError(f"Node ended with status {self._child.wait()} instead of an answer")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the oracle in Node: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the child: it leaves when its input ends."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        # Its output ends when it does: waiting for that takes no longer than it, `wait(timeout)` looks now and then.
        watchdog = threading.Timer(5, self._child.kill)
        watchdog.start()
        self._child.stdout.read()
        self._child.wait()
        watchdog.cancel()
        self._child.stdout.close()


def find_node() -> str | None:
    """Node on the PATH."""
    return shutil.which("node")


def changed(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    """The oracle's text with every change made; each must hit exactly one place, or it would prove nothing."""
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} occurs {text.count(old)} times in the oracle")
        text = text.replace(old, new)
    return text


def _js2py() -> Any:
    try:
        return importlib.import_module("js2py_")
    except ImportError:
        return importlib.import_module("js2py")
