"""WebRTC's decisions: who offers, generations, early candidates, restarts; and two negotiators back to back."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycore.link.negotiation import Negotiator, ice_configuration

ICE: dict[str, Any] = {"iceServers": []}


def offering(now: float = 0.0) -> Negotiator:
    """The initiator, which has given its first offer."""
    made = Negotiator(True, now, ICE)
    made.poll(now, False, False)
    return made


def names(negotiator: Negotiator) -> list[str]:
    """The commands so far, taken."""
    taken = [command["command"] for command in negotiator.commands]
    negotiator.commands.clear()
    return taken


def describe(kind: str, generation: int = 1) -> dict[str, Any]:
    """A description as it is signalled."""
    return {"type": kind, "sdp": "v=0", "generation": generation}


def test_the_lower_seat_offers_and_the_other_never_does() -> None:
    """No glare: there is one initiator, whatever happens."""
    one, two = Negotiator(True, 0.0, ICE), Negotiator(False, 0.0, ICE)
    for second in range(120):
        one.poll(float(second), False, False)
        two.poll(float(second), False, False)
    assert "offer" in names(one)
    assert names(two) == []


def test_the_first_commands_are_connect_and_offer() -> None:
    """With a channel, generation 1, and the ICE servers."""
    one = offering()
    assert one.commands == [
        {"command": "connect", "generation": 1, "channel": True, "ice": ICE},
        {"command": "offer", "generation": 1, "restart": False},
    ]


def test_an_offer_is_answered_on_a_connection_of_its_generation() -> None:
    """The other side makes no channel: it gets the initiator's."""
    two = Negotiator(False, 0.0, ICE)
    assert two.signalled("offer", describe("offer", 3), 1.0)
    assert two.commands == [
        {"command": "connect", "generation": 3, "channel": False, "ice": ICE},
        {"command": "accept", "generation": 3, "description": {"type": "offer", "sdp": "v=0"}},
    ]
    two.happened("local-description", {"type": "answer", "sdp": "a"}, 3, 1.1)
    assert two.signals == [("answer", {"type": "answer", "sdp": "a", "generation": 3})]


def test_candidates_before_the_description_wait_for_it() -> None:
    """The browser would refuse them; afterwards they go straight on."""
    one = offering()
    names(one)
    assert one.signalled("ice-candidate", {"candidate": "c1", "generation": 1}, 0.1)
    assert one.commands == []
    one.signalled("answer", describe("answer"), 0.2)
    one.signalled("ice-candidate", {"candidate": "c2", "generation": 1}, 0.3)
    assert [command.get("candidate") for command in one.commands] == [None, {"candidate": "c1"}, {"candidate": "c2"}]
    assert names(one) == ["accept", "candidate", "candidate"]


def test_candidates_that_come_before_their_offer_are_not_lost() -> None:
    """A server may turn the order round; what belongs to an attempt before or behind that offer stays out of it."""
    two = Negotiator(False, 0.0, ICE)
    for number, generation in enumerate((1, 2, 2, 3)):
        assert two.signalled("ice-candidate", {"candidate": f"c{number}", "generation": generation}, 0.1)
    assert two.commands == []
    two.signalled("offer", describe("offer", 2), 0.2)
    assert [command["candidate"] for command in two.commands[2:]] == [{"candidate": "c1"}, {"candidate": "c2"}]
    assert names(two) == ["connect", "accept", "candidate", "candidate"]
    two.signalled("offer", describe("offer", 3), 0.3)
    assert two.commands[-1]["candidate"] == {"candidate": "c3"}
    names(two)
    for number in range(500):
        two.signalled("ice-candidate", {"candidate": str(number), "generation": 9}, 0.4)
    two.signalled("offer", describe("offer", 9), 0.5)
    assert names(two) == ["connect", "accept"] + ["candidate"] * 64


