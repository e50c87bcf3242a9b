"""The rig's own parts, without a browser: the environment, the ground truth, the comparison, the copied package."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

import arena
import page_records
import page_rig
import page_traffic
import page_verdict
import pytest
import study

from tools import hostpage

pytestmark = pytest.mark.page


def script(seed: int, frames: int, players) -> list[dict]:
    draw = random.Random(seed)
    return [{player: draw.randrange(5) for player in players} for _ in range(frames)]


@pytest.mark.parametrize("generator", ["mersenne", "word"])
@pytest.mark.parametrize("render", ["objects", "mug"])
def test_the_arena_can_go_back_through_json_and_come_to_the_same_again(generator: str, render: str) -> None:
    """A state is JSON; from it, with the global generator's, the same actions give the same results."""
    env = arena.make(agents=("left", "right"), generator=generator, render=render)
    random.seed(4)
    env.reset(seed=4)
    moves = script(1, 200, env.agents)
    for actions in moves[:80]:
        env.step(actions)
    state, global_state = json.dumps(env.get_state()), random.getstate()
    results = []
    for _ in range(2):
        random.setstate(global_state)
        env.set_state(json.loads(state))
        results.append([env.step(actions) for actions in moves[80:]] + [env.get_state()])
    assert results[0] == results[1]
    assert any("coin" in info for *_, infos in results[0][:-1] for info in infos.values())


def test_the_arena_ends_when_enough_coins_are_taken_and_fails_when_it_is_told_to() -> None:
    """`goal` ends an episode for everybody at once; `raises` names the frame."""
    env = arena.make(goal=2, raises={"step": [1, 3]})
    env.reset(seed=1)
    ends = [env.step(actions)[2] for actions in script(2, 600, (0, 1))]
    assert ends[0] == {0: False, 1: False}
    assert ends[-1] == {0: True, 1: True}
    env.reset(seed=1)
    for actions in script(3, 3, (0, 1)):
        env.step(actions)
    with pytest.raises(RuntimeError, match="frame 3 of episode 1"):
        env.step({0: 0, 1: 0})
    assert not hasattr(arena.make(rewindable=False), "get_state")


def table_of(rows: list[page_records.Row], path: Path, **more) -> page_records.Table:
    """A file as the page's server would write it of these rows."""
    flat = []
    for number, row in enumerate(rows):
        cells = {f"actions.{player}": value for player, value in row.actions.items()}
        for field in ("rewards", "terminateds", "truncateds"):
            cells |= {f"{field}.{player}": value for player, value in getattr(row, field).items()}
        cells |= {f"infos.{player}.{key}": value for player, info in row.infos.items() for key, value in info.items()}
        flat.append({**cells, "t": number, **more})
    columns = list(dict.fromkeys(name for cells in flat for name in cells))
    lines = [",".join(columns)]
    lines += [",".join("" if cells.get(name) is None else str(cells[name]) for name in columns) for cells in flat]
    path.write_text("\n".join([*lines, ",".join("" for _ in columns)]) + "\n", encoding="utf-8")
    return page_records.read_csv(path)


def test_a_file_of_the_truth_is_true_and_every_change_of_it_is_found(tmp_path: Path) -> None:
    """Actions are checked against the other player's file and the log, everything else against the replay."""
    game = study.complete({"step_code": "env.luck = 0.5"})[0]
    actions = [{str(player): value for player, value in one.items()} for one in script(5, 100, (0, 1))]
    first, second = page_records.truth(study.code_of(game), game["step_code"], [0, 1], 9, [actions, actions])
    assert first == second
    table = table_of(first, tmp_path / "one.csv", timestamp=1)
    assert table.actions() == actions
    assert len(table.padding) == 1
    assert page_records.untrue(table, first) == []
    assert page_records.active(table)
    assert page_records.differences(table, table_of(first, tmp_path / "two.csv", timestamp=2)) == []
    log = [{"episode": 0, "frame": t, "action": one["0"], "hidden": t == 40} for t, one in enumerate(actions[3:])]
    rows = [{**row, "isFocused.0": number not in (40, 41)} for number, row in enumerate(table.rows)]
    shown = table._replace(rows=rows, columns=[*table.columns, "isFocused.0"])
    # Three frames after nobody looked, the default is played, whatever the page had; a tab may have gone behind another
    # one after the page was asked, and before the frame was stepped.
    log[40]["action"], rows[43]["actions.0"] = 1, 0
    log[41]["action"], rows[44]["actions.0"] = 1, 1
    assert page_verdict.altered(log, [shown], "0", 3) == (95, [])
    assert page_verdict.altered(log, [shown], "0", 2)[1] != []
    page_verdict.taken_as_given(log[15:], [shown], 0, 3)
    with pytest.raises(AssertionError, match="37 of 98 frames"):
        page_verdict.taken_as_given(log[60:], [shown], 0, 3)
    for name in table.columns:
        wrong = table._replace(rows=[dict(row) for row in table.rows])
        wrong.rows[50][name] = 77
        assert page_records.untrue(wrong, first) or name in {"actions.0", "actions.1", "timestamp"}, name
        assert page_records.differences(table, wrong) or name == "timestamp", name
    assert page_records.differences(table, table._replace(rows=table.rows[:-1])) == ["100 and 99 rows"]


