"""Rules of exclusion: what they say of a game, what they refuse, and what a measure is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from pycore.cli.config import read_config
from pycore.errors import ConfigError
from pycore.export.exclusions import judge, read_rules
from pycore.export.measures import MEASURES, measured
from pycore.export.pseudonyms import Pseudonyms
from pycore.export.psychds import read_described
from pycore.relay.settings import read_settings

DATA = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def rules(tmp_path: Path, *values: Any) -> list[Any]:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(list(values)), "utf-8")
    return read_rules(file)


SLOW = {"name": "slow", "metric": "rtt_ms_p50", "op": ">", "value": 200}


def test_what_is_true_of_one_player_excludes_the_game_for_everybody(tmp_path: Path) -> None:
    """At the limit nothing is; why says whose value it was."""
    found = judge(rules(tmp_path, SLOW), {"a": {"rtt_ms_p50": 200}, "b": {"rtt_ms_p50": 200.5}})
    names = {player: [each.rule for each in by] for player, by in found.excluded.items()}
    assert names == {"a": ["slow"], "b": ["slow"]}
    assert found.excluded["a"][0][1:] == ("b", "game", "rtt_ms_p50 is 200.5")
    found_by_little = judge(rules(tmp_path, SLOW), {"a": {"rtt_ms_p50": 200.04}}).excluded["a"]
    assert found_by_little[0].why == "rtt_ms_p50 is 200.04", "that 200 is more than 200 nobody would believe"
    assert (found.whole, found.unknown) == (True, [])
    assert not judge(rules(tmp_path, SLOW), {"a": {"rtt_ms_p50": 200}}).excluded["a"]


def test_a_rule_of_a_player_excludes_that_player_alone(tmp_path: Path) -> None:
    """The others' games stay, for analyses of one person at a time."""
    found = judge(rules(tmp_path, SLOW | {"scope": "player"}), {"a": {"rtt_ms_p50": 1}, "b": {"rtt_ms_p50": 300}})
    assert [len(found.excluded[player]) for player in "ab"] == [0, 1]
    assert not found.whole


@pytest.mark.parametrize(("missing", "excluded"), [("include", 0), ("exclude", 1)])
def test_what_is_not_known_is_told_and_excludes_only_if_the_rule_says_so(
    tmp_path: Path, missing: str, excluded: int
) -> None:
    """Nothing is left out, or kept, in silence."""
    found = judge(rules(tmp_path, SLOW | {"missing": missing}), {"a": {"rtt_ms_p50": None}})
    assert len(found.excluded["a"]) == excluded
    kept = "excluded" if excluded else "kept"
    assert found.unknown == [f"rule 'slow', player a: rtt_ms_p50 is not known; {kept}"]


