"""What must hold where some of three and more are gone, and the others go on: all settled alike, and end alike."""

from __future__ import annotations

from collections.abc import Sequence

import core_view

from pycore.testing import Mesh, Page, Watcher

WENT_ON = frozenset(("complete", "stop"))
"""Reasons with which a session came to its end."""
TO_AN_END = WENT_ON | {"player_left"}
"""The same, or to that which all survivors have."""


def settled_in(mesh: Mesh) -> dict[int, tuple[int, int]]:
    """By seat of who is gone, episode and frame of its last action, as whoever settled it says."""
    found = {}
    for page in mesh.peers:
        for departure in page.session.gone.values():
            for seat, frame in departure.frames.items():
                assert departure.episode is not None
                found[seat] = max(found.get(seat, (0, -1)), (departure.episode, frame))
    return found


def behind_drops(mesh: Mesh, episode: int, inputs: Sequence[dict[int, bytes]]) -> None:
    """Put the default action where somebody was gone, into what the pages gave, by seat."""
    for seat, (last_episode, frame) in settled_in(mesh).items():
        if episode < last_episode:
            continue
        last = frame if episode == last_episode else -1
        default = mesh.peers[0].session.seats[seat].default
        delay = mesh.peers[0].session.seats[seat].delay
        for gone in range(max(last + 1, delay), mesh.settings.max_steps):
            inputs[seat][gone] = default


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
        if page.loads or not core_view.open_for_inputs(session):
            return
        held = core_view.held(session)
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
                    if held > max(frame, page.session.seats[seat].delay - 1):
                        wrong.append(f"seat {page.seat} held seat {seat} up to {held} in {episode}, settled at {frame}")
        return wrong
