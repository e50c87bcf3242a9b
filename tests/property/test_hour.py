"""An hour in small: nothing grows but what is recorded, and what grows is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hour import RECORDED, SPARE, Moment, grown, main, play

from pycore.testing import Walk


@pytest.mark.slow
def test_of_five_minutes_only_what_is_recorded_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says how large a session is at the beginning and at the end, and what a tick takes."""
    file = tmp_path / "hour.json"
    assert main(["--players", "2", "--minutes", "5", "--json", str(file)]) == 0
    found = json.loads(file.read_text("utf-8"))["of_2"]
    assert found["mispredictions"] > 500
    assert 100 < found["kB_at_first"] <= found["kB_at_last"] < 1000
    assert "2 players: minutes 5" in capsys.readouterr().out


@pytest.mark.slow
def test_a_session_that_remembers_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred bytes a tick are 180 kB a minute."""
    step = Walk.step
    seen: list[bytes] = []

    def leaky(self: Walk, actions: Sequence[Any]) -> Any:
        seen.append(bytes(60))
        self.seen = seen  # type: ignore[attr-defined]
        return step(self, actions)

    monkeypatch.setattr(Walk, "step", leaky)
    assert "a session grew by" in grown(play(2, 4))[0]


def moments(bytes_a_minute: int, events: int = 100, dearer: float = 0.0) -> list[Moment]:
    """Six minutes of a session that grows by so much, and becomes dearer by so many microseconds a minute."""
    return [Moment(n, 300_000 + n * bytes_a_minute, n * events, 100.0 + n * dearer) for n in range(6)]


def test_what_may_grow_is_what_is_recorded() -> None:
    """The first minute does not count."""
    assert grown(moments(RECORDED * 100)) == []
    assert grown(moments(RECORDED * 100 + SPARE // 4)) == []
    assert "a session grew by" in grown(moments(RECORDED * 100 + SPARE // 4 + 1))[0]
    assert "a session grew by" in grown(moments(RECORDED * 100 + SPARE // 4, events=50))[0]


def test_what_a_tick_costs_may_not_rise() -> None:
    """By a third, from the first minutes to the last."""
    assert grown(moments(0, dearer=5.0)) == []
    assert grown(moments(0, dearer=10.0)) == ["a tick takes 140 µs at the end, 100 µs at the beginning"]
    with pytest.raises(ValueError, match="say nothing"):
        grown(moments(0)[:3])
