"""The metrics of a session with many episodes, as its page has them stored: each event once, and all in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bridge_support import Page, done, keys, pair
from test_bridge import of_event, taken

from pycore.export.files import games_of
from pycore.relay.storage.export import export_game, list_games
from pycore.relay.storage.listed import with_lists
from pycore.relay.storage.store import DataStore

LONG = 12


def played(episodes: int) -> Iterator[tuple[Page, list[dict[str, Any]]]]:
    """Two pages whose packets are lost many in a row; of each the metrics that it has stored."""
    counts = iter(range(1_000_000))
    two = pair(lambda: next(counts) % 24 < 12, max_steps=40, num_episodes=episodes)
    stored: list[list[dict[str, Any]]] = [[], []]
    told = [0, 0]
    ticks = 0
    while not done(two)():
        two.tick(*keys(ticks))
        ticks += 1
        for page, kept, seat in zip(two.pages, stored, (0, 1), strict=True):
            news = page.news[told[seat] :]
            told[seat] = len(page.news)
            for each in news:
                if each["news"] == "episode-end":
                    kept += of_event(taken(page, two.now, each["episode"]), "p2p_session_metrics")
    for page, kept in zip(two.pages, stored, strict=True):
        kept += of_event(taken(page, two.now, -1), "p2p_session_metrics")
        yield page, kept


def characters(kept: list[dict[str, Any]]) -> int:
    """What the events take in all that was stored."""
    return sum(len(json.dumps(each["metrics"]["rollbacks"]["events"])) for each in kept)


@pytest.mark.slow
def test_what_is_stored_of_rollbacks_grows_with_the_session_and_not_with_its_square() -> None:
    """Each episode's metrics had all events up to there: after some hundred episodes nothing more was stored."""
    for page, kept in played(LONG):
        *episodes, whole = (each["metrics"] for each in kept)
        assert [each["listsOf"] for each in episodes] == list(range(LONG))
        events = whole["rollbacks"]["events"]
        assert "listsOf" not in whole
        assert len(events) == whole["rollbacks"]["count"] > 3 * LONG
        assert [event for each in episodes for event in each["rollbacks"]["events"]] == events
        assert not any("eventsLeftOut" in each["rollbacks"] for each in episodes)
        counts = [each["rollbacks"]["count"] for each in episodes]
        assert counts == sorted(counts), "counts are of the session so far"
        assert characters(kept) < 2.1 * len(json.dumps(events))
        assert whole == json.loads(page.bridge.view.export_session_metrics())


def test_events_without_room_are_counted_of_their_episode(monkeypatch: Any) -> None:
    """Of those of the episode, not of the session, so many more were not listed."""
    monkeypatch.setattr("pycore.rollback.mispredictions.LISTED", 600)
    _, kept = next(played(3))
    *episodes, whole = (each["metrics"]["rollbacks"] for each in kept)
    assert len(whole["events"]) + whole["eventsLeftOut"] == whole["count"]
    assert sum(len(each["events"]) + each.get("eventsLeftOut", 0) for each in episodes) == whole["count"]


@pytest.mark.slow
def test_the_file_of_a_session_without_an_end_lists_what_its_episodes_do(tmp_path: Path) -> None:
    """A page that went away has stored no metrics of the whole session."""
    _, kept = next(played(3))
    store = DataStore(f"sqlite:///{tmp_path}/data.db")
    try:
        for each in kept[:-1]:
            asyncio.run(store.put_metrics("g", "0", each["episode"], json.dumps(each["metrics"]), 1.0))
        export_game(store, list_games(store)[0], tmp_path)
        whole = kept[-1]["metrics"]
        found = json.loads((tmp_path / "metrics-0.json").read_text())
        assert found["rollbacks"]["events"] == whole["rollbacks"]["events"]
        assert "listsOf" not in found
        assert json.loads((tmp_path / "metrics-0-episode-0.json").read_text()) == kept[0]["metrics"]
    finally:
        store.close()


def told(episode: int, **more: Any) -> str:
    """Metrics of an episode with one event."""
    rollbacks = {"events": [{"episode": episode}], "count": episode + 1}
    return json.dumps({"listsOf": episode, "load": 0, "rollbacks": rollbacks, "desyncReports": [], **more})