def test_at_most_64_early_candidates_are_kept() -> None:
    """A peer that sends nothing else costs bounded memory."""
    one = offering()
    for number in range(500):
        one.signalled("ice-candidate", {"candidate": str(number), "generation": 1}, 0.1)
    names(one)
    one.signalled("answer", describe("answer"), 0.2)
    assert names(one) == ["accept"] + ["candidate"] * 64


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("offer", describe("offer", 1)), ("answer", describe("answer", 1)),
     ("ice-candidate", {"candidate": "c", "generation": 1})],
)  # fmt: skip
def test_what_belongs_to_an_older_generation_is_ignored(kind: str, payload: dict[str, Any]) -> None:
    """From the peer and from the shim alike."""
    two = Negotiator(False, 0.0, ICE)
    two.signalled("offer", describe("offer", 2), 0.0)
    names(two)
    assert not two.signalled(kind, payload, 1.0)
    two.happened("local-description", {"type": "answer", "sdp": "old"}, 1, 1.0)
    two.happened("candidate", {"candidate": "old"}, 1, 1.0)
    assert (two.commands, two.signals) == ([], [])


@pytest.mark.parametrize(
    "payload",
    [None, 3, "offer", [], {}, {"generation": 1}, {"generation": 0, "type": "offer", "sdp": ""},
     {"generation": True, "type": "offer", "sdp": ""}, {"generation": 1.0, "type": "offer", "sdp": ""},
     {"generation": 2**31, "type": "offer", "sdp": ""}, {"generation": 1, "type": "answer", "sdp": ""},
     {"generation": 1, "type": "offer", "sdp": 5}],
)  # fmt: skip
def test_a_malformed_offer_moves_nothing(payload: Any) -> None:
    """What a description is not, is not taken for one."""
    two = Negotiator(False, 0.0, ICE)
    assert not two.signalled("offer", payload, 1.0)
    assert (two.generation, two.commands) == (0, [])


def test_the_initiator_takes_no_offer_and_the_other_no_answer() -> None:
    """Roles are fixed."""
    one, two = offering(), Negotiator(False, 0.0, ICE)
    two.signalled("offer", describe("offer"), 0.0)
    names(one), names(two)
    assert not one.signalled("offer", describe("offer", 9), 1.0)
    assert not two.signalled("answer", describe("answer"), 1.0)
    assert names(one) + names(two) == []


def test_a_failed_connection_is_restarted_by_ice_first_and_built_anew_8_s_later() -> None:
    """Lessons, row 19: a restart is a new offer on the same connection."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    one.poll(1.5, True, True)
    one.happened("connection-state", "failed", 1, 20.0)
    names(one)
    one.poll(20.1, False, False)
    assert one.commands == [{"command": "offer", "generation": 1, "restart": True}]
    assert one.restarts == 1
    names(one)
    for tenth in range(80):
        one.poll(20.2 + tenth / 10, False, False)
    assert names(one) == []
    one.poll(28.2, False, False)
    assert names(one) == ["connect", "offer"]
    assert one.generation == 2


def test_a_restart_that_helps_is_the_end_of_it() -> None:
    """Connected again: no new generation."""
    one = offering()
    one.happened("connection-state", "failed", 1, 20.0)
    one.poll(21.0, False, False)
    one.happened("connection-state", "connected", 1, 22.0)
    names(one)
    for second in range(23, 60):
        one.poll(float(second), False, True)
    assert names(one) == []


def test_a_closed_channel_is_opened_anew_on_the_same_connection() -> None:
    """After half a second, by the initiator alone."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    one.happened("channel-open", None, 1, 1.1)
    one.happened("channel-closed", None, 1, 5.0)
    names(one)
    one.poll(5.4, False, False)
    assert names(one) == []
    one.poll(5.5, False, False)
    assert names(one) == ["channel"]
    one.happened("channel-open", None, 1, 5.6)
    one.poll(30.0, True, True)
    one.poll(60.0, False, False)
    assert names(one) == []
    one.happened("channel-closed", "connected", 1, 61.0)
    one.poll(61.5, False, False)
    assert names(one) == ["channel"]


def test_a_channel_that_does_not_open_anew_within_10_s_takes_another_connection() -> None:
    """The other end of the connection may be closed without a word: nothing would ever open on it."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    one.happened("channel-closed", "connected", 1, 5.0)
    names(one)
    one.poll(5.5, False, False)
    assert names(one) == ["channel"]
    one.poll(15.4, False, False)
    assert names(one) == []
    one.poll(15.5, False, False)
    assert names(one) == ["connect", "offer"]
    assert one.generation == 2


@pytest.mark.parametrize(
    ("what", "value"),
    [("channel-closed", "closed"), ("connection-state", "closed"), ("error", {"code": "channel", "message": "x"}),
     ("error", {"code": "offer", "message": "x"})],
    ids=["with its channel", "said", "at the next channel", "at the next offer"],
)  # fmt: skip
def test_a_connection_that_was_closed_here_is_built_anew_at_once(what: str, value: Any) -> None:
    """However it comes out; and whatever the channel looks like, since nothing goes by it any more."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    one.poll(2.0, True, True)
    names(one)
    one.happened(what, value, 1, 9.0)
    one.poll(9.1, True, True)
    assert names(one) == ["connect", "offer"]
    assert one.generation == 2


