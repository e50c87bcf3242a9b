"""Pieces of a trajectory, as sessions make them, give the whole one to the byte: in any order, twice, overlapping."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import pytest
from experienced_support import run
from hypothesis import given
from hypothesis import strategies as st

from pycore.records import Trajectory, read, trajectory_text
from pycore.records import pieces as module
from pycore.records.pieces import Pieces
from pycore.relay.storage.pieces import Episode, Place, join
from pycore.session.session import Session
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


def played(every: int) -> tuple[str, list[dict[str, Any]], Session]:
    """A trajectory of two episodes of 90 frames, its pieces, and the session."""
    cutter = Cutter(every)
    mesh, _ = run(Conditions(delay=0.05, jitter=0.02, loss=0.05), watchers=(cutter,))
    cutter.end()
    session = mesh.peers[0].session
    assert session.reason == "complete"
    return trajectory_text(session, cutter.trajectories[0]), cutter.taken[0], session


WHOLE, PIECES, SESSION = played(13)
_, OTHERS, _ = played(29)


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


class Steps:
    """A trajectory as one load of a page has it: from the first frame of the episode in which it returned, and so many
    frames of the session."""

    cuts: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, confirmed: int) -> None:
        self.confirmed = confirmed
        self._begun = confirmed // 90

    @property
    def episodes(self) -> int:
        return -(-self.confirmed // 90)

    def first(self, episode: int) -> int:
        return 0

    def rows(self, episode: int, frame: int) -> list[str]:
        lines = WHOLE.splitlines()[1 + 91 * episode :][: max(0, min(90, self.confirmed - 90 * episode))]
        return lines[frame:] if episode >= self._begun else []

    def end_line(self, episode: int) -> str:
        there = self._begun <= episode < self.confirmed // 90
        return WHOLE.splitlines()[91 + 91 * episode] if there else ""


def loads(plays: list[list[int]]) -> list[dict[str, Any]]:
    """The pieces of all loads of a page. Each load plays so many frames between two takes, takes the end of an episode
    when it is there, and takes nothing of its last frames; the last load plays to the end and takes everything."""
    found: list[dict[str, Any]] = []
    confirmed = 0
    for load, steps in enumerate([*plays, [180, 0]]):
        trajectory = Steps(confirmed)
        pieces = Pieces(SESSION, cast(Any, trajectory), load)
        if load:
            assert list(pieces.take()) == [], "before it plays it does not know where that begins"
            pieces.caught_up(confirmed // 90, confirmed % 90)
        for number, step in enumerate(steps):
            before, confirmed = confirmed, min(180, confirmed + step)
            if before // 90 < confirmed // 90:
                trajectory.confirmed = 90 * (confirmed // 90)
                found += pieces.take()
            trajectory.confirmed = confirmed
            if number < len(steps) - 1:
                found += pieces.take()
        if confirmed == 180:
            break
    return found


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=4), max_size=3), st.randoms(use_true_random=False))
def test_the_pieces_of_several_loads_of_a_page_are_the_whole(plays: list[list[int]], rng: Any) -> None:
    """Wherever a page is loaded again, and whatever it had stored: in any order and twice, byte for byte."""
    pieces = loads(plays)
    pieces += rng.choices(pieces, k=3)
    rng.shuffle(pieces)
    text, episodes = joined(pieces)
    assert text == WHOLE
    assert all(episode.whole for episode in episodes.values())


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=4), min_size=1, max_size=3))
def test_nothing_that_one_load_had_stored_is_made_void_by_the_next(plays: list[list[int]]) -> None:
    """Also where that one is gone before it has stored as much: what is there only grows."""
    whole, module.LONGEST = module.LONGEST, 1500
    try:
        pieces = loads(plays)
    finally:
        module.LONGEST = whole
    before = ""
    for count in range(1, len(pieces) + 1):
        text, _ = joined(pieces[:count])
        assert WHOLE.startswith(text)
        assert text.startswith(before)
        before = text
    assert before == WHOLE


def test_a_later_load_that_stores_little_makes_nothing_void_that_an_earlier_one_stored() -> None:
    """It begins at frame 0 again, and may be gone before it comes as far."""
    first, second = piece(0, 0, 0, 70), piece(1000, 80, 0, 10)
    assert taken_of(first, second) == [(1000, 0, 10, False), (0, 10, 70, False)]
    # Rows behind the return are the later load's alone.
    assert taken_of(piece(0, 0, 0, 90, True), second) == [(1000, 0, 10, False), (0, 10, 80, False)]
    assert taken_of(first, second, piece(1000, 80, 10, 90)) == [(1000, 0, 10, False), (1000, 10, 100, False)]


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
