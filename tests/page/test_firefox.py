"""The real page in Firefox: what browsers do each in their own way. Everything else is tested in Chromium.

A real keyboard, a tab that is really hidden behind another one, data channels and connections that close, what is
stored, and leaving. Whatever this browser's driver cannot do is done by a script in the page (`page_engines`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import page_records
import page_rig
import pytest
from page_tricks import completion_code, kept, outlives, overlay, reached, tricks
from page_verdict import books_agree, by_path, changes, in_order, inputs_by_server, judged

pytestmark = pytest.mark.page

Start = Callable[..., page_rig.Study]
GAME = {"episodes": 2, "max_steps": 240}
SHUT, SILENT = ("closed", "failed"), ("silence", "unheard", "deaf")
TOLD_S = 4.0
"""A page that only falls silent is waited for longer: five seconds."""


def stepped(action: int, episode: int, frames: int = 25) -> str:
    """Whether so many frames of an episode passed with an action; what stands asks again."""
    of = f"({{ action, episode, stepped }}) => action === {action} && episode === {episode} && stepped"
    return f"new Set(window.rig.log.filter({of}).map(({{ frame }}) => frame)).size > {frames}"


def test_a_firefox_and_a_chromium_play_to_the_end_with_whatever_happens_to_a_page(start: Start, firefox: Any) -> None:
    """Between two engines, all in one game: a key of the real keyboard, which is let go when the tab is really hidden;
    a channel that is closed; data that is lost on its way. The files of both are the same, and true."""
    study = start()
    ann, bob = study.join("ann", "bob", browsers={"ann": firefox}, prepare={"ann": tricks})
    bob.play(7)
    for who in (ann, bob):
        who.playing()
    ann.page.evaluate("window.tricks.lose = {name: 'emit_episode_data', part: 'request', after: 0}")
    with ann.holding("ArrowLeft"):
        ann.wait(stepped(1, 0), 30, "ann goes left")
        ann.hide()
        began = bob.game("frameNumber")
        bob.wait(f"window.game.num_episodes > 0 || window.game.frameNumber > {began + 60}", 30, "bob plays on")
        ann.hide(False)
    reached(bob, 30, 1)
    outlives(lambda: ann.game("core.inspectLink(0).channel.close()"), ann, bob)
    with ann.holding("ArrowRight"), ann.holding("ArrowUp"):
        ann.wait(stepped(2, 1, 5), 30, "ann goes right")
    study.finish(ann, bob)
    ann.wait("window.game.unstored === 0", 60, "the data is stored")
    assert ann.page.evaluate("window.tricks.lost") == ["request of emit_episode_data"]
    tables = judged(study, ann, bob)
    me = ann.assigned["player_id"]
    for own in tables:
        looked = own[0].column(f"isFocused.{me}")
        assert 20 <= looked.count(False) <= 200
        # Who looks away does nothing, and comes back without the key that was down. The page may have read the keys of
        # a tick, on a busy machine of two, before it was hidden.
        away = looked.index(False)
        assert 1 in own[0].column(f"actions.{me}")[:away]
        assert set(own[0].column(f"actions.{me}")[away + 2 :]) == {0}
        assert looked[-1] is True
    for who in (ann, bob):
        books_agree(who)
        # A page that is slow to be told of the close hears from its partner first that nothing is heard any more.
        assert in_order([(*SHUT, *SILENT), ("recovered",)], [change["cause"] for change in changes(who)])
        assert inputs_by_server(who)
        assert by_path(study, who)[0] > 200
        assert study.metrics(who)["connection"]["type"] == "direct"
    assert study.metrics(ann)["focusLoss"]["periodCount"] == 1


@pytest.mark.long
def test_two_firefoxes_lose_no_input_on_a_bad_network_and_who_navigates_away_is_missed_at_once(
    start: Start, firefox: Any
) -> None:
    """Every datagram is lost for a while, and the connection is closed; then one goes to another address. What both
    have is stored, the same and true, and who stays gets a code."""
    study = start(max_steps=6000, ending=page_rig.ENDING)
    ann, bob = people = study.players("ann", "bob", browsers={"ann": firefox, "bob": firefox})
    for who in people:
        who.network(latency=20, loss=0.05)
    reached(ann, 90)

    def deaf_for_a_while() -> None:
        for who in people:
            who.cut()
        reached(ann, ann.game("frameNumber") + 60)
        for who in people:
            who.network()

    outlives(deaf_for_a_while, *people)
    outlives(lambda: ann.game("core.inspectLink(0).connection.close()"), *people)
    ann.end()
    reached(ann, 40, 1)
    for who in people:
        books_agree(who)
        causes = [change["cause"] for change in changes(who)]
        assert in_order([SILENT, ("recovered",), (*SHUT, *SILENT), ("recovered",)], causes), causes
    left = time.monotonic()
    bob.page.goto("about:blank")
    assert "The other player has left" in overlay(ann, "ended")
    assert time.monotonic() - left < TOLD_S
    assert completion_code(ann)
    first, second = kept(study, ann, complete=1)[0]
    assert first.rollbacks()
    assert page_records.differences(first, study.csv(bob, 0)) == []
    assert 30 <= len(second.rows) < 6000
    assert study.status(ann, "partner_disconnected")["completedEpisodes"] == 1
    for who in people:
        assert who.errors == []
    assert ann.failures == []
