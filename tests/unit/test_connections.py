"""Connections that are closed from below, and browsers without WebRTC: two bridges, and what browsers do with them."""

from __future__ import annotations

from typing import Any

import pytest
from bridge_support import PERIOD, Page, Pair, keys, pair
from core_support import Table, settings

from examples import volley
from pycore import FAILED, PLAYING
from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER, CHANNEL_UNABLE
from pycore.events import SessionEnded


class Browsers(Pair):
    """Two pages whose connection may be closed at one end, or whose browser has none."""

    def __init__(self, pages: list[Page], lacking: tuple[Any, ...] = ()) -> None:
        super().__init__(pages)
        self.lacking = lacking
        self.closed: set[Any] = set()

    def connection(self, page: Page, command: dict[str, Any]) -> None:
        """What a browser does with a command."""
        if command["command"] == "connect":
            self.closed.discard(page.me)
            page.channel = CHANNEL_NEVER
            if page.me in self.lacking:
                page.commands.append(command)
                page.generation = command["generation"]
                page.rtc("error", {"code": "connect", "message": "no-webrtc: this browser has no WebRTC"}, self.now)
                return
        elif page.me in self.lacking:
            page.rtc("error", {"code": "stale", "message": "there is no connection"}, self.now)
            return
        elif page.me in self.closed:
            page.rtc("error", {"code": command["command"], "message": "InvalidStateError"}, self.now)
            return
        self.connects = not (self.closed or self.lacking)
        super().connection(page, command)

    def close_connection(self, page: Page, told: bool) -> None:
        """The page's connection is closed: `told` by its channel, or by nothing at all. The other end hears nothing."""
        self.closed.add(page.me)
        page.channel = CHANNEL_CLOSED
        page.remote = set()
        if told:
            page.rtc("channel-closed", "closed", self.now)


def browsers(lacking: tuple[Any, ...] = (), **settings: Any) -> Browsers:
    """Two pages with a volley each."""
    of = {"max_steps": 2000, "num_episodes": 1, **settings}
    return Browsers([Page(me, [0, 1], volley.make_env(), of) for me in (0, 1)], lacking)


@pytest.mark.parametrize("told", [True, False], ids=["told", "silent"])
@pytest.mark.parametrize("whose", [0, 1], ids=["who offers", "who answers"])
def test_a_connection_that_is_closed_at_either_end_comes_back_to_peer_to_peer(whose: int, told: bool) -> None:
    """By a new one, and within seconds; where nothing at all says that it is closed, when a new channel is in vain."""
    two = browsers()
    links = [page.bridge.session.links[0] for page in two.pages]
    two.until(lambda: all(link.path == "p2p" for link in links), play=keys)
    for _ in range(60):
        two.tick(*keys(3))
    two.close_connection(two.pages[whose], told)
    two.until(lambda: links[whose].path == "socketio", play=keys)
    count = two.until(lambda: all(link.path == "p2p" for link in links), play=keys)
    # Three seconds of answered probes after a closing, and what it takes to notice it.
    assert count * PERIOD < (5.0 if told else 30.0)

    generations = [page.generation for page in two.pages]
    assert generations == [2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("lacking", [(0,), (1,), (0, 1)], ids=["who offers", "who answers", "both"])
@pytest.mark.parametrize("how", ["off", "each"])
def test_without_webrtc_a_game_begins_at_once_and_it_is_said_once(lacking: tuple[int, ...], how: str) -> None:
    """In both pages, by the server, instead of after `p2p_wait`; also where delays are agreed on before."""
    two = browsers(lacking, p2p_wait=20.0, adaptive_input_delay=how)
    playing = lambda: all(page.bridge.session.phase == PLAYING for page in two.pages)  # noqa: E731
    assert two.until(playing, play=keys) * PERIOD < 2.0
    for _ in range(32 * 70):
        two.tick(*keys(5))
    said = [
        page.me for page in two.pages for news in page.news if news["news"] == "log" and "[WebRTC]" in news["text"]
    ]
    # Where both lack it, the first says so, and the other one has no reason to try.
    assert said == [lacking[0]]
    for page in two.pages:
        assert len([command for command in page.commands if command["command"] == "connect"]) <= 1


def test_whoever_has_to_wait_for_another_link_waits() -> None:
    """Of three, one has no WebRTC; the other two are not connected yet."""
    table = Table(3, settings(max_steps=5000, p2p_wait=20.0), channel=CHANNEL_NEVER)
    for seat, other in ((0, 2), (1, 2), (2, 0), (2, 1)):
        table.channels[seat][other if other < seat else other - 1] = CHANNEL_UNABLE
    table.ticks(32 * 5)
    assert table[0].phase < PLAYING
    table.channels[0][0] = table.channels[1][0] = 0
    table.until(lambda: table[0].phase == PLAYING, most=64)


def test_a_study_that_wants_peer_to_peer_is_told_at_once_that_there_is_none() -> None:
    """It does not wait for what never comes."""
    table = Table(2, settings(p2p_required=True, p2p_wait=60.0), channel=CHANNEL_UNABLE)
    table.until(lambda: table[0].phase == FAILED, most=64)
    (ended,) = table.events(0, SessionEnded)
    assert ended.reason == "p2p_timeout"


@pytest.mark.slow
def test_a_pair_without_faults_never_makes_a_second_connection() -> None:
    """What is asked above is not so by itself."""
    two = pair(max_steps=600, num_episodes=1)
    for count in range(600):
        two.tick(*keys(count))
    assert [page.generation for page in two.pages] == [1, 1]


@pytest.mark.parametrize(("cause", "warned"), [(12, 0), (9, 1), (None, 1)])
def test_that_a_partner_has_closed_its_page_is_no_warning(cause: int | None, warned: int) -> None:
    """Chromium calls it an error of the channel; any other one is said."""
    two = browsers()
    two.tick(0, 0)
    value = {"code": "data-channel", "message": "OperationError: User-Initiated Abort", "cause": cause}
    two.pages[0].rtc("error", value, two.now)
    two.tick(0, 0)
    lines = [news for news in two.pages[0].news if news["news"] == "log" and news["level"] == "warning"]
    assert len(lines) == warned
