"""The ready of an episode: what differs is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.link.peer import Peer
from pycore.session.episode import Episode
from pycore.session.topics import ready
from pycore.session.topics.topic import Arrival
from pycore.settings import MAX_SEATS, Settings
from pycore.version import __version__

STATE = b"12345678"
AGREED: dict[str, Any] = {**Settings().agreed(), "seed": 7, "players": [0, 1]}


def said(agreed: dict[str, Any] = AGREED, *, heard: bool = False, initial: bytes = STATE) -> bytes:
    """A ready of another peer."""
    return ready.encode(heard, 0xDEADBEEF, initial, [1, 2], ready.digests(agreed))


def difference(payload: bytes, agreed: dict[str, Any] = AGREED) -> tuple[str, str]:
    """What we find in it."""
    return ready.difference(ready.read(payload), STATE, agreed) or ("", "")


@pytest.mark.parametrize("heard", [True, False])
def test_who_agrees_on_everything_may_play(heard: bool) -> None:
    """No difference is None, heard or not, and in whatever order the settings stand."""
    payload = said(heard=heard)
    found = ready.read(payload)
    assert (found.heard, found.incarnation, found.initial, found.delays) == (heard, 0xDEADBEEF, STATE, (1, 2))
    assert ready.difference(found, STATE, dict(reversed(AGREED.items()))) is None


@pytest.mark.parametrize("name", sorted(AGREED))
def test_every_agreed_setting_is_refused_by_its_name(name: str) -> None:
    """The text says which one, and both values; of one that is long only a digest came."""
    for other, shown in (("0.0.7", "'0.0.7'"), ("something else", "another value")):
        code, text = difference(said({**AGREED, name: other}))
        assert code == "config"
        assert text == f"{name} differs: {AGREED[name]!r} here, {shown} there"


@pytest.mark.parametrize("text", [b"a\nb", b"\x1b[2J", b"\xff\xfe"])
def test_a_value_that_no_screen_should_show_is_another_value(text: bytes) -> None:
    """The text is for a person, and comes from elsewhere; the digest decides."""
    tail = b"\4seed" + b"1234" + bytes((len(text),)) + text
    found = ready.read(said({}) + tail)
    assert found.digests["seed"] == b"1234"
    code, words = ready.difference(found, STATE, {"seed": 7}) or ("", "")
    assert code == "config"
    assert words.isprintable()


@pytest.mark.parametrize("change", [{"extra": 1}, {"seed": 7.0}, {"seed": True}])
def test_a_setting_that_only_one_has_or_of_another_type_differs(change: dict[str, Any]) -> None:
    """7 and 7.0 are not the same seed, whoever of the two notices."""
    name = next(iter(change))
    other = {**AGREED, **change}
    for code, text in (difference(said(other)), difference(said(), other)):
        assert code == "config"
        assert text.startswith(f"{name} differs: ")
    assert ("nothing here" in difference(said(other))[1]) is (name == "extra")
    assert ("nothing there" in difference(said(), other)[1]) is (name == "extra")


@pytest.mark.parametrize("size", [100, 10_000])
def test_a_value_of_any_size_is_refused_by_its_name(size: int) -> None:
    """What travels of it is a digest: a list of players or an action space may be long."""
    big = {**AGREED, "environment": "x" * size}
    payload = said(big)
    assert len(payload) <= len(said())
    assert difference(payload)[1].startswith("environment differs")
    assert difference(payload, {**AGREED, "environment": "x" * size}) == ("", "")


def test_a_ready_with_every_setting_and_eight_seats_stays_small() -> None:
    """It rides in a datagram of the smallest size that may be set, 576 bytes, beside inputs."""
    agreed = {**AGREED, "pycore": __version__}
    payload = ready.encode(False, 0, STATE, [60] * MAX_SEATS, ready.digests(agreed))
    topic = ready.Ready(Episode(), 0, agreed)
    assert len(payload) == topic.size < 400
    assert ready.read(payload).delays == (60,) * MAX_SEATS


def test_another_initial_state_is_refused_as_such() -> None:
    """Seed and configuration agree, the reset does not."""
    code, text = difference(said(heard=True, initial=b"8" * 8))
    assert code == "initial_state"
    assert "initial state" in text


def test_another_version_is_refused_before_anything_else_is_looked_at() -> None:
    """A later protocol may say things in another form."""
    assert difference(b"\x09" + said({}, initial=b"8" * 8)[1:]) == (
        "version", "the protocol version differs: 2 here, 9 there; use the same wheel",
    )  # fmt: skip
    topic = ready.Ready(Episode(), 0, AGREED)
    topic.check(b"\x09")
    topic.check(b"\x01\0" + STATE + b"\x08\0")
    with pytest.raises(DecodeError):
        topic.check(b"\x02")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\2", b"\2\0\0\0\0\0" + STATE, b"\2\0\0\0\0\0" + STATE + b"\3\1\1", b"\2\0\0\0\0\0" + STATE + b"x" * 1100],
)
def test_what_is_too_short_or_too_long_is_no_ready(payload: bytes) -> None:
    """Lengths are looked at first."""
    with pytest.raises(DecodeError):
        ready.read(payload)


@pytest.mark.parametrize(
    "tail",
    [b"\xff\xff", b"\0", b"\1a123", b"\1a1234", b"\1a1234\x0d0123456789abc", b"\1a1234\3ab", b"\2\xff\xff1234", b"x"],
)
def test_a_configuration_that_cannot_be_read_is_a_decode_error(tail: bytes) -> None:
    """One error type."""
    with pytest.raises(DecodeError):
        ready.read(b"\2\0\0\0\0\0" + STATE + b"\0" + tail)


@given(data=st.binary(max_size=60))
def test_garbage_raises_one_error_type(data: bytes) -> None:
    """DecodeError and nothing else, also as `check` looks at it."""
    for look in (ready.read, ready.Ready(Episode(), 0, AGREED).check):
        try:
            look(b"\2" + data)
        except DecodeError:
            continue


# -- as a topic -------------------------------------------------------------------------------------------------


def arrival(episode: int = 0, running: int = 0, *, by_socket: bool = False) -> Arrival:
    """A packet."""
    return Arrival(episode, running, True, by_socket, 5.0)


def topic() -> tuple[ready.Ready, Link]:
    """We are ready for episode 0, and have one peer."""
    episode = Episode()
    episode.begin(STATE)
    link = Link(Peer(1, [1]), (), [0], 0.0)
    made = ready.Ready(episode, 0xDEADBEEF, AGREED)
    made.begin([1, 2], [link])
    return made, link


def test_a_ready_rides_until_the_peer_says_that_it_has_it() -> None:
    """Whatever is lost; through the server it rides as often as the writer asks."""
    of, link = topic()
    for _ in range(3):
        assert of.payloads(link, 5.0, False, 900) == (said(),)
    assert link.agenda & of.bit
    of.take(link, said(heard=False), arrival())
    assert of.payloads(link, 5.0, False, 900) == (said(heard=True),)
    of.take(link, said(heard=True), arrival())
    assert of.payloads(link, 5.0, False, 900) == ()
    assert not link.agenda & of.bit
    assert of.payloads(link, 5.0, True, 900) == (said(heard=True),)


def test_a_ready_of_the_next_episode_is_kept_and_an_old_one_is_not() -> None:
    """A peer may be ready before we are; that says nothing of its having ours."""
    of, link = topic()
    of.take(link, said(heard=True), arrival(1, 0, by_socket=True))
    of.take(link, said(heard=True), arrival(0, 1))
    assert list(link.peer.ready) == [1]
    assert not link.peer.hears_ready
    assert link.peer.ready_by_socket == 1
