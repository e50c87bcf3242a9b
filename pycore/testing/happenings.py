"""What happens in a scenario, done to a mesh: pages that go or are slow, ways that are cut, a server that is away.

What lasts is a state of a page, a way or the server: it is as the last thing has it that has begun and not ended, and
whole when nothing of the kind lasts. So for every kind there is one function, which is asked whenever one begins or
ends. What happens at a moment is done then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED
from pycore.testing.kinds import ALL, KINDS, PAGE, WAY
from pycore.testing.mesh import Mesh
from pycore.testing.pages import Page
from pycore.testing.scenario import Happening
from pycore.testing.standing import Standing

DISTURBS: Final = frozenset(
    ("leave", "vanish", "reload", "freeze", "socket-down", "socket-dies", "server-down", "server-restart")
)
"""What the law of standing still presupposes is broken by these."""
LOADS: Final = 1.0
"""Seconds that a page takes to be loaded again by itself."""
SPEAKS_AFTER: Final = 0.5
"""Seconds from a page's having its seat again until anything of its session comes: Python is told first."""
MOST_LOADS: Final = 12
"""Loads of one page after which nobody comes back any more."""
CONGESTED: Final = 20_000
"""Bytes in the buffers of channels that take no more."""


class Happenings:
    """What happens to one mesh. Where several of a kind overlap, all is whole again when the last one ends."""

    def __init__(self, mesh: Mesh, standing: Standing) -> None:
        self._mesh = mesh
        self._standing = standing
        self._lasting: list[Happening] = []
        """What has begun and not ended, in the order in which it began."""
        self.happened: list[Happening] = []
        """What has begun, to somebody who was there."""
        self._loading: dict[int, int] = {}
        """By seat, how often a page began to be loaded again."""
        self._speeds = [page.speed for page in mesh.peers]
        """Of the pages' clocks, where nothing skews them."""
        for page in mesh.peers:
            self._let_load(page)

    def _let_load(self, page: Page) -> None:
        """Who was dropped, and may come back, loads its page again, as a page of ours does by itself."""
        loads = page.loads

        def load() -> None:
            if any(seat == page.seat for _, seat in self._mesh.server.told):
                # The server has told the others that it left, and has no seat for it any more.
                return
            if page.absent or page.loads != loads:
                pass
            elif not self._mesh.server.reached_by(page.seat) or not page.awake:
                # It asks the server which load of its page it is.
                self._mesh.at(self._mesh.now + LOADS, load)
                return
            elif page.loads < MOST_LOADS:
                self._standing.disturbed()
                self._loaded(page)
            self._let_load(page)

        page.loads_again = lambda: self._mesh.at(self._mesh.now + LOADS, load)

    def add(self, happening: Happening) -> None:
        """Let it happen when its time comes, and end."""
        self._mesh.at(happening.begins, lambda: self._begin(happening))
        if happening.ends is not None:
            self._mesh.at(happening.ends, lambda: self._end(happening))

    def heal(self, *but: str) -> None:
        """Whatever lasts is over, but what is of these kinds."""
        for happening in [of for of in self._lasting if of.what not in but]:
            self._end(happening)

    def _begin(self, happening: Happening) -> None:
        if KINDS[happening.what].lasts:
            self._lasting.append(happening)
            done = self._do(happening, None)
        else:
            done = self._do(happening, happening)
        if done:
            self.happened.append(happening)

    def _end(self, happening: Happening) -> None:
        if happening in self._lasting:
            self._lasting.remove(happening)
            self._do(happening, None)

    def _do(self, happening: Happening, moment: Happening | None) -> bool:
        """It has begun, or ended: done to whoever is there. Whether that is anybody."""
        what = happening.what
        done = False
        if what in DISTURBS:
            self._standing.disturbed()
        for seats in self._whom(happening):
            page = self._mesh.peers[seats[0]] if KINDS[what].whom == PAGE else None
            # What happens to a page that is being loaded is so when it is there, or keeps it from that.
            if page is None or not page.absent or page.coming:
                _DO[what](self, seats, moment or self._last(what, seats))
                done = True
        return done

    def _whom(self, happening: Happening) -> list[tuple[int, ...]]:
        """To whom it happens: a page each, a pair each, a way each, or once for all."""
        whom = KINDS[happening.what].whom
        if happening.seats or whom == ALL:
            return [happening.seats]
        pages = range(len(self._mesh.peers))
        return [(a, b) for a in pages for b in pages if a < b or (whom == WAY and a != b)]

    def _last(self, what: str, seats: tuple[int, ...]) -> Happening | None:
        """What of this kind began last of those that last for them."""
        found = [of for of in self._lasting if of.what == what and (not of.seats or _same(what, of.seats, seats))]
        return found[-1] if found else None

    def _lasts(self, what: str, *seats: int) -> bool:
        return self._last(what, seats) is not None

    def _page(self, seats: tuple[int, ...]) -> Page:
        return self._mesh.peers[seats[0]]

    # -- ways and channels ------------------------------------------------------------------------------------

    def _cut(self, seats: tuple[int, ...], now: Happening | None) -> None:
        a, b = seats
        for way in ((a, b), (b, a)):
            self._mesh.way(*way).cut = self._lasts("cut", *way) or self._lasts("cut-one-way", *way)

    def _hang(self, seats: tuple[int, ...], now: Happening | None) -> None:
        way = (seats[0], seats[1])
        if now is None:
            self._mesh.network.go_on(way)
        else:
            self._mesh.network.hang(way)

    def _close(self, seats: tuple[int, ...], now: Happening | None) -> None:
        a, b = seats
        if now is None:
            self._open(a, b, (0.0, 0.0))
        else:
            state = CHANNEL_FAILED if now.what == "fail" else CHANNEL_CLOSED
            self._mesh.close_channel(a, b, state=state)

    def _close_late(self, seats: tuple[int, ...], now: Happening | None) -> None:
        a, b = seats
        if now is None:
            self._open(a, b, (0.3, 0.0))
        else:
            self._mesh.close_channel(a, b, (0.0, now.amount))

    def _open(self, a: int, b: int, seen_after: tuple[float, float]) -> None:
        """A new channel, unless something still keeps the two from having one."""
        if any(self._lasts(what, *pair) for what in ("close", "fail", "close-late") for pair in ((a, b), (b, a))):
            return
        if not (self._mesh.peers[a].gone or self._mesh.peers[b].gone or self._mesh.conditions.opens_after is None):
            self._mesh.open_channel(a, b, seen_after)
            for end in (a, b):
                self._congest((end,), self._last("congest", (end,)))

    def _congest(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._mesh.congest(seats[0], 0 if now is None else CONGESTED)

    def _refuse(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._mesh.way(*seats).raises = now is not None

    def _lose_next(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._mesh.way(*seats).lose_next = int(_amount(now))

    def _delay(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._standing.about_to_change()
        self._mesh.way(*seats).delay = None if now is None else _amount(now) / 1000

    def _lossy(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._mesh.way(*seats).loss = None if now is None else _amount(now) / 100

    def _narrow(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._standing.about_to_change()
        self._mesh.way(*seats).bandwidth = None if now is None else 1000 * _amount(now)

    # -- the server and its sockets ---------------------------------------------------------------------------

    def _server_down(self, seats: tuple[int, ...], now: Happening | None) -> None:
        if now is None:
            self._mesh.server.come_back()
        else:
            self._mesh.server.go_away([self._mesh.random.random() for _ in self._mesh.peers])

    def _server_restart(self, seats: tuple[int, ...], now: Happening | None) -> None:
        mesh = self._mesh
        mesh.server.restart([  # an absent page has no client that tries
            None if page.absent or self._lasts("socket-down", page.seat) or self._lasts("socket-dies", page.seat)
            else 0.3 + 3.7 * mesh.random.random()
            for page in mesh.peers
        ])  # fmt: skip

    def _socket(self, seats: tuple[int, ...], now: Happening | None) -> None:
        if self._lasts("socket-down", *seats) or self._lasts("socket-dies", *seats):
            if now is not None:
                self._mesh.server.lose(seats[0], now.amount or 0.0, now.amount or 0.0)
        elif not self._page(seats).gone:
            self._mesh.server.connect(seats[0])

    # -- pages ------------------------------------------------------------------------------------------------

    def _leave(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).leave(channels_close_after=0.2, server_sees_after=0.2)

    def _vanish(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).vanish(channels_fail_after=17.0, server_sees_after=25.0)

    def _break(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).abort()

    def _stop(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).stop()

    def _hide(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).hidden = now is not None

    def _freeze(self, seats: tuple[int, ...], now: Happening | None) -> None:
        page = self._page(seats)
        if now is None:
            page.thaw()
        elif now.ends is None:
            page.freeze_for_good()
        else:
            page.freeze()

    def _hiccups(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).hiccup_every = None if now is None else _amount(now)

    def _slow(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).slow = 1.0 if now is None else 1.0 + _amount(now) / 100

    def _ticks(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).ticks_per_second = None if now is None else _amount(now)

    def _skew(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).speed = self._speeds[seats[0]] * (1.0 if now is None else 1.0 + _amount(now) / 100)

    def _clock(self, seats: tuple[int, ...], now: Happening | None) -> None:
        self._page(seats).clock_offset += _amount(now)

    def _reload(self, seats: tuple[int, ...], now: Happening | None) -> None:
        """It is closed, and there again when it is loaded: with no amount at once."""
        page = self._page(seats)
        if now is None or not now.amount:
            self._loaded(page)
            return
        self._loading[page.seat] = number = self._loading.get(page.seat, 0) + 1
        page.leave(channels_close_after=0.2, server_sees_after=0.2)
        page.coming = True

        def loaded() -> None:
            if not page.coming or self._loading[page.seat] != number:
                # It was closed meanwhile, or loaded once more.
                return
            self._standing.disturbed()
            if any(seat == page.seat for _, seat in self._mesh.server.told):
                # Its seat is nobody's any more.
                page.coming = False
            else:
                self._loaded(page)

        def presented() -> None:
            if page.coming and self._loading[page.seat] == number and not self._has_no_line(page.seat):
                self._mesh.server.connect(page.seat)

        # What the server says of it is there before its own first word.
        self._mesh.at(self._mesh.now + max(0.0, now.amount - SPEAKS_AFTER), presented)
        self._mesh.at(self._mesh.now + now.amount, loaded)

    def _has_no_line(self, seat: int) -> bool:
        return self._lasts("socket-down", seat) or self._lasts("socket-dies", seat)

    def _loaded(self, page: Page) -> None:
        mesh = self._mesh
        page.load()
        mesh.server.welcome(page.seat)
        if not self._has_no_line(page.seat):
            mesh.server.connect(page.seat)
        for other in page.channels:
            mesh.close_channel(page.seat, other, seen_after=(0.0, 0.3))

        def opens() -> None:
            for other in page.channels:
                self._open(page.seat, other, (0.0, 0.0))

        mesh.at(mesh.now + 2.0, opens)


def _same(what: str, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two happenings of a kind are of the same page, pair or way."""
    return one == other if KINDS[what].whom == WAY else set(one) == set(other)


def _amount(of: Happening | None) -> float:
    assert of is not None
    assert of.amount is not None
    return of.amount


_DO: Final[Mapping[str, Callable[[Happenings, tuple[int, ...], Happening | None], None]]] = {
    "leave": Happenings._leave,
    "vanish": Happenings._vanish,
    "reload": Happenings._reload,
    "break": Happenings._break,
    "stop": Happenings._stop,
    "hide": Happenings._hide,
    "freeze": Happenings._freeze,
    "hiccups": Happenings._hiccups,
    "slow": Happenings._slow,
    "ticks": Happenings._ticks,
    "skew": Happenings._skew,
    "clock": Happenings._clock,
    "socket-down": Happenings._socket,
    "socket-dies": Happenings._socket,
    "cut": Happenings._cut,
    "cut-one-way": Happenings._cut,
    "hang": Happenings._hang,
    "close": Happenings._close,
    "close-late": Happenings._close_late,
    "fail": Happenings._close,
    "congest": Happenings._congest,
    "refuse": Happenings._refuse,
    "lose-next": Happenings._lose_next,
    "delay": Happenings._delay,
    "lossy": Happenings._lossy,
    "narrow": Happenings._narrow,
    "server-down": Happenings._server_down,
    "server-restart": Happenings._server_restart,
}
"""What is done for them when one of a kind begins or ends: given the one that lasts now, or None."""
