"""Two real pages, HAProxy, three relays with one PostgreSQL and one NATS; the process with the game may be killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal import Outcome, Plan, rehearse
from tools import chromium, nats, postgres, proxies
from tools.balancer import several
from tools.examples import example

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """All of it is real; where something is not to be had, it is said."""
    for name, there in (
        ("PostgreSQL", postgres.find()), ("NATS", nats.find()), ("HAProxy", proxies.find("haproxy")),
    ):  # fmt: skip
        if there is None:
            pytest.skip(f"no {name} on this machine")


def play(out: Path, **plan: Any) -> Outcome:
    """Two pages, whose records are the same bytes and complete, or it fails."""
    played = example("volley", 2)
    given = Plan(played.game, **plan)
    outcome = rehearse(
        given, site=played.build(), chromium=chromium.ensure(), out=out, server=several(out / "server", 3)
    )
    assert outcome.problems == []
    assert outcome.lost == []
    assert outcome.stored
    assert [metrics["end"]["reason"] for metrics in outcome.metrics.values()] == ["stop"] * 2
    # Of the server; what a busy machine makes of a browser's own database is another thing.
    assert [said for said in outcome.reports if ": not_in_game" in said or ": store_" in said] == []
    return outcome


def by_the_server(outcome: Outcome) -> set[int]:
    return {metrics["inputs"]["sentViaSocketIO"] for metrics in outcome.metrics.values()}


@pytest.mark.long  # in every run: without a browser
def test_two_pages_that_came_to_different_processes_play_one_game(tmp_path: Path) -> None:
    """By the server alone, so that every input crosses the processes."""
    outcome = play(tmp_path, seconds=8, socketio_only=True)
    assert min(by_the_server(outcome)) > 100
    assert outcome.relay["restarts"] == 0


@pytest.mark.long
@pytest.mark.parametrize("socketio_only", [False, True], ids=["peer to peer", "by the server"])
def test_the_process_that_has_the_game_is_killed(tmp_path: Path, socketio_only: bool) -> None:
    """As `test_server_processes.py` does it without pages: another one takes it up; both records are complete."""
    outcome = play(tmp_path, seconds=24, socketio_only=socketio_only, server_down_at=8, server_up_at=9)
    assert outcome.relay["restarts"] == 1
    assert (min(by_the_server(outcome)) > 100) is socketio_only
    frames = min(metrics["frames"]["total"] for metrics in outcome.metrics.values())
    # Ten of these seconds are the longest that a pause by the server may take.
    assert frames > (14 if socketio_only else 20) * 30 * 0.6
