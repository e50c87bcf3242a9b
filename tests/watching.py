"""What is judged while a mesh runs, and not at its end: events, windows, the runs of a packet, the news.

Each watcher writes what it finds wrong into `wrong`, once per kind and page, and keeps what it measured. The law of
standing still is `pycore.testing.standing`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import core_view

from pycore import EMIT, HOLDING, PLAYING, SEND
from pycore.events import PeerStatus, SessionEnded
from pycore.simulation import StepResult
from pycore.testing import Judge, Page, Walk


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
    """All inputs that were fixed at a page; of a frame with several, since it was loaded again, the first, unless it
    returned: then it knows what others hold of those before."""
    found: dict[int, bytes] = {}
    loads = [*page.given_before, page.inputs]
    for load in loads if page.session.load else reversed(loads):
        if episode < len(load):
            found.update(load[episode])
    return found


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
            if seat in page.session.gone:
                # Nobody gave the default action that stands there now.
                continue
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
        # The others play on without the page: what a server passes on to it without its episode may be of a later one.
        alone = session.settings.reopens and any(page.seat in of.session.gone for of in self.mesh.peers)
        if event.actual is not None and event.actual != true and not alone:
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
        if sender in session.gone or data[3] != session.link_to(sender).peer.low:
            # Of who is gone here, or of a load of its page before the one that speaks now.
            return
        frames = core_view.frames_in_two_runs(session, data, sender)
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
        peer = page.session.link_to(sender).peer
        if data is None or not peer.load or data[3] == peer.low:
            # Otherwise it is of a load of its page before the one that came back.
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
        # Whether who came back too late has everything from before is looked at in the end.
        allowed = ("complete", "stop", "no_return") if page.returns else ("complete", "stop")
        if not self.must_end and event.reason not in allowed:
            self.complain(page, "end", f"{event}")
        if event.reason == "no_progress":
            quiet = max(
                self.mesh.now - self._heard.get((page.seat, other), 0.0)
                for other in page.channels
                if other not in page.session.gone
            )
            if quiet > 2 * page.session.settings.interrupted_after:
                self.complain(page, "end", f"{event}, but somebody was not heard for {quiet:.1f} s")
