"""What must hold where some of three and more are gone, and the others go on: all settled alike, and end alike."""

from __future__ import annotations

import json

from pycore.session.phases import HOLDING, PLAYING, READYING
from pycore.session.publication import PLAYER
from pycore.testing.mesh import Mesh
from pycore.testing.pages import Page, Watcher

WENT_ON = frozenset(("complete", "stop"))
"""Reasons with which a session came to its end."""
TO_AN_END = WENT_ON | {"player_left"}
"""The same, or to that which all survivors have."""


def settled_in(mesh: Mesh) -> dict[int, tuple[int, int]]:
    """By seat of who is gone, episode and frame of its last action, as whoever settled it says."""
    found: dict[int, tuple[int, int]] = {}
    for page in mesh.peers:
        for departure in page.session.gone.values():
            for seat, frame in departure.frames.items():
                assert departure.episode is not None
                found[seat] = max(found.get(seat, (0, -1)), (departure.episode, frame))
    return found


def gone_in(mesh: Mesh, episode: int) -> dict[int, int]:
    """The last frame of an episode with an action of its own, by seat of who was gone then; -1: there is none."""
    return {
        seat: frame if episode == last_episode else -1
        for seat, (last_episode, frame) in settled_in(mesh).items() if episode >= last_episode
    }  # fmt: skip


def away_in(mesh: Mesh, episode: int) -> dict[int, list[tuple[int, int | None]]]:
    """By seat of who was gone in an episode, each time the last frame with an action of its own, and the first one when
    it was back, or None: as anybody's record has it."""
    marks: dict[int, dict[str, str]] = {}
    for page in mesh.peers:
        # What a load before had confirmed of it is not what was played, perhaps, if nobody was left who knew.
        loads = [of for of in (*page.published_before, page.published) if any(of.rows[episode : episode + 1])]
        for published in loads[-1:]:
            for frame, text in published.stood_in[episode].items():
                marks.setdefault(frame, {}).update(json.loads("{" + text[1:] + "}")["gone"])
    found: dict[int, list[tuple[int, int | None]]] = {}
    for frame, players in sorted(marks.items()):
        for player, what in players.items():
            spans = found.setdefault(int(player), [])
            if what == PLAYER:
                spans[-1] = spans[-1][0], frame
            else:
                spans.append((frame - 1, None))
    return found


def not_alike(mesh: Mesh) -> list[str]:
    """What differs between survivors that settled, or came to the end."""
    wrong = []
    told: dict[int, set[tuple[int, int]]] = {}
    for page in mesh.peers:
        if page.session.reason in TO_AN_END:
            for departure in page.session.gone.values():
                for seat, frame in departure.frames.items():
                    told.setdefault(seat, set()).add((departure.episode or 0, frame))
    wrong += [f"seat {seat} was settled at {sorted(places)}" for seat, places in told.items() if len(places) > 1]
    ends = {}
    for page in mesh.peers:
        if page.session.gone and page.session.reason in WENT_ON and not page.loads:
            ends[page.seat] = (page.session.reason, page.rows, page.finals, page.hashes)
    for seat, end in ends.items():
        for other, another in ends.items():
            if seat < other and end != another:
                wrong.append(f"seats {seat} and {other} went on without somebody, and have other records")
    return wrong + [text for page in mesh.peers for text in _ended_alike(mesh, page)]


def _ended_alike(mesh: Mesh, page: Page) -> list[str]:
    """An episode that two survivors brought to its end has the same end."""
    wrong = []
    for other in mesh.peers[page.seat + 1 :]:
        if page.lost_for_good or other.lost_for_good:
            # It held where somebody was gone, and never heard that another one, itself perhaps, had given more.
            continue
        for episode, (one, two) in enumerate(zip(page.finals, other.finals, strict=False)):
            if one is not None and two is not None and (one, page.rows[episode]) != (two, other.rows[episode]):
                wrong.append(f"seats {page.seat} and {other.seat}: episode {episode} ended otherwise")
    return wrong


class Holding(Watcher):
    """Remembers how far each page held the inputs of each other one in an unbroken run, as long as that was there."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, int, int], int] = {}
        """By page, episode and seat."""

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        session = page.session
        if page.loads:
            # What the page held before it was loaded again is gone with it.
            for key in [key for key in self.held if key[0] == page.seat]:
                del self.held[key]
            return
        if session.phase not in (READYING, PLAYING, HOLDING):
            return
        held = session.timeline.frames.held
        for link in session.there:
            key = page.seat, session.episode, link.seat
            self.held[key] = max(self.held.get(key, -1), held[link.seat])

    def lost(self, mesh: Mesh) -> list[str]:
        """What a survivor held, and was not played."""
        wrong = []
        for seat, (episode, frame) in settled_in(mesh).items():
            for page in mesh.peers:
                if seat in page.session.gone and page.session.reason in TO_AN_END:
                    held = self.held.get((page.seat, episode, seat), -1)
                    delay = (mesh.input_delays(episode) or (0,) * (seat + 1))[seat]
                    if held > max(frame, delay - 1):
                        wrong.append(f"seat {page.seat} held seat {seat} up to {held} in {episode}, settled at {frame}")
        return wrong
