"""What happens to a mesh where several things of a kind overlap: it lasts until the last of them ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pycore.session.confirmed import ConfirmedFrame
from pycore.settings import Settings
from pycore.testing import Mesh, Standing
from pycore.testing.games import Walk
from pycore.testing.happenings import Happenings
from pycore.testing.scenario import Scenario


def mesh_with(*happenings: str) -> Mesh:
    """Three pages to which these happen."""
    settings = Settings(max_steps=600, action_space={"type": "discrete", "n": 6}, p2p_wait=1.0)
    standing = Standing()
    mesh = Mesh(3, settings, lambda seat: Walk(3), lambda seat: lambda episode, frame: frame // 4 % 6, seed=1)
    standing.mesh = mesh
    happens = Happenings(mesh, standing)
    for happening in Scenario.from_json({"happenings": list(happenings)}).happenings:
        happens.add(happening)
    return mesh


LOOKS: dict[str, Callable[[Mesh], bool]] = {
    "cut": lambda mesh: mesh.way(0, 1).cut and mesh.way(1, 0).cut,
    "close": lambda mesh: mesh.peers[0].channels[1] < 0 and mesh.peers[1].channels[0] < 0,
    "hidden": lambda mesh: mesh.peers[1].hidden,
    "frozen": lambda mesh: mesh.peers[1].frozen,
    "socket": lambda mesh: not mesh.server.reached_by(1),
}


@pytest.mark.parametrize(
    ("look", "happenings"),
    [
        ("cut", ["cut@1-3", "cut@2-5"]),
        ("cut", ["cut 0-1@1-5", "cut@2-4"]),
        ("cut", ["cut@1-5", "cut 1-0@2-4"]),
        ("close", ["close@1-3", "close 0-1@2-5"]),
        ("close", ["close 0-1@1-5", "reload 2@1"]),
        ("hidden", ["hide 1@1-5", "hide 1@2-3"]),
        ("frozen", ["freeze 1@1-5", "freeze 1@2-3"]),
        ("frozen", ["freeze 1@1-5", "hide 1@2-3"]),
        ("socket", ["socket-down 1@1-3", "socket-down 1@2-5"]),
        ("socket", ["server-down@1-3", "socket-down 1@2-5"]),
        ("socket", ["socket-down 1@1-3", "server-down@2-5"]),
        ("socket", ["socket-down 1@1-5", "reload 1@2"]),
    ],
)
def test_what_overlaps_lasts_until_the_last_of_it_ends(look: str, happenings: list[str]) -> None:
    """And not longer, and it is not whole in between."""
    mesh = mesh_with(*happenings)
    seen = []
    for when in (0.9, 2.5, 3.5, 4.5, 5.5):
        mesh.time.run(when, lambda: False)
        seen.append(LOOKS[look](mesh))
    assert seen == [False, True, True, True, False]


def test_only_their_way_is_cut_where_two_are_named() -> None:
    """Another pair's cut, and its end, are its own."""
    mesh = mesh_with("cut 0-2@1-5", "cut 0-1@1-3")
    mesh.run(2.0)
    assert sorted(pair for pair, way in mesh.network.ways.items() if way.cut) == [(0, 1), (0, 2), (1, 0), (2, 0)]
    mesh.run(4.0)
    assert sorted(pair for pair, way in mesh.network.ways.items() if way.cut) == [(0, 2), (2, 0)]


def test_the_hash_of_a_frame_that_is_taken_back_is_taken_back_with_it() -> None:
    """What a page is judged by is what it stands by in the end."""
    page = mesh_with().peers[0]
    for frame in range(5):
        confirmed = ConfirmedFrame(0, frame, (), (b"", b"", b""), None, None)
        confirmed.digest = b"%08d" % frame if frame in (2, 4) else None
        page.record.frame(confirmed)
    page.record.cut(0, 3)
    assert page.hashes == [{2: b"00000002"}]
    assert len(page.rows[0]) == len(page.rewards[0]) == 3
