"""That a game is played again where a page stood still and what is said of it failed, and for no other reason."""

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


def holds_from(number: int) -> Callable[[int], None]:
    """Something that is true of the games from this one on."""

    def holds(game: int) -> None:
        assert game >= number, f"game {game}"

    return holds


STILL = f"{STOOD} 420"


@pytest.mark.parametrize(
    ("said", "first"), [([STILL], 1), ([STILL, "", STILL], 2), ([STILL] * TRIES, TRIES)], ids=["once", "twice", "most"]
)
def test_a_game_is_played_again_until_it_holds_where_a_page_stood_still(said: list[str], first: int) -> None:
    """The pages of those before it are closed, its own are not; a game that holds is enough, whoever stood still."""
    stillness, pages, play = games(*said)
    assert stillness.undisturbed(play, holds_from(first)) == first
    assert [page.closed for page in pages] == [True] * (first - 1) + [False]
    assert all(len(page.scripts) == 1 for page in pages)


@pytest.mark.parametrize(
    ("said", "played"), [(["something else", STILL], 1), ([STILL, "", STILL], 2), ([STILL] * (TRIES + 1), TRIES)]
)
def test_what_does_not_hold_fails_where_no_page_stood_still_and_at_the_last_game(said: list[str], played: int) -> None:
    """With what the test said of it."""
    stillness, pages, play = games(*said)
    with pytest.raises(AssertionError, match=f"game {played}"):
        stillness.undisturbed(play, holds_from(99))
    assert len(pages) == played


def test_what_must_hold_of_every_game_fails_at_once() -> None:
    """Whether a page stood still or not."""
    stillness, pages, play = games(STILL, "")

    def judged() -> int:
        play()
        raise AssertionError("an input was lost")

    with pytest.raises(AssertionError, match="lost"):
        stillness.undisturbed(judged, holds_from(1))
    assert len(pages) == 1
