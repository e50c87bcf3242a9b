"""The server of a simulated mesh: it passes inputs and signals on in order, may be away, and tells who left.

A socket has three truths: whether it works, what the page believes and what the server believes. What a page emits
into a socket that is dead already is lost; what the server passes on to a dead one is lost as well. When the server
believes that a socket is gone, and it is not back within `grace`, the others are told that its player left, as the
relay does with `end_game`. Of three and more it drops a player of whom another one complains, if its socket is away,
or if most complain, and tells all, as the relay does with `player_gone`; afterwards it passes on nothing of it. When a
socket is away for a second it tells the others so, and again when it is back.

A server that starts anew has what a relay finds in its database: seats are kept, and who was dropped stays so. It knows
no socket and no complaint of before; whoever is away then has the whole `grace` again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycore.session.session import Session
from pycore.testing.timetable import Timetable
from pycore.testing.ways import Conditions

INPUT = "pyodide_player_action"
SIGNAL = "webrtc_signal"
SILENT = "player_silent"
GONE = "player_gone"
AWAY = "player_away"
BACK = "player_back"
COMPLAINT_LASTS = 5.0
ANNOUNCED_AFTER = 1.0
"""From noticing that a socket is gone until the others are told that it is away, s."""


def hand_over(session: Session, sender: int, event: str, data: dict[str, Any], now: float) -> None:
    """Give a session what came from the server, as the bridge does."""
    if event == SIGNAL:
        session.receive_signal(sender, data["payload"], now)
    elif event == INPUT:
        session.receive_action(sender, data["action"], data["frame_number"], data["sync_epoch"], now)
    elif event == GONE:
        session.players_gone(data["players"], now)
    elif event == AWAY:
        session.player_away(sender, now)
    else:
        session.player_back(sender, now)


class _Client:
    """The server's end of one page."""

    __slots__ = ("announced", "changes", "gone", "left", "message", "socket", "works")

    def __init__(
        self, message: Callable[[int, str, Any], None], socket: Callable[[bool], None], left: Callable[[int], None]
    ) -> None:
        self.message = message
        self.socket = socket
        self.left = left
        self.works = True
        self.announced = False
        """The others were told that it is away."""
        self.changes = 0
        """How often the socket was lost or came back: what the page notices later than the next change never is."""
        self.gone = 0
        """The same for the server, which knows nothing any more when it begins anew."""


