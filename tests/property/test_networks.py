"""Whatever the network did: every peer's record is the ground truth's, and the books agree to the last input."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import core_view
import long
import pytest
from drawing import LASTING, UNSHRUNK, Schedule, examples, schedules, seeded, seeds, with_reloads
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import Tally, faults
from networks import build, heal, play

from pycore.testing import Conditions
from pycore.testing.kinds import KINDS
from pycore.testing.scenario import DRAWN_LAST


@pytest.fixture(scope="module")
def tally() -> Tally:
    """What happened in all examples of this module's main property."""
    return Tally()


@pytest.mark.slow
@given(schedule=schedules())
@settings(max_examples=examples(70), phases=UNSHRUNK)
def test_any_network_leaves_every_peer_with_the_true_trajectory(schedule: Schedule, tally: Tally) -> None:
    """For any schedule: the record equals the bare replica's, the same end everywhere, sent equals received."""
    net = play(schedule)
    assert faults(net, schedule) == []
    tally.note(net)


@pytest.mark.slow
@given(schedule=schedules(departures=True))
@settings(max_examples=examples(70), phases=UNSHRUNK)
def test_whoever_goes_every_session_ends_by_itself_and_what_it_published_is_true(schedule: Schedule) -> None:
    """Somebody vanishes, is closed, breaks or stops, or all is lost: no peer is left waiting or told a lie."""
    net = play(schedule)
    assert faults(net, schedule) == []


@pytest.mark.slow
def test_the_networks_of_that_property_really_misbehaved(tally: Tally) -> None:
    """A property over quiet networks proves nothing: rollbacks, fallbacks, returns and revoked ends did happen.

    Hypothesis draws as it likes and shrinks towards quiet; fixed seeds, under the same laws, see every cause.
    """
    assert tally.runs == 0 or tally.share("rollback") >= 0.1
    fixed = Tally()
    numbers, least = seeds(60)
    close = Schedule(steps=200, conditions=Conditions(loss=0.1), happenings=((2.0, "close", 0, 0, 1.0),))
    for schedule in [close, *(seeded(seed, seats=2) for seed in numbers)]:
        net = play(schedule)
        assert faults(net, schedule) == [], schedule
        fixed.note(net)
    for what in ("rollback", "stall", "state changed"):
        assert fixed.share(what) >= 0.4, (what, fixed.seen)
    for what in ("fallback", "silence", "return", "opened", "rollback with policies", "rollback with reaction time"):
        assert fixed.share(what) >= 0.15, (what, fixed.seen)
    for what in ("deaf", "congested", "latency", "burst", "revoked end"):
        assert fixed.seen[what] >= 1, (what, fixed.seen)
    assert fixed.seen["closed"] + fixed.seen["failed"] >= 1, fixed.seen
    for what in (
        *(f"happened: {kind}" for kind in KINDS if kind not in DRAWN_LAST),
        "duplicates", "reordering", "narrow ways that dropped",
    ):  # fmt: skip
        # Of fewer seeds not every kind is in one.
        assert fixed.seen[what] >= 1 or least == 1, (what, fixed.seen)
    assert fixed.amounts["rollback events checked"] > 500
    assert fixed.amounts["frames of run-ups"] > 100
    assert fixed.longest["standing"] > 0.5


@pytest.mark.slow
def test_everybody_goes_in_every_way_over_fixed_seeds() -> None:
    """Under the laws of departures: each kind of going happened while somebody still played."""
    fixed = Tally()
    loads_again = 16
    numbers, least = seeds(80, loads_again)
    for seed in numbers:
        schedule = seeded(seed, departures=True)
        net = play(schedule)
        assert faults(net, schedule) == [], (seed, schedule)
        fixed.note(net)
    for what in ("vanish", "leave", "abort", "stop", "freeze for good", "all is lost", "load again"):
        assert fixed.seen[f"departure: {what}"] >= least, (what, fixed.seen)
    for reason in ("complete", "stop", "player_left", "error"):
        assert fixed.seen[f"ended: {reason}"] >= least, (reason, fixed.seen)
    assert fixed.seen["told by the server"] >= least, fixed.seen
    assert fixed.seen["more than four seats"] >= 1, fixed.seen


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [False, True])
def test_pages_that_are_loaded_again_return_over_fixed_seeds(at_once: bool) -> None:
    """Under the laws of those who stay: all come to the end with the truth, as if there had been a pause."""
    fixed = Tally()
    numbers, least = seeds(60, 11)
    for seed in numbers:
        schedule = with_reloads(seed, at_once)
        net = play(schedule)
        assert faults(net, schedule) == [], (seed, schedule)
        fixed.note(net)
    for what in ("returned", "caught up in the middle of an episode", "several pages returned"):
        assert fixed.seen[what] >= least, (what, fixed.seen)
    if at_once:
        assert fixed.seen["two were on the way back at once"] >= least, fixed.seen


