"""Pieces of a trajectory, as sessions make them, give the whole one to the byte: in any order, twice, overlapping."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from experienced_support import run
from hypothesis import given
from hypothesis import strategies as st

from pycore.records import Trajectory, read, trajectory_text
from pycore.records import pieces as module
from pycore.records.pieces import Pieces
from pycore.relay.pieces import Episode, Place, join
from pycore.testing import Conditions
from pycore.testing.pages import Page, Watcher


class Cutter(Watcher):
    """Takes the pieces of every page each so many ticks, as a page does."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._ticks: dict[int, int] = {}
        self._pieces: dict[int, Pieces] = {}
        self.trajectories: dict[int, Trajectory] = {}
        self.taken: dict[int, list[dict[str, Any]]] = {}

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        """The trajectory is a sink from the first tick on."""
        if page.seat not in self._pieces:
            trajectory = self.trajectories[page.seat] = Trajectory()
            page.session.add_sink(trajectory)
            self._pieces[page.seat] = Pieces(page.session, trajectory)
            self.taken[page.seat] = []

    def advanced(self, page: Page, flags: int) -> None:
        """A tick is done."""
        seat = page.seat
        self._ticks[seat] = self._ticks.get(seat, 0) + 1
        if self._ticks[seat] % self._every == 0:
            self.taken[seat] += self._pieces[seat].take()

    def end(self) -> None:
        """What is left."""
        for seat, pieces in self._pieces.items():
            self.taken[seat] += pieces.take()


def placed(piece: dict[str, Any]) -> Place:
    return Place(*(piece[name] for name in Place._fields))


def joined(pieces: Sequence[dict[str, Any]]) -> tuple[str, dict[int, Episode]]:
    """The trajectory that is made of pieces, and what is known of its episodes."""
    found: dict[int, Episode] = {}
    lines = [pieces[0]["data"].partition("\n")[0] + "\n"]
    for episode in sorted({piece["episode"] for piece in pieces}):
        of = {placed(piece): piece["data"].encode() for piece in pieces if piece["episode"] == episode}
        found[episode] = join(of)
        lines += [segment.lines(of[segment.place]).decode() for segment in found[episode].segments]
    return "".join(lines), found


def played(every: int) -> tuple[str, list[dict[str, Any]]]:
    """A trajectory of two episodes of 90 frames, and its pieces."""
    cutter = Cutter(every)
    mesh, _ = run(Conditions(delay=0.05, jitter=0.02, loss=0.05), watchers=(cutter,))
    cutter.end()
    assert mesh.peers[0].session.reason == "complete"
    return trajectory_text(mesh.peers[0].session, cutter.trajectories[0]), cutter.taken[0]


WHOLE, PIECES = played(13)
_, OTHERS = played(29)


def test_each_piece_is_a_trajectory_by_itself_and_none_repeats_a_row() -> None:
    """One after the other they have every frame once."""
    assert len(PIECES) > 12
    frames = [
        (piece["episode"], frame)
        for piece in PIECES for frame in range(piece["first"], piece["first"] + piece["frames"])
    ]  # fmt: skip
    assert frames == [(episode, frame) for episode in (0, 1) for frame in range(90)]
    assert [piece["last"] for piece in PIECES].count(True) == 2
    first = PIECES[0]
    assert first["data"].startswith(WHOLE.partition("\n")[0] + "\n")
    assert len(read(first["data"]).episodes[0].frames) == first["frames"]


@given(st.lists(st.sampled_from([*PIECES, *OTHERS])), st.randoms(use_true_random=False))
def test_any_order_and_repetition_and_overlap_of_pieces_is_the_whole(more: list[dict[str, Any]], rng: Any) -> None:
    """Those of another division of the same episodes among them: what is there is the trajectory, byte for byte."""
    pieces = [*PIECES, *more]
    rng.shuffle(pieces)
    text, episodes = joined(pieces)
    assert text == WHOLE
    assert all(episode.whole for episode in episodes.values())


