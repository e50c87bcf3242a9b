"""What happens in a scenario, done to a mesh: pages that go or are hidden, ways that are cut, a server that is away."""

from __future__ import annotations

from pycore.testing.mesh import Mesh
from pycore.testing.scenario import Happening
from pycore.testing.standing import Standing


def happen(mesh: Mesh, standing: Standing, happening: Happening) -> None:
    """Let it happen when its time comes, and end."""
    mesh.at(happening.begins, lambda: _begin(mesh, standing, happening))
    if happening.ends is not None:
        mesh.at(happening.ends, lambda: _end(mesh, standing, happening))


def _ways(happening: Happening) -> list[tuple[int, int] | None]:
    if not happening.seats:
        return [None]
    a, b = happening.seats
    return [(a, b), (b, a)]


def _begin(mesh: Mesh, standing: Standing, happening: Happening) -> None:
    what = happening.what
    if what == "cut":
        for way in _ways(happening):
            mesh.cut(way)
        return
    if what == "close":
        if happening.seats:
            mesh.close_channel(happening.seats[0], happening.seats[1])
        else:
            mesh.close()
        return
    # The law of standing still presupposes what these break.
    standing.disturbed()
    if what == "server-down":
        mesh.server.go_away()
        return
    page = mesh.peers[happening.seats[0]]
    if page.gone:
        return
    if what == "leave":
        page.leave(channels_close_after=0.2, server_sees_after=0.2)
    elif what == "vanish":
        page.vanish(channels_fail_after=17.0, server_sees_after=25.0)
    elif what == "reload":
        page.load()
        mesh.server.connect(page.seat)
        for other in page.channels:
            mesh.close_channel(page.seat, other, seen_after=(0.0, 0.3))
        mesh.at(mesh.now + 2.0, mesh.open_channels)
    elif what == "hide":
        page.hidden = True
    elif what == "freeze":
        page.freeze()
    elif what == "socket-down":
        mesh.server.lose(page.seat)


def _end(mesh: Mesh, standing: Standing, happening: Happening) -> None:
    what = happening.what
    if what == "cut":
        for way in _ways(happening):
            if way is None:
                mesh.restore()
            else:
                mesh.way(*way).cut = False
        return
    if what == "close":
        if happening.seats and not any(mesh.peers[seat].gone for seat in happening.seats):
            mesh.open_channel(happening.seats[0], happening.seats[1])
        elif not happening.seats:
            mesh.open_channels()
        return
    standing.disturbed()
    if what == "server-down":
        mesh.server.come_back()
        return
    page = mesh.peers[happening.seats[0]]
    if page.gone:
        return
    if what == "hide":
        page.hidden = False
    elif what == "freeze":
        page.thaw()
    elif what == "socket-down":
        mesh.server.connect(page.seat)
