"""What happens to the pages of a rehearsal while they play, and when."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pycore.rehearsal import stage
from pycore.rehearsal.plan import Plan
from pycore.rehearsal.stage import Stage
from tools.volley import VOLLEY


class Cuts:
    """An impairment that remembers what it was told, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def cut(self) -> None:
        self.told.append(("cut", time.monotonic()))

    def usual(self) -> None:
        self.told.append(("usual", time.monotonic()))

    def jitter(self) -> None:
        """None."""


class Away:
    """A page whose game goes by the server for a while."""

    def __init__(self, by_peer: float) -> None:
        self.by_peer = by_peer

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return None

    def wait_for_timeout(self, ms: float) -> None:
        time.sleep(ms / 1000)

    def wait_for_function(self, script: str, timeout: float) -> None:
        assert "p2pHealthy" in script
        if self.by_peer - time.monotonic() > timeout / 1000:
            time.sleep(timeout / 1000)
            raise TimeoutError
        time.sleep(max(0.0, self.by_peer - time.monotonic()))


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "away"), [(20.0, 0.4), (0.05, 60.0)])
def test_peer_to_peer_is_cut_when_it_carries_the_game_and_restored_so_much_later(
    monkeypatch: pytest.MonkeyPatch, patience: float, away: float
) -> None:
    """Pages that the server carries for too long are not waited for any longer."""
    monkeypatch.setattr(stage, "BY_PEER_TIMEOUT", patience)
    began = time.monotonic()
    cuts: Any = Cuts()
    relay: Any = None
    pages = [Away(began + away), Away(began + away)]
    plan = Plan(VOLLEY, seconds=0.6, down_at=0.1, up_at=0.3)
    Stage(plan, pages, cuts, relay, began, None, lambda line: None).direct()
    assert [what for what, _ in cuts.told] == ["cut", "usual"]
    cut, usual = (at - began for _, at in cuts.told)
    assert min(away, 0.1 + 2 * patience) <= cut < 30.0
    assert usual - cut >= 0.19