@pytest.mark.slow
@pytest.mark.parametrize("first", [long.SHORT, long.SHORT + long.RETURNS])
def test_what_happens_between_many_short_episodes_breaks_no_law(first: int) -> None:
    """There all are ready, hold, settle and return, most of the time."""
    found = Tally()
    assert [long.violations(number, found) for number in range(first, first + 4)] == [[]] * 4
    assert found.runs == 4


@pytest.mark.parametrize(
    "number",
    [
        # The other side stood still while the load before went on: what it holds lies further ahead than a page that
        # begins again can reach, its inputs or an end.
        3379, 3307,
        # Two came back to a group of which one had finished; proposals of the load before and of the new one differed.
        56, 801, 524,
        # Who had come to the end that somebody's drop made was taken for gone by a page that came back behind it.
        4511, 4566,
        # Both hold what a load before gave, far beyond the end at which they hold.
        2758,
    ],
)  # fmt: skip
def test_what_long_runs_have_found_of_returns_stays_mended(number: int) -> None:
    """Schedules in which pages are loaded again, each of which broke a law once."""
    drawn = with_reloads(number, at_once=number % 4 == 3, departures=number in (4511, 4566, 2758))
    schedule = replace(drawn, announces=False, loading=0.0)
    net = play(schedule)
    assert faults(net, schedule) == []
    assert any(page.returns for page in net.peers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        # The server says that a page is back before anything of it comes.
        3, 66, 147,
        # Its clock was set forward meanwhile.
        579,
        # An episode begins, behind a pause in which somebody was away, at the place where the one before was over.
        803, 306, 195,
        # It is loaded a second time when somebody who had taken in the first load is over: that said nothing.
        6466,
    ],
)  # fmt: skip
def test_who_is_away_for_longer_than_a_silence_may_last_comes_back(number: int) -> None:
    """While its seat is kept; each of these broke a law once."""
    schedule = with_reloads(number, at_once=number % 4 == 3)
    assert schedule.loading > 15.0
    net = play(schedule)
    assert faults(net, schedule) == []
    assert any(page.returns for page in net.peers)


def test_who_goes_while_all_hold_at_the_end_of_somebody_else_ends_it_alike_for_all() -> None:
    """Three hold where the fourth gave its last input, and one of them goes, who gave more: nobody leaves the old end
    before all know whether it is one."""
    schedule = Schedule(
        seats=4, seed=1828, ending=400, delay=2, window=4, episodes=1, steps=200, hold=6,
        conditions=Conditions(
            delay=0.005, loss=0.4, reordering=0.1, bandwidth=96000.0, server_delay=0.01, opens_after=None, drift=0.02,
            tick_jitter=1.5,
        ),
        queueing=True, pass_epoch=False, hash_interval=1, pages=((1, "slow", 1.05),), snapshots=(3, 5, 2, 1),
        happenings=(
            (0.85, "congest", 5, 8, 1.09), (1.1, "socket down", 10, 25, 5.87), (1.85, "freeze", 8, 19, 2.22),
            (6.65, "fail", 1, 22, 2.28), (7.14, "congest", 11, 23, 0.9), (7.45, "delay one way", 4, 14, 0.0),
            (9.0, "fail", 1, 3, 3.4),
        ),
        more=("hang 1-2@1.74-5.51",), departures=((6.22, "freeze for good", 0, 27),), adaptive="each", grace=5.0,
    )  # fmt: skip
    net = play(schedule)
    assert faults(net, schedule) == []
    assert {page.session.reason for page in net.peers[1::2]} == {"player_left"}


