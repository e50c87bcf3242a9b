"""That a game is played again where a page stood still, and for no other reason."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stillness import STOOD, TRIES, Stillness


class Page:
    """As much of a page as is followed."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self.hear: Callable[[Any], None] = lambda message: None
        self.closed = False
        self.context = self

    def add_init_script(self, script: str) -> None:
        self.scripts.append(script)

    def on(self, event: str, hear: Callable[[Any], None]) -> None:
        assert event == "console"
        self.hear = hear

    def close(self) -> None:
        self.closed = True


def games(*said: str) -> tuple[Stillness, list[Page], Callable[[], int]]:
    """Games of one page, in each of which its console says this."""
    stillness = Stillness()
    pages: list[Page] = []

    def play() -> int:
        page = Page()
        stillness.follow(page)
        page.hear(SimpleNamespace(text=said[len(pages)]))
        pages.append(page)
        return len(pages)

    return stillness, pages, play


@pytest.mark.parametrize(
    ("said", "which"),
    [
        (["something else"], 1),
        ([f"{STOOD} 420", "", f"{STOOD} 420"], 2),
        ([f"{STOOD} 420"] * (TRIES + 1), TRIES),
    ],
    ids=["never", "once", "always"],
)
def test_the_first_game_in_which_no_page_stood_still_is_given_or_the_last_one(said: list[str], which: int) -> None:
    """The pages of those before it are closed, its own are not."""
    stillness, pages, play = games(*said)
    assert stillness.undisturbed(play) == which
    assert [page.closed for page in pages] == [True] * (which - 1) + [False]
    assert all(len(page.scripts) == 1 for page in pages)


def test_what_fails_in_a_game_fails_whether_a_page_stood_still_or_not() -> None:
    """Every game is judged; only what is said of the one that is given waits for it."""
    stillness, pages, play = games(f"{STOOD} 420", "")

    def judged() -> None:
        play()
        raise AssertionError("an input was lost")

    with pytest.raises(AssertionError, match="lost"):
        stillness.undisturbed(judged)
    assert len(pages) == 1
