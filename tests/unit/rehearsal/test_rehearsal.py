"""A rehearsal before a browser is opened: its plan, its relay's command line, what it leaves."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycore.errors import ConfigError, EnvironmentUnfit
from pycore.rehearsal import Game, Outcome, Plan, serving, table, write
from pycore.rehearsal.browsers import FIREFOX_SETTING, Browser, all_ready, find_firefox, ready
from pycore.rehearsal.coverage import (
    ends,
    never_changed,
    not_back,
    of_predictors,
    without_peer_to_peer,
    without_rollback,
)
from pycore.rehearsal.detour import Conditions, Proxy
from pycore.rehearsal.pace import Pace, advice, pace_of
from pycore.session.tick import RESIMULATED, STEPPED
from pycore.values import canonical

TAG = """
SETTINGS = {"default_action": 2}
class Tag:
    metadata = {"name": "tag_v0", "rngs": ()}
    possible_agents = ["it", "other"]
    def action_space(self, agent):
        return {"type": "discrete", "n": 3}
    def reset(self, seed=None, options=None):
        self.agents, self.at = ["it", "other"], [seed, 0]
        return {"it": 0, "other": 0}, {"it": {}, "other": {}}
    def step(self, actions):
        self.at = [self.at[0] + actions["it"], self.at[1] + actions["other"]]
        no = {"it": False, "other": False}
        return {"it": 0, "other": 0}, {"it": 1, "other": 2}, no, dict(no), {"it": {}, "other": {}}
    def get_state(self):
        return {"at": self.at}
    def set_state(self, state):
        self.at = list(state["at"])
def make_env():
    return Tag()
"""


@pytest.fixture
def tag(tmp_path: Path) -> Game:
    """Another game than the example."""
    module = tmp_path / "tag.py"
    module.write_text(TAG, encoding="utf-8")
    return Game.of(str(module))


def test_a_plan_makes_settings_that_the_core_takes(tag: Game) -> None:
    """The game's name, actions and default stand in them, and the time decides how long an episode is."""
    settings = Plan(tag, seconds=10, episodes=1, input_delay=4, socketio_only=True).played()
    assert (settings.environment, settings.default_action, settings.p2p) == ("tag_v0", 2, False)
    assert settings.action_space == {"type": "discrete", "n": 3}
    assert (settings.input_delay, settings.num_episodes, settings.max_steps) == (4, 1, 300)
    assert Plan(tag, seconds=10).played().max_steps == 150


def test_a_studys_own_settings_are_kept(tag: Game) -> None:
    """Its episodes, its rate and its shorter games; an input delay that is asked for holds for every seat."""
    seats = [{"input_delay": 3}, {}]
    study = {"num_episodes": 3, "max_steps": 40, "fps": 20, "seats": seats}
    game = Game.of(tag.subject, study)
    plan = Plan(game, seconds=10)
    assert (plan.played().num_episodes, plan.played().max_steps, plan.fps) == (3, 40, 20)
    assert [plan.played().of_seat(seat, "input_delay") for seat in (0, 1)] == [3, 1]
    asked = Plan(game, seconds=10, input_delay=2).played()
    assert [asked.of_seat(seat, "input_delay") for seat in (0, 1)] == [2, 2]
    assert Plan(game, seconds=4).played().max_steps == 40
    assert study["seats"] is seats


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"up_at": 3}, "no cut to come back from"), ({"down_at": 3, "socketio_only": True}, "no peer-to-peer to cut"),
        ({"latency_ms": 9, "socketio_only": True}, "those of peer-to-peer"), ({"down_at": 20}, "not before the end"),
        ({"down_at": 3, "up_at": 3}, "not between"),
        ({"down_at": 3, "up_at": 20}, "not between"), ({"hide": (2, 1, 2)}, "no page 2"),
        ({"hide": (1, 3, 2)}, "from one time to a later one"), ({"input_delay": 99}, "input_delay"),
        ({"leave_at": 3, "reload_at": 4}, "either leaves or"), ({"leave_at": 20}, "before the end"),
        ({"reload_at": 0}, "before the end"), ({"server_down_at": 3}, "say both times"),
        ({"server_up_at": 3}, "say both times"), ({"server_down_at": 5, "server_up_at": 4}, "no time"),
        ({"server_down_at": 5, "server_up_at": 20}, "no time"), ({"server_cut": "loud"}, "not by 'loud'"),
        ({"server_down_at": 5, "server_up_at": 9, "reload_at": 8}, "no server to load it from"),
        ({"server_down_at": 5, "server_up_at": 9, "reload_at": 4, "back_at": 6}, "at 6 s finds no server"),
        ({"back_at": 6}, "no page goes away"), ({"reload_at": 6, "back_at": 6}, "between the reload at 6 s and the"),
        ({"reload_at": 6, "back_at": 20}, "not between the reload at 6 s"),
        ({"reload_at": 3, "back_at": 8, "down_at": 5}, "cannot be cut at 5 s from a page that is away until 8 s"),
        ({"reload_at": 3, "back_at": 6, "hide": (1, 2, 4)}, "away from 3 s to 6 s cannot be hidden"),
        ({"browsers": ("netscape",)}, "no browser 'netscape'; there are chromium and firefox"),
        ({"browsers": ("firefox",) * 3}, "3 browsers for 2 pages"), ({"down_at": 3, "cut": "loud"}, "not by 'loud'"),
        ({"down_at": 3, "up_at": 5, "cut": "connection"}, "made anew by the pages"),
    ],
)  # fmt: skip
def test_a_plan_that_would_do_nothing_is_refused(tag: Game, wrong: dict[str, Any], what: str) -> None:
    """A cut that never comes would pass for a failover that works."""
    with pytest.raises(ConfigError, match=what):
        Plan(tag, **wrong)