@pytest.mark.slow
def test_a_schedule_is_the_same_run_every_time() -> None:
    """What a long run finds is found again by its number: everything is drawn from it."""
    runs = []
    for _ in range(2):
        net = play(seeded(7, departures=True))
        runs.append([(p.rows, p.bytes_sent, [repr(event) for event in p.news], p.session.reason) for p in net.peers])
        runs[-1].append((net.now, net.through_server, net.signals, net.standing.longest))  # type: ignore[arg-type]
    assert runs[0] == runs[1]
    assert repr(seeded(7, departures=True)) == repr(seeded(7, departures=True))


@pytest.mark.slow
def test_the_long_run_reports_what_happened_and_can_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counts are in the file, its exit status says whether all laws held, and `next` is where to go on."""
    file = tmp_path / "long.json"
    # Quiet schedules that every core passes: what is tried here is the command.
    status = long.main(["--schedules", "3", "--from", "34", "--json", str(file)])
    found = json.loads(file.read_text("utf-8"))
    assert (found["schedules"], found["first"], found["next"]) == (3, 34, 37)
    assert (status, found["violations"]) == (0, {})
    assert found["amounts"]["frames"] > 0
    names = {"standing", "standing, share of the granted", "holding", "outliving", "on the way back"}
    assert set(found["longest"]) == names
    capsys.readouterr()
    monkeypatch.setattr(long, "AT_ONCE", 1)
    assert long.main(["--schedules", "1000", "--from", "34", "--seconds", "0"]) == 2
    assert "1 schedules, " in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_a_long_run_goes_on_where_it_was_and_comes_to_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two parts, in two processes, or in one go: the same counts; with another core it begins anew."""
    reports = []
    for number, calls in enumerate(
        [
            [["--schedules", "5"]],
            [["--schedules", "2", "--state"], ["--schedules", "5", "--state"]],
            [["--schedules", "5", "--jobs", "2"]],
        ]
    ):
        monkeypatch.setattr(long, "AT_ONCE", 2)
        for words in calls:
            more = [str(tmp_path / "state")] if words[-1] == "--state" else []
            assert long.main([*words, *more, "--from", "34", "--json", str(tmp_path / f"{number}.json")]) == 0
        report = json.loads((tmp_path / f"{number}.json").read_text("utf-8"))
        assert report["schedules"] == 5
        reports.append({name: report[name] for name in ("happened_in_schedules", "amounts", "longest", "next")})
    assert reports[0] == reports[1] == reports[2]
    assert "goes on with schedule 36" in capsys.readouterr().out
    monkeypatch.setattr(long, "sources", lambda: "others")
    again = ["--schedules", "1", "--from", "34", "--state", str(tmp_path / "state")]
    assert long.main(again) == 0
    assert "begins anew" in capsys.readouterr().out


def test_a_run_begins_anew_with_whatever_module_its_laws_and_networks_use() -> None:
    """Also with those that other tests share."""
    kept = {str(file) for file in long.files()}
    tests = Path(long.__file__).resolve().parents[1]
    names = ("drawing", "laws", "networks", "watching", "core_view")
    assert {sys.modules[name].__file__ for name in names} <= kept
    of_tests = {
        str(file) for name in ("laws", "networks") for of in vars(sys.modules[name]).values()
        if (place := getattr(sys.modules.get(getattr(of, "__module__", "") or ""), "__file__", None))
        and (file := Path(place).resolve()).is_relative_to(tests)
    }  # fmt: skip
    assert len(of_tests) > 3
    assert of_tests <= kept


def test_what_stops_a_long_run_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was run before is kept, and its status is neither that of success nor that of a violation."""
    monkeypatch.setattr(long, "AT_ONCE", 1)

    def quick(number: int, tally: Tally) -> list[str]:
        if number == 37:
            raise KeyboardInterrupt
        tally.runs += 1
        return []

    monkeypatch.setattr(long, "violations", quick)
    words = ["--schedules", "9", "--from", "34", "--state", str(tmp_path / "state")]
    assert long.main(words) == 2
    assert json.loads((tmp_path / "state").read_text("utf-8"))["next"] == 37
    monkeypatch.setattr(long, "violations", lambda number, tally: [])
    assert long.main([*words, "--json", str(tmp_path / "found")]) == 0
    assert json.loads((tmp_path / "found").read_text("utf-8"))["schedules"] == 9

def test_the_long_run_names_the_schedule_that_violates(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends with 1."""
    monkeypatch.setattr(long, "faults", lambda net, schedule: ["a law is broken"])
    assert long.main(["--schedules", "1", "--from", "34"]) == 1
    assert "schedule 34: a law is broken" in capsys.readouterr().out


