"""What is judged while a mesh runs: the law of standing still.

While all pages tick, all sockets work and the server is there, no page stands longer in one piece than max(2 s, 10
round trips, 15 ticks). Of the ten, eight are of the path in use, since whether it is dead is judged by its own round
trip, and two of the better path that works; the worst pair counts. With more than two players a page may wait for one
who waits for a third: each further player grants as much again, up to three times. A piece begins anew when one of
these conditions was broken.

Twice as much is granted to all together when all hold at an end, where several rounds of words follow each other;
and once as much, and a second, to who goes on while another's session is over: who is over says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pycore.duties import P2P
from pycore.session.phases import HOLDING, PLAYING
from pycore.session.tick import STALLED
from pycore.testing.pages import Page, Watcher

if TYPE_CHECKING:
    from pycore.testing.mesh import Mesh

LATE: Final = 3.0
"""A tick this many periods behind the one before is late: the page did not tick."""


class Judge(Watcher):
    """A watcher that knows the mesh, and what is wrong with it."""

    mesh: Mesh
    """Set by whoever makes the mesh."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        """What was found, the first of each kind on each page."""
        self.kinds: list[str] = []
        """Of what kind each of these is."""
        self._said: set[tuple[int, str]] = set()

    def complain(self, page: Page, kind: str, text: str) -> None:
        """Note a fault, the first of its kind on each page."""
        if (page.seat, kind) not in self._said:
            self._said.add((page.seat, kind))
            self.kinds.append(kind)
            self.wrong.append(f"t={self.mesh.now:.2f} seat {page.seat}: {text}")


RETURN: Final = 4.0
"""Seconds that a page may need to come back, besides the round trips."""


class Standing(Judge):
    """Measures how long anybody stands, holds at an end together with all, or outlives another's session."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        """The longest piece in which a page stood, seconds."""
        self.longest_share = 0.0
        """The same as a share of what is granted."""
        self.longest_hold = 0.0
        self.longest_return = 0.0
        """The longest that a page was on its way back."""
        self.most_on_the_way = 0
        """The most pages that were so at the same time."""
        self._returns: dict[int, float] = {}
        self._unreachable = 0.0
        self.longest_outlived = 0.0
        self._broken = 0.0
        """When the conditions were broken last."""
        self._since: dict[int, float] = {}
        self._trips: dict[str, float] = {}
        self._remembered = 0.0, 0.0
        self._all_hold: float | None = None
        self._over: dict[int, float] = {}

    def disturbed(self) -> None:
        """Something that the law presupposes is broken just now, however briefly."""
        self._broken = self.mesh.now

    def waking(self, page: Page) -> None:
        if self.mesh.now - page.ticked_at > self._late(page):
            self._broken = self.mesh.now

    def _late(self, page: Page) -> float:
        return LATE * self._period(page) + 0.02

    def _period(self, page: Page) -> float:
        period = page.session.settings.period * page.slow
        return max(period, 1.0 / page.ticks_per_second) if page.ticks_per_second else period

    def _whole(self) -> bool:
        # Nobody can play on while one is on its way back, which has a limit of its own.
        return self._reachable() and all(page.session.catching_up is None for page in self.mesh.peers)

    def _reachable(self) -> bool:
        now = self.mesh.now
        server = self.mesh.server
        for page in self.mesh.peers:
            if not (page.awake and page.socket_up and server.reached_by(page.seat)):
                return False
            if page.ticked_at and now - page.ticked_at > self._late(page):
                return False
        return True

    def about_to_change(self) -> None:
        """Delays change now: for a while a session still measures by the old ones."""
        self._remembered = self.mesh.now + 3.0, self._grant()

    def _grant(self) -> float:
        """Eight round trips of the path in use and two of the better one that works, of the worst pair."""
        mesh = self.mesh
        worst = 0.0
        server = 2.0 * mesh.conditions.server_delay
        for page in mesh.peers:
            for link in page.session.there:
                other = mesh.peers[link.seat]
                if other.seat < page.seat:
                    continue
                paths = link.path, other.session.link_to(page.seat).path
                nominal = mesh.network.round_trip(page.seat, other.seat)
                used = max(nominal if path == P2P else server for path in paths)
                better = server
                if paths == (P2P, P2P) and mesh.network.works(page.seat, other.seat):
                    if page.channels[other.seat] >= 0 <= other.channels[page.seat]:
                        better = min(server, nominal)
                worst = max(worst, 8.0 * used + 2.0 * better)
        until, before = self._remembered
        return max(worst, before) if mesh.now < until else worst

    def _granted(self, piece: str, begins: bool) -> float:
        """How long that piece of standing may be, by the worst round trips since it began."""
        before = 0.0 if begins else self._trips.get(piece, 0.0)
        self._trips[piece] = trips = max(before, self._grant())
        ticks = max(self._period(of) for of in self.mesh.peers)
        return min(3, len(self.mesh.peers) - 1) * max(2.0, trips, 15.0 * ticks)

    def advanced(self, page: Page, flags: int) -> None:
        now = self.mesh.now
        seat = page.seat
        session = page.session
        if session.phase != PLAYING or not flags & STALLED:
            self._since.pop(seat, None)
        elif not self._whole():
            self._broken = now
        else:
            since = self._since.setdefault(seat, now)
            if since < self._broken:
                since = self._broken
            stood = now - since
            self.longest = max(self.longest, stood)
            granted = self._granted(f"standing {seat}", since == now)
            self.longest_share = max(self.longest_share, stood / granted)
            if stood > granted:
                self.complain(
                    page, "standing", f"stands for {stood:.2f} s at frame {session.frame}, {granted:.2f} granted"
                )
        if session.catching_up is not None:
            self._judge_return(page, now)
        else:
            self._returns.pop(seat, None)
        if session.phase >= HOLDING or self._over:
            self._judge_ends(page, now)
        else:
            self._all_hold = None

    def _judge_return(self, page: Page, now: float) -> None:
        """How long a page that was loaded again is on its way back while everybody can be reached."""
        there = [of for of in self.mesh.peers if not of.over]
        if not self._reachable() or all(of.session.catching_up is not None for of in there):
            # Where all who are there were loaded again, there is nobody to come back to.
            self._unreachable = now
        since = max(self._returns.setdefault(page.seat, now), self._unreachable)
        self.most_on_the_way = max(self.most_on_the_way, len(self._returns))
        took = now - since
        self.longest_return = max(self.longest_return, took)
        granted = RETURN + 2.0 * self._granted(f"returning {page.seat}", since == now)
        if took > granted:
            self.complain(page, "returning", f"is on its way back for {took:.2f} s, {granted:.2f} granted")

    def _judge_ends(self, page: Page, now: float) -> None:
        session = page.session
        seat = page.seat
        if session.phase > HOLDING and session.reason and seat not in self._over:
            self._over[seat] = now
        elif not session.reason:
            # The page was loaded again.
            self._over.pop(seat, None)
        if not all(of.session.phase == HOLDING for of in self.mesh.peers):
            self._all_hold = None
        elif not self._whole():
            self._broken = now
        else:
            begins = self._all_hold is None
            if self._all_hold is None:
                self._all_hold = now
            held = now - max(self._all_hold, self._broken)
            self.longest_hold = max(self.longest_hold, held)
            granted = 2.0 * self._granted("holding", begins)
            if held > granted:
                self.complain(page, "holding", f"all hold at the end for {held:.2f} s, {granted:.2f} granted")
        # Who is gone for others, which play on without, ends nothing of theirs.
        over = {of: since for of, since in self._over.items() if of not in session.gone}
        if over and seat not in over:
            if not self._whole():
                self._broken = now
                return
            outlived = now - max(min(over.values()), self._broken)
            self.longest_outlived = max(self.longest_outlived, outlived)
            granted = 1.0 + self._granted("outliving", False)
            if outlived > granted:
                self.complain(
                    page, "outliving", f"goes on for {outlived:.2f} s after another's end, {granted:.2f} granted"
                )