def test_a_page_has_the_browser_that_is_said_for_it(tag: Game) -> None:
    """One for all, or one for each; the network is impaired by Chromium where all are, and by a detour where it is."""
    plan = Plan(tag, browsers=("firefox", "chromium"), latency_ms=20)
    assert [plan.engine(page) for page in (0, 1)] == ["firefox", "chromium"]
    assert [Plan(tag, browsers=("firefox",)).engine(page) for page in (0, 1)] == ["firefox", "firefox"]
    assert (plan.shaped_by_chromium, plan.detours) == (False, True)
    assert not Plan(tag, browsers=("firefox",)).detours
    assert not Plan(tag, browsers=("firefox",), down_at=3, cut="connection").detours
    assert Plan(tag, browsers=("firefox",), down_at=3, cut="close").detours
    assert (Plan(tag, latency_ms=20).shaped_by_chromium, Plan(tag, latency_ms=20).detours) == (True, False)


def test_a_firefox_that_is_named_is_taken_or_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a Chromium is; without any it is said what to do."""
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\necho Mozilla Firefox 153.0\n")
    mine.chmod(0o755)
    monkeypatch.setenv(FIREFOX_SETTING, str(mine))
    assert find_firefox() == mine
    monkeypatch.setenv(FIREFOX_SETTING, str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="not a browser that starts"):
        find_firefox()
    monkeypatch.delenv(FIREFOX_SETTING)
    monkeypatch.setenv("PATH", str(tmp_path))
    if sys.platform == "linux":
        assert find_firefox() is None
        with pytest.raises(ConfigError, match="apt-get install firefox-esr"):
            all_ready(("firefox",))


def test_the_proxy_of_a_detour_passes_delays_loses_and_drops() -> None:
    """Both ways, for each client by a socket of its own."""
    with contextlib.ExitStack() as stack:
        server, one, two = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3))
        for each in (server, one, two):
            each.bind(("127.0.0.1", 0))
            each.settimeout(5)
        conditions = Conditions(1)
        proxy = Proxy(server.getsockname()[1], conditions)
        proxy.start()
        stack.callback(proxy.stop)
        for client, words in ((one, b"one"), (two, b"two")):
            client.sendto(words, ("127.0.0.1", proxy.port))
            heard, back = server.recvfrom(100)
            server.sendto(heard.upper(), back)
            assert client.recvfrom(100)[0] == words.upper()
        conditions.delay = 0.05
        begun = time.monotonic()
        one.sendto(b"late", ("127.0.0.1", proxy.port))
        assert server.recvfrom(100)[0] == b"late"
        assert time.monotonic() - begun > 0.04
        conditions.delay, conditions.loss = 0.0, 1.0
        one.sendto(b"lost", ("127.0.0.1", proxy.port))
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.recvfrom(100)


def test_a_closed_connection_that_does_not_come_back_is_a_fault(tag: Game) -> None:
    """If it had the time to."""
    never = [{"pathChanges": [{"cause": "closed"}]}] * 2
    back = [{"pathChanges": [{"cause": "closed"}, {"cause": "recovered"}]}] * 2
    plan = Plan(tag, seconds=15, down_at=4, cut="connection")
    assert "11 s before the end, and never came back" in not_back(plan, [*back[:1], *never[:1]])
    assert not_back(plan, back) == ""
    assert not_back(Plan(tag, seconds=10, down_at=4, cut="connection"), never) == ""
    assert not_back(Plan(tag, seconds=15, down_at=4), never) == ""


def test_the_replica_is_the_games_own_environment(tag: Game) -> None:
    """It is seeded as in the page, seats go in the order of agents, and a reset is the page's."""
    simulation = tag.simulation(Plan(tag).played(), 7)
    simulation.reset(0)
    result = simulation.step([1, 2])
    assert result is not None
    assert result.rewards == {0: 1, 1: 2}
    assert canonical.decode(simulation.canonical(simulation.save()))["env"] == {"at": [8, 2]}