@pytest.mark.slow
@given(
    delay=st.integers(0, 5),
    window=st.integers(1, 16),
    seed=st.integers(0, 1000),
    changes=st.lists(
        st.tuples(
            st.sampled_from(["cut", "cut one way", "close", "congest", "raise", "socket down"]), st.integers(0, 1)
        ),
        min_size=3,
        max_size=6,
    ),
)
@settings(max_examples=examples(25))
def test_no_sequence_of_path_changes_loses_an_input_or_applies_one_twice(
    delay: int, window: int, seed: int, changes: list[tuple[str, int]]
) -> None:
    """Inputs belong to the link: one path change after another, and sent == received == fixed, in every episode."""
    happenings = [
        (2.0 + 3.0 * number, what, which, 25, 1.2 if what in LASTING else 0.0)
        for number, (what, which) in enumerate(changes)
    ]
    schedule = Schedule(
        seed=seed, delay=delay, window=window, episodes=2, steps=250, hold=3,
        conditions=Conditions(delay=0.04, jitter=0.03, loss=0.05, server_delay=0.05),
        queueing=bool(seed % 2), happenings=tuple(happenings), good_after=25.0,
    )  # fmt: skip
    net = play(schedule)
    assert faults(net, schedule) == []
    counts = [core_view.counts(link) for peer in net.peers for link in peer.session.links]
    disturbed = any(what != "socket down" for what, _ in changes[:2])
    if disturbed:
        assert sum(of.sent_via_socketio for of in counts) > 0
    assert sum(of.sent_via_p2p for of in counts) > 0


@pytest.mark.slow
@given(seed=st.integers(0, 10**6))
@settings(max_examples=examples(12))
def test_ends_that_are_predicted_and_revoked_leave_no_trace(seed: int) -> None:
    """An end is final when its frame is confirmed: whatever was held at in between, all end where the truth does."""
    schedule = Schedule(
        seed=seed, ending=6000, delay=0, window=12, episodes=6, steps=200, hold=2,
        conditions=Conditions(delay=0.1, jitter=0.06, loss=0.1, server_delay=0.05),
    )  # fmt: skip
    net = play(schedule)
    assert faults(net, schedule) == []
    assert all(core_view.rollbacks(peer.session) > 0 for peer in net.peers)


@pytest.mark.slow
def test_provisional_ends_are_held_at_and_revoked() -> None:
    """Holding is not stalling: over these seeds many ends were predicted that the truth took back."""
    revoked = 0
    for seed in range(12):
        schedule = Schedule(
            seed=seed, ending=6000, delay=0, window=12, episodes=4, steps=200, hold=2,
            conditions=Conditions(delay=0.1, jitter=0.06, loss=0.1, server_delay=0.05),
        )  # fmt: skip
        net = play(schedule)
        assert faults(net, schedule) == [], schedule
        revoked += net.windows.revoked
    assert revoked >= 12


# -- liveness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0.12, 1.5, 2.2, 4.3])
@pytest.mark.parametrize("burst", [pytest.param(n, marks=pytest.mark.slow) if n % 3 else n for n in range(1, 31)])
def test_any_burst_of_lost_packets_is_survived(burst: int, at: float) -> None:
    """k packets in a row are lost, at the beginning, in the middle or at the end: the session goes on and ends."""
    schedule = Schedule(
        seed=burst, delay=1, steps=60, episodes=2, conditions=Conditions(delay=0.03, opens_after=0.05),
        happenings=((at, "burst", 0, burst, 0.0), (at, "burst", 1, burst, 0.0)),
    )  # fmt: skip
    net = play(schedule, 60.0)
    assert faults(net, schedule) == []
    assert net.total("lost") >= (burst if at == 1.5 else 1)
    assert net.now < 12.0


