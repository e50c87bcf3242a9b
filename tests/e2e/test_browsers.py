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


def test_a_firefox_and_a_chromium_play_and_a_connection_that_firefox_closes_comes_back(
    firefox: Path, stillness: Stillness, tmp_path: Path
) -> None:
    """By a real channel between two engines; by the server meanwhile; and by a new connection within seconds."""

    def by_peer_but_for_seconds(outcome: Outcome) -> None:
        assert ways(outcome) == [["closed", "recovered"]] * 2
        for metrics in outcome.metrics.values():
            assert metrics["inputs"]["sentViaP2P"] > 150
            assert metrics["frames"]["total"] >= 300

    outcome = stillness.undisturbed(
        lambda: play(tmp_path, ("firefox", "chromium"), seconds=15, down_at=4, cut="connection"),
        by_peer_but_for_seconds,
    )
    for metrics in outcome.metrics.values():
        assert metrics["connection"]["type"] == "direct"
        assert metrics["inputs"]["sentViaSocketIO"] > 30


@pytest.mark.long  # in every run: the same in Firefox, and both kinds of closing in hand-fed time
def test_a_connection_that_chromium_closes_comes_back(tmp_path: Path) -> None:
    """To its own kind."""
    outcome = play(tmp_path, ("chromium",), seconds=15, down_at=4, cut="connection")
    for causes in ways(outcome):
        assert {"closed", "recovered"} <= set(causes)


@pytest.mark.long  # in every run: latency in Chromium's own emulation
def test_two_firefoxes_play_over_a_bad_network_that_is_cut(firefox: Path, tmp_path: Path) -> None:
    """A proxy before a TURN server impairs alike in every engine."""
    outcome = play(tmp_path, ("firefox",), seconds=16, latency_ms=40, loss=0.02, down_at=5, up_at=8)
    for causes in ways(outcome):
        assert {"silence", "recovered"} <= set(causes)
    for metrics in outcome.metrics.values():
        assert metrics["connection"]["type"] == "relay"
        assert 70 < next(iter(metrics["quality"]["rttMs"].values())) < 200