def test_a_game_for_another_number_of_players_than_it_has_agents_is_refused(tag: Game) -> None:
    """With what can be done."""
    with pytest.raises(EnvironmentUnfit, match="make the environment for 3 agents"):
        Game.of(tag.subject, seats=3)


def test_an_environment_without_action_spaces_needs_them_said(tmp_path: Path) -> None:
    """No range is guessed: a game that nobody can play would pass."""
    file = tmp_path / "mute.py"
    file.write_text(TAG.replace("def action_space", "def other_space"), encoding="utf-8")
    with pytest.raises(ConfigError, match="say it in the settings"):
        Game.of(str(file))
    unseeded = tmp_path / "unseeded.py"
    unseeded.write_text(file.read_text(encoding="utf-8").replace("self, seed=None, options=None", "self"))
    with pytest.raises(ConfigError, match="say it in the settings"):
        Game.of(str(unseeded))
    said = Game.of(str(file), {"action_space": {"type": "discrete", "n": 4}})
    assert said.played().action_space == {"type": "discrete", "n": 4}


# --- what was tried ---


def of_player(
    player: int = 0, performed: int = 0, reasons: tuple[str, ...] = ("done",), sent: int = 300
) -> dict[str, Any]:
    """As much of a player's metrics as is looked at."""
    episodes = [{"episode": number, "frames": 9, "reason": reason} for number, reason in enumerate(reasons)]
    rollbacks, inputs = {"performed": performed}, {"sentViaP2P": sent}
    return {"playerId": player, "rollbacks": rollbacks, "episodes": episodes, "inputs": inputs}


def test_latency_without_any_rollback_proves_nothing(tag: Game) -> None:
    """Unless the input delay covers it, or next to nothing went that way."""
    nothing = [of_player(0), of_player(1)]
    assert "this browser does not slow" in without_rollback(Plan(tag, latency_ms=100), nothing)
    assert without_rollback(Plan(tag, latency_ms=60), nothing) == ""
    assert without_rollback(Plan(tag, latency_ms=100, input_delay=3), nothing) == ""
    assert without_rollback(Plan(tag, latency_ms=100), [of_player(0), of_player(1, performed=1)]) == ""
    assert without_rollback(Plan(tag, latency_ms=100), [of_player(0, sent=0), of_player(1, sent=9)]) == ""


def test_rollbacks_are_missed_only_where_the_delay_of_people_does_not_cover_the_latency(tag: Game) -> None:
    """A policy that every page computes has none, whatever its seat says, and one that is sent may never change."""
    nothing = [of_player(0), of_player(1)]
    for seat, by in ((0, "all"), (2, "one")):
        policies = {str(seat): {"policy": "bot", "computed_by": by}}
        seats = [{"input_delay": 1 if number == seat else 6} for number in range(3)]
        game = replace(tag, seats=3, settings={**tag.settings, "policies": policies, "seats": seats})
        assert without_rollback(Plan(game, latency_ms=100), nothing) == ""
        assert "an input delay covers 233" in without_rollback(Plan(game, latency_ms=300), nothing)