def test_of_a_file_that_is_cut_the_columns_of_its_later_frames_are_cut_too(tmp_path: Path) -> None:
    """One player has frames that the other has not; what only happened in them is in one file alone, and no fault."""
    file = tmp_path / "part.csv"
    file.write_text("t,infos.0.coin,infos.0.none\n0,,\n1,,\n2,5,\n", encoding="utf-8")
    table = page_records.read_csv(file)
    assert (table.up_to(2).columns, len(table.up_to(2).rows)) == (["t", "infos.0.none"], 2)
    assert table.up_to(3) == table


def test_a_package_is_copied_only_as_it_was_released(tmp_path: Path) -> None:
    """The copy is complete and unchanged; a changed, an added and a missing file are each found."""
    package = hostpage.copy_package(tmp_path / "copy")
    assert hostpage.modified(package) == []
    module = package / "server" / "static" / "js" / "pyodide_multiplayer_game.js"
    module.write_bytes(module.read_bytes() + b"\n")
    (package / "more.js").write_text("")
    (package / "scenes" / "stager.py").unlink()
    names = ["mug/more.js", "mug/scenes/stager.py", "mug/server/static/js/pyodide_multiplayer_game.js"]
    assert hostpage.modified(package) == names


def test_the_events_on_a_web_socket_are_counted_with_their_binary_parts() -> None:
    """The transport's pings are bytes but no events; an acknowledged event has a number before its name."""
    traffic = page_traffic.Traffic()
    for payload in ("2", '42["ping",{"a":1}]', '451-7["data",{"x":{"_placeholder":true,"num":0}}]', b"12345678", "3"):
        traffic.take(payload)
    assert [(message.name, message.size) for message in traffic.messages] == [("ping", 18), ("data", 57)]
    assert traffic.named("ping")[0].data == {"a": 1}
    assert traffic.bytes == 77


def test_the_volley_study_draws_in_the_pages_terms() -> None:
    """Its code binds an environment whose shapes the page knows, in shares of the picture, with plain colors."""
    from examples import volley_study

    namespace: dict = {}
    exec(volley_study.environment_code(), namespace)
    env = namespace["env"]
    env.reset(seed=3)
    pictures = [env.render()]
    for actions in script(1, 300, (0, 1)):
        env.step(actions)
        pictures.append(env.render())
    shapes = [shape for picture in pictures for shape in picture]
    assert {shape["object_type"] for shape in shapes} == {"rectangle", "circle", "polygon", "line", "text"}
    for shape in shapes:
        points = shape.get("points") or [[shape["x"], shape["y"]]]
        assert all(-0.5 <= value <= 1.5 for point in points for value in point), shape
        assert len(shape["color"]) == 7
        assert 0 <= shape.get("alpha", 1) <= 1
    assert any(shape["permanent"] for shape in pictures[0])
    assert not any(shape["permanent"] for picture in pictures[1:] for shape in picture)
    for picture in pictures:
        names = [shape["uuid"] for shape in picture]
        assert len(names) == len(set(names))


def test_a_setting_that_does_not_exist_is_refused() -> None:
    """A misspelt setting would make a test prove nothing."""
    with pytest.raises(AssertionError, match="episodez"):
        study.complete({"episodez": 3})


class Somebody:
    """What `by_peer` looks at of a participant: changes of path are of the first of its links, or say of which."""

    def __init__(
        self,
        sent: list[float],
        changes: list[tuple[float, str, str] | tuple[float, str, str, str]],
        pauses: list[tuple[float, float]],
        links: int = 1,
        counted: int | None = None,
        bots: bool = False,
    ) -> None:
        self.assigned = {"game_id": "one"}
        self.page = self
        self.sent = page_traffic.Traffic()
        for number, at in enumerate(sent):
            data = {"game_id": "one", "player_id": 0, "sync_epoch": 0, "frame_number": number, "timestamp": at}
            events = [("pyodide_player_action", data)]
            if bots:
                signal = {"game_id": "one", "type": "pycore-action", "payload": data}
                events = [("webrtc_signal", {**signal, "target_player_id": other}) for other in range(1, links + 1)]
            self.sent.messages += [page_traffic.Message(0, name, data, 0) for name, data in events]
        self.pauses = [{"from": first, "to": last} for first, last in pauses]
        self.metrics = {
            "inputs": {"sentViaSocketIO": len(sent) if counted is None else counted, "resentViaSocketIO": 0,
                       "givenToServer": len(sent)},
            "network": {str(number): {} for number in range(links)},
            "pathChanges": [
                {"timestamp": at, "to": to, "cause": cause, "playerId": of[0] if of else "0"}
                for at, to, cause, *of in changes
            ],
        }

    def game(self, _: str) -> dict:
        return self.metrics

    def wait_for_timeout(self, _: float) -> None:
        """As a page has it: nothing comes here meanwhile."""


