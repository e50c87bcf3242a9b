"""The main job, end to end: two real pages, a real channel, a real relay, a real database.

Every session is judged by `pycore.rehearsal` as well: the records of both players are the same bytes, without a gap,
they hold exactly what the pages read from their players, and CPython reproduces them. A row that proves nothing
fails: the state must change, and where a session is meant to roll back it must have done so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pycore.rehearsal import Outcome, Plan, rehearse
from tests.stillness import Stillness
from tools import chromium, site
from tools.paths import ROOT, SITE
from tools.volley import VOLLEY

pytestmark = pytest.mark.e2e

TICK_MS = 1000 / 30
SILENCE_MS = 500
SLOW_MACHINE_MS = 1000
"""What two browsers on two busy cores may take longer than the rule, which hand-fed time has to the tick."""


@pytest.fixture(scope="module", autouse=True)
def _site() -> None:
    site.build()


def play(plan: Plan, out: Path) -> Outcome:
    outcome = rehearse(plan, site=SITE, chromium=chromium.ensure(), database=str(out / "data.sqlite"), out=out)
    assert outcome.problems == []
    assert outcome.lost == []
    assert outcome.stored
    for metrics in outcome.metrics.values():
        assert metrics["sync"]["p2pHashMismatches"] == 0
        assert metrics["sync"]["hashesCompared"] > 0
        assert metrics["sync"]["contradictions"] == metrics["sync"]["malformed"] == 0
        assert metrics["rollbacks"]["count"] == len(metrics["rollbacks"]["events"])
    return outcome


def paths_of(metrics: dict) -> list[tuple[str, str]]:
    return [(change["to"], change["cause"]) for change in metrics["pathChanges"]]


def sent(metrics: dict) -> tuple[int, int]:
    return metrics["inputs"]["sentViaP2P"], metrics["inputs"]["sentViaSocketIO"]


def received(metrics: dict) -> tuple[int, int]:
    return metrics["inputs"]["receivedViaP2P"], metrics["inputs"]["receivedViaSocketIO"]


def exported(database: Path, game_id: str, out: Path) -> dict[str, bytes]:
    """What the relay's own command gives back from the database."""
    url = f"sqlite:///{database}"
    command = [sys.executable, "-m", "pycore", "data", "--database", url, "--game", game_id, "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_on_a_healthy_link_no_input_crosses_the_server_and_everything_reaches_the_database(
    stillness: Stillness, tmp_path: Path
) -> None:
    """Peer-to-peer, measured at the server; what is stored is what the pages had."""

    def by_peer_alone(outcome: Outcome) -> None:
        assert outcome.relay["inputs_relayed"] == 0
        for metrics in outcome.metrics.values():
            assert sent(metrics) == (metrics["frames"]["total"], 0)
            assert metrics["frames"]["total"] > 100
            assert not metrics["quality"]["p2pFallbackTriggered"]
            assert metrics["quality"]["p2pFallbackFrame"] is None
            assert len(metrics["episodes"]) == 2

    plan = Plan(VOLLEY, seconds=12, latency_ms=40, loss=0.05)
    outcome = stillness.undisturbed(lambda: play(plan, tmp_path), by_peer_alone)
    assert outcome.relay["signals_relayed"] > 0
    one, two = outcome.metrics.values()
    assert received(one) == sent(two)
    assert received(two) == sent(one)
    assert one["frames"]["total"] == two["frames"]["total"]
    assert one["connection"]["type"] == two["connection"]["type"] == "direct"
    assert one["connection"]["connectionDetails"]["protocol"] == "udp"
    assert one["rollbacks"]["performed"] + two["rollbacks"]["performed"] > 0
    assert one["inputs"]["resentViaP2P"] > 0
    found = exported(tmp_path / "data.sqlite", outcome.game_id, tmp_path / "exported")
    for player, text in outcome.trajectories.items():
        assert found[f"trajectory-{player}.jsonl"] == text.encode()
        stored = json.loads(found[f"metrics-{player}.json"])
        assert stored["frames"]["total"] == outcome.metrics[player]["frames"]["total"]
        assert stored["rollbacks"]["count"] == outcome.metrics[player]["rollbacks"]["count"]
    # What the pages have handed over as they went is among a rehearsal's files as well.
    assert sorted(outcome.stored_files) == [*(f"experienced-{player}.jsonl" for player in "01"), "game.json"]
    assert {name: found[name] for name in outcome.stored_files} == outcome.stored_files