class Server:
    """Passes on what pages emit. Pages are attached to it."""

    def __init__(self, conditions: Conditions, time: Timetable) -> None:
        self.conditions = conditions
        self.away = False
        """Nothing passes, and no socket works, though the pages may believe so."""
        self.passes_epoch = True
        """False: it leaves `sync_epoch` out of an input, as the page's own server does."""
        self.grace: float | None = None
        """Seconds from noticing that a socket is gone until the others are told; None: they never are."""
        self.inputs = 0
        """Inputs that crossed the server."""
        self.signals = 0
        self.told: list[tuple[float, int]] = []
        """When the others were told that a seat left."""
        self.drops = True
        """Whether it knows what a complaint is; False: as a server of another make."""
        self.dropped: list[int] = []
        """Seats that it has dropped."""
        self.reopens = False
        """Whether who was dropped may come back, and one of two may be dropped."""
        self.announces = False
        """Whether it keeps seats, and tells who is away and who is back."""
        self._complaints: dict[tuple[int, int], float] = {}
        self._time = time
        self._clients: dict[int, _Client] = {}
        self._last: dict[tuple[int, int], float] = {}

    def attach(
        self,
        seat: int,
        message: Callable[[int, str, Any], None],
        socket: Callable[[bool], None],
        left: Callable[[int], None],
    ) -> None:
        """The page of a seat takes messages as (sender, event, data), its socket's state, and who left."""
        self._clients[seat] = _Client(message, socket, left)

    def reached_by(self, seat: int) -> bool:
        """Whether what the page of a seat emits now gets here."""
        return not self.away and self._clients[seat].works

    # -- messages ---------------------------------------------------------------------------------------------

    def emit(self, seat: int, event: str, data: dict[str, Any]) -> None:
        """A page that believes its socket to be up emits."""
        if not self.reached_by(seat) or seat in self.dropped:
            return
        if event == INPUT:
            self.inputs += 1
            if not self.passes_epoch:
                data = {**data, "sync_epoch": None}
            for other in self._clients:
                if other != seat:
                    self._pass_on(seat, other, event, data)
        elif event == SIGNAL:
            self.signals += 1
            self._pass_on(seat, data["target_player_id"], event, data)
        elif event == SILENT and self.drops:
            self._complain(seat, data["player_id"])

    def _complain(self, seat: int, silent: int) -> None:
        """A page does not hear of another one."""
        there = [other for other in self._clients if other not in self.dropped]
        works = self._clients[silent].works
        if silent not in there or len(there) < 3 - self.reopens or (len(there) < 3 and works):
            return
        self._complaints[seat, silent] = now = self._time.now
        others = [other for other in there if other != silent]
        agree = sum(now - self._complaints.get((other, silent), -1e9) < COMPLAINT_LASTS for other in others)
        if works and 2 * agree <= len(others):
            return
        self.dropped.append(silent)
        for other in there:
            self._pass_on(silent, other, GONE, {"players": [silent]})

    def _pass_on(self, sender: int, to: int, event: str, data: dict[str, Any]) -> None:
        due = max(self._last.get((sender, to), 0.0), self._time.now + self.conditions.server_delay)
        self._last[sender, to] = due
        self._time.at(due, lambda: self._deliver(sender, to, event, data))

    def _deliver(self, sender: int, to: int, event: str, data: dict[str, Any]) -> None:
        client = self._clients[to]
        if client.works and not self.away:
            client.message(sender, event, data)

    # -- sockets ----------------------------------------------------------------------------------------------

    def lose(self, seat: int, page_sees_after: float | None = 0.0, server_sees_after: float | None = 0.0) -> None:
        """The socket of a page dies; each side notices it so many seconds later, or never (None)."""
        client = self._clients[seat]
        client.works = False
        client.changes += 1
        client.gone += 1
        change, number = client.changes, client.gone

        def page_sees() -> None:
            if client.changes == change:
                client.socket(False)

        def tell() -> None:
            if client.gone == number and not self.away:
                self.tell_that_left(seat)

        def announce() -> None:
            if client.gone == number and not self.away:
                self._announce(seat, True)

        def server_sees() -> None:
            if client.gone == number:
                self._time.after(ANNOUNCED_AFTER, announce)
                if self.grace is not None:
                    self._time.after(self.grace, tell)

        if page_sees_after is not None:
            self._time.after(page_sees_after, page_sees)
        if server_sees_after is not None:
            self._time.after(server_sees_after, server_sees)

    def connect(self, seat: int) -> None:
        """The page has a working socket again, if the server is there."""
        client = self._clients[seat]
        client.works = True
        client.changes += 1
        client.gone += 1
        if not self.away:
            self._is_there(seat)

    def welcome(self, seat: int) -> None:
        """Another load of a page gets its seat, also that of one who was dropped, where that may come back."""
        if self.reopens and seat in self.dropped:
            self.dropped.remove(seat)
        for pair in [pair for pair in self._complaints if seat in pair]:
            del self._complaints[pair]
        # Also where nobody had noticed: they have another page before them.
        self._clients[seat].announced = True

    def restart(self, back_after: Sequence[float | None]) -> None:
        """It ends and is there again at once, and remembers no socket; the page of seat i is back after
        `back_after[i]` seconds, as its client's back-off has it, or never (None)."""
        # Nobody is waited for before somebody has come whose game it is.
        self._begin_anew(min([after for after in back_after if after is not None], default=0.0))
        for seat, after in enumerate(back_after):
            if after is None:
                continue
            self.lose(seat, 0.0, None)
            change = self._clients[seat].changes

            def back(seat: int = seat, change: int = change) -> None:
                # Also where the server was away once more meanwhile: the client goes on trying.
                if self._clients[seat].changes == change:
                    self.connect(seat)

            self._time.after(after, back)

    def _begin_anew(self, first: float) -> None:
        """It is another process from now on, and who is away counts as such when the first page is back."""
        self._complaints.clear()
        over = {*self.dropped, *(seat for _, seat in self.told)}
        for seat, client in self._clients.items():
            client.announced = self.announces
            if client.works or self.grace is None or seat in over:
                continue
            client.gone += 1
            number = client.gone

            def tell(seat: int = seat, client: _Client = client, number: int = number) -> None:
                if client.gone == number and not self.away:
                    self.tell_that_left(seat)

            self._time.after(first + self.grace, tell)

    def tell_that_left(self, seat: int) -> None:
        """Everybody else is told that a player is gone for good."""
        self.told.append((self._time.now, seat))
        for other, client in self._clients.items():
            if other != seat and client.works:
                self._time.after(self.conditions.server_delay, lambda client=client: client.left(seat))  # type: ignore[misc]

    def go_away(self, seen_after: Sequence[float] = ()) -> None:
        """The server is gone; the page of seat i notices after `seen_after[i]`, at once where nothing is said."""
        self.away = True
        for seat, client in self._clients.items():
            number = client.gone
            after = seen_after[seat] if seat < len(seen_after) else 0.0

            def sees(client: _Client = client, number: int = number) -> None:
                if self.away and client.gone == number:
                    client.socket(False)

            self._time.after(after, sees)

    def come_back(self) -> None:
        """A server is there again, and every page whose line works has its socket back."""
        self.away = False
        self._begin_anew(0.0)
        for seat, client in self._clients.items():
            if client.works:
                self._is_there(seat)

    def _is_there(self, seat: int) -> None:
        """A socket works again. Who was dropped while it was away is told so; the others learn that it is back, and it
        learns who is away."""
        self._clients[seat].socket(True)
        if seat in self.dropped:
            self._pass_on(seat, seat, GONE, {"players": [seat]})
            return
        self._announce(seat, False)
        for other, client in self._clients.items():
            if other != seat and self.announces:
                self._pass_on(other, seat, AWAY if client.announced else BACK, {})

    def _announce(self, seat: int, away: bool) -> None:
        """Tell the others that somebody is away, or back; each once."""
        client = self._clients[seat]
        if self.announces and client.announced is not away and seat not in self.dropped:
            client.announced = away
            for other in self._clients:
                if other != seat:
                    self._pass_on(seat, other, AWAY if away else BACK, {})