@pytest.mark.parametrize("loss", [0.0, 0.4])
@pytest.mark.parametrize("pass_epoch", [True, False])
@pytest.mark.parametrize("p2p", [True, False])
def test_lockstep_with_neither_window_nor_delay_ends(loss: float, pass_epoch: bool, p2p: bool) -> None:
    """Window 1 and delay 0 leave nothing to predict: no rollback, no deadlock."""
    schedule = Schedule(
        seed=3, delay=0, window=1, steps=60, episodes=2, pass_epoch=pass_epoch,
        conditions=Conditions(delay=0.02, loss=loss, server_delay=0.02, opens_after=0.1 if p2p else None),
    )  # fmt: skip
    net = play(schedule, 120.0)
    assert faults(net, schedule) == []
    assert [core_view.rollbacks(peer.session) for peer in net.peers] == [0, 0]


@pytest.mark.parametrize("seats", [2, 3])
def test_a_page_that_is_opened_30_s_late_still_plays(seats: int) -> None:
    """Nobody steps frame 0 before everybody's ready: the early ones wait."""
    schedule = Schedule(seats=seats, steps=60, episodes=2, good_after=30.5, conditions=Conditions(opens_after=30.2))
    net = build(schedule)
    net.start_late(1, 30.0)
    net.run(29.9)
    assert [peer.session.frame for peer in net.peers] == [0] * seats
    net.run(120.0)
    assert faults(net, schedule) == []
    assert net.now < 45.0


@pytest.mark.slow
@given(schedule=schedules(seats=2))
@settings(max_examples=examples(25))
def test_once_the_network_is_good_every_session_ends_soon(schedule: Schedule) -> None:
    """From the moment on at which nothing is lost any more, an episode takes its frames and a few seconds."""
    net = build(schedule)

    def good() -> None:
        heal(net)
        net.happens.heal()
        # The clocks keep their speed: they must not jump.
        net.conditions = replace(schedule.conditions, delay=0.02, jitter=0.0, loss=0.0, server_delay=0.03)

    net.at(13.0, good)
    net.run(13.0 + 30.0 + schedule.episodes * (2.0 + 2.0 * schedule.steps / schedule.fps))
    assert faults(net, schedule) == []


@pytest.mark.slow
@pytest.mark.parametrize("players", [3, 4])
def test_a_mesh_of_many_plays_through_cuts_of_single_ways(players: int) -> None:
    """Each link has its own path: while one way is cut, the others stay peer-to-peer."""
    schedule = Schedule(
        seats=players, seed=8, steps=200, episodes=2, conditions=Conditions(delay=0.03, jitter=0.02, loss=0.05),
        happenings=((2.0, "cut one way", 0, 0, 4.0),),
    )  # fmt: skip
    net = play(schedule)
    assert faults(net, schedule) == []
    fallen = {(peer.seat, link.seat) for peer in net.peers for link in peer.session.links if core_view.fell_back(link)}
    assert fallen == {(0, 1), (1, 0)}


def test_a_peer_that_is_done_first_confirms_the_others_frames_for_all() -> None:
    """A packet of episode e+1 is the receipt for all of e, also towards those who still wait for each other."""
    schedule = seeded(65, weather=False)
    assert schedule.seats == 3
    assert faults(play(schedule), schedule) == []


def test_large_inputs_under_loss_do_not_keep_the_oldest_waiting() -> None:
    """What the receiver waits for rides before what it cannot use yet, however little fits beside it."""
    schedule = seeded(154, weather=False)
    assert schedule.wide
    assert faults(play(schedule), schedule) == []


@pytest.mark.parametrize("number", [119, 674, 1706, 3469, 4150, 4607, 4994])
def test_a_schedule_that_once_broke_a_law_breaks_none(number: int) -> None:
    """Found by `tests.property.long`: clocks that jumped with packets on their way, twice in a silence, and behind a
    page that was loaded again and heard old words."""
    schedule = seeded(number, departures=bool(number % 2), weather=False)
    assert faults(play(schedule), schedule) == []


@pytest.mark.slow
def test_who_went_in_an_earlier_episode_is_judged_by_the_delay_of_each_later_one() -> None:
    """Of three and more who play on without one, with an input delay that follows the network."""
    schedule = seeded(9055, departures=True)
    assert schedule.adaptive == "all"
    net = play(schedule)
    assert faults(net, schedule) == []
    assert len(set(net.peers[0].session.pacing.delays)) > 1