BACK = (9000, "p2p", "recovered")
AWAY = [(7000, "socketio", "silence"), BACK]


def test_an_input_by_the_server_is_excused_only_by_a_page_that_stood_still() -> None:
    """Whoever was not away, was away for another reason, or has other books, fails."""
    still, well = Somebody([], AWAY, [(6400, 7200)]), Somebody([], [], [])
    assert page_verdict.by_peer(still, well) is True
    assert page_verdict.by_peer(Somebody([7500, 8900], AWAY, []), still) is False
    for wrong in (
        Somebody([9500], AWAY, []),
        Somebody([5000], AWAY, []),
        Somebody([7500], [], []),
        Somebody([7500], [(7000, "socketio", "closed"), BACK], []),
        Somebody([1500], [(1000, "socketio", "silence"), (2000, "p2p", "recovered")], []),
    ):
        with pytest.raises(AssertionError):
            page_verdict.by_peer(wrong, still)
    with pytest.raises(AssertionError):
        page_verdict.by_peer(Somebody([], AWAY, [(6900, 7200)]), well)
    still.metrics["inputs"]["givenToServer"] = 1
    with pytest.raises(AssertionError):
        page_verdict.by_peer(still, well)


def test_an_input_by_the_server_counts_for_each_link_that_it_went_out_for() -> None:
    """With two others a page sends it once and counts it once or twice; when it may be seen is judged link by link."""
    of_two = [(7000, "socketio", "silence", "1"), (7100, "socketio", "silence", "2")]
    of_two += [(8000, "p2p", "recovered", "1"), (9000, "p2p", "recovered", "2")]
    slow = [(6400.0, 7200.0)]
    for counted in (2, 3, 4):
        assert page_verdict.by_peer(Somebody([7500, 8900], of_two, slow, links=2, counted=counted)) is False
    for sent, counted in (([7500, 8900], 1), ([7500, 8900], 5), ([7500, 9100], 2), ([6900, 8900], 2)):
        with pytest.raises(AssertionError):
            page_verdict.by_peer(Somebody(sent, of_two, slow, links=2, counted=counted))
    other = Somebody([7500, 8900], of_two, slow, links=2)
    other.metrics["inputs"]["givenToServer"] = 3
    with pytest.raises(AssertionError):
        page_verdict.by_peer(other)
    with pytest.raises(AssertionError):
        page_verdict.by_peer(Somebody([7500, 8900], AWAY, slow, counted=3))


def test_an_input_of_a_game_with_bots_is_one_however_many_it_was_wrapped_for() -> None:
    """The server relays none there: each goes as a signal to every other one, and was given once. Again is another."""
    away_from_both = [(7000, "socketio", "silence", "1"), (7100, "socketio", "silence", "2")]
    who = Somebody([7500, 8900], away_from_both, [(6400.0, 7200.0)], links=2, counted=4, bots=True)
    assert len(who.sent.named("webrtc_signal")) == 4
    assert page_verdict.by_peer(who) is False
    who.metrics["inputs"]["givenToServer"] = 4
    with pytest.raises(AssertionError):
        page_verdict.by_peer(who)
    again = Somebody([7500, 8900], away_from_both, [(6400.0, 7200.0)], links=2, counted=2, bots=True)
    for message in again.sent.messages:
        message.data["payload"]["frame_number"] = 0
    again.metrics["inputs"]["resentViaSocketIO"] = 2
    assert page_verdict.by_peer(again) is False


def test_a_metrics_file_with_another_field_is_noticed() -> None:
    """Too much, too little, and a section that may be none."""
    expected = {"a", "a.x", "a.y", "b", "b.z"}
    assert page_verdict.unlike({"a": {"x": 1, "y": {}}, "b": None}, expected) == []
    assert page_verdict.unlike({"a": {"x": 1}, "b": {"z": 1}}, expected) == ["a.y"]
    assert page_verdict.unlike({"a": {"x": 1, "y": 1}, "b": {"z": 1, "w": 1}}, expected) == ["b.w"]
    assert page_verdict.unlike({"a": None}, expected) == ["b"]


def test_a_server_that_does_not_answer_is_noticed() -> None:
    """With a refusal it answers; what listens and says nothing does not."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert page_rig.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.2) is False
