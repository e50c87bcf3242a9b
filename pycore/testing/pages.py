"""The pages of a simulated mesh: each polls and advances its session tick by tick, as well as its machine lets it.

A page hiccups, is slow for good, is frozen by the browser and wakes, is hidden, vanishes, is closed, breaks or is
stopped. While it does not run, nothing is lost on the way to it: what arrives waits, and is handed to the session
when the page wakes, *with the time of waking*, since that is when a browser runs the handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED, CHANNEL_NEVER, EMIT, P2P, SEND, SEND_CHUNK
from pycore.events import CaughtUp, Event
from pycore.session.phases import DONE
from pycore.session.session import Session
from pycore.testing.machine import Machine
from pycore.testing.network import Network
from pycore.testing.published import Published, Record
from pycore.testing.server import INPUT, SIGNAL, Server, hand_over
from pycore.testing.timetable import Timetable
from pycore.wire import datagram


class Watcher:
    """Looks on while a mesh runs. Every call does nothing by default."""

    def waking(self, page: Page) -> None:
        """A page is about to tick."""

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        """The session of a page took something in; `data` is what came peer-to-peer."""

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        """The session of a page was polled; nothing is sent yet."""

    def advanced(self, page: Page, flags: int) -> None:
        """The session of a page advanced: its tick is over."""


class Page:
    """One page of the mesh: a session, what it was given and what it published."""

    def __init__(
        self,
        seat: int,
        others: Sequence[int],
        play: Callable[[int, int], Any],
        make: Callable[[Page], Session],
        time: Timetable,
        network: Network,
        server: Server,
        *,
        drift: float,
        wobble: Callable[[], float],
    ) -> None:
        self.seat = seat
        self.play = play
        """The player: (episode, frame) -> action."""
        self.channels: dict[int, int] = dict.fromkeys(others, CHANNEL_NEVER)
        """What this page sees of its channels."""
        self.socket_up = True
        """What this page believes of its socket."""
        self.hidden = False
        self.gone = False
        """Nothing of the page exists: it vanished, was closed, or was not opened yet."""
        self.coming = False
        """It is gone, and is being loaded again: its next load will be there after a while."""
        self.loads = 0
        """How often the page was loaded again."""
        self.returns = 0
        """How many of these were of a page that had been there."""
        self.given_before: list[list[dict[int, bytes]]] = []
        """The inputs that were fixed before each of these loads, as in `inputs`."""
        self.slow = 1.0
        """Every tick takes this much longer, for good."""
        self.ticks_per_second: float | None = None
        """At most so many ticks a second: a machine that cannot do more."""
        self.machine: Machine | None = None
        """What its ticks take, where the conditions say what the simulation costs."""
        self.loads_again: Callable[[], None] | None = None
        """What the page does that hears that it was dropped, where it may come back."""
        self.hiccup_every: float | None = None
        """Every so many seconds the page stands for `hiccup` seconds; it ticks once in between at least."""
        self.hiccup = 0.25
        self.clock_offset = 1000.0 * (seat + 1)
        """Every page has a clock of its own: other zero, other speed. A change lets it jump."""
        self.published_before: list[Published] = []
        """What was published before each of these loads."""
        self.inputs: list[dict[int, bytes]] = []
        """Per episode, the inputs that this peer fixed: frame -> encoded action."""
        self.record = Record(self)
        """The sink of its session."""
        self.rows: list[list[tuple[bytes, ...]]] = []
        self.rewards: list[list[Any]] = []
        self.finals: list[bytes | None] = []
        self.hashes: list[dict[int, bytes]] = []
        self.stood_in: list[dict[int, str]] = []
        self.news: list[Event] = []
        self.bytes_sent = 0
        self.packets_sent = 0
        self.depths: list[int] = []
        self.ticked_at = 0.0
        """Virtual time of the last tick."""
        self.watch(())
        self._make = make
        self._time = time
        self._network = network
        self._server = server
        self._speed = 1.0 + drift * seat
        self._wobble = wobble
        self._ticking = False
        self._frozen = False
        self.lost_for_good = False
        """The browser froze the page, and never lets it go on."""
        self._hiccups_until = self._hiccuped_at = self._busy_until = 0.0
        self._backlog: list[Callable[[], None]] = []
        network.attach(seat, self._take_packet, self._take_channel)
        network.reliable.attach(seat, self._take_packet)
        server.attach(seat, self._take_message, self._take_socket, self._take_left)
        self.session = make(self)
        self._resume = getattr(self.session.simulation, "resume", None)

    def watch(self, watchers: Sequence[Watcher]) -> None:
        """Let these look on, instead of those before; of each only the calls that it defines cost anything."""
        self._waking = [of.waking for of in watchers if type(of).waking is not Watcher.waking]
        self._arrived = [of.arrived for of in watchers if type(of).arrived is not Watcher.arrived]
        self._polled = [of.polled for of in watchers if type(of).polled is not Watcher.polled]
        self._advanced = [of.advanced for of in watchers if type(of).advanced is not Watcher.advanced]

    # -- what happens to a page -----------------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """Whether the browser froze the page."""
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        self._catch_up()

    def freeze(self) -> None:
        """The browser freezes the page: no tick, no handler."""
        self.frozen = True

    def freeze_for_good(self) -> None:
        """The browser freezes the page, and never lets it go on: nobody waits for its session."""
        self.lost_for_good = True
        self.freeze()

    def thaw(self) -> None:
        """The page goes on, and first with what arrived meanwhile."""
        self.frozen = False

    def vanish(self, channels_fail_after: float | None = None, server_sees_after: float | None = None) -> None:
        """The page is gone without a word, with machine and line; the others see nothing, or later (seconds)."""
        self._go(CHANNEL_FAILED, channels_fail_after)
        self._server.lose(self.seat, None, server_sees_after)

    def leave(self, channels_close_after: float = 0.0, server_sees_after: float = 0.0) -> None:
        """The page is closed: the others' channels close, the server sees its socket go."""
        self._go(CHANNEL_CLOSED, channels_close_after)
        self._server.lose(self.seat, None, server_sees_after)

    def _go(self, state: int, seen_after: float | None) -> None:
        self.gone, self.coming = True, False
        self._backlog.clear()
        for other in self.channels:
            self._network.close(self.seat, other, state, (None, seen_after))

    def abort(self, reason: str = "error", text: str = "the environment broke") -> None:
        """Something in the page broke; it tells its session."""
        if not self.gone:
            self.session.abort(self.clock(), reason, text)

    def stop(self) -> None:
        """Somebody at this page asks for the end."""
        if not self.gone:
            self.session.request_stop(self.clock())

    def load(self, *, first: bool = False) -> None:
        """The page is loaded again, or late for the first time: a new session in the same seat, which knows nothing of
        the one before."""
        self.loads += 1
        self.returns += not first
        self.gone = self.coming = self._frozen = self.lost_for_good = False
        self._backlog.clear()
        self.given_before.append(self.inputs)
        self.published_before.append(self.published)
        self.inputs, self.rows, self.rewards, self.finals, self.hashes, self.news = [], [], [], [], [], []
        self.stood_in = []
        self.session = self._make(self)
        if not self._ticking:
            self.start(self._time.now)

    # -- ticking --------------------------------------------------------------------------------------------

    def clock(self) -> float:
        """What the clock of this page shows now."""
        return self.clock_offset + self._time.now * self._speed

    @property
    def speed(self) -> float:
        """Seconds that its clock shows for each second; a change does not let it jump."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self.clock_offset += self._time.now * (self._speed - speed)
        self._speed = speed

    @property
    def awake(self) -> bool:
        """Whether the page runs its handlers now."""
        now = self._time.now
        return not self.gone and not self._frozen and now >= self._hiccups_until and now >= self._busy_until

    def start(self, after: float) -> None:
        """Begin to tick."""
        self._ticking = True
        self._time.at(after, self.tick)

    def tick(self) -> None:
        """One tick of the page, and the timer for the next one."""
        if self.gone:
            self._ticking = False
            return
        time = self._time
        if (
            self.hiccup_every is not None
            and time.now - self._hiccuped_at >= self.hiccup_every
            and self.ticked_at >= self._hiccups_until
        ):
            self._hiccuped_at = time.now
            self._hiccups_until = time.now + self.hiccup
            time.at(self._hiccups_until, self._catch_up)
            time.at(self._hiccups_until, self.tick)
            return
        if not self._frozen:
            self._run()
        period = self.session.tick_period() / self._speed * self.slow
        if self.ticks_per_second is not None:
            period = max(period, 1.0 / self.ticks_per_second)
        if self.machine is not None:
            self._busy_until, next_tick = self.machine.ticked(time.now, period)
            time.at(self._busy_until, self._catch_up)
            time.at(next_tick + self._wobble() * period, self.tick)
            return
        time.at(time.now + period + self._wobble() * period, self.tick)

    def _run(self) -> None:
        session = self.session
        now = self.clock()
        for waking in self._waking:
            waking(self)
        self.ticked_at = self._time.now
        own = session.seats[self.seat]
        action = self.play(session.episode, session.frame + own.delay)
        if self.hidden:
            action = own.default_action
        before = session.dispatched
        episode = session.episode
        channels = [self.channels[link.seat] for link in session.links]
        streams = self._network.reliable.states(self.seat, self.channels)
        outputs = session.poll(now, action, channels, self.socket_up, self.hidden, streams)
        if session.dispatched > before and session.episode == episode:
            while len(self.inputs) <= episode:
                self.inputs.append({})
            if session.dispatched >= own.delay:
                frames = session.timeline.frames
                # Not what was pressed, where others hold another one from before the page was loaded again.
                self.inputs[episode][session.dispatched] = frames.encoded[session.dispatched & frames.mask][self.seat]
        for polled in self._polled:
            polled(self, outputs)
        self._carry_out(outputs)
        pending = session.timeline.pending
        if pending is not None:
            self.depths.append(session.frame - pending)
        if self._resume is not None:
            # The peers share this process's generators.
            self._resume()
        flags = session.advance(now)
        if session.has_news:
            news = session.news()
            self.news.extend(news)
            for event in news:
                if isinstance(event, CaughtUp):
                    self._note_inputs(event)
        for advanced in self._advanced:
            advanced(self, flags)
        if session.reason == "dropped" and self.loads_again is not None and session.settings.reopens:
            again, self.loads_again = self.loads_again, None
            again()

    def _note_inputs(self, caught_up: CaughtUp) -> None:
        """Behind what was confirmed, its session has fixed its own inputs as others hold them, or as the default."""
        session = self.session
        while len(self.inputs) <= caught_up.episode:
            self.inputs.append({})
        first = max(caught_up.frames, session.seats[self.seat].delay)
        given = session._parts.dispatch.own[0].run(first, session.dispatched)
        self.inputs[caught_up.episode].update(enumerate(given, first))

    def _carry_out(self, outputs: Sequence[Any]) -> None:
        network = self._network
        for duty, seat, seq, payload in outputs:
            if duty == SEND:
                self.bytes_sent += len(payload)
                if payload[0] == datagram.KIND:
                    self.packets_sent += 1
                if self.channels[seat] < 0:
                    continue
                way = network.ways[self.seat, seat]
                if way.refuses():
                    self._carry_out(self.session.send_failed(seat, seq, self.clock()))
                    continue
                network.send(self.seat, seat, payload)
            elif duty == SEND_CHUNK:
                self.bytes_sent += len(payload)
                if self.channels[seat] >= 0:
                    network.reliable.send(self.seat, seat, payload)
            elif duty == EMIT and self.socket_up:
                self._server.emit(self.seat, *payload)

    # -- what arrives ---------------------------------------------------------------------------------------

    def _when_awake(self, do: Callable[[], None]) -> None:
        if self.awake and not self._backlog:
            do()
        elif not self.gone:
            self._backlog.append(do)

    def _catch_up(self) -> None:
        """Hand over what waited, stamped with the time of now."""
        while self._backlog and self.awake:
            self._backlog.pop(0)()

    def _take_packet(self, sender: int, data: bytes) -> None:
        if self.awake and not self._backlog:
            self._receive(sender, data)
        else:
            self._when_awake(lambda: self._receive(sender, data))

    def _receive(self, sender: int, data: bytes) -> None:
        if self.channels[sender] < 0:
            return
        self.session.receive(sender, data, self.clock(), P2P)
        for arrived in self._arrived:
            arrived(self, sender, data)

    def _take_channel(self, other: int, state: int) -> None:
        def see() -> None:
            self.channels[other] = state

        self._when_awake(see)

    def _take_message(self, sender: int, event: str, data: dict[str, Any]) -> None:
        def receive() -> None:
            if not self.socket_up:
                return
            hand_over(self.session, sender, event, data, self.clock())
            # Who is gone, away or back the server says itself.
            for arrived in self._arrived if event in (INPUT, SIGNAL) else ():
                arrived(self, sender, None)

        self._when_awake(receive)

    def _take_socket(self, up: bool) -> None:
        def see() -> None:
            self.socket_up = up

        self._when_awake(see)

    def _take_left(self, seat: int) -> None:
        self._when_awake(lambda: self.session.player_left(seat, self.clock()))

    @property
    def over(self) -> bool:
        """Whether the page is gone, for good, or its session is over."""
        return not self.coming and (self.absent or self.session.phase >= DONE)

    @property
    def absent(self) -> bool:
        """Whether nobody will ever hear of the page again: it is gone, or frozen for good."""
        return self.gone or self.lost_for_good

    @property
    def published(self) -> Published:
        """What its session published."""
        return Published(self.rows, self.rewards, self.finals, self.hashes, self.stood_in, self.session.pacing.delays)

    def events(self, kind: type) -> list[Any]:
        """All news of one kind."""
        return [event for event in self.news if isinstance(event, kind)]
