"""Every link has a connection of its own kind, and one word for all of them is that of the least direct one."""

from __future__ import annotations

import pytest
from core_support import Table

from pycore.link.kinds import Kinds
from pycore.records.metrics import export_session_metrics, p2p_metrics


@pytest.mark.parametrize(
    ("settled", "word"),
    [
        ({}, "unknown"), ({1: "direct"}, "unknown"), ({1: "direct", 2: "direct"}, "direct"),
        ({1: "relay", 2: "direct"}, "relay"), ({1: "direct", 2: "relay"}, "relay"), ({2: "relay"}, "unknown"),
    ],
)  # fmt: skip
def test_a_session_is_direct_only_if_every_link_is(settled: dict[int, str], word: str) -> None:
    """A link of which nothing is known counts as the least direct: it may go through the server."""
    kinds = Kinds([1, 2])
    for seat, kind in settled.items():
        kinds.settled(seat, kind, {"of": seat})
    found, details = kinds.session
    assert found == word
    assert details == ({} if word == "unknown" else {"of": min(s for s, kind in settled.items() if kind == word)})
    assert [kinds.of(seat) for seat in (1, 2)] == [settled.get(seat, "unknown") for seat in (1, 2)]


def test_a_connection_that_is_made_anew_may_be_of_another_kind() -> None:
    """The newest counts."""
    kinds = Kinds([1])
    kinds.settled(1, "direct", {})
    kinds.settled(1, "relay", {"protocol": "udp"})
    assert kinds.session == ("relay", {"protocol": "udp"})


def test_a_session_without_links_has_no_kind() -> None:
    """One person among policies."""
    assert Kinds([]).session == ("unknown", {})


def test_metrics_say_of_each_link_what_it_is() -> None:
    """By player, beside the one word that sessions of two have always had."""
    session = Table(3)[0]
    session.set_connection_type(1, "direct", {"protocol": "udp"})
    session.set_connection_type(2, "relay", {"relayProtocol": "tcp"})
    metrics = export_session_metrics(session)
    one, two = (str(session.players[seat]) for seat in (1, 2))
    assert metrics["network"][one]["connectionType"] == "direct"
    assert metrics["network"][two]["connectionType"] == "relay"
    assert metrics["network"][two]["connectionDetails"] == {"relayProtocol": "tcp"}
    assert metrics["connection"] == {"type": "relay", "connectionDetails": {"relayProtocol": "tcp"}}
    assert p2p_metrics(session)["connectionType"] == "relay"
