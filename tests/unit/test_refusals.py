"""A local action that cannot be played: the player is told, once for each cause, and the game goes on."""

from __future__ import annotations

import json

import pytest
from bridge_support import PERIOD, Page, Pair, done, pair

from pycore.bridge.refusals import AGAIN_AFTER, SHOWN, TOO_LARGE, UNKNOWN, Refusals
from pycore.errors import ActionError, ActionTooLarge

HUGE = json.dumps("x" * 1200)


def errors(page: Page) -> list[str]:
    """What the page's log has of errors."""
    return [news["text"] for news in page.news if news["news"] == "log" and news["level"] == "error"]


def notice(page: Page) -> str:
    """The word that the page shows."""
    return str(json.loads(page.bridge.view.hud())["notice"])


def playing(**settings: object) -> Pair:
    """Two pages in the middle of an episode."""
    two = pair(max_steps=900, num_episodes=1, **settings)
    two.until(lambda: two.pages[0].bridge.session.frame == 20)
    return two


@pytest.mark.slow
def test_an_action_that_is_too_large_is_told_to_its_player_and_to_nobody_else() -> None:
    """In words that are shown for a while; the default action is played, and both have the same game."""
    two = playing(action_space={"type": "any"})
    page, other = two.pages
    assert notice(page) == ""
    two.tick(HUGE, 3)
    assert (notice(page), notice(other)) == (TOO_LARGE, "")
    (line,) = errors(page)
    assert line.startswith("the action takes 12")
    assert line.endswith("the default action is played instead")
    two.until(lambda: two.now >= 52.0, play=lambda tick: (0, 0))
    for _ in range(round(SHOWN / PERIOD) + 1):
        two.tick(0, 3)
    assert notice(page) == ""
    two.until(done(two), play=lambda tick: (tick // 7 % 5, 2))
    assert errors(page) == [line]
    records = page.bridge.view.records()
    assert records == other.bridge.view.records()
    assert "xxx" not in records


SEATS = [{}, {"action_space": {"type": "discrete", "n": 3}, "default_action": 2}]
"""The second seat lacks the actions of the first, whose default is 5."""


@pytest.mark.parametrize("action", ["", 3, "null", 5])
@pytest.mark.slow
def test_without_an_action_that_can_be_played_a_seat_plays_its_own_default(action: object) -> None:
    """One that is none of its space, and none at all, of which nobody is told."""
    two = playing(default_action=5, seats=SEATS)
    page, other = two.pages
    frame = page.bridge.session.frame
    for _ in range(10):
        two.tick("", action)
    two.until(done(two), play=lambda tick: (1, 1))
    records = page.bridge.view.records()
    assert records == other.bridge.view.records()
    rows = [line["actions"] for line in map(json.loads, records.splitlines()) if "actions" in line]
    assert rows[frame + 2 : frame + 10] == [[5, 2]] * 8
    assert errors(page) == []
    assert len(errors(other)) == (action != "")


@pytest.mark.slow
def test_a_key_that_is_held_is_told_once_and_again_after_a_while() -> None:
    """A page asks at every tick: a line and a word for each would bury everything else."""
    two = playing(action_space={"type": "any"})
    page = two.pages[0]
    ticks = round((AGAIN_AFTER - 1.0) / PERIOD)
    for _ in range(ticks):
        two.tick(HUGE, 0)
    assert len(errors(page)) == 1
    assert notice(page) == ""
    for _ in range(round(2.0 / PERIOD)):
        two.tick(HUGE, 0)
    first, second = errors(page)
    assert "more times" not in first
    assert second.endswith(f"(and {round(AGAIN_AFTER / PERIOD) - 1} more times since the last such line)")
    assert notice(page) == TOO_LARGE


def test_an_action_that_the_game_does_not_have_is_told_as_such() -> None:
    two = playing()
    two.tick(77, 0)
    assert notice(two.pages[0]) == UNKNOWN
    assert errors(two.pages[0]) == ["action 77 is not an int from 0 to 5; the default action is played instead"]


def test_each_cause_has_its_own_while() -> None:
    """That one was told just now does not silence another one, whose word takes its place."""
    refusals = Refusals()
    large, unknown = ActionTooLarge("large"), ActionError("unknown")
    assert refusals.note(large, 1.0) != ""
    assert refusals.note(unknown, 2.0) != ""
    assert refusals.notice(2.0) == UNKNOWN
    assert [refusals.note(error, 3.0) for error in (large, unknown)] == ["", ""]
    assert refusals.note(large, 1.0 + AGAIN_AFTER) != ""
    assert refusals.note(unknown, 1.0 + AGAIN_AFTER) == ""
    assert refusals.notice(1.0 + AGAIN_AFTER) == TOO_LARGE


@pytest.mark.parametrize("length", [997, 998])
def test_the_limit_is_what_a_datagram_has_room_for(length: int) -> None:
    """An action of as many bytes is played."""
    two = playing(action_space={"type": "any"})
    two.tick(json.dumps("x" * length), 0)
    assert notice(two.pages[0]) == ("" if length == 997 else TOO_LARGE)
