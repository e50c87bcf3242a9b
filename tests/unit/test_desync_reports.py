"""Desyncs on purpose, in whole meshes: both sides name the field and both values, whatever way the states take."""

from __future__ import annotations

import base64
import itertools
import json
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from pycore import Desync, DesyncReported, Log, SessionEnded, Settings, StepResult
from pycore.duties import CHANNEL_CLOSED
from pycore.records import export_session_metrics
from pycore.session.covered import GONE, STATE_BYTES, Covered, Told, first_fields
from pycore.session.messages.message import STATE
from pycore.session.messages.state import ANSWER_WITHIN, HELD, HELD_BYTES, HELD_LEAST, TOLD
from pycore.session.streams import REFUSED_MOST
from pycore.testing import Conditions, Mesh, Walk
from pycore.values import canonical
from pycore.wire.stream import CHUNK_BYTES

AT = 40
"""The frame in which the games part."""
HASHED = 60
"""The first frame behind it that is hashed."""


class Parting(Walk):
    """A walk with a ball, which jumps on one page in frame AT; `cells` numbers go with it, which nobody changes."""

    def __init__(self, seats: int, jumps: int = 0, cells: int = 0, reward: float = 0.0) -> None:
        super().__init__(seats, seed=3)
        self.jumps, self.reward = jumps, reward
        self.cells = [index * 2_654_435_761 % 2**31 for index in range(cells)]
        self.ball = 0

    def reset(self, episode: int) -> None:
        super().reset(episode)
        self.ball = 0

    def save(self) -> object:
        return self.state, self.ball

    def load(self, state: object) -> None:
        self.state, self.ball = state  # type: ignore[misc]

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        result = super().step(actions)
        assert result is not None
        if self.state[0] == AT:
            self.ball += self.jumps
            result.rewards[0] += self.reward
        return result

    def canonical(self, state: Any) -> bytes:
        (frame, number), ball = state
        return canonical.encode({"walk": {"frame": frame, "number": number}, "ball": {"x": ball}, "cells": self.cells})


def settings(**given: Any) -> Settings:
    """Thirty frames a second, ten of them after the last hash."""
    return Settings(**{"max_steps": 130, "action_space": {"type": "discrete", "n": 6}, **given})


