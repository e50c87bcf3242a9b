"""`pycore report`: the page has what the files have, says who is excluded and why, and lets no text of theirs run."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import sys
from array import array
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from records_support import SETTINGS, changed, played, stored
from test_experienced_tables import study

pytest.importorskip("jinja2", reason="the page of a report is made with it")

from pycore.cli import cli
from pycore.export.exclusions import judge, read_rules
from pycore.report import drawing, figures, page
from pycore.report.findings import findings, spread
from pycore.report.series import Curves
from pycore.report.study import Guesses, Study

EVIL = '</script><b id="evil">&"\''


class Page(HTMLParser):
    """A page taken apart: its elements, the cells of its tables by their ids or classes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.scripts: list[str] = []
        self.text = ""
        self._into: list[str] | None = None
        self._in_script = self._in_style = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        self.elements.append((tag, of))
        if tag == "table":
            self._table = self.tables.setdefault(of.get("id") or of.get("class") or "", [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")
            self._into = self._table[-1]
        elif tag == "script":
            self.scripts.append("")
            self._in_script = True
        elif tag == "style":
            self._in_style = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._into = None
        self._in_script &= tag != "script"
        self._in_style &= tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data
        elif not self._in_style:
            self.text += data
            if self._into is not None:
                self._into[-1] = " ".join((self._into[-1] + data).split())

    def row(self, table: str, *begins: str) -> dict[str, str]:
        """The first row that begins so, by the table's heads."""
        head, *rows = self.tables[table]
        (row,) = [row for row in rows if row[: len(begins)] == list(begins)][:1]
        return dict(zip(head, row, strict=True))


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def reported(tmp_path: Path, *arguments: Any) -> Page:
    """The page of a report that went well."""
    result = run(*arguments, "-o", tmp_path / "report.html")
    assert result.exit_code == 0, result.output
    return Page((tmp_path / "report.html").read_text("utf-8"))


def rules(tmp_path: Path, *values: Any) -> Path:
    (tmp_path / "rules.json").write_text(json.dumps(values), "utf-8")
    return tmp_path / "rules.json"


def test_a_sum_of_rewards_is_read_by_component_and_by_name() -> None:
    assert page.total([3, 25.0, None]) == "3, 25, –"
    assert page.total({"food": 3, "steps": [1, 0.5]}) == "food 3, steps 1, 0.50"
    assert page.total(1234) == "1,234"


@pytest.mark.slow
def test_the_tables_have_what_the_files_have(tmp_path: Path) -> None:
    """A row of each player with the metrics' values; rewards and frames of each episode; a point for each second."""
    folder = study(tmp_path)
    shown = reported(tmp_path, folder)
    metrics = json.loads((folder / "mesh" / "metrics-1.json").read_text())
    row = shown.row("sessions", "mesh", "1")
    link = metrics["network"]["0"]
    assert (row["evidence"], row["end"], row["frames"], row["path"]) == ("reconciled", "complete", "180", "p2p")
    assert row["RTT median, ms"] == page.number(link["rttMs"]["p50"])
    assert row["maximum depth, frames"] == str(metrics["rollbacks"]["maxFrames"])
    stalls, total = metrics["quality"]["stalls"], metrics["frames"]["total"]
    assert row["ticks stalled, %"] == page.number(100 * stalls / (stalls + total))
    assert row["frames predicted, %"] == page.number(100 * metrics["predictions"]["0"]["frames"] / total)
    lines = [json.loads(line) for line in (folder / "mesh" / "trajectory-0.jsonl").read_text().splitlines()]
    reward = sum(line["rewards"]["0"] for line in lines if line.get("episode") == 1 and "frame" in line)
    hashes = sum("hash" in line and (line.get("episode") == 1 or line.get("end") == 1) for line in lines)
    episode = shown.row("episodes", "1")
    assert (episode["frames"], episode["to its end"], episode["hashes recorded"]) == ("90", "yes", str(hashes))
    assert episode["reward of 0"] == page.number(reward)
    (data,) = [json.loads(text) for text in shown.scripts if text.startswith("{")]
    seen = [json.loads(line) for line in (folder / "mesh" / "experienced-0.jsonl").read_text().splitlines()]
    rtt = [line["peers"]["1"]["rtt_ms"] for line in seen if "second" in line]
    assert data["curves"]["c0"]["values"]["rtt_ms"] == [None if each is None else round(each, 1) for each in rtt]
    assert len(rtt) >= 6
    assert shown.row("spreads", "Round trip, peer-to-peer, to 1")["p99"]


@pytest.mark.slow
def test_who_is_excluded_by_which_rule_and_value_is_told(tmp_path: Path) -> None:
    """The rule as it was written, whom it is true of and why, and medians of those who count beside those of all."""
    game = study(tmp_path)
    ages = [
        json.loads((game / "mesh" / f"metrics-{seat}.json").read_text())["visibility"] for seat in (0, 1)
    ]  # fmt: skip
    assert [len(each) for each in ages] == [2, 0]
    file = rules(
        tmp_path, {"name": "away", "scope": "player", "reason": "preregistered", "any": [
            {"metric": "hidden_s", "op": ">", "value": 0.25}, {"metric": "end_reason", "op": "==", "value": "error"}]},
        {"name": "slow", "metric": "rtt_ms_p50", "op": ">", "value": 5000},
        {"name": "short", "metric": "minutes", "op": "<", "value": 1},
    )  # fmt: skip
    shown = reported(tmp_path, game, "--exclusions", file)
    rule = shown.tables["rules"][1]
    assert rule == [
        "awaypreregistered", "the player", 'hidden_s > 0.25 or end_reason == "error"', "kept", "1", "1", "1"
    ]  # fmt: skip
    assert shown.tables["rules"][2][-3:] == ["0", "0", "0"]
    assert shown.tables["excluded"][1:] == [["mesh", "away", "0", "hidden_s is 0.5", "this player"]]
    assert [row[2] for row in shown.tables["sessions"][1:]] == ["away", "–"]
    assert "rule 'short', player 0: minutes is not known; kept" in shown.text
    hidden = shown.row("sample", "hidden, s")
    assert (hidden["counted"], hidden["known of"], hidden["all players"]) == ("0 [0, 0]", "1 of 1", "0.25 [0.12, 0.38]")


@pytest.mark.slow
def test_a_rule_of_games_excludes_everybody_and_stands_once(tmp_path: Path) -> None:
    """Two players are excluded by what is true of one."""
    file = rules(tmp_path, {"name": "away", "metric": "times_hidden", "op": ">=", "value": 1})
    shown = reported(tmp_path, study(tmp_path), "--exclusions", file)
    assert shown.tables["excluded"][1:] == [["mesh", "away", "0", "times_hidden is 1", "everybody"]]
    assert shown.tables["rules"][1][-3:] == ["1", "1", "2"]
    done = json.loads(run(tmp_path / "study", "--exclusions", file, "-o", tmp_path / "r.html", "--json").stdout)
    assert (done["players"], done["counted"], done["excluded"], done["frames"]) == (2, 0, {"away": 2}, 180)


def test_texts_of_the_data_stay_texts(tmp_path: Path) -> None:
    """Markup in subject ids, titles, reasons and rules: nothing of it becomes an element, and all of it can be read."""
    game = stored(tmp_path / "game", about=True)
    about = json.loads((game / "game.json").read_text())
    about["subjects"] = {"0": EVIL, "1": "b"}
    (game / "game.json").write_text(json.dumps(about))
    for seat in (0, 1):
        metrics = json.loads((game / f"metrics-{seat}.json").read_text())
        metrics["end"]["reason"] = metrics["pathChanges"] = EVIL
        metrics["pathChanges"] = [{"episode": 0, "frame": 1, "playerId": EVIL, "from": EVIL, "to": EVIL, "cause": EVIL}]
        metrics["quality"]["stallCauses"] = {EVIL: 3}
        metrics["environment"]["agent"] = EVIL
        metrics["predictions"] = {EVIL: {"frames": 5, "hits": 1, "misses": 1}}
        metrics["desyncs"] = [{"episode": 0, "frame": EVIL, "kind": EVIL, "playerId": EVIL}]
        field = {"path": EVIL, "own": EVIL, "theirs": EVIL}
        metrics["desyncReports"] = [{"episode": 0, "frame": 1, "playerId": EVIL, "fields": [field], "lacks": EVIL}]
        (game / f"metrics-{seat}.json").write_text(json.dumps(metrics))
    file = rules(tmp_path, {"name": EVIL, "reason": EVIL, "metric": "end_reason", "op": "==", "value": EVIL})
    shown = reported(tmp_path, game, "--exclusions", file, "--title", EVIL)
    assert [tag for tag, of in shown.elements if tag == "b" or of.get("id") == "evil"] == []
    assert len(shown.scripts) == 3
    assert shown.text.count(EVIL) >= 10
    assert shown.tables["rules"][1][0] == EVIL * 2


@pytest.mark.slow
def test_the_page_loads_nothing_and_runs_its_own_scripts_alone(tmp_path: Path) -> None:
    """The policy names the hash of each script; no element has an address beyond the page; the licence is there."""
    text = (reported(tmp_path, study(tmp_path)), (tmp_path / "report.html").read_text("utf-8"))
    shown = text[0]
    (policy,) = [of["content"] for tag, of in shown.elements if of.get("http-equiv") == "Content-Security-Policy"]
    scripts = [each for each in shown.scripts if not each.startswith("{")]
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src "
        + " ".join(f"'sha256-{each}'" for each in hashes)
    )
    assert "var uPlot" in scripts[0]
    addresses = [of.get(name) for _, of in shown.elements for name in ("src", "href") if of.get(name)]
    assert addresses
    assert [each for each in addresses if not each.startswith(("#", "data:"))] == []
    assert "Permission is hereby granted" in text[1]


@pytest.mark.slow
def test_subjects_are_pseudonyms_where_that_is_asked_for(tmp_path: Path) -> None:
    """As in an export; who is who stands in the mapping alone."""
    game = stored(tmp_path / "game", about=True)
    shown = reported(tmp_path, game)
    assert "0 (anna)" in [row[1] for row in shown.tables["sessions"]]
    shown = reported(tmp_path, game, "--pseudonyms", "--mapping", tmp_path / "who.json")
    assert [row[1] for row in shown.tables["sessions"][1:]] == ["0 (P001)", "1 (P002)"]
    assert "anna" not in (tmp_path / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "who.json").read_text()) == {"P001": "anna", "P002": "=bob"}
    assert run(game, "--pseudonyms", "-o", tmp_path / "r.html").exit_code == 2


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("trajectory-1.jsonl", lambda text: text[:-9], "line 183: cut off"),
        ("experienced-0.jsonl", lambda text: text.replace('"seed":4', '"seed": 4', 1), "line 1: "),
        ("metrics-0.json", lambda text: text[:-9], "metrics-0.json: line 1: no JSON"),
        ("metrics-1.json", lambda text: text.replace('"gameId": "mesh"', '"gameId": "other"'), "is of game other"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_an_earlier_report_stays(
    tmp_path: Path, file: str, damage: Any, said: str
) -> None:
    """With the line and the reason; nothing half is left, no figures and no mapping either."""
    game = study(tmp_path) / "mesh"
    (tmp_path / "report.html").write_text("<!doctype html>earlier")
    text = (game / file).read_text()
    assert damage(text) != text
    (game / file).write_text(damage(text))
    result = run(game, "-o", tmp_path / "report.html", "--figures", tmp_path / "figures")
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert (tmp_path / "report.html").read_text() == "<!doctype html>earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "study"]


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full when the pseudonyms are written."""
    game = stored(tmp_path / "game", about=True)

    def full(one: Any, other: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    result = run(game, "-o", tmp_path / "report.html", "--pseudonyms", "--mapping", tmp_path / "who.json")
    assert result.exit_code == 2
    assert "No space left on device" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["game"]


def test_without_an_experienced_record_there_are_no_curves_and_that_is_said(tmp_path: Path) -> None:
    """Everything that the metrics and the trajectory have is there."""
    shown = reported(tmp_path, stored(tmp_path / "game"))
    assert not [of for _, of in shown.elements if "data-curves" in of]
    assert shown.text.count("There is no experienced record of this player") == 2
    assert "of 2 players there is no experienced record" in shown.text
    assert [of["class"] for tag, of in shown.elements if tag == "figure"].count("depths") == 2


def test_whom_somebody_plays_stands_beside_the_seat(tmp_path: Path) -> None:
    """By the environment's own name; not where that is the player's id once more."""
    game = stored(tmp_path / "game")
    for seat, agent in enumerate(("hunter", "1")):
        file = game / f"metrics-{seat}.json"
        metrics = json.loads(file.read_text())
        file.write_text(json.dumps(metrics | {"environment": metrics["environment"] | {"agent": agent}}))
    text = " ".join(reported(tmp_path, game).text.split())
    assert "seat 0 · plays hunter" in text
    assert text.count("· plays") == 1


def test_without_metrics_the_measures_are_not_known(tmp_path: Path) -> None:
    """Records alone: frames are known, round trips are not, and nothing is 0 that was not counted."""
    game = stored(tmp_path / "game")
    for file in game.glob("metrics-*.json"):
        file.unlink()
    shown = reported(tmp_path, game)
    row = shown.row("sessions", "mesh", "0")
    assert (row["frames"], row["RTT median, ms"], row["desyncs"]) == ("100", "–", "–")
    assert shown.row("sample", "RTT median, ms")["known of"] == "0 of 2"


@pytest.mark.slow
def test_a_desync_is_told_first_and_shown_where_it_is(tmp_path: Path) -> None:
    """The frame in which the records part, in the sentence and in the drawing."""
    game = stored(tmp_path / "game")
    file = game / "trajectory-1.jsonl"
    file.write_text(changed(file.read_text(), 62, lambda row: row["rewards"].update({"0": 77})))
    shown = reported(tmp_path, game)
    place = json.loads(file.read_text().splitlines()[61])
    assert shown.row("sessions", "mesh", "0")["evidence"] == "desynced"
    assert "1 game desynced: mesh: the records differ: episode 1, frame 9" in shown.text
    assert (place["episode"], place["frame"]) == (1, 9)
    marks = [of for tag, of in shown.elements if tag == "rect" and of.get("class") == "bad"]
    assert [of["x"] for of in marks] == ["590.0", "590.0"]  # 50 + 9 of 100 frames, of 1000 units
    assert "records differ: episode 1, frame 9" in shown.text


@pytest.mark.slow
def test_the_fields_in_which_two_players_games_went_apart_are_named(tmp_path: Path) -> None:
    """With both values, and with what is lacking, under the player whose page told it."""
    game = stored(tmp_path / "game")
    metrics = json.loads((game / "metrics-0.json").read_text())
    fields = [{"path": f"state.ball.{axis}", "own": "3", "theirs": "7"} for axis in "xy"]
    metrics["desyncReports"] = [
        {"episode": 0, "frame": 60, "playerId": "1", "fields": fields, "lacks": "something", "state": None}
    ]
    (game / "metrics-0.json").write_text(json.dumps(metrics))
    values = "is 3 here and 7 for player 1"
    told = f"At frame 60 of episode 0: state.ball.x {values}; state.ball.y {values} (something)."
    assert " ".join(reported(tmp_path, game).text.split()).count(told) == 1


def test_of_nothing_there_is_an_empty_page() -> None:
    """A study that nobody has played yet."""
    shown = Page(page.render(Study([], None), "Nothing"))
    assert "There are no games here." in shown.text
    assert shown.tables == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give the files or folders of games, or --database URL"),
        (["nowhere"], "there is no file nowhere"),
        (["--game", "x", "GAME"], "--game is one of a database"),
        (["GAME", "-o", "FOLDER"], "is a folder; give the name of the page"),
        (["GAME", "GAME"], "game mesh is there twice"),
        (["GAME", "-o", "FOLDER/no/report.html"], "cannot write"),
        (["GAME", "--exclusions", "FOLDER/no.json"], "cannot read the rules"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_call_is_told_with_the_way_out(tmp_path: Path, arguments: list[str], said: str) -> None:
    """In one sentence, with exit status 2."""
    game = stored(tmp_path / "game")
    words = [each.replace("GAME", str(game)).replace("FOLDER", str(tmp_path)) for each in arguments]
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())


def test_median_and_quartiles_are_those_of_the_inclusive_method() -> None:
    """What is not known does not count; one value is its own quartiles."""
    assert spread([4, None, 1, 3, 2]) == (2.5, 1.75, 3.25)
    assert spread([7.0, None]) == (7.0, 7.0, 7.0)
    assert spread([None]) is None
    assert page.told(spread([1, 2, 3, 4])) == "2.50 [1.75, 3.25]"
    assert [page.number(each) for each in (None, 0, 12345, 0.125, 12.34, 123.4, float("nan"))] == [
        "–", "0", "12,345", "0.12", "12.3", "123", "–"
    ]  # fmt: skip


def test_a_reward_without_bounds_is_told_and_fails_no_report(tmp_path: Path) -> None:
    """16-bit floats overflow to it, and some environments say it on purpose."""
    folder = stored(tmp_path / "game")
    for file in folder.glob("trajectory-*.jsonl"):
        text = changed(file.read_text("utf-8"), 3, lambda of: of["rewards"].update({"0": math.inf}))
        last = len(text.splitlines()) - 1
        text = changed(text, last, lambda of: of["rewards"].update({"0": -math.inf}))
        file.write_text(text, "utf-8", newline="")
    shown = reported(tmp_path, folder)
    assert [shown.row("episodes", str(episode))["reward of 0"] for episode in (0, 1)] == ["∞", "-∞"]
    curves = Curves()
    curves.values = {"rtt_ms": array("d", [1.5, math.nan, -math.inf])}
    assert page._plain(curves)["values"] == {"rtt_ms": [1.5, None, None]}


def test_an_agent_that_comes_in_a_later_episode_has_its_rewards_told(tmp_path: Path) -> None:
    """The columns were those of the first one."""
    game = stored(tmp_path / "game")
    text = changed(played()[0]["0"], 60, lambda line: line["rewards"].update({"bot": 7}))
    for player in "01":
        (game / f"trajectory-{player}.jsonl").write_text(text)
    shown = reported(tmp_path, game)
    assert [shown.row("episodes", str(episode))["reward of bot"] for episode in (0, 1)] == ["–", "7"]


def test_bars_are_as_long_as_what_they_count() -> None:
    """Right, wrong and open guesses share a bar whose whole is every frame; depths have columns of their heights."""
    player = SimpleNamespace(guesses={"1": Guesses(50, 20, 10)}, stepped=100)
    drawn = Page(page._guesses(player))  # type: ignore[arg-type]
    wide = [(of["class"], of["width"]) for tag, of in drawn.elements if tag == "rect"]
    assert wide == [("ground", "170.0"), ("first", "34.0"), ("second", "17.0"), ("third", "34.0")]
    drawn = Page(drawing.columns([0, 4, 2], "depth", "depths"))
    assert [of["height"] for tag, of in drawn.elements if tag == "rect"] == ["110.0", "55.0"]
    assert "depth 2: 2" in drawn.text
    assert drawing.columns([0, 0], "depth", "depths") == ""
    many = Page(drawing.columns([1] * 100, "depth", "depths"))
    assert len([1 for tag, _ in many.elements if tag == "rect"]) == drawing.LEFT_OPEN
    assert "depth 23+: 77" in many.text


def test_a_rule_reads_as_it_was_written(tmp_path: Path) -> None:
    """With brackets where conditions lie in each other."""
    (rule,) = read_rules(rules(tmp_path, {"name": "x", "all": [
        {"metric": "stalls", "op": ">", "value": 3},
        {"any": [{"metric": "path", "op": "in", "value": ["none"]}, {"metric": "desyncs", "op": "!=", "value": 0}]},
    ]}))  # fmt: skip
    assert rule.condition.text == 'stalls > 3 and (path in ["none"] or desyncs != 0)'


def test_findings_name_three_games_and_count_the_others() -> None:
    """A study of hundreds has a short beginning."""
    games: list[Any] = [
        SimpleNamespace(game_id=f"g{at}", status="partial", reasons=["x"], judgement=judge([], {}), players=[])
        for at in range(5)
    ]
    assert findings(Study(games, None)) == ["5 games of 5 not proved in full: g0: x; g1: x; g2: x; and 2 more"]


@pytest.mark.slow
def test_the_figures_are_there_as_pdf_and_png_and_the_same_each_time(tmp_path: Path) -> None:
    """Fonts are inside of the PDF; the figures of another run have the same bytes."""
    pytest.importorskip("matplotlib")
    game = study(tmp_path)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "round-trips-by-minute.pdf").write_text("of an earlier report")
    for out in ("one", "two"):
        assert run(game, "-o", tmp_path / "r.html", "--figures", tmp_path / out).exit_code == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [f"{name}.{kind}" for name in ("depths", "round-trips", "shares") for kind in ("pdf", "png")]
    for name in names:
        data = (tmp_path / "one" / name).read_bytes()
        assert data == (tmp_path / "two" / name).read_bytes()
        assert data.startswith(b"%PDF" if name.endswith("pdf") else b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == names
    assert b"/FontFile2" in (tmp_path / "one" / "depths.pdf").read_bytes()


def test_without_matplotlib_it_is_said_what_figures_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And neither page nor folder is written."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    game = stored(tmp_path / "game")
    result = run(game, "-o", tmp_path / "r.html", "--figures", tmp_path / "figures")
    assert result.exit_code == 2
    assert re.search(r"figures need: pip install\s+'interactive-gym-pycore\[figures\]'", result.output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["game"]


def test_figures_pool_the_depths_and_the_worst_of_each_minute() -> None:
    """Minutes end where fewer than half of the players played."""
    def player(depths: list[int], *seconds: tuple[float, float]) -> Any:
        curves = Curves()
        for second, rtt in seconds:
            curves.seconds.append(second)
            curves.values["rtt_ms"].append(rtt)
        return SimpleNamespace(depths=depths, curves=curves)

    players = [
        player([0, 2], (0, 50.0), (30, 90.0), (60, 40.0), (130, 1.0)), player([0, 1, 5], (0, 70.0), (59, 10.0)),
        player([], (0, 80.0), (70, 60.0)),
    ]  # fmt: skip
    assert figures.depths_of(players) == [0, 3, 5]
    assert figures.by_minute(players, "rtt_ms") == [(80.0, 75.0, 85.0), (50.0, 45.0, 55.0)]


def test_a_record_of_a_game_that_was_left_shows_what_each_has(tmp_path: Path) -> None:
    """The player who left has the shorter line."""
    game = stored(tmp_path / "game", leaves=True)
    shown = reported(tmp_path, game)
    rows = {player: text.count('"actions"') for player, text in played(leaves=True)[0].items()}
    assert rows["0"] > rows["1"]
    assert shown.row("sessions", "mesh", "1")["frames"] == str(rows["1"])
    lanes = [of for tag, of in shown.elements if tag == "rect" and of.get("class") in ("first", "fourth")]
    ends = {float(str(of["x"])) + float(str(of["width"])) for of in lanes if of["height"] == "12.0"}
    assert max(ends) == 1000.0
    assert min(abs(each - 1000 * rows["1"] / rows["0"]) for each in ends) < 0.2


@pytest.mark.slow
def test_the_database_of_a_relay_is_reported(tmp_path: Path) -> None:
    """With what the server knew; of a record that lacks a part the page says so, and so does the exit status."""
    import asyncio

    from pycore.relay.storage.store import DataStore

    url = f"sqlite:///{tmp_path / 'study.db'}"
    texts, metrics = played()

    async def fill(store: DataStore, whole: bool) -> None:
        row = {"game_id": "mesh", "started": 1.7e9, "ended": 1.7e9 + 60, "seed": 4, "players": "[0, 1]"}
        subjects = json.dumps({"0": "anna", "1": None})
        await store.put_game({**row, "subjects": subjects, "settings": json.dumps({**SETTINGS, "fps": 20})})
        for player, text in texts.items():
            half = len(text) // 2
            await store.put_record("mesh", player, 0, 0, 2, text[:half], 1.7e9)
            if whole or player == "1":
                await store.put_record("mesh", player, 0, 1, 2, text[half:], 1.7e9)
            await store.put_metrics("mesh", player, -1, json.dumps(metrics[player]), 1.7e9)

    store = DataStore(url)
    asyncio.run(fill(store, False))
    store.close()
    result = run("--database", url, "-o", tmp_path / "report.html")
    assert result.exit_code == 1, result.output
    assert "incomplete: mesh: trajectory-0.jsonl.incomplete was left out" in result.output
    shown = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "trajectory-0.jsonl.incomplete was not read" in shown.text
    store = DataStore(url)
    asyncio.run(fill(store, True))
    store.close()
    shown = reported(tmp_path, "--database", url)
    row = shown.row("sessions", "mesh", "0 (anna)")
    assert (row["evidence"], row["minutes"]) == ("reconciled", page.number(metrics["0"]["frames"]["total"] / 20 / 60))
    assert "2023-11-14 22:13 UTC" in shown.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "study.db"]
