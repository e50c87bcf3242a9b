"""Groups in real pages: three and four play the example to an end; one goes away, or comes back; so does the server.

Judged as all rehearsals are: the records of those who stay are the same bytes, the record of one who went is theirs as
far as it goes, and CPython reproduces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from pycore.rehearsal import Outcome, Plan, rehearse
from tests.stillness import Stillness
from tools import chromium
from tools.examples import example

pytestmark = pytest.mark.e2e


TAKEN_UP = "the server ended meanwhile, and the process in its place took up the game"


def play(out: Path, seats: int = 3, more: Mapping[str, Any] = MappingProxyType({}), **plan: Any) -> Outcome:
    """`more`: settings in the place of the example's."""
    played = example("tag", seats)
    site = played.build()
    given = Plan(replace(played.game, settings={**played.game.settings, **more}), **plan)
    outcome = rehearse(given, site=site, chromium=chromium.ensure(), database=str(out / "data.sqlite"), out=out)
    assert outcome.problems == []
    assert outcome.lost == []
    assert outcome.stored
    return outcome


def reasons(outcome: Outcome) -> list[str]:
    return [metrics["end"]["reason"] for metrics in outcome.metrics.values()]


def test_three_play_until_one_closes_the_page_and_the_others_are_told(stillness: Stillness, tmp_path: Path) -> None:
    """What each has is the same as far as it goes; it ends for all, since nobody said that it should go on."""

    def by_peer_alone(outcome: Outcome) -> None:
        assert outcome.departed is not None
        assert outcome.departed.metrics["frames"]["total"] > 60
        changes = [change for metrics in outcome.metrics.values() for change in metrics["pathChanges"]]
        # To who has closed the page goes by the server what the others do until the server says that somebody left.
        assert {str(change["playerId"]) for change in changes} <= {outcome.departed.player}
        assert outcome.departed.metrics["pathChanges"] == []
        assert changes or outcome.relay["inputs_relayed"] == 0

    outcome = stillness.undisturbed(lambda: play(tmp_path, 3, seconds=14, leave_at=8), by_peer_alone)
    assert outcome.departed is not None
    assert outcome.departed.how == "left"
    assert reasons(outcome) == ["player_left"] * 2
    for player, metrics in outcome.metrics.items():
        others = set("012") - {player}
        # Each link has its own way, and each is said.
        assert {name for name, of in metrics["network"].items() if of["connectionType"] == "direct"} == others
        assert metrics["connection"]["type"] == "direct"
    assert str(outcome.departed) in outcome.verdict


@pytest.mark.long
def test_three_play_by_the_server_alone_and_its_count_is_what_they_say(tmp_path: Path) -> None:
    """Each link counts an input, and it is given to the server once: the verdict compares that with its count."""
    outcome = play(tmp_path, 3, seconds=8, socketio_only=True)
    given = [metrics["inputs"]["givenToServer"] for metrics in outcome.metrics.values()]
    assert sum(given) == outcome.relay["inputs_relayed"]
    over_links = [metrics["inputs"]["sentViaSocketIO"] for metrics in outcome.metrics.values()]
    assert min(over_links) > max(given) >= 60


@pytest.mark.long
def test_a_game_goes_on_while_the_server_ends_and_another_one_takes_its_place(
    stillness: Stillness, tmp_path: Path
) -> None:
    """Peer-to-peer needs none; what was played is stored at the new one, which knows the game from its database."""

    def by_peer_alone(outcome: Outcome) -> None:
        for metrics in outcome.metrics.values():
            assert metrics["frames"]["total"] > 100
            assert metrics["inputs"]["sentViaSocketIO"] == 0
            assert metrics["pathChanges"] == []

    outcome = stillness.undisturbed(
        lambda: play(tmp_path, 2, seconds=12, server_down_at=3, server_up_at=6), by_peer_alone
    )
    assert outcome.restarts == 1
    assert TAKEN_UP in outcome.verdict
    assert reasons(outcome) == ["stop"] * 2 or reasons(outcome) == ["complete"] * 2


@pytest.mark.parametrize("away", [3, pytest.param(24, marks=pytest.mark.long)])
def test_a_game_by_the_server_waits_while_that_ends_and_goes_on_at_the_one_in_its_place(
    tmp_path: Path, away: int
) -> None:
    """Also where that takes longer than a silence may last: what was not passed on any more is said again, and both
    records are the same bytes. Each page has lost the server once, and nobody has left."""
    outcome = play(tmp_path, 2, seconds=away + 12, socketio_only=True, server_down_at=4, server_up_at=4 + away)
    assert outcome.restarts == outcome.relay["restarts"] == 1
    assert TAKEN_UP in outcome.verdict
    assert set(reasons(outcome)) <= {"stop", "complete"}
    for metrics in outcome.metrics.values():
        # 30 a second where the machine keeps up.
        assert metrics["quality"]["stalls"] >= 5 * away
        # It played before and behind it, and not from its beginning again.
        assert metrics["frames"]["total"] > 100
        assert metrics["load"] == 0
        assert metrics["returns"] == []


