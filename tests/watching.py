"""What is judged while a mesh runs, and not at its end: standing still, events, windows, the runs of a packet.

Each watcher writes what it finds wrong into `wrong`, once per kind and page, and keeps what it measured.

The law of standing still: while all pages tick, all sockets work and the server is there, no page stands longer in
one piece than max(2 s, 10 round trips, 15 ticks). Of the ten, eight are of the path in use, since whether it is dead
is judged by its own round trip, and two of the better path that works; the worst pair counts. With more than two
players a page may wait for one who waits for a third: each further player grants as much again, up to three times.
A piece begins anew when one of these conditions was broken.

Twice as much is granted to all together when all hold at an end, where several rounds of words follow each other;
and once as much, and a second, to who goes on while another's session is over: who is over says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import core_view

from pycore import EMIT, HOLDING, P2P, PLAYING, SEND, STALLED
from pycore.events import PeerStatus, SessionEnded
from pycore.simulation import StepResult
from pycore.testing import Mesh, Page, Walk, Watcher

LATE = 3.0
"""A tick this many periods behind the one before is late: the page did not tick."""


class Recorded(Walk):
    """A walk that remembers with what each frame of the episode was stepped last."""

    def __init__(self, seats: int, *, people: int | None = None, **kwargs: Any) -> None:
        super().__init__(seats, **kwargs)
        self.people = seats if people is None else people
        """Seats whose actions are inputs; those behind them are played by policies."""
        self.last: dict[int, tuple[Any, ...]] = {}
        self.changed: list[tuple[int, int]] = []
        """(frame, seat) whose action differed from that of the step before."""

    def reset(self, episode: int) -> None:
        super().reset(episode)
        self.last.clear()
        self.changed.clear()

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        frame = self.state[0]
        now = tuple(actions)
        before = self.last.get(frame, now)
        if before != now:
            self.changed += [(frame, seat) for seat in range(self.people) if before[seat] != now[seat]]
        self.last[frame] = now
        return super().step(actions)


def given(page: Page, episode: int) -> dict[int, bytes]:
    """All inputs that were fixed at a page; of a frame with several, since it was loaded again, the first."""
    found: dict[int, bytes] = {}
    for load in (page.inputs, *reversed(page.given_before)):
        if episode < len(load):
            found.update(load[episode])
    return found


class Judge(Watcher):
    """A watcher that knows the mesh, and what is wrong with it."""

    mesh: Mesh

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._said: set[tuple[int, str]] = set()

    def complain(self, page: Page, kind: str, text: str) -> None:
        """Note a fault, the first of its kind on each page."""
        if (page.seat, kind) not in self._said:
            self._said.add((page.seat, kind))
            self.wrong.append(f"t={self.mesh.now:.2f} seat {page.seat}: {text}")


class Standing(Judge):
    """Measures how long anybody stands, holds at an end together with all, or outlives another's session."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        """The longest piece in which a page stood, seconds."""
        self.longest_share = 0.0
        """The same as a share of what is granted."""
        self.longest_hold = 0.0
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
            for link in page.session.links:
                other = mesh.peers[link.seat]
                if other.seat < page.seat:
                    continue
                paths = core_view.path(link), core_view.path(other.session.link_to(page.seat))
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
        if session.phase >= HOLDING or self._over:
            self._judge_ends(page, now)
        else:
            self._all_hold = None

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
        if self._over and seat not in self._over:
            if not self._whole():
                self._broken = now
                return
            outlived = now - max(min(self._over.values()), self._broken)
            self.longest_outlived = max(self.longest_outlived, outlived)
            granted = 1.0 + self._granted("outliving", False)
            if outlived > granted:
                self.complain(
                    page, "outliving", f"goes on for {outlived:.2f} s after another's end, {granted:.2f} granted"
                )


class Truthful(Judge):
    """Every rollback event says what the simulation was really stepped with last, and what really came; and where a
    known input takes the place of another action in a frame, there was an event."""

    def __init__(self) -> None:
        super().__init__()
        self.checked = 0
        self._seen: dict[int, int] = {}
        self._events: set[tuple[int, int, int, int]] = set()
        """(page, episode, frame, seat) of every event."""

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        self._look(page)

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        self._look(page)

    def advanced(self, page: Page, flags: int) -> None:
        simulation: Any = page.session.simulation
        frame = page.session.frame
        while frame in simulation.last:
            # An end was found before it: for now it is as if it had never been stepped.
            del simulation.last[frame]
            frame += 1
        changed = simulation.changed
        if not changed:
            return
        episode = page.session.episode
        for frame, seat in changed:
            if (page.seat, episode, frame, seat) not in self._events and core_view.knows(page.session, seat, frame):
                self.complain(page, "no event", f"the input of seat {seat} changed frame {frame} without an event")
        changed.clear()

    def _look(self, page: Page) -> None:
        session = page.session
        count = core_view.event_count(session)
        seen = self._seen.get(page.seat, 0)
        if count == seen:
            return
        self._seen[page.seat] = count
        if count < seen:
            seen = 0
        for event in core_view.new_events(session, seen):
            self.checked += 1
            self._events.add((page.seat, event.episode, event.frame, event.seat))
            self._check(page, event)

    def _check(self, page: Page, event: core_view.Misprediction) -> None:
        session = page.session
        here = session.episode, session.frame
        if (event.episode, event.current) != here or not event.frame < event.current:
            self.complain(page, "event", f"{event} while episode, frame are {here}")
            return
        last = page.session.simulation.last[event.frame][event.seat]  # type: ignore[attr-defined]
        stepped = session.codec.encode(last)
        if event.predicted is not None and event.predicted != stepped:
            self.complain(page, "event", f"{event}, but frame {event.frame} was stepped with {stepped.hex()}")
        owner = self.mesh.peers[event.seat]
        inputs = owner.inputs if not owner.loads else [given(owner, at) for at in range(event.episode + 1)]
        true = inputs[event.episode].get(event.frame)
        if event.actual is not None and event.actual != true:
            self.complain(page, "event", f"{event}, but what was given is {true.hex() if true else true}")
        if event.seat == page.seat or stepped == true:
            self.complain(page, "event", f"{event} was no misprediction")