def test_who_does_not_offer_asks_for_a_new_connection_when_its_own_was_closed() -> None:
    """Once a second at first, then less often; the other makes one at once, and late words of the old one are old."""
    one, two = offering(), Negotiator(False, 0.0, ICE)
    two.signalled("offer", describe("offer"), 0.1)
    for side in (one, two):
        side.happened("connection-state", "connected", 1, 1.0)
        side.poll(2.0, True, True)
        names(side)
    two.happened("channel-closed", "closed", 1, 9.0)
    asked = []
    for tenth in range(90, 200):
        two.poll(tenth / 10, False, False)
        asked += [(tenth / 10, signal) for signal in two.signals]
        two.signals.clear()
    assert [at for at, _ in asked] == [9.0, 10.0, 12.0, 16.0]
    assert {kind for _, (kind, _) in asked} == {"ice-candidate"}
    assert one.signalled(*asked[0][1], 9.1)
    one.poll(9.2, True, True)
    assert (names(one), one.generation) == (["connect", "offer"], 2)
    assert not one.signalled(*asked[1][1], 10.1)
    one.poll(10.2, False, False)
    assert names(one) == []
    assert two.signalled("offer", describe("offer", 2), 20.0)
    two.poll(40.0, False, False)
    assert (names(two), two.signals) == (["connect", "accept"], [])


def test_an_offer_that_the_browser_does_not_take_is_answered_by_asking_for_another_connection() -> None:
    """Of a restart, for instance, on a connection that is closed."""
    two = Negotiator(False, 0.0, ICE)
    two.signalled("offer", describe("offer"), 0.0)
    two.happened("error", {"code": "accept", "message": "InvalidStateError"}, 1, 5.0)
    two.poll(5.1, False, False)
    assert two.signals == [("ice-candidate", {"again": True, "generation": 1})]


def test_a_connection_that_failed_at_one_end_alone_is_asked_for_after_a_restart_had_its_time() -> None:
    """Who offers may believe in it; within 8 s it restarts it if it does not."""
    two = Negotiator(False, 0.0, ICE)
    two.signalled("offer", describe("offer"), 0.0)
    two.happened("connection-state", "failed", 1, 30.0)
    two.poll(38.0, False, False)
    assert two.signals == []
    two.poll(38.1, False, False)
    assert two.signals == [("ice-candidate", {"again": True, "generation": 1})]


@pytest.mark.parametrize("initiator", [True, False])
def test_a_browser_without_webrtc_says_so_once_and_neither_side_tries_again(initiator: bool) -> None:
    """The first command tells it."""
    mine, other = Negotiator(initiator, 0.0, ICE), Negotiator(not initiator, 0.0, ICE)
    if initiator:
        mine.poll(0.0, False, False)
    else:
        other.poll(0.0, False, False)
        mine.signalled("offer", describe("offer"), 0.1)
    generation = mine.generation
    mine.happened("error", {"code": "connect", "message": "no-webrtc"}, generation, 0.2)
    assert mine.unable
    (word,) = mine.signals
    assert other.signalled(*word, 0.3)
    assert other.unable
    for side in (mine, other):
        names(side)
        side.signals.clear()
        for second in range(1, 200):
            side.poll(float(second), False, False)
        assert (names(side), side.signals) == ([], [])


def test_a_page_that_was_loaded_again_is_told_anew_that_there_is_no_webrtc_and_may_have_some_itself() -> None:
    """It knows nothing of what was said before; and a browser that lacked it may be another one now."""
    mine, other = offering(), Negotiator(False, 0.0, ICE)
    mine.happened("error", {"code": "connect", "message": "no-webrtc"}, 1, 0.2)
    other.signalled(*mine.signals.pop(), 0.3)
    mine.begin_anew(5.0)
    assert mine.signals == [("ice-candidate", {"unable": True, "generation": 1})]
    other.begin_anew(6.0)
    assert not other.unable


