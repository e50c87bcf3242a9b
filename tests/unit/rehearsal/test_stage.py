"""What happens to the pages of a rehearsal while they play, and when."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from pycore.rehearsal import stage
from pycore.rehearsal.plan import Plan
from pycore.rehearsal.serving import RehearsalFailed
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
@pytest.mark.parametrize(("patience", "away"), [(20.0, 0.8), (0.3, 60.0)])
def test_peer_to_peer_is_cut_when_it_carries_the_game_and_restored_so_much_later(
    monkeypatch: pytest.MonkeyPatch, patience: float, away: float
) -> None:
    """Pages that the server carries for too long are not waited for any longer."""
    monkeypatch.setattr(stage, "BY_PEER_TIMEOUT", patience)
    began = time.monotonic()
    cuts: Any = Cuts()
    relay: Any = None
    pages = [Away(began + away), Away(began + away)]
    plan = Plan(VOLLEY, seconds=1.2, down_at=0.2, up_at=1.0)
    Stage(plan, pages, cuts, relay, began, None, lambda line: None).direct()
    assert [what for what, _ in cuts.told] == ["cut", "usual"]
    cut, usual = (at - began for _, at in cuts.told)
    assert min(away, 0.2 + 2 * patience) <= cut < 30.0
    # 0.8 s; 0.2 if it were restored at its own time. A busy machine cuts late.
    assert usual - cut >= 0.5


class Returning:
    """A page that was loaded again, or one of the others, with the phases that it is found in, one after the other."""

    def __init__(self, *phases: str) -> None:
        self.phases = list(phases)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        if "phase" not in script:
            return None
        return self.phases.pop(0) if len(self.phases) > 1 else self.phases[0]

    def wait_for_timeout(self, ms: float) -> None:
        """At once."""


def of_a_return(monkeypatch: pytest.MonkeyPatch, *pages: Any) -> Stage:
    """A stage whose last page was loaded again, and whose time is over."""
    monkeypatch.setattr(stage.departures, "reload", lambda page, url: None)
    relay: Any = SimpleNamespace(url="")
    cuts: Any = Cuts()
    plan = Plan(VOLLEY, seconds=9.0, reload_at=0.5)
    played = Stage(plan, [*pages], cuts, relay, time.monotonic() - 9.0, None, lambda line: None)
    played.direct()
    return played


def test_a_game_that_is_over_before_a_page_is_back_is_a_rehearsal_that_was_too_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the others played on meanwhile: it waits for nobody, and says what to do."""
    with pytest.raises(RehearsalFailed, match="let it take longer than 9 s"):
        of_a_return(monkeypatch, Returning("playing", "done"), Returning("loading", "loading", "start"))


@pytest.mark.parametrize("last", ["playing", "done"])
def test_a_page_that_is_on_its_way_back_is_waited_for(monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    """Also where it comes to the game in its last moment."""
    ways = ["loading"] * 5 + ["start"] * 2
    assert of_a_return(monkeypatch, Returning("playing"), Returning(*ways, last)).back_after is not None
    assert of_a_return(monkeypatch, Returning("done"), Returning("loading", last)).back_after is not None


class Travelling(Returning):
    """A page that notes where its tab goes."""

    def __init__(self, url: str, *phases: str) -> None:
        super().__init__(*phases)
        self.url = url
        self.visited: list[str] = []
        self.context: Any = self

    def goto(self, url: str, wait_until: str = "load") -> None:
        self.url = url
        self.visited.append(url)


def test_a_page_that_is_to_be_back_later_shows_nothing_until_then_and_is_loaded_from_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its own address, whatever is in that."""
    monkeypatch.setattr(stage.departures, "_found", lambda context, url, how: how)
    relay: Any = SimpleNamespace(url="")
    cuts: Any = Cuts()
    address = "http://study/?PROLIFIC_PID=7"
    last: Any = Travelling(address, "playing")
    pages: list[Any] = [Returning("playing"), last]
    plan = Plan(VOLLEY, seconds=9.0, reload_at=0.5, back_at=3.0)
    said: list[str] = []
    played = Stage(plan, pages, cuts, relay, time.monotonic() - 9.0, None, said.append)
    played.direct()
    before: Any = played.before
    assert before == "reloaded"
    assert last.visited == ["about:blank", address]
    assert said[:2] == ["a page is away", "the page that was away is loaded again"]
