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
    """After half a second, by the initiator alone, and again after ten if it did not open."""
    one = offering()
    one.happened("connection-state", "connected", 1, 1.0)
    one.happened("channel-open", None, 1, 1.1)
    one.happened("channel-closed", None, 1, 5.0)
    names(one)
    one.poll(5.4, False, False)
    assert names(one) == []
    one.poll(5.5, False, False)
    assert names(one) == ["channel"]
    one.poll(15.4, False, False)
    assert names(one) == []
    one.poll(15.5, False, False)
    assert names(one) == ["channel"]
    one.happened("channel-open", None, 1, 15.6)
    one.poll(30.0, True, True)
    one.poll(60.0, False, False)
    assert names(one) == []


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

    def carry_out(self, now: float) -> None:
        """Execute the commands in order and report what happens."""
        n = self.negotiator
        commands, n.commands = n.commands, []
        for command in commands:
            name, generation = command["command"], command["generation"]
            if name == "connect":
                self.generation, self.round, self.remote, self.candidates = generation, 0, None, 0
            elif generation != self.generation:
                self.refused += 1
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


@given(
    seed=st.integers(0, 10**6), loss=st.sampled_from([0.0, 0.1, 0.5]), ordered=st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_two_negotiators_connect_under_any_order_and_loss_of_signals(seed: int, loss: float, ordered: bool) -> None:
    """For two minutes signals are lost, late and out of order; afterwards they connect within three more."""
    rng = random.Random(seed)
    sides = [Browser(Negotiator(True, 0.0, ICE)), Browser(Negotiator(False, 0.0, ICE))]
    flying: list[tuple[float, int, int, str, dict[str, Any]]] = []
    count = 0
    connected_at: float | None = None
    for tenth in range(3000):
        now = tenth / 10
        bad = now < 120.0
        for index, side in enumerate(sides):
            up = (
                side.remote is not None and sides[1 - index].remote == side.remote
                and side.generation == sides[1 - index].generation
                and side.candidates > 0 and sides[1 - index].candidates > 0
            )  # fmt: skip
            if up and connected_at is None:
                connected_at = now
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
    assert connected_at is not None
    assert [side.refused for side in sides] == [0, 0]
    if loss == 0.0 and ordered:
        assert connected_at < 2.0


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
