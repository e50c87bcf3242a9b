"""Games between two WebKits, which have no WebRTC: through the server, from the first input to the stored records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal import Outcome, Plan, rehearse
from tools import webkit
from tools.examples import example

pytestmark = [
    pytest.mark.e2e,
    # Of selenium, about itself.
    pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning"),
]

PLAYED = 60
"""Frames without which nobody would say that they had played: two seconds' worth of eight."""


def play(folder: Path, **plan: Any) -> Outcome:
    """A rehearsal in two of them; without a WebKit the test is skipped, and it is said how to get one."""
    found = webkit.find()
    if found is None:
        pytest.skip(f"there is no WebKit: {webkit.HOW}")
    volley = example("volley", 2)
    of = Plan(volley.game, browsers=("webkit",), **plan)
    return rehearse(of, site=volley.build(), out=folder, others=lambda: webkit.pages(found))


def test_two_webkits_play_through_the_server_and_their_records_are_the_same(tmp_path: Path) -> None:
    """They are told that they have no peer-to-peer, wait for none, and lose nothing. How many frames a second two of
    them draw without a GPU is the machine's; that every one of them was sent, and is in the record, is not."""
    outcome = play(tmp_path, seconds=8)
    assert outcome.right, outcome.problems
    assert any("peer-to-peer never came up" in warning for warning in outcome.warnings)
    for metrics in outcome.metrics.values():
        frames = metrics["frames"]["total"]
        assert frames >= PLAYED
        assert metrics["inputs"]["sentViaP2P"] == metrics["inputs"]["receivedViaP2P"] == 0
        assert metrics["inputs"]["sentViaSocketIO"] == frames
        assert metrics["sync"]["p2pHashMismatches"] == metrics["sync"]["contradictions"] == 0
    one, two = outcome.trajectories.values()
    assert one == two
    assert one.count("\n") >= PLAYED


@pytest.mark.long  # in every run: the same in Chromium and in Firefox
def test_a_webkit_that_is_loaded_again_comes_back_into_its_game(tmp_path: Path) -> None:
    outcome = play(tmp_path, seconds=14, reload_at=5)
    assert outcome.right, outcome.problems
    assert outcome.resumed is not None