def test_reports_of_differences_that_two_episodes_list_are_there_once() -> None:
    """That of an episode's end is made in the next one, so the next one's metrics have it too."""
    report = {"episode": 0, "frame": 9, "playerId": "1", "fields": [1]}
    later = {**report, "episode": 1}
    others = [told(0, desyncReports=[report]), told(1, desyncReports=[report, later])]
    found = json.loads(with_lists(others[1], others))
    assert found["desyncReports"] == [report, later]
    assert found["rollbacks"] == {"events": [{"episode": 0}, {"episode": 1}], "count": 2}


def test_what_an_earlier_load_counted_is_not_listed_beside_the_counts_of_this_one() -> None:
    """The metrics of a page that was loaded again are of its last load."""
    found = json.loads(with_lists(told(1, load=1), [told(0), told(1, load=1)]))
    assert found["rollbacks"] == {"events": [{"episode": 1}], "count": 2, "eventsLeftOut": 1}


def test_metrics_that_list_all_or_are_none_of_ours_stay_as_they_were_sent() -> None:
    """To the byte: the whole session's, an older version's, and whatever somebody else has sent."""
    for text in ('{"rollbacks": {"events": [] } }', '{"listsOf":1,"rollbacks":3}', '{"listsOf":', '["listsOf"]'):
        assert with_lists(text, [told(0), text]) == text


@pytest.mark.slow
@pytest.mark.parametrize("same", [False, True])
def test_what_a_later_load_said_in_mid_episode_stands_before_the_end_of_an_earlier_one(
    tmp_path: Path, same: bool
) -> None:
    """A page that was dropped, came back as another load of itself and went away then: its metrics are the last load's,
    and what the first one said is kept beside them; also where it is the `same` episode that was broken off, of which
    the first one had stored what it had."""
    _, kept = next(played(2))
    of = kept[-1]["metrics"]
    dropped = {**of, "load": 0, "end": {**of["end"], "reason": "dropped"}}
    later = {**kept[1]["metrics"], "load": 1, "soFar": True}
    store = DataStore(f"sqlite:///{tmp_path}/data.db")

    async def put() -> None:
        broken = [(1, {**kept[1]["metrics"], "load": 0, "end": dropped["end"]})] if same else []
        for episode, metrics in ((0, kept[0]["metrics"]), *broken, (-1, dropped), (1, later)):
            await store.put_metrics("g1", "0", episode, json.dumps(metrics), 1.0, "soFar" in metrics, metrics["load"])

    asyncio.run(put())
    (game,) = list_games(store, "g1")
    export_game(store, game, tmp_path / "out")
    store.close()
    found = json.loads((tmp_path / "out" / "metrics-0.json").read_text())
    assert (found["load"], found.get("soFar")) == (1, True)
    first = json.loads((tmp_path / "out" / "metrics-0-episode--1.json").read_text())
    assert (first["load"], first["end"]["reason"]) == (0, "dropped")
    assert [path.name for path in games_of([tmp_path / "out"])[0].metrics] == ["metrics-0.json"]


STRANGE = (f'{{"load":{"9" * 5000}}}', f'{{"a":{"[" * 100_000}1{"]" * 100_000}}}', "{", "[]")


@pytest.mark.parametrize("strange", STRANGE, ids=["digits", "depth", "cut", "list"])
def test_metrics_that_cannot_be_read_are_written_as_they_were_sent_and_keep_no_game_back(
    tmp_path: Path, strange: str
) -> None:
    """One participant's would be the end of the export of everybody's data."""
    store = DataStore(f"sqlite:///{tmp_path}/data.db")

    async def put() -> None:
        for player, episode, metrics in (("0", 0, strange), ("0", -1, strange), ("1", 0, told(0))):
            await store.put_metrics("g1", player, episode, metrics, 1.0)

    asyncio.run(put())
    (game,) = list_games(store, "g1")
    export_game(store, game, tmp_path / "out")
    store.close()
    assert (tmp_path / "out" / "metrics-0.json").read_text() == strange
    assert json.loads((tmp_path / "out" / "metrics-1.json").read_text())
