"""A page that is loaded again, through the bridge: what it stores, says and shows, and what the other one hears."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from bridge_support import Page, Pair, done, keys, pair
from test_bridge import _poll_of_three, three

from examples import volley
from pycore.bridge.stores import PARTS_OF_A_LOAD
from pycore.duties import CHANNEL_CLOSED
from pycore.records import Experience
from pycore.relay.storage import pieces as joined
from pycore.relay.storage.pieces import Place, join

SETTINGS = {"max_steps": 120, "num_episodes": 1, "store_every": 1}


def stored(page: Page, now: float, ended: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """What the page is to store now."""
    text = page.bridge.take_stores(now) if ended is None else page.bridge.take_end_stores(now, ended)
    found: list[tuple[str, dict[str, Any]]] = json.loads(text)
    return found


def reload(two: Pair, seat: int = 1, load: int = 1) -> Page:
    """The page is loaded again: a new bridge, which knows that it is a later load; its channel is gone."""
    two.pages[1 - seat].channel = CHANNEL_CLOSED
    two.pages[1 - seat].rtc("channel-closed", None, two.now)
    settings = {"max_steps": 120, "num_episodes": 1, "store_every": 1}
    page = Page(seat, [0, 1], volley.make_env(), settings, now=two.now, load=load)
    two.pages[seat] = page
    return page


def text_of(stores: Sequence[tuple[str, dict[str, Any]]], episode: int = 0) -> str:
    """What the server makes of pieces, without the first line."""
    pieces = [data for event, data in stores if event == "pycore_rows" and data["episode"] == episode]
    of = {Place(*(piece[name] for name in Place._fields)): piece["data"].encode() for piece in pieces}
    return "".join([segment.lines(of[segment.place]).decode() for segment in join(of).segments])


def test_both_loads_of_a_page_store_one_record_and_what_was_seen_in_parts_of_their_own() -> None:
    """Before it plays the later load stores no row; then all of the episode, behind what the first one stored."""
    two = pair(**SETTINGS)
    two.until(lambda: two.pages[1].bridge.session.frame == 60, play=keys)
    first = stored(two.pages[1], two.now)
    page = reload(two)
    during: list[tuple[str, dict[str, Any]]] = []
    progress = []

    def back() -> bool:
        hud = json.loads(page.bridge.view.hud())
        if hud["catching_up"] is not None:
            progress.append(hud["catching_up"])
            during.extend(stored(page, two.now))
        return hud["catching_up"] is None

    two.until(back, play=keys)
    assert progress
    assert [event for event, _ in during if event == "pycore_rows"] == []
    two.until(done(two), play=keys)
    last = stored(page, two.now, 0) + stored(page, two.now, -1)
    record = two.pages[0].bridge.view.records()
    assert text_of([*last, *first]) == record.partition("\n")[2]
    assert page.bridge.view.records() == record
    revisions = {data["revision"] for event, data in last if event == "pycore_rows"}
    assert revisions == {1000}
    parts = [data for event, data in [*first, *during, *last] if event == "pycore_experienced"]
    assert {data["part"] // PARTS_OF_A_LOAD for data in parts} == {0, 1}
    assert len({data["part"] for data in parts}) == len(parts)
    seen = Experience("".join([data["data"] for data in parts]).splitlines())
    assert len(list(seen)) > 100
    assert seen.load == 1
    metrics = json.loads(page.bridge.view.export_session_metrics())
    (unseen,) = metrics["unseen"]
    assert (metrics["load"], unseen["episode"], unseen["from"]) == (1, 0, 0)
    assert 55 <= unseen["to"] < 75
    other = json.loads(two.pages[0].bridge.view.export_session_metrics())
    assert other["returns"] == [{"playerId": "1", "episode": 0, "frame": unseen["to"], "load": 1}]
    assert (other["load"], other["unseen"]) == (0, [])


def test_the_relay_and_the_page_number_the_parts_of_a_load_alike() -> None:
    """Neither may import the other."""
    assert joined.PARTS_OF_A_LOAD == PARTS_OF_A_LOAD


def statuses(page: Page) -> list[tuple[str, Any]]:
    return [(news["status"], news["player"]) for news in page.news if news["news"] == "peer"]


def test_who_is_away_and_who_is_back_by_the_servers_word_is_told_the_page() -> None:
    """Of this game alone, and of the others."""
    page = three()
    game = page.bridge.session.game_id
    for event, data in (
        ("player_away", {"game_id": "another", "player_id": 2}),
        ("player_away", {"game_id": game, "player_id": 0}),
        ("player_away", {"game_id": game, "player_id": 2, "return_within": 60}),
        ("player_back", {"game_id": game, "player_id": 2}),
    ):
        page.event(event, data, 50.0)
    _poll_of_three(page)
    assert statuses(page) == [("away", 2), ("present", 2)]


@pytest.mark.parametrize("data", [None, {}, {"game_id": "g1"}, {"game_id": "g1", "player_id": 7}, [3]])
@pytest.mark.parametrize("event", ["player_away", "player_back", "player_gone"])
def test_a_word_of_the_server_that_cannot_be_read_is_logged_and_the_game_goes_on(event: str, data: Any) -> None:
    """As every malformed message."""
    page = three()
    page.event(event, data, 50.0)
    _poll_of_three(page)
    assert statuses(page) == []
    assert any("cannot be read" in str(news.get("text")) for news in page.news)


def test_an_event_of_the_server_that_is_not_the_bridges_is_no_malformed_one() -> None:
    """The waiting room, a restored session: the page's."""
    page = three()
    for event in ("waiting_room", "session_restored", "start_game"):
        page.event(event, {}, 50.0)
    _poll_of_three(page)
    assert not any("cannot be read" in str(news.get("text")) for news in page.news)
