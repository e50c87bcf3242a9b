"""What takes long says how far it is, where somebody looks."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterable, Iterator

import pytest

from pycore.cli import progress
from pycore.cli.progress import tracked


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(items: Iterable[int], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is seen on a terminal of items that take a moment each."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    for _ in tracked(items, "playing"):
        time.sleep(0.15)
    return terminal.getvalue()


@pytest.mark.slow
def test_every_item_counts_and_how_many_there_are_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown([1, 2, 3, 4], monkeypatch)
    assert "playing" in text
    assert "2 of 4" in text


@pytest.mark.slow
def test_of_items_that_have_no_length_the_number_alone_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def items() -> Iterator[int]:
        yield from range(4)

    text = shown(items(), monkeypatch)
    assert "2" in text
    assert " of " not in text


def test_nothing_is_written_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    assert list(tracked([1, 2], "playing")) == [1, 2]
    assert written.getvalue() == ""