def test_a_predictor_that_was_always_right_leaves_nothing_to_roll_back_and_that_is_said(tag: Game) -> None:
    """It proves nothing where repeating the last action would have been right as well."""

    def guessed(repeat_last_hits: int, **more: Any) -> Any:
        of = {"frames": 90, "hits": 90, "misses": 0, "repeatLastHits": repeat_last_hits, "failed": 0, "failure": None}
        return {**of_player(0), "playerId": 0, "predictions": {"1": {**of, **more}}}

    assert without_rollback(Plan(tag, latency_ms=100), [guessed(20), of_player(1)]) == ""
    assert "this browser does not slow" in without_rollback(Plan(tag, latency_ms=100), [guessed(90), of_player(1)])
    (said,) = of_predictors([guessed(20)])
    assert "rehearse without it as well" in said
    assert of_predictors([guessed(90)]) == []
    (said,) = of_predictors([guessed(90, failed=3, failure="KeyError: 7")])
    assert said.startswith("the predictor failed 3 times when player 0 waited for player 1: KeyError: 7;")


def test_a_peer_to_peer_that_never_came_up_is_said_unless_it_was_not_meant_to(tag: Game) -> None:
    """Everything through the server is right, and tries little."""
    nothing = [of_player(0, sent=0), of_player(1, sent=0)]
    assert "never came up" in without_peer_to_peer(Plan(tag), nothing)[0]
    assert without_peer_to_peer(Plan(tag, socketio_only=True), nothing) == []
    assert without_peer_to_peer(Plan(tag), nothing[:1]) == []
    assert without_peer_to_peer(Plan(tag), [of_player(0, sent=0), of_player(1, sent=1)]) == []


def test_an_end_that_never_came_by_itself_is_said() -> None:
    """A stop and a truncation are not the game's own end."""
    assert ends([of_player(reasons=("max_steps", "done"))]) == []
    (said,) = ends([of_player(reasons=("max_steps", "stop"))])
    assert "(max_steps, stop)" in said


def test_fields_that_never_changed_are_named() -> None:
    """Of the environment's own state."""
    states = [canonical.encode({"env": {"x": x, "wall": 3, "late": max(x, 1)}}) for x in (0, 1, 2)]
    (said,) = never_changed(states)
    assert "wall" in said
    assert "late" not in said
    assert "x" not in said.replace("nothing", "").partition(":")[2].partition("(")[0]
    assert never_changed(states[:1]) == []


# --- whether the pages kept up ---


def test_ticks_that_begin_late_are_counted_and_pauses_are_not() -> None:
    """A time without play stands between two ticks as null; work is told apart by what it did."""
    start = [0.0, 33.0, 66.0, 140.0, None, 5000.0, 5033.0]
    work = [2.0, 4.0, 9.0, 3.0, None, None, 50.0]
    flags = [STEPPED, STEPPED, STEPPED | RESIMULATED, STEPPED, None, None, 0]
    assert pace_of({"start": start, "work": work, "flags": flags}, 30) == Pace(
        ticks=6, late=1, period=1000 / 30, step=3.0, rollback=9.0, most=50.0
    )
    assert pace_of({"start": [], "work": [], "flags": []}, 30).slow is False


def test_a_page_that_is_too_slow_is_told_what_would_help() -> None:
    """An input delay, if what takes long are rollbacks; nothing but a cheaper step, if that alone takes a frame."""
    fine = Pace(300, 3, 33.3, 4.0, 12.0, 30.0)
    slow = Pace(300, 60, 33.3, 12.0, 60.0, 90.0)
    assert advice("0", fine, [2, 3], 1) == ""
    assert "with an input delay of 5 instead of 1" in advice("0", slow, [1, 2, 3, 3, 3, 3, 3, 4, 4, 9], 1)
    assert "make step() cheaper" in advice("0", Pace(300, 250, 33.3, 30.0, 90.0, 90.0), [3], 1)


# --- its processes and files ---