def mesh_of(
    seats: int = 2, conditions: Conditions | None = None, of: Settings | None = None, cells: int = 0, **more: Any
) -> Mesh:
    """A mesh in which the ball of seat 1 jumps by 7."""
    return Mesh(
        seats,
        of or settings(),
        lambda seat: Parting(seats, jumps=7 if seat == 1 else 0, cells=cells, **more),
        lambda seat: lambda episode, frame: (frame // 5 + seat) % 6,
        conditions or Conditions(delay=0.05),
        seed=2,
    )


def reports(mesh: Mesh) -> list[list[DesyncReported]]:
    """Of each page."""
    return [page.events(DesyncReported) for page in mesh.peers]


def ball(seat: int, own: int, theirs: int) -> DesyncReported:
    """What is reported of the ball."""
    return DesyncReported(
        seat=seat, episode=0, frame=HASHED, differences=[["state.ball.x", str(own), str(theirs)]], lacks=""
    )


def test_both_sides_name_the_field_and_both_values_while_the_game_goes_on() -> None:
    """The event, the log and the first frame whose hashes differ; nothing is stopped, and one report is enough."""
    mesh = mesh_of()
    mesh.run(30.0)
    assert reports(mesh) == [[ball(1, 0, 7)], [ball(0, 7, 0)]]
    for page in mesh.peers:
        assert page.events(Desync)[0].frame == HASHED
        assert page.session.reason == "complete"
        assert page.published.frames == 130
    lines = [event.text for event in mesh.peers[0].events(Log) if event.text.startswith("[desync]")]
    assert lines == [
        "[desync] player 1's game differs at frame 60 of episode 0: state.ball.x is 0 here and 7 there"
    ]
    assert mesh.network.reliable.chunks > 0


@pytest.mark.slow
def test_a_state_of_a_hundred_kilobytes_goes_in_chunks_within_the_bound_of_the_channel() -> None:
    """At 100 kB a second, beside the datagrams, which are neither late nor fewer."""
    mesh = mesh_of(cells=22_000)
    mesh.network.reliable.bandwidth = 100_000.0
    size = len(Parting(2, cells=22_000).canonical(((0, 0), 0)))
    assert size > 100_000
    mesh.run(30.0)
    assert reports(mesh) == [[ball(1, 0, 7)], [ball(0, 7, 0)]]
    assert mesh.network.reliable.most_buffered <= 2 * CHUNK_BYTES
    assert mesh.network.reliable.chunks >= 2 * 6
    assert [page.session.stalls for page in mesh.peers] == [0, 0]
    assert mesh.through_server == 0


@pytest.mark.slow
def test_without_a_channel_the_states_go_through_the_server_few_at_a_time() -> None:
    """Never more than eleven signals of a page in a second beside those of the session itself."""
    mesh = mesh_of(conditions=Conditions(opens_after=None), of=settings(p2p_wait=0.5, max_steps=300), cells=22_000)
    sent: list[tuple[float, int]] = []
    emit = mesh.server.emit

    def watched(seat: int, event: str, data: dict[str, Any]) -> None:
        if event == "webrtc_signal" and len(data["payload"]) > 2000:
            sent.append((mesh.now, seat))
            assert len(data["payload"]) <= 16_384
        emit(seat, event, data)

    mesh.server.emit = watched  # type: ignore[method-assign]
    mesh.run(30.0)
    assert reports(mesh) == [[ball(1, 0, 7)], [ball(0, 7, 0)]]
    assert mesh.network.reliable.chunks == 0
    for seat in (0, 1):
        times = [when for when, of in sent if of == seat]
        assert len(times) > 8
        assert all(later - earlier >= 0.09 for earlier, later in itertools.pairwise(times))


@pytest.mark.slow
def test_a_channel_that_closes_in_the_middle_of_a_message_loses_and_doubles_nothing() -> None:
    """What was on its way is sent again by the server, from where the other one had got."""
    mesh = mesh_of(of=settings(max_steps=400), cells=22_000)
    mesh.network.reliable.bandwidth = 40_000.0
    reliable = mesh.network.reliable
    before: list[int] = []

    def close_in_the_middle() -> None:
        if reliable.chunks < 3:
            mesh.at(mesh.now + 0.01, close_in_the_middle)
            return
        before.append(mesh.signals)
        mesh.close_channel(0, 1, state=CHANNEL_CLOSED)

    mesh.at(1.0, close_in_the_middle)
    mesh.run(40.0)
    assert before
    assert mesh.signals > before[0] + 8
    assert reports(mesh) == [[ball(1, 0, 7)], [ball(0, 7, 0)]]
    assert [page.session.malformed for page in mesh.peers] == [0, 0]


@pytest.mark.slow
def test_a_stream_that_closes_alone_goes_through_the_server_while_the_inputs_stay_peer_to_peer() -> None:
    """And comes back to its channel when there is one again."""
    mesh = mesh_of(cells=22_000)
    mesh.at(0.5, lambda: mesh.network.reliable.close(0, 1))
    mesh.run(30.0)
    assert reports(mesh) == [[ball(1, 0, 7)], [ball(0, 7, 0)]]
    assert mesh.through_server == 0
    assert mesh.network.reliable.chunks == 0


@pytest.mark.slow
@pytest.mark.parametrize("opens_after", [0.1, None])
def test_a_partner_who_tells_nothing_is_named_when_the_time_is_up(opens_after: float | None) -> None:
    """Its hashes come, its state does not: the report says who did not tell."""
    mesh = mesh_of(conditions=Conditions(delay=0.05, opens_after=opens_after), of=settings(max_steps=900, p2p_wait=0.5))
    states = mesh.peers[1].session._parts.states
    states.work = lambda now: False  # type: ignore[method-assign]
    mesh.run(60.0)
    (report,) = reports(mesh)[0]
    assert report == DesyncReported(
        seat=1, episode=0, frame=HASHED, differences=[], lacks="player 1 did not tell its state within 20 s"
    )
    assert reports(mesh)[1] == []
    assert ANSWER_WITHIN == 20.0


def test_a_state_that_is_no_longer_held_is_said_to_be_missing_on_both_sides() -> None:
    """Each side says which of the two is not there."""
    mesh = mesh_of()
    states = mesh.peers[1].session._parts.states
    states.hold = lambda covered: None  # type: ignore[method-assign]
    mesh.run(30.0)
    one, two = reports(mesh)
    assert [(report.differences, report.lacks) for report in one + two] == [
        ([], "the state of player 1 is no longer held"),
        ([], "the state here is no longer held"),
    ]


def test_a_state_that_is_too_large_is_not_sent() -> None:
    """The report says so instead."""

    class Luggage(Parting):
        def canonical(self, state: Any) -> bytes:
            return super().canonical(state) + (b"\0" * STATE_BYTES if state[0][0] == HASHED else b"")

    mesh = Mesh(
        2, settings(), lambda seat: Luggage(2, jumps=seat), lambda seat: lambda episode, frame: 0, Conditions(), seed=2
    )  # fmt: skip
    mesh.run(30.0)
    assert [(of[0].differences, of[0].lacks) for of in reports(mesh)] == [
        ([], "the state here has more than 4 MiB; the state of player 1 has more than 4 MiB"),
        ([], "the state here has more than 4 MiB; the state of player 0 has more than 4 MiB"),
    ]
    assert mesh.network.reliable.bytes < 2000


def test_rows_that_differ_are_named_with_the_frame_that_they_are_of() -> None:
    """A reward that only one side has; the states are the same."""
    mesh = Mesh(
        2, settings(), lambda seat: Parting(2, reward=0.5 * seat), lambda seat: lambda episode, frame: 0, Conditions(),
        seed=2,
    )  # fmt: skip
    mesh.run(30.0)
    (one,), (two,) = reports(mesh)
    ((path, own, theirs),) = one.differences
    assert path == f"rows[{AT - 1}].rewards['0']"
    assert float(theirs) == float(own) + 0.5
    assert two.differences == [[path, theirs, own]]
    assert (one.lacks, two.lacks) == ("", "")


def test_of_three_each_pair_that_differs_is_reported_and_those_that_agree_are_not() -> None:
    """The ball of page 1 jumps; pages 0 and 2 have nothing to say to each other."""
    mesh = mesh_of(3)
    mesh.run(30.0)
    named = [[(report.seat, report.differences) for report in of] for of in reports(mesh)]
    assert named[0] == [(1, [["state.ball.x", "0", "7"]])]
    assert named[2] == [(1, [["state.ball.x", "0", "7"]])]
    assert sorted(named[1]) == [(0, [["state.ball.x", "7", "0"]]), (2, [["state.ball.x", "7", "0"]])]


@pytest.mark.parametrize("opens_after", [0.1, None])
def test_a_study_that_ends_at_a_desync_ends_for_all_at_one_frame_with_the_report(opens_after: float | None) -> None:
    """The reason says where they differ; nobody has a frame more than another."""
    mesh = mesh_of(
        conditions=Conditions(delay=0.05, opens_after=opens_after),
        of=settings(on_desync="end", max_steps=900, num_episodes=2, p2p_wait=0.5),
    )
    mesh.run(60.0)
    ends = [page.events(SessionEnded)[-1] for page in mesh.peers]
    assert [end.reason for end in ends] == ["desync", "desync"]
    frames = [page.published.frames for page in mesh.peers]
    assert frames[0] == frames[1] < 200
    assert reports(mesh) == [[ball(1, 0, 7)], [ball(0, 7, 0)]]
    assert any(end.text.endswith("state.ball.x is 0 here and 7 there") for end in ends) or any(
        end.text.endswith("state.ball.x is 7 here and 0 there") for end in ends
    )
    assert [[event.what for event in page.events(Desync)].count("end") for page in mesh.peers] == [0, 0]


@pytest.mark.slow
def test_a_study_ends_at_a_desync_although_the_partner_tells_nothing() -> None:
    """After the time that it is given."""
    mesh = mesh_of(of=settings(on_desync="end", max_steps=3000))
    mesh.peers[1].session._parts.states.work = lambda now: False  # type: ignore[method-assign]
    mesh.run(120.0)
    assert [page.session.reason for page in mesh.peers] == ["desync", "desync"]
    assert 20.0 < mesh.now < 30.0
    # The other one, which has made no report, is told to stop; that is no end that differs.
    assert [[event.what for event in page.events(Desync)].count("end") for page in mesh.peers] == [0, 0]
    assert mesh.peers[1].events(SessionEnded)[-1].text == "player 0 ends the session, since the states differ"


def test_a_difference_that_shows_at_the_last_hash_is_reported_after_the_session_is_over() -> None:
    """The states of the end: nobody waited for them, and they come while the page stands there."""
    mesh = mesh_of(of=settings(max_steps=50))
    mesh.run(30.0)
    assert [page.session.reason for page in mesh.peers] == ["complete", "complete"]
    # A page ticks on after the end.
    for _ in range(60):
        mesh.time.run(mesh.now + 1 / 30, lambda: False)
    named = [[(report.frame, report.differences) for report in of] for of in reports(mesh)]
    assert named == [[(50, [["state.ball.x", "0", "7"]])], [(50, [["state.ball.x", "7", "0"]])]]


def test_without_a_desync_nothing_goes_by_stream_and_nothing_is_held() -> None:
    """What was hashed is let go as soon as everybody's hash of it has come."""
    mesh = Mesh(
        3, settings(), lambda seat: Parting(3), lambda seat: lambda episode, frame: 0, Conditions(delay=0.05), seed=2
    )  # fmt: skip
    held: list[int] = []

    def look() -> None:
        held.append(max(len(page.session._parts.states._held) for page in mesh.peers))
        mesh.at(mesh.now + 0.02, look)

    mesh.at(0.0, look)
    mesh.run(6.0)
    assert max(held) == 1
    assert [page.session._parts.streams.busy for page in mesh.peers] == [False] * 3
    assert mesh.network.reliable.chunks == 0
    assert [page.session.hashes_compared for page in mesh.peers] == [10] * 3


@pytest.mark.parametrize("opens_after", [0.1, None])
def test_initial_states_that_differ_are_refused_and_named(opens_after: float | None) -> None:
    """An environment whose reset draws from a generator of its own: both sides learn which field, after the refusal."""

    class Unseeded(Parting):
        def __init__(self, seat: int) -> None:
            super().__init__(2)
            self.seat = seat

        def reset(self, episode: int) -> None:
            super().reset(episode)
            self.ball = 3 + 2 * self.seat

    mesh = Mesh(
        2, settings(p2p_wait=0.5), Unseeded, lambda seat: lambda episode, frame: 0,
        Conditions(delay=0.05, opens_after=opens_after), seed=2,
    )  # fmt: skip
    mesh.run(20.0)
    assert [page.session.reason for page in mesh.peers] == ["initial_state", "initial_state"]
    for _ in range(90):
        mesh.time.run(mesh.now + 1 / 30, lambda: False)
    assert [[(report.frame, report.differences) for report in of] for of in reports(mesh)] == [
        [(0, [["state.ball.x", "3", "5"]])], [(0, [["state.ball.x", "5", "3"]])]
    ]  # fmt: skip


def test_the_metrics_have_the_fields_and_the_own_state_in_a_form_that_can_be_read() -> None:
    """The other side's state is in the other side's metrics."""
    mesh = mesh_of(cells=50)
    mesh.run(30.0)
    for page, own, theirs in zip(mesh.peers, "07", "70", strict=True):
        (told,) = json.loads(json.dumps(export_session_metrics(page.session)))["desyncReports"]
        state = canonical.decode(zlib.decompress(base64.b64decode(told.pop("state"))))
        assert state["ball"] == {"x": int(own)}
        assert state["walk"]["frame"] == HASHED
        assert told == {
            "episode": 0, "frame": HASHED, "playerId": str(1 - page.seat), "lacks": None,
            "fields": [{"path": "state.ball.x", "own": own, "theirs": theirs}],
        }  # fmt: skip


@pytest.mark.slow
def test_a_state_that_is_large_even_when_it_is_packed_is_told_and_not_kept_in_the_metrics() -> None:
    """A hundred kilobytes of noise: the fields are there all the same."""
    mesh = mesh_of(cells=22_000)
    mesh.run(30.0)
    for page in mesh.peers:
        (told,) = export_session_metrics(page.session)["desyncReports"]
        assert told["state"] is None
        assert [field["path"] for field in told["fields"]] == ["state.ball.x"]


def test_states_that_a_peer_tells_again_and_again_are_no_longer_looked_at() -> None:
    """What it costs to read one is bounded; so is how many are read, and none keeps the game from going on."""
    mesh = Mesh(
        2, settings(), lambda seat: Parting(2), lambda seat: lambda episode, frame: 0, Conditions(delay=0.05), seed=2
    )
    mesh.run(2.0)
    liar = mesh.peers[1].session
    told = Told(0, 1, None, GONE, []).encode()
    for _ in range(TOLD + REFUSED_MOST + 100):
        liar._parts.streams.put(liar.link_to(0), STATE, told, mesh.peers[1].clock())
    mesh.run(30.0)
    assert mesh.peers[0].session.malformed
    assert mesh.peers[0].session._parts.streams.of(mesh.peers[0].session.link_to(1)).incoming.broken
    assert [page.session.reason for page in mesh.peers] == ["complete"] * 2


@pytest.mark.parametrize("deep", [60, 100, 1495, 100_000])
def test_results_that_are_nested_too_deep_are_shown_as_they_are(deep: int) -> None:
    """In a browser json would end the whole page at some depth, and repr raise at another."""
    seats = mesh_of().peers[0].session.seats
    own, theirs = [
        Told(0, 30, b"\0", "", [b"\1", b'\1,"infos":' + infos])
        for infos in (b"{}", b'{"a":' * deep + b"1" + b"}" * deep)
    ]
    fields, lacks = first_fields(own, theirs, seats, "1")
    assert lacks == ""
    ((path, mine, others),) = fields
    if deep < 64:
        assert (path, mine, others[:6]) == ("rows[29].infos.a", "missing", "{'a': ")
    else:
        assert (path, mine, others[:8]) == ("rows[29]", "{'infos': {}}", "b'{\"a\":{")


@pytest.mark.slow
def test_rows_that_are_too_large_to_be_told_are_said_to_be_left_out() -> None:
    """The states are alike, and nobody claims the same of rows that were not told."""

    class Talking(Walk):
        def __init__(self, tells: int) -> None:
            super().__init__(2, seed=3)
            self.tells = tells

        def step(self, actions: Sequence[Any]) -> StepResult | None:
            result = super().step(actions)
            assert result is not None
            result.infos = {0: {"view": "x" * 40_000, "t": self.tells if self.state[0] == AT else 0}}
            return result

    mesh = Mesh(2, settings(), Talking, lambda seat: lambda episode, frame: frame % 6, Conditions(delay=0.05), seed=2)
    mesh.run(30.0)
    one, two = reports(mesh)
    assert [(report.frame, report.differences) for report in one + two] == [(HASHED, [])] * 2
    assert one[0].lacks == (
        "the rows here since the hash before have more than 1 MiB; "
        "the rows of player 1 since the hash before have more than 1 MiB"
    )


def test_rows_of_which_one_side_has_more_are_not_called_the_same() -> None:
    """Whatever a peer tells: what was not compared is not equal."""
    own = Told(0, 60, b"N", "", [b"a", b"b"])
    theirs = Told(0, 60, b"N", "", [b"a", b"b"] * 2)
    fields, lacks = first_fields(own, theirs, [None, None], "1")  # type: ignore[list-item]
    assert (fields, lacks) == ([], "states are the same on both sides, and one of them has rows that the other has not")
    assert "canonical() gives other bytes" in first_fields(own, own, [None, None], "1")[1]  # type: ignore[list-item]


@pytest.mark.parametrize(("fps", "delay", "opens"), [(60, 0.3, 0.1), (60, 0.35, 0.1), (30, 0.25, None)])
def test_where_every_frame_is_hashed_a_state_is_held_until_everybodys_hash_has_come(
    fps: int, delay: float, opens: float | None
) -> None:
    """However long the way: the first frame that differs is named with its field."""
    conditions = Conditions(delay=delay, server_delay=delay, opens_after=opens)
    mesh = mesh_of(2, conditions, settings(fps=fps, hash_interval=1, p2p_wait=1.0))
    mesh.run(60.0)
    at = AT
    assert [[(of.frame, of.differences, of.lacks) for of in found] for found in reports(mesh)] == [
        [(at, [["state.ball.x", "0", "7"]], "")], [(at, [["state.ball.x", "7", "0"]], "")]
    ]  # fmt: skip


def test_large_states_are_held_up_to_a_bound_in_bytes() -> None:
    """Sixteen at least; of small ones 256."""
    mesh = mesh_of()
    states = mesh.peers[0].session._parts.states
    for size, most in ((HELD_BYTES // 4, HELD_LEAST), (HELD_BYTES // 100, 100), (10, HELD)):
        for frame in range(1000):
            states.hold(Covered(0, frame, None, (b"row",) * 2, size - 6))
        assert list(states._held) == list(range(1000 - most, 1000))
        states.release(999)
        states.cut(0)
        assert (states._held, states._bytes) == ({}, 0)