class Windows(Judge):
    """Nothing is ahead by more than the window; datagrams keep their size; no input is dispatched by both paths."""

    def __init__(self, largest: int) -> None:
        super().__init__()
        self.limit = largest
        self.largest = 0
        self.furthest = 0
        self.revoked = 0
        self.raised = 0
        self.both: list[str] = []
        self._held: dict[int, int] = {}
        self._fixed: dict[int, tuple[int, int]] = {}

    def waking(self, page: Page) -> None:
        session = page.session
        if session.phase == HOLDING:
            self._held[page.seat] = session.episode
        else:
            self._held.pop(page.seat, None)
        self._fixed[page.seat] = session.episode, session.dispatched

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        session = page.session
        new = (session.episode, session.dispatched) != self._fixed[page.seat]
        said: set[int] = set()
        if new and len(page.channels) == 1:
            emitted = [payload for duty, _to, _seq, payload in outputs if duty == EMIT]
            said.update(data["frame_number"] for event, data in emitted if event == "pyodide_player_action")
        for duty, to, _seq, data in outputs:
            if duty != SEND:
                continue
            self.largest = max(self.largest, len(data))
            if len(data) > self.limit:
                self.complain(page, "size", f"a datagram of {len(data)} bytes")
            if session.dispatched in said and core_view.is_datagram(data):
                if core_view.newest_input(session, data) == session.dispatched:
                    self.complain(page, "both", f"frame {session.dispatched} goes to {to} by both paths")

    def advanced(self, page: Page, flags: int) -> None:
        session = page.session
        if self._held.get(page.seat) == session.episode and core_view.provisional_end(session) is None:
            self.revoked += 1
        if core_view.open_for_inputs(session):
            ahead = core_view.window(session)
            self.furthest = max(self.furthest, ahead)
            if ahead > session.settings.prediction_window:
                self.complain(page, "window", f"{ahead} frames ahead of what it knows")


class Runs(Judge):
    """What a packet carries is known when it was taken in, in both of its runs."""

    def __init__(self) -> None:
        super().__init__()
        self.checked = 0

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        session = page.session
        if data is None or len(data) < 20 or session.phase not in (PLAYING, HOLDING):
            return
        frames = core_view.frames_in_two_runs(session, data)
        self.checked += bool(frames)
        lacking = [frame for frame in frames if not core_view.knows(session, sender, frame)]
        if lacking:
            self.complain(page, "runs", f"inputs {lacking} of seat {sender} came and are not known")


class News(Judge):
    """No news is false: who is called interrupted was silent, who is said to have left had left or was silent."""

    def __init__(self) -> None:
        super().__init__()
        self.must_end = False
        """Whether the schedule makes somebody's session end before its time."""
        self.jumps = 0
        """How often clocks are set by hand."""
        self._heard: dict[tuple[int, int], float] = {}
        self._read: dict[int, int] = {}

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        self._heard[page.seat, sender] = self.mesh.now

    def advanced(self, page: Page, flags: int) -> None:
        read = self._read.get(page.seat, 0)
        if len(page.news) == read:
            return
        self._read[page.seat] = len(page.news)
        if len(page.news) < read:
            read = 0
        settings = page.session.settings
        for event in page.news[read:]:
            if isinstance(event, PeerStatus) and event.status == "interrupted":
                quiet = self.mesh.now - self._heard.get((page.seat, event.seat), 0.0)
                # A packet that was overtaken need not count as a word; clocks differ by a fiftieth.
                # Of a pause, and of a clock that was set on, six ticks are not excused.
                if quiet < settings.interrupted_after - 0.4 - 6 * settings.period * self.jumps:
                    self.complain(page, "interrupted", f"{event} after {quiet:.2f} s of silence")
            elif isinstance(event, SessionEnded):
                self._check_end(page, event)

    def _check_end(self, page: Page, event: SessionEnded) -> None:
        if not self.must_end and event.reason not in ("complete", "stop"):
            self.complain(page, "end", f"{event}")
        if event.reason == "no_progress":
            quiet = max(self.mesh.now - self._heard.get((page.seat, other), 0.0) for other in page.channels)
            if quiet > 2 * page.session.settings.interrupted_after:
                self.complain(page, "end", f"{event}, but somebody was not heard for {quiet:.1f} s")
