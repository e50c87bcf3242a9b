"""What happens to a mesh where several things of a kind overlap: it lasts until the last of them ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from pycore.session.confirmed import ConfirmedFrame
from pycore.settings import Settings
from pycore.testing import Mesh, Page, Standing, Watcher
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
    "one way": lambda mesh: mesh.way(0, 1).cut and not mesh.way(1, 2).cut,
    "hung": lambda mesh: mesh.way(0, 1).hangs,
    "refused": lambda mesh: mesh.way(0, 1).raises,
    "congested": lambda mesh: mesh.peers[1].channels[0] > 16_384,
    "slow": lambda mesh: mesh.peers[1].slow > 1.0,
    "ticks": lambda mesh: mesh.peers[1].ticks_per_second is not None,
    "hiccups": lambda mesh: mesh.peers[1].hiccup_every is not None,
    "skewed": lambda mesh: mesh.peers[1].speed != 1.0,
    "lossy": lambda mesh: mesh.way(0, 1).loss is not None,
    "narrow": lambda mesh: mesh.way(0, 1).bandwidth is not None,
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
        ("socket", ["socket-down 1@1-3", "socket-dies 1@2-5=1"]),
        ("socket", ["socket-down 1@1-5", "server-restart@2"]),
        ("close", ["close@1-3", "fail 0-1@2-5"]),
        ("close", ["close-late 1-0@1-5=0", "close@2-3"]),
        ("one way", ["cut-one-way 0-1@1-3", "cut 0-1@2-5"]),
        ("one way", ["cut 0-1@1-3", "cut-one-way 0-1@2-5"]),
        ("hung", ["hang@1-3", "hang 0-1@2-5"]),
        ("refused", ["refuse 0-1@1-5", "refuse@2-4"]),
        ("congested", ["congest 1@1-5", "congest 1@2-3"]),
        ("slow", ["slow 1@1-3=20", "slow 1@2-5=30"]),
        ("ticks", ["ticks 1@1-3=20", "ticks 1@2-5=25"]),
        ("hiccups", ["hiccups 1@1-3=2", "hiccups 1@2-5=3"]),
        ("skewed", ["skew 1@1-3=2", "skew 1@2-5=-2"]),
        ("lossy", ["lossy@1-3=20", "lossy 0-1@2-5=30"]),
        ("narrow", ["narrow 0-1@1-5=64", "narrow@2-3=32"]),
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


def test_of_two_amounts_the_one_that_began_last_counts() -> None:
    """And when it ends, the one before it again."""
    mesh = mesh_with("delay@1-5=100", "delay 0-1@2-3=200", "delay 1-0@2=50")
    seen = []
    for when in (0.9, 1.5, 2.5, 3.5, 5.5):
        mesh.time.run(when, lambda: False)
        seen.append((mesh.way(0, 1).delay, mesh.way(1, 0).delay))
    assert seen == [(None, None), (0.1, 0.1), (0.2, 0.05), (0.1, 0.05), (None, 0.05)]


@pytest.mark.slow
def test_what_heals_is_over_and_what_is_for_good_may_stay() -> None:
    """Its end, when it comes, changes nothing any more."""
    standing = Standing()
    mesh = mesh_with()
    standing.mesh = mesh
    happens = Happenings(mesh, standing)
    for happening in Scenario.from_json({"happenings": ["cut@1-9", "delay@1=100", "server-down@1"]}).happenings:
        happens.add(happening)
    mesh.run(2.0)
    happens.heal("delay")
    assert not mesh.way(0, 1).cut
    assert not mesh.server.away
    assert mesh.way(0, 1).delay == 0.1
    mesh.cut()
    mesh.run(10.0)
    assert mesh.way(0, 1).cut
    happens.heal()
    assert mesh.way(0, 1).delay is None


def test_a_channel_that_hangs_delivers_all_at_once_when_it_goes_on() -> None:
    """In order, and nothing meanwhile."""
    mesh = mesh_with("hang 0-1@1-3")
    mesh.run(2.9)
    way = mesh.way(0, 1)
    waiting, heard = len(way.kept), mesh.peers[1].session.link_to(0).counts.received_via_p2p
    assert waiting > 20
    assert not mesh.way(1, 0).kept
    mesh.run(3.03)
    assert not way.kept
    assert mesh.peers[1].session.link_to(0).counts.received_via_p2p >= heard


def test_what_hung_in_a_channel_that_closed_comes_by_no_other_one() -> None:
    """As where a page was loaded again meanwhile: the new one hears nothing of what lay in the old channel."""
    mesh = mesh_with("hang 0-1@1-3")
    mesh.run(2.0)
    old = set(mesh.way(0, 1).kept)
    assert len(old) > 10
    mesh.close_channel(0, 1)
    mesh.open_channel(0, 1)
    arrived: list[bytes] = []

    class Heard(Watcher):
        def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
            if sender == 0 and data is not None:
                arrived.append(data)

    mesh.peers[1].watch([Heard()])
    mesh.run(4.0)
    assert len(arrived) > 10
    assert not old & set(arrived)


def test_a_clock_that_is_skewed_does_not_jump() -> None:
    """It shows what it did, and runs otherwise from then on."""
    mesh = mesh_with("skew 1@1-2=5", "clock 2@3=-60")
    seen = []
    for when in (0.999, 1.001, 1.999, 2.001, 2.999, 3.001):
        mesh.run(when)
        seen.append((mesh.clock(1), mesh.clock(2)))
    one = [late - early for (early, _), (late, _) in pairwise(seen)]
    assert one == pytest.approx([0.00205, 0.998 * 1.05, 0.00205, 0.998, 0.002], abs=1e-6)
    assert seen[5][1] - seen[4][1] == pytest.approx(0.002 - 60.0)


def test_a_dead_socket_is_believed_to_live_until_it_is_noticed() -> None:
    """What is emitted meanwhile is lost."""
    mesh = mesh_with("socket-dies 1@1-5=2")
    mesh.run(2.0)
    assert mesh.peers[1].socket_up
    assert not mesh.server.reached_by(1)
    mesh.run(3.1)
    assert not mesh.peers[1].socket_up
    mesh.run(5.1)
    assert mesh.peers[1].socket_up


def test_a_server_that_starts_anew_loses_all_sockets_and_has_them_back_within_four_seconds() -> None:
    """Each page at its own time; and nobody is told that anybody left."""
    mesh = mesh_with("server-restart@1")
    mesh.server.grace = 0.1
    mesh.run(1.1)
    assert [page.socket_up for page in mesh.peers] == [False] * 3
    back: dict[int, float] = {}
    while len(back) < 3 and mesh.now < 6.0:
        mesh.run(mesh.now + 0.05)
        back.update({page.seat: mesh.now for page in mesh.peers if page.socket_up and page.seat not in back})
    assert len(set(back.values())) == 3
    assert max(back.values()) <= 5.05
    assert mesh.server.told == []


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


@pytest.mark.parametrize("happening", ["cut@2-3", "cut 0-1@2-3", "cut-one-way 0-1@2-3", "hang 0-1@2-3", "healed"])
def test_a_way_that_is_whole_again_delivers_what_its_reliable_channel_kept_and_what_comes_after(happening: str) -> None:
    """In order; a channel that is opened anew keeps nothing of the one before."""
    mesh = mesh_with("cut@2-9" if happening == "healed" else happening)
    if happening == "healed":
        mesh.at(3.0, mesh.restore)
    taken: list[tuple[float, bytes]] = []
    mesh.network.reliable.attach(1, lambda sender, data: taken.append((round(mesh.now, 2), data)))
    for when in (1.0, 2.5, 2.6, 4.0):
        mesh.at(when, lambda when=when: mesh.network.reliable.send(0, 1, str(when).encode()))  # type: ignore[misc]
    mesh.run(5.0)
    assert taken == [(1.02, b"1.0"), (3.0, b"2.5"), (3.0, b"2.6"), (4.02, b"4.0")]


def test_a_channel_that_is_opened_anew_keeps_nothing_back_for_the_one_before() -> None:
    """What that one had kept is lost with it, and holds up nothing."""
    mesh = mesh_with("hang 0-1@2-5")
    taken: list[bytes] = []
    mesh.network.reliable.attach(1, lambda sender, data: taken.append(data))
    mesh.at(2.5, lambda: mesh.network.reliable.send(0, 1, b"lost"))
    mesh.at(3.0, lambda: mesh.close_channel(0, 1))
    mesh.at(3.5, lambda: mesh.open_channel(0, 1))
    mesh.at(4.0, lambda: mesh.network.reliable.send(0, 1, b"kept"))
    mesh.run(6.0)
    assert taken == [b"kept"]