def test_a_channel_that_closed_without_a_word_is_opened_anew_after_10_s() -> None:
    """The closing of a channel can get stuck in a cut: then no event ever says that it is closed."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    one.happened("channel-open", None, 1, 1.1)
    one.poll(2.0, True, True)
    names(one)
    for second in range(3, 13):
        one.poll(float(second), False, False)
    assert names(one) == []
    one.poll(13.0, False, False)
    assert names(one) == ["channel"]


def test_an_open_channel_through_which_nothing_came_for_20_s_is_given_up() -> None:
    """A path that looks open and is dead gets a new generation."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    names(one)
    one.poll(2.0, True, False)
    one.poll(22.0, True, False)
    assert names(one) == []
    one.poll(22.1, True, False)
    assert names(one) == ["connect", "offer"]


def test_waiting_times_grow_from_1_to_30_s() -> None:
    """A network without a way through is not flooded: 120 attempts' worth of time gives few."""
    one = Negotiator(True, 0.0, ICE)
    at = []
    for tenth in range(6000):
        before = one.generation
        one.poll(tenth / 10, False, False)
        if one.generation > before:
            at.append(tenth / 10)
    waits = [round(b - a, 1) for a, b in itertools.pairwise(at)]
    assert all(later >= earlier - 0.1 for earlier, later in itertools.pairwise(waits))
    assert min(waits) >= 10.0
    assert max(waits) == pytest.approx(30.0, abs=0.2)


@pytest.mark.parametrize("force", [True, False])
def test_turn_credentials_become_an_ice_server(force: bool) -> None:
    """Lessons, row 18: they reach the connection; force_relay allows nothing else."""
    turn = {"urls": ["turn:h"], "username": "u", "credential": "c", "force_relay": force}
    assert ice_configuration(turn, [{"urls": "stun:s"}]) == {
        "iceServers": [{"urls": "stun:s"}, {"urls": ["turn:h"], "username": "u", "credential": "c"}],
        **({"iceTransportPolicy": "relay"} if force else {}),
    }
    assert ice_configuration(None, None) == {"iceServers": []}
    assert ice_configuration({"urls": []}, ()) == {"iceServers": []}


# -- two back to back -----------------------------------------------------------------------------------------------