@given(st.lists(st.sampled_from([*PIECES, *OTHERS]), min_size=1))
def test_some_of_the_pieces_give_some_of_the_rows_and_say_which_are_missing(some: list[dict[str, Any]]) -> None:
    """Each row once, in order; gaps and segments share the frames up to the last."""
    text, episodes = joined(some)
    rows = WHOLE.splitlines()
    places = [rows.index(line) for line in text.splitlines()]
    assert places == sorted(set(places))
    for number, episode in episodes.items():
        spans = sorted([*[(each.start, each.stop) for each in episode.segments], *episode.gaps])
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
        there = {
            frame for piece in some if piece["episode"] == number
            for frame in range(piece["first"], piece["first"] + piece["frames"])
        }  # fmt: skip
        missing = {frame for start, stop in episode.gaps for frame in range(start, stop)}
        assert there == set(range(max((stop for _, stop in spans), default=0))) - missing


def piece(revision: int, base: int, first: int, frames: int, last: bool = False) -> Place:
    return Place(revision, base, first, frames, last)


def taken_of(*places: Place) -> list[tuple[int, int, int, bool]]:
    """Revision, from, up to, end."""
    return [(each.place.revision, each.start, each.stop, each.last) for each in join(places).segments]


def test_what_was_taken_back_is_not_in_the_record() -> None:
    """Rows of a revision count up to where the next begins, in whatever order they come, and its end does not."""
    old, older, new = piece(0, 0, 100, 60, True), piece(0, 0, 0, 100), piece(1, 120, 120, 10)
    for order in itertools.permutations((old, older, new)):
        assert taken_of(*order) == [(0, 0, 100, False), (0, 100, 120, False), (1, 120, 130, False)]
    assert taken_of(old, older) == [(0, 0, 100, False), (0, 100, 160, True)]
    # The end alone may be taken back, and come again.
    assert taken_of(old, older, piece(1, 160, 160, 0, True))[1:] == [(0, 100, 160, False), (1, 160, 160, True)]
    # Of a revision whose first piece is missing it is known all the same where it begins.
    episode = join((old, older, piece(1, 90, 95, 10)))
    assert episode.gaps == [(90, 95)]
    assert episode.frames == 90


def test_a_session_that_takes_rows_back_makes_pieces_of_another_revision() -> None:
    """Only if something is taken back that was taken; rows that were not are simply others."""
    cutter = Cutter(10_000)
    mesh, _ = run(Conditions(delay=0.02), watchers=(cutter,), num_episodes=1)
    trajectory = cutter.trajectories[0]
    pieces = Pieces(mesh.peers[0].session, trajectory)
    rows = trajectory.rows(0, 0)
    (first,) = pieces.take()
    assert (first["revision"], first["base"], first["first"], first["frames"], first["last"]) == (0, 0, 0, 90, True)
    assert list(pieces.take()) == []
    trajectory.cut(0, 90)
    trajectory.end(0, 90, bytes(8))
    (again,) = pieces.take()
    assert placed(again) == (1, 90, 90, 0, True)
    assert joined([first, again])[1][0].whole
    trajectory.cut(0, 50)
    trajectory.cut(0, 40)
    (shorter,) = pieces.take()
    assert placed(shorter) == (3, 40, 40, 0, False)
    text, episodes = joined([again, shorter, first])
    assert text.splitlines()[1:] == rows[:40]
    assert not episodes[0].whole
    assert list(pieces.take()) == []


def test_a_piece_has_as_many_rows_as_fit_and_one_that_is_longer_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is never divided, and none is left out."""
    cutter = Cutter(10_000)
    mesh, _ = run(Conditions(delay=0.02), watchers=(cutter,), num_episodes=1)
    rows = [len(row) + 1 for row in cutter.trajectories[0].rows(0, 0)]
    monkeypatch.setattr(module, "LONGEST", 3 * max(rows))
    found = list(Pieces(mesh.peers[0].session, cutter.trajectories[0]).take())
    assert {piece["frames"] for piece in found[:-1]} <= {2, 3}
    assert sum(piece["frames"] for piece in found) == 90
    monkeypatch.setattr(module, "LONGEST", 10)
    alone = list(Pieces(mesh.peers[0].session, cutter.trajectories[0]).take())
    assert [piece["frames"] for piece in alone] == [1] * 90