@pytest.mark.parametrize(
    ("kind", "values", "holds"),
    [
        ("any", (3, None), True), ("any", (1, None), None), ("any", (1, 5), False),
        ("all", (1, None), False), ("all", (3, None), None), ("all", (3, 11), True),
    ],
)  # fmt: skip
def test_several_conditions_together_know_what_they_can_know(
    tmp_path: Path, kind: str, values: tuple[Any, Any], holds: bool | None
) -> None:
    """One true one is enough for any, one false one for all, whatever else is unknown."""
    parts = [{"metric": "times_hidden", "op": ">", "value": 2}, {"metric": "hidden_s", "op": ">", "value": 10}]
    (rule,) = rules(tmp_path, {"name": "away", kind: parts})
    assert rule.condition.holds(dict(zip(("times_hidden", "hidden_s"), values, strict=True))) is holds


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"metric": "rtt", "op": ">", "value": 1}, "there is no metric 'rtt'; known are evidence, end_reason"),
        ({"metric": ["stalls"], "op": ">", "value": 1}, "there is no metric ['stalls']; did you mean 'stalls'?"),
        ({"metric": "stalls", "op": ">", "value": float("nan")}, "with '>' the value is a number; it is nan"),
        ({"metric": "stalls", "op": "=>", "value": 1}, "op is '=>'; it is one of > >="),
        ({"metric": "stalls", "op": ">", "value": "1"}, "with '>' the value is a number; it is '1'"),
        ({"metric": "evidence", "op": "in", "value": "partial"}, "with 'in' the value is a list"),
        ({"metric": "stalls", "op": ">", "value": 1, "any": []}, "one of metric, any and all; this one has"),
        ({"any": []}, "any is a list of conditions, with one at least"),
        ({"metric": "stalls", "op": ">", "value": 1, "scope": "pair"}, "scope is 'pair'"),
        ({"metric": "stalls", "op": ">", "value": 1, "limit": 2}, "has 'limit'; known are"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_applied_is_refused_by_name(tmp_path: Path, value: dict[str, Any], said: str) -> None:
    """With what it may have."""
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        rules(tmp_path, {"name": "mine", **value})
    assert "rule 'mine' of" in str(refused.value)


def test_a_file_with_the_mark_that_windows_puts_in_front_is_read(tmp_path: Path) -> None:
    """Rules, settings, scenarios and what is said of a data set: whatever people write by hand."""
    marked = tmp_path / "file.json"
    marked.write_bytes(b"\xef\xbb\xbf" + json.dumps([SLOW]).encode())
    assert [rule.name for rule in read_rules(marked)] == ["slow"]
    marked.write_bytes(b'\xef\xbb\xbf{"name": "n", "fps": 20}')
    assert read_described(marked) == read_settings(marked) == {"name": "n", "fps": 20}
    marked.write_bytes(b'\xef\xbb\xbf{"P001": "anna"}')
    assert Pseudonyms(marked, []).of("anna") == "P001"
    marked.write_bytes(b'\xef\xbb\xbfport = 8001')
    assert read_config(marked, {"port": click.Option(["--port"], type=int)})[0] == {"port": 8001}


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    """The table names them."""
    with pytest.raises(ConfigError, match=r"rule 2 of .* is called 'slow', as another one is"):
        rules(tmp_path, SLOW, SLOW)


def game(**metrics: Any) -> Any:
    """As much of a game's evidence as a measure looks at."""
    held = SimpleNamespace(rows=900, ended=[True, False])
    return SimpleNamespace(
        status="reconciled", players=["0", "1"], metrics={"0": metrics}, about={"settings": {"fps": 30}},
        agreement=SimpleNamespace(held={"0": held}), seen={},
    )  # fmt: skip


def test_measures_are_what_their_names_say() -> None:
    """From metrics with known numbers: 1800 frames at 30 a second are a minute."""
    of = measured(game(
        frames={"total": 1800}, quality={"stalls": 200}, rollbacks={"performed": 12, "resimulatedFrames": 90},
        predictions={"1": {"frames": 450, "hits": 30, "misses": 10}, "2": {"frames": 900, "hits": 0, "misses": 0}},
        network={"1": {"rttMs": {"p50": 80.0}}, "2": {"rttMs": {"p50": 120.0}}},
        inputs={"sentViaP2P": 5, "receivedViaSocketIO": 1},
        # The second time the clock was set back meanwhile.
        visibility=[{"hidden": True, "timestamp": 1000.0}, {"hidden": False, "timestamp": 3500.0},
                    {"hidden": True, "timestamp": 9000.0}, {"hidden": False, "timestamp": 4000.0},
                    {"hidden": True, "timestamp": 9000.0}],
    ), "0")  # fmt: skip
    expected = {
        "frames": 900, "episodes": 1, "minutes": 1.0, "stalled_pct": 10.0, "rollbacks_per_minute": 12.0,
        "resimulated_pct": 5.0, "predicted_pct": 50.0, "guessed_right_pct": 75.0, "rtt_ms_p50": 120.0, "path": "mixed",
        "times_hidden": 3, "hidden_s": 2.5,
    }  # fmt: skip
    assert {name: of[name] for name in expected} == expected


def test_a_page_that_was_never_shown_again_was_hidden_to_the_end_of_what_it_recorded() -> None:
    """Who changed to another tab for good had been hidden for no time, and the guide's rule let that pass."""
    of = game(visibility=[{"hidden": True, "timestamp": 4000.5}])
    assert measured(of, "0")["hidden_s"] == 0.0
    of.seen["0"] = SimpleNamespace(times_hidden=3, hidden_ms=60_000)
    assert measured(of, "0")["hidden_s"] == 60.0
    of.metrics["0"]["visibility"].append({"hidden": False, "timestamp": 5000.5})
    assert (measured(of, "0")["hidden_s"], measured(of, "0")["times_hidden"]) == (1.0, 1)
    of.metrics["0"]["load"] = 1
    assert (measured(of, "0")["hidden_s"], measured(of, "0")["times_hidden"]) == (60.0, 3)


def test_shares_of_who_came_back_are_of_what_its_last_load_played() -> None:
    """Its counts are of that load alone, which had stepped 600 frames again before it played 300: all of these had been
    guessed, and a rule that asked for more than half did not find it. For how long it took part its record says."""
    of = measured(game(
        load=1, frames={"total": 900}, unseen=[{"episode": 0, "from": 0, "to": 599}], quality={"stalls": 100},
        rollbacks={"performed": 12, "resimulatedFrames": 90}, predictions={"1": {"frames": 300}},
    ), "0")  # fmt: skip
    expected = {"predicted_pct": 100.0, "resimulated_pct": 30.0, "stalled_pct": 25.0, "minutes": 0.5}
    assert {name: of[name] for name in expected} == expected
    assert of["rollbacks_per_minute"] == pytest.approx(72.0)
    later = measured(game(load=1, frames={"total": 30}, unseen=None), "0")
    assert later["minutes"] == 0.5


def test_what_the_metrics_do_not_have_is_not_known() -> None:
    """No metrics at all: nothing that is made of them has a value."""
    of = measured(game(), "1")
    assert {name for name, value in of.items() if value is not None} == {"evidence"}


def test_the_guide_lists_every_metric() -> None:
    """In their order."""
    section = re.search(r"^Metrics: (.*?)\.$", DATA.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert section is not None
    assert re.findall(r"`(\w+)`", section[1]) == list(MEASURES)