# A channel that is closed is one of the core's tests in a page as well, and of those in the interactive_gym page.
@pytest.mark.parametrize("cut", ["silent", pytest.param("close", marks=pytest.mark.long)])
def test_a_cut_channel_costs_no_input_and_peer_to_peer_comes_back(
    cut: str, stillness: Stillness, tmp_path: Path
) -> None:
    """The fallback carries the game, the way back is taken, every switch stands in the metrics."""
    plan = Plan(VOLLEY, seconds=14, down_at=3, up_at=6, cut=cut, latency_ms=10)
    causes = {"closed", "failed"} if cut == "close" else {"silence", "unheard", "deaf"}
    limit = 100 if cut == "close" else SILENCE_MS + 3 * TICK_MS

    def as_cut(outcome: Outcome) -> None:
        for metrics in outcome.metrics.values():
            changes = paths_of(metrics)
            assert changes[0][0] == "socketio"
            assert changes[0][1] in causes
            assert changes[-1] == ("p2p", "recovered")
            # Three seconds of outage, and what the rules add before and after, at 30 frames a second at most.
            assert 0 < sent(metrics)[1] <= 240
        assert outcome.failover_ms is not None
        assert outcome.failover_ms <= limit + SLOW_MACHINE_MS

    outcome = stillness.undisturbed(lambda: play(plan, tmp_path), as_cut)
    for metrics in outcome.metrics.values():
        assert metrics["quality"]["p2pFallbackTriggered"]
        assert sum(sent(metrics)) == metrics["frames"]["total"]
        first = metrics["pathChanges"][0]
        assert metrics["quality"]["p2pFallbackFrame"] == first["frame"]
    one, two = outcome.metrics.values()
    assert sum(received(one)) == sum(sent(two))
    assert sum(received(two)) == sum(sent(one))
    # At the server: the first dispatches, and the repeats of what was on its way when the path changed.
    by_server = sent(one)[1] + sent(two)[1] + sum(m["inputs"]["resentViaSocketIO"] for m in (one, two))
    assert outcome.relay["inputs_relayed"] == by_server


@pytest.mark.long  # in every run: a game by the server alone, through two of its processes
def test_without_any_peer_to_peer_the_server_carries_the_whole_session(tmp_path: Path) -> None:
    """What never opened is no fallback in force; every input counts once for socket.io."""
    outcome = play(Plan(VOLLEY, seconds=8, socketio_only=True, input_delay=3), tmp_path)
    one, two = outcome.metrics.values()
    for metrics in (one, two):
        assert sent(metrics) == (0, metrics["frames"]["total"])
        assert metrics["connection"] == {"type": "unknown", "connectionDetails": {}}
        assert not metrics["quality"]["p2pFallbackTriggered"]
        assert metrics["pathChanges"] == []
    assert received(one) == sent(two)
    assert outcome.relay["inputs_relayed"] >= sum(sent(one)) + sum(sent(two))


@pytest.mark.long  # in every run a tab is hidden in the interactive_gym page, and in the record of what was seen
def test_a_hidden_tab_neither_freezes_nor_ends_the_game(stillness: Stillness, tmp_path: Path) -> None:
    """Design §6: a hidden page goes on ticking, and the other one is told."""

    def goes_on(outcome: Outcome) -> None:
        one, two = outcome.metrics.values()
        assert one["frames"]["total"] == two["frames"]["total"] > 100
        assert one["quality"]["stalls"] + two["quality"]["stalls"] < 60

    stillness.undisturbed(lambda: play(Plan(VOLLEY, seconds=10, hide=(0, 3.0, 7.0)), tmp_path), goes_on)