class Browser:
    """What a shim and its browser do with the commands, as far as the decisions can tell.

    A connection is up once both sides of one generation hold each other's description of the same round and at
    least one of the other's candidates.
    """

    def __init__(self, negotiator: Negotiator) -> None:
        self.negotiator = negotiator
        self.generation = 0
        self.round = 0
        self.remote: tuple[int, int] | None = None
        self.candidates = 0
        self.refused = 0
        self.closed = False
        self.had_channel = False

    def close(self, now: float) -> None:
        """Something closes the connection, which is told of its channel alone, if it had one."""
        if not self.generation or self.closed:
            return
        self.closed, self.remote = True, None
        if self.had_channel:
            self.had_channel = False
            self.negotiator.happened("channel-closed", "closed", self.generation, now)

    def carry_out(self, now: float) -> None:
        """Execute the commands in order and report what happens."""
        n = self.negotiator
        commands, n.commands = n.commands, []
        for command in commands:
            name, generation = command["command"], command["generation"]
            if name == "connect":
                self.generation, self.round, self.remote, self.candidates = generation, 0, None, 0
                self.closed = self.had_channel = False
            elif generation != self.generation:
                self.refused += 1
            elif self.closed:
                n.happened("error", {"code": name, "message": "InvalidStateError"}, generation, now)
            elif name == "offer":
                self.round += 1
                self._describe("offer", generation, now)
            elif name == "accept":
                said = command["description"]
                self.remote = (generation, int(said["sdp"]))
                if said["type"] == "offer":
                    self.round = int(said["sdp"])
                    self._describe("answer", generation, now)
            elif name == "candidate":
                assert self.remote is not None, "a candidate before the description"
                self.candidates += 1

    def _describe(self, kind: str, generation: int, now: float) -> None:
        n = self.negotiator
        n.happened("local-description", {"type": kind, "sdp": str(self.round)}, generation, now)
        for number in range(3):
            n.happened("candidate", {"candidate": f"c{number}"}, generation, now)


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6), loss=st.sampled_from([0.0, 0.1, 0.5]), ordered=st.booleans(),
    closings=st.lists(st.tuples(st.integers(0, 1800), st.integers(0, 1)), max_size=6),
)  # fmt: skip
@settings(max_examples=40)
def test_two_negotiators_connect_under_any_order_and_loss_of_signals_and_closed_connections(
    seed: int, loss: float, ordered: bool, closings: list[tuple[int, int]]
) -> None:
    """For two minutes signals are lost, late and out of order; for three, ends of the connection are closed without a
    word to the other. Within three more they are connected again, and stay so."""
    rng = random.Random(seed)
    sides = [Browser(Negotiator(True, 0.0, ICE)), Browser(Negotiator(False, 0.0, ICE))]
    flying: list[tuple[float, int, int, str, dict[str, Any]]] = []
    count = 0
    connected: list[float] = []
    for tenth in range(3600):
        now = tenth / 10
        bad = now < 120.0
        for at, whose in closings:
            if at == tenth:
                sides[whose].close(now)
        up = (
            sides[0].remote is not None and sides[0].remote == sides[1].remote
            and sides[0].generation == sides[1].generation and not any(side.closed for side in sides)
            and all(side.candidates > 0 for side in sides)
        )  # fmt: skip
        if up:
            connected.append(now)
        for index, side in enumerate(sides):
            if up and not side.had_channel:
                side.had_channel = True
                side.negotiator.happened("connection-state", "connected", side.generation, now)
                side.negotiator.happened("channel-open", None, side.generation, now)
            elif side.had_channel and not up and not side.closed and rng.random() < 0.02:
                # In the end the other end notices, if only that nothing comes.
                side.had_channel = False
                side.negotiator.happened("connection-state", "failed", side.generation, now)
            side.negotiator.poll(now, up, up)
            side.carry_out(now)
            for kind, payload in side.negotiator.signals:
                if not bad or rng.random() >= loss:
                    late = 0.0 if ordered else rng.random() * (3.0 if bad else 0.5)
                    count += 1
                    flying.append((now + 0.1 + late, count, 1 - index, kind, payload))
            side.negotiator.signals.clear()
        flying.sort()
        while flying and flying[0][0] <= now:
            _at, _count, to, kind, payload = flying.pop(0)
            sides[to].negotiator.signalled(kind, payload, now)
            sides[to].carry_out(now)
    assert connected[-1] == 359.9
    assert [side.refused for side in sides] == [0, 0]
    if loss == 0.0 and ordered:
        if not any(at < 20 for at, _ in closings):
            assert connected[0] < 2.0
        for at, _ in closings:
            # A quiet network brings it back within seconds, unless it is closed again and again.
            later = [other for other, _ in closings if at < other <= at + 400]
            before = [other for other, _ in closings if at - 400 <= other < at]
            if not later and not before and at > 20:
                assert any(at / 10 < moment < at / 10 + 2.5 for moment in connected)


def test_the_lower_seat_connects_at_once_to_a_page_that_was_loaded_again() -> None:
    """Whatever the own end says: the other end is gone, and a new page takes an offer of any generation."""
    one = offering()
    names(one)
    one.happened("connection-state", "connected", 1, 1.0)
    one.poll(2.0, True, True)
    assert names(one) == []
    one.begin_anew(2.1)
    assert names(one) == ["connect", "offer"]
    assert one.generation == 2
    two = Negotiator(False, 2.0, ICE, load=1)
    assert two.signalled("offer", describe("offer", 2), 2.2)
    assert names(two) == ["connect", "accept"]


def test_an_offer_of_a_page_that_was_loaded_again_is_newer_than_any_of_the_load_before() -> None:
    """Its generations begin where no load before has got to, so that a late offer of that one is old."""
    one, two = offering(), Negotiator(False, 0.0, ICE)
    for _ in range(40):
        one.begin_anew(1.0)
    assert two.signalled("offer", describe("offer", one.generation), 1.0)
    again = Negotiator(True, 5.0, ICE, load=1)
    again.poll(5.0, False, False)
    names(two)
    assert two.signalled("offer", describe("offer", again.generation), 5.1)
    assert names(two) == ["connect", "accept"]
    assert not two.signalled("offer", describe("offer", one.generation + 1), 5.2)
    two.begin_anew(5.3)
    assert names(two) == []
