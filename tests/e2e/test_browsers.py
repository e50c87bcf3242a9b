"""Games between the browsers that people have, in real pages: each engine with itself, and with another one.

The table of all browsers and scenarios is made by `python3 build.py browsers` (docs/browsers.md); here is one game of
each kind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal import Outcome, Plan, rehearse
from tests.stillness import Stillness
from tools import chromium
from tools.examples import example

pytestmark = pytest.mark.e2e

THROTTLED_MS = 900
"""A hidden page's timers go once a second."""
SILENT = {"silence", "unheard", "deaf"}


def play(out: Path, browsers: tuple[str, ...], **plan: Any) -> Outcome:
    played = example("volley", 2)
    site = played.build()
    outcome = rehearse(Plan(played.game, browsers=browsers, **plan), site=site, chromium=chromium.ensure(), out=out)
    assert outcome.problems == []
    assert outcome.lost == []
    assert len(set(outcome.trajectories.values())) == 1
    return outcome


def ways(outcome: Outcome) -> list[list[str]]:
    """The causes of each player's changes of path."""
    return [[change["cause"] for change in metrics["pathChanges"]] for metrics in outcome.metrics.values()]


@pytest.mark.long  # in every run: in the host page, and Firefox's leaving in the demo page
def test_a_firefox_and_a_chromium_play_and_a_connection_that_firefox_closes_comes_back(
    firefox: Path, stillness: Stillness, tmp_path: Path
) -> None:
    """By a real channel between two engines; by the server meanwhile; and by a new connection within seconds."""

    def by_peer_but_for_seconds(outcome: Outcome) -> None:
        assert ways(outcome) == [["closed", "recovered"]] * 2
        for metrics in outcome.metrics.values():
            assert metrics["inputs"]["sentViaP2P"] > 60

    outcome = stillness.undisturbed(
        lambda: play(tmp_path, ("firefox", "chromium"), seconds=15, down_at=4, cut="connection"),
        by_peer_but_for_seconds,
    )
    for metrics in outcome.metrics.values():
        assert metrics["connection"]["type"] == "direct"
        assert metrics["inputs"]["sentViaSocketIO"] > 0


@pytest.mark.long  # in every run: the same in Firefox, and both kinds of closing in hand-fed time
def test_a_connection_that_chromium_closes_comes_back(tmp_path: Path) -> None:
    """To its own kind."""
    outcome = play(tmp_path, ("chromium",), seconds=15, down_at=4, cut="connection")
    for causes in ways(outcome):
        assert {"closed", "recovered"} <= set(causes)


@pytest.mark.long  # in every run: a Firefox and a Chromium, and a bad network between two Chromiums
def test_two_firefoxes_play_over_a_bad_network_that_is_cut(firefox: Path, tmp_path: Path) -> None:
    """A proxy before a TURN server impairs alike in every engine."""
    outcome = play(tmp_path, ("firefox",), seconds=13, latency_ms=40, loss=0.02, down_at=3, up_at=6)
    for causes in ways(outcome):
        cut = min(number for number, cause in enumerate(causes) if cause in SILENT)
        # A machine that is busy may leave it once more, since the way there and back takes so long.
        assert "recovered" in causes[cut:]
    for metrics in outcome.metrics.values():
        assert metrics["connection"]["type"] == "relay"
        assert metrics["inputs"]["sentViaSocketIO"] > 0
        # 80 on the way; a busy machine adds its own.
        assert 70 < next(iter(metrics["quality"]["rttMs"].values())) < 400
    assert any(metrics["rollbacks"]["count"] for metrics in outcome.metrics.values())


@pytest.mark.long  # in every run: the same of a Firefox in the interactive_gym page
def test_a_firefox_outlives_closed_channels_a_hidden_tab_and_a_page_that_is_loaded_again(
    firefox: Path, stillness: Stillness, tmp_path: Path
) -> None:
    """One after the other in one game. The tab of the page that stays is behind another one, where timers go once a
    second and the game as before; the other page comes back into the game."""
    plan = {"down_at": 3, "up_at": 5, "cut": "close", "hide": (0, 9.0, 13.0), "reload_at": 14}

    def who_stays(outcome: Outcome) -> Any:
        return next(of for of in outcome.metrics.values() if of["load"] == 0)

    def back_before_the_next_thing_happens(outcome: Outcome) -> None:
        assert [change["cause"] for change in who_stays(outcome)["pathChanges"]][:2] == ["closed", "recovered"]

    outcome = stillness.undisturbed(
        lambda: play(tmp_path, ("firefox",), seconds=20, **plan), back_before_the_next_thing_happens
    )
    assert outcome.resumed is not None
    ((back, _),) = [(player, of) for player, of in outcome.metrics.items() if of["load"] == 1]
    assert outcome.resumed.player == back
    stays = who_stays(outcome)
    hidden, shown = stays["visibility"]
    assert (hidden["hidden"], shown["hidden"]) == (True, False)
    lengths = [0, *(episode["frames"] for episode in stays["episodes"])]
    at = [sum(lengths[: of["episode"] + 1]) + of["frame"] for of in (hidden, shown)]
    # Of 120; between two episodes there is a pause.
    assert at[1] - at[0] > 60
    assert max(int(said.split()[-1]) for said in stillness.seen) > THROTTLED_MS
