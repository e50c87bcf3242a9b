"""What happens in a scenario, done to a mesh: pages that go or are hidden, ways that are cut, a server that is away."""

from __future__ import annotations

from pycore.testing.mesh import Mesh
from pycore.testing.pages import Page
from pycore.testing.scenario import Happening
from pycore.testing.standing import Standing


class Happenings:
    """What happens to one mesh. Where several of a kind overlap, all is whole again when the last one ends."""

    def __init__(self, mesh: Mesh, standing: Standing) -> None:
        self._mesh = mesh
        self._standing = standing
        self._lasting: list[Happening] = []
        """What has begun and not ended."""

    def add(self, happening: Happening) -> None:
        """Let it happen when its time comes, and end."""
        self._mesh.at(happening.begins, lambda: self._begin(happening))
        if happening.ends is not None:
            self._mesh.at(happening.ends, lambda: self._end(happening))

    def _lasts(self, what: str, *seats: int) -> bool:
        """Whether such a thing lasts for a page, or between two."""
        return any(of.what == what and (not of.seats or set(of.seats) == set(seats)) for of in self._lasting)

    def _pairs(self, happening: Happening) -> list[tuple[int, int]]:
        """Between whom it happens."""
        if happening.seats:
            return [(happening.seats[0], happening.seats[1])]
        pages = range(len(self._mesh.peers))
        return [(a, b) for a in pages for b in pages if a < b]

    def _begin(self, happening: Happening) -> None:
        mesh = self._mesh
        what = happening.what
        if happening.ends is not None:
            self._lasting.append(happening)
        if what == "cut":
            for a, b in self._pairs(happening):
                mesh.cut((a, b))
                mesh.cut((b, a))
            return
        if what == "close":
            for a, b in self._pairs(happening):
                mesh.close_channel(a, b)
            return
        # The law of standing still presupposes what these break.
        self._standing.disturbed()
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
            self._reload(page)
        elif what == "hide":
            page.hidden = True
        elif what == "freeze":
            page.freeze()
        elif what == "socket-down":
            mesh.server.lose(page.seat)

    def _reload(self, page: Page) -> None:
        mesh = self._mesh
        page.load()
        if not self._lasts("socket-down", page.seat):
            mesh.server.connect(page.seat)
        for other in page.channels:
            mesh.close_channel(page.seat, other, seen_after=(0.0, 0.3))

        def opens() -> None:
            for other in page.channels:
                self._open(page.seat, other)

        mesh.at(mesh.now + 2.0, opens)

    def _open(self, a: int, b: int) -> None:
        if not (self._lasts("close", a, b) or self._mesh.peers[a].gone or self._mesh.peers[b].gone):
            self._mesh.open_channel(a, b)

    def _end(self, happening: Happening) -> None:
        mesh = self._mesh
        what = happening.what
        self._lasting.remove(happening)
        if what == "cut":
            for a, b in self._pairs(happening):
                mesh.way(a, b).cut = mesh.way(b, a).cut = self._lasts("cut", a, b)
            return
        if what == "close":
            for a, b in self._pairs(happening):
                self._open(a, b)
            return
        self._standing.disturbed()
        if self._lasts(what, *happening.seats):
            return
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