def test_a_taken_port_is_told_at_once_with_the_way_out() -> None:
    """Before anything is built or started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="--port"):
            serving.refuse_taken("127.0.0.1", taken.getsockname()[1])


def test_a_database_is_a_url_or_a_file(tmp_path: Path) -> None:
    """A file name becomes a SQLite URL with an absolute path; a URL stays as it is."""
    assert serving.database_url("postgresql+psycopg://a/b") == "postgresql+psycopg://a/b"
    assert serving.database_url(str(tmp_path / "new" / "x.db")) == f"sqlite:///{tmp_path / 'new' / 'x.db'}"
    assert (tmp_path / "new").is_dir()


def test_a_browser_that_nobody_brought_along_is_refused_and_no_other_one_opened_in_its_place() -> None:
    """Before a site is built, and where that was not asked."""
    with pytest.raises(ConfigError, match="webkit is not opened by this command; it opens chromium and firefox"):
        all_ready(("webkit",))
    with pytest.raises(ConfigError, match="webkit is not opened"):
        Browser(None, {}).page("webkit")


def test_an_address_is_one_that_a_browser_can_open() -> None:
    """A relay that listens everywhere is reached by this machine's own address; IPv6 stands in brackets."""
    assert serving.address("0.0.0.0", 8000) == "http://127.0.0.1:8000/"
    assert serving.address("::1", 1) == "http://[::1]:1/"


@pytest.mark.slow
def test_playwright_is_not_needed_until_a_rehearsal_plays() -> None:
    """The package is imported by who has none."""
    code = "import sys; sys.modules['playwright'] = None; import pycore.rehearsal"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=serving.HOME)


def test_what_a_rehearsal_left_is_shown_and_written(tmp_path: Path) -> None:
    """One column per player, one file each of metrics and records, bytes as they were."""
    inputs = {f"{what}Via{path}": 1 for what in ("sent", "received", "resent") for path in ("P2P", "SocketIO")}
    metrics = {
        "connection": {"type": "direct"},
        "frames": {"total": 90},
        "episodes": [{}],
        "inputs": inputs,
        "rollbacks": {"count": 3, "performed": 2, "maxFrames": 4},
        "quality": {"stalls": 0, "rttMs": {"1": 40}},
        "sync": {"hashesCompared": 3, "p2pHashMismatches": 0},
        "pathChanges": [{"to": "socketio", "episode": 0, "frame": 7, "cause": "closed"}],
        "end": {"reason": "complete"},
    }
    metrics["playerId"] = 0
    outcome = Outcome("g", {"0": metrics}, {"0": "{}\n"}, {}, {"inputs_relayed": 5}, True, 3.0, 61.4, ["one"], [], [])
    shown = table(outcome)
    for fact in ("direct", "2, 4", "socketio at 0:7 (closed)", "server: 5", "lost: 1", "61 ms"):
        assert fact in shown
    write(outcome, tmp_path / "out")
    assert (tmp_path / "out" / "trajectory-0.jsonl").read_bytes() == b"{}\n"
    assert json.loads((tmp_path / "out" / "metrics-0.json").read_text())["frames"]["total"] == 90
    assert json.loads((tmp_path / "out" / "verdict.json").read_text()) == outcome.as_json()
    assert outcome.as_json()["right"] is True


def test_the_next_rehearsal_in_a_folder_leaves_no_record_of_the_last_one(tmp_path: Path) -> None:
    """A player less would leave a record of another game; what is not a rehearsal's own is not touched."""
    (tmp_path / "trajectory-9.jsonl").write_text("mine")
    outcome = Outcome(
        "g", {}, {"0": "a", "1": "b"}, {}, {}, True, 3.0, None, [], [], [],
        stored_files={"experienced-1.jsonl": b"seen\n", "game.json": b"{}"},
    )  # fmt: skip
    write(outcome, tmp_path)
    assert (tmp_path / "trajectory-9.jsonl").exists()
    assert (tmp_path / "experienced-1.jsonl").read_bytes() == b"seen\n"
    write(Outcome("h", {}, {"0": "c"}, {}, {}, True, 3.0, None, [], [], []), tmp_path)
    assert not (tmp_path / "trajectory-1.jsonl").exists()
    assert [path.name for path in tmp_path.glob("experienced-*")] == []
    assert not (tmp_path / "game.json").exists()
    assert (tmp_path / "trajectory-0.jsonl").read_text() == "c"


def test_a_full_disk_leaves_nothing_of_a_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of its files without the others would be taken for files of the next one there."""
    outcome = Outcome("g", {}, {"0": "a", "1": "b"}, {}, {}, True, 3.0, None, [], [], [])
    written, whole = [], Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        written.append(path.name)
        if "verdict" in path.name:
            whole(path, data[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write(outcome, tmp_path)
    assert len(written) > 2
    assert list(tmp_path.iterdir()) == []


def test_without_playwright_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built."""
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(ConfigError, match=r"interactive-gym-pycore\[rehearse\]"):
        ready(None)
