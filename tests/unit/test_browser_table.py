"""The table of browsers and scenarios: what a cell says, and how it comes into the document."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pycore.rehearsal import Plan
from tools import browsers
from tools.examples import example
from tools.process import Failed, Missing

CLOSED = next(scenario for scenario in browsers.SCENARIOS if scenario.plan.get("cut") == "connection")


def outcome(causes: list[str], problems: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> Any:
    """What a rehearsal left, as far as a cell looks at it."""
    metrics = {"pathChanges": [{"cause": cause} for cause in causes], "inputs": {"sentViaP2P": 9}}
    return SimpleNamespace(problems=list(problems), lost=list(lost), metrics={"0": metrics}, resumed=None)


@pytest.mark.parametrize(
    ("found", "cell"),
    [
        (outcome(["closed", "recovered"]), "right"),
        (outcome([]), "**nothing tried**: what it is about did not happen"),
        (outcome(["closed"]), "**nothing tried**: what it is about did not happen"),
        (outcome(["closed", "recovered"], problems=("a gap", "more")), "**wrong**: a gap"),
        (outcome(["closed", "recovered"], lost=("an input",)), "**wrong**: an input"),
    ],
)
def test_a_cell_is_right_only_if_what_it_is_about_happened(found: Any, cell: str) -> None:
    assert browsers.judged(CLOSED, found) == cell


def test_every_scenario_can_be_played_in_every_browser() -> None:
    """A plan that contradicts itself is found here, and not after minutes."""
    game = example("volley", 2).game
    for scenario in browsers.SCENARIOS:
        for pair in browsers.BROWSERS:
            Plan(game, seconds=browsers.SECONDS, browsers=pair, **scenario.plan)


def test_a_browser_without_webrtc_plays_what_is_left_of_a_scenario_by_the_server() -> None:
    """What is about peer-to-peer has nothing to try there; elsewhere every scenario is played as it is."""
    of_webkit = {scenario.name: browsers.of_browsers(scenario, browsers.WEBKIT) for scenario in browsers.SCENARIOS}
    played = [name for name, scenario in of_webkit.items() if scenario is not None]
    assert played == [
        "a good network", "the last page is hidden for 4 s", "the last page is loaded again", "by the server alone",
        "the server is away for 3 s",
    ]  # fmt: skip
    by_server, by_peer = ({"0": {"inputs": {"sentViaP2P": sent}}} for sent in (0, 9))
    good = of_webkit["a good network"]
    assert good is not None
    assert good.happened(SimpleNamespace(metrics=by_server))
    assert not good.happened(SimpleNamespace(metrics=by_peer))
    for scenario in browsers.SCENARIOS:
        assert browsers.of_browsers(scenario, ("firefox", "chromium")) is scenario


def test_the_table_takes_the_place_of_the_one_before() -> None:
    text = f"before\n{browsers.BEGIN}\nold\n{browsers.END}\nafter\n"
    cells = {(scenario.name, pair): "right" for scenario in browsers.SCENARIOS for pair in browsers.BROWSERS}
    cells[CLOSED.name, ("firefox",)] = "**wrong**: a | b\nc"
    done = browsers.written(browsers.written(text, cells, "first"), cells, "second")
    assert done.startswith(f"before\n{browsers.BEGIN}\n\nsecond\n")
    assert done.endswith(f"{browsers.END}\nafter\n")
    assert "old" not in done
    assert "| | Chromium | Firefox | Firefox – Chromium | WebKit |" in done
    assert f"| {CLOSED.name} | right | **wrong**: a \\| b c | right | right |" in done
    assert done.count("\n| ") == 1 + len(browsers.SCENARIOS)


def test_a_column_that_is_played_alone_leaves_the_others_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a document says of them is read again; a document without them is not written."""
    document = tmp_path / "browsers.md"
    document.write_text(f"{browsers.BEGIN}\n{browsers.END}\n", "utf-8")
    monkeypatch.setattr(browsers, "FILE", document)
    nothing: Any = lambda *_: None  # noqa: E731
    for module in (browsers.chromium, browsers.firefox, browsers.coturn, browsers.webkit):
        monkeypatch.setattr(module, "ensure", nothing)
    monkeypatch.setattr(browsers, "_version", lambda *_: "a browser")
    monkeypatch.setattr(browsers.webkit, "version", lambda *_: "another")
    monkeypatch.setattr(browsers, "played", lambda scenario, pair, _: f"{scenario.name}, {'-'.join(pair)}")
    options = SimpleNamespace(chromium=None, write=True, json=None, only="webkit")
    with pytest.raises(Failed, match="has no cells of chromium, firefox, firefox-chromium"):
        browsers.main(options)
    browsers.main(SimpleNamespace(**{**vars(options), "only": None}))
    whole = browsers.kept(document.read_text("utf-8"))
    assert len(whole) == len(browsers.SCENARIOS) * len(browsers.BROWSERS)
    monkeypatch.setattr(browsers, "played", lambda *_: "right")
    browsers.main(options)
    found = browsers.kept(document.read_text("utf-8"))
    for (name, pair), cell in whole.items():
        assert cell in (browsers.NONE, f"{name}, {'-'.join(pair)}")
        assert found[name, pair] == ("right" if pair == browsers.WEBKIT and cell != browsers.NONE else cell)
    with pytest.raises(Missing, match="no column safari; there are chromium"):
        browsers.main(SimpleNamespace(**{**vars(options), "only": "safari"}))


@pytest.mark.parametrize("text", ["", browsers.BEGIN, f"{browsers.END}\n{browsers.BEGIN}"])
def test_a_document_without_its_two_lines_is_left_alone(text: str) -> None:
    with pytest.raises(Failed, match=r"browsers\.md must have these two lines once"):
        browsers.written(text, {}, "")