@pytest.mark.long
def test_who_loads_the_page_again_as_soon_as_the_server_is_there_again_comes_back_into_the_game(
    tmp_path: Path,
) -> None:
    """The new process knows the seat, and that another load of its page asks for it."""
    outcome = play(tmp_path, 2, seconds=24, socketio_only=True, server_down_at=5, server_up_at=8, reload_at=8.1)
    assert outcome.relay["restarts"] == 1
    assert outcome.resumed is not None
    assert len(set(outcome.trajectories.values())) == 1
    assert set(reasons(outcome)) <= {"stop", "complete"}


@pytest.mark.long
def test_two_of_three_play_on_when_the_study_wants_it_so(tmp_path: Path) -> None:
    """Behind the last own action of the one who left, on which both agree, stands the default."""
    outcome = play(tmp_path, 3, {"on_drop": "default_action"}, seconds=14, leave_at=6)
    assert outcome.departed is not None
    assert outcome.departed.end == ""
    assert outcome.departed.gone is not None
    assert set(reasons(outcome)) <= {"stop", "complete"}
    own = outcome.departed.metrics["frames"]["total"]
    for metrics in outcome.metrics.values():
        assert metrics["frames"]["total"] > own + 60


@pytest.mark.long
def test_a_game_by_the_server_waits_while_it_answers_nobody_and_goes_on(tmp_path: Path) -> None:
    """Nothing is lost: what was sent meanwhile comes when it is there again."""
    outcome = play(
        tmp_path, 2, seconds=14, socketio_only=True, server_down_at=4, server_up_at=7, server_cut="silent"
    )
    assert outcome.restarts == 0
    assert "the server answered nobody for a while" in outcome.verdict
    assert set(reasons(outcome)) <= {"stop", "complete"}
    for metrics in outcome.metrics.values():
        # About three seconds of 30 frames each stood still, of fourteen, where the machine keeps up.
        assert metrics["quality"]["stalls"] >= 15
        assert metrics["frames"]["total"] > 100


@pytest.mark.long
def test_four_play_to_an_end(stillness: Stillness, tmp_path: Path) -> None:
    """Every page on a link with each other one, and the same bytes at all of them."""

    def by_peer_alone(outcome: Outcome) -> None:
        assert outcome.relay["inputs_relayed"] == 0
        assert all(len(metrics["episodes"]) == 2 for metrics in outcome.metrics.values())

    outcome = stillness.undisturbed(lambda: play(tmp_path, 4, seconds=16, latency_ms=20), by_peer_alone)
    assert len(outcome.trajectories) == 4
    assert len(set(outcome.trajectories.values())) == 1
    for metrics in outcome.metrics.values():
        assert len(metrics["network"]) == 3


@pytest.mark.long  # in every run: the same of two pages (tests/browser), and of three while the others play on
def test_who_loads_the_page_again_plays_on_with_the_same_record_as_the_others(tmp_path: Path) -> None:
    """Nothing else of what the players did is in it, and what the server has of the one that came back is whole."""
    outcome = play(tmp_path, 3, seconds=16, reload_at=6)
    assert outcome.departed is None
    assert outcome.resumed is not None
    assert outcome.resumed.frames > 60
    assert (outcome.resumed.episode, outcome.resumed.frame) > (0, 60)
    assert set(reasons(outcome)) <= {"stop", "complete"}
    assert len(set(outcome.trajectories.values())) == 1
    player = outcome.resumed.player
    assert outcome.metrics[player]["load"] == 1
    assert str(outcome.resumed) in outcome.verdict
    for other in set("012") - {player}:
        assert [each["playerId"] for each in outcome.metrics[other]["returns"]] == [player]


@pytest.mark.long
def test_who_comes_back_by_the_server_alone_plays_on(tmp_path: Path) -> None:
    """Without any peer-to-peer: what was played comes by it, too."""
    outcome = play(tmp_path, 2, seconds=16, reload_at=6, socketio_only=True)
    assert outcome.resumed is not None
    assert len(set(outcome.trajectories.values())) == 1


@pytest.mark.long
def test_where_nobody_returns_who_loads_the_page_again_is_a_new_visitor_and_the_game_ends_for_the_others(
    tmp_path: Path,
) -> None:
    """The study says so."""
    outcome = play(tmp_path, 3, {"return_within": 0}, seconds=16, reload_at=8)
    assert outcome.departed is not None
    assert outcome.departed.how == "reloaded"
    assert set(reasons(outcome)) <= {"player_left", "returned"}


@pytest.mark.parametrize("seats", [pytest.param(2, marks=pytest.mark.long), 3])
def test_the_others_play_on_while_a_page_is_loaded_again_and_its_seat_is_its_own_again(
    tmp_path: Path, seats: int
) -> None:
    """Where the study wants it so, and of a pair as well; and all records are the same bytes, with both frames. It is
    away for longer than it takes to give it up: a page that is there again before that is waited for."""
    more = {"on_drop": "default_action", "on_interrupt": "default_action", "num_episodes": 1, "max_steps": 3000}
    outcome = play(tmp_path, seats, more, seconds=48, reload_at=5, back_at=9)
    assert outcome.departed is None
    assert outcome.resumed is not None
    assert set(reasons(outcome)) <= {"stop", "complete"}
    assert len(set(outcome.trajectories.values())) == 1
    (record,) = set(outcome.trajectories.values())
    player = outcome.resumed.player
    assert f'"gone":{{"{player}":"default_action"}}' in record
    assert f'"gone":{{"{player}":"player"}}' in record
