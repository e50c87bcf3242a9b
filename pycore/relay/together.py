"""The study as all processes of a server have it: whichever of them is asked asks the others.

Each answers from memory, at once. One that does not is named, and what it has is left out: the operator sees the rest,
and which process to look at. A server of one process asks nobody, and says what that has.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import Any, Final

from pycore.relay.overview import LISTED, Overview
from pycore.relay.server import RelayServer
from pycore.relay.watching import Watching
from pycore.version import __version__

State = dict[str, Any]

SUMS: Final = ("sockets", "waiting", "games_playing", "games_remembered", "without_data_count")
"""Of a study's state what is the sum of all processes'."""
COUNTS: Final = ("outcomes", "refusals")
"""The same by kind."""
LISTS: Final = (("waits", "seconds"), ("without_data", ""), ("failures", "time"))
"""What is put together, by what the first has most of; by nothing: in turns, since each has its newest first."""
SHORT: Final = 8
"""Characters of a process's name, as in its log."""
PAGE: Final = 64
"""Games in an answer at most: of eight players each they are half of what a broker takes."""


class Together:
    """Of one process. Asked by `routes`, answers the others."""

    def __init__(self, relay: RelayServer, overview: Overview, watching: Watching) -> None:
        self._relay = relay
        self._overview = overview
        self._watching = watching
        if relay.elsewhere is not None:
            relay.elsewhere.on("state", lambda question: self._own_state())
            relay.elsewhere.on("games", lambda question: self._page(question["from"]))
            relay.elsewhere.on("game", lambda question: {"game": self._own_game(question["game"])})
            relay.elsewhere.on("running", lambda question: {"running": watching.running()})

    async def state(self) -> State:
        """As `GET /api/operator` has it: of several processes with what each answers."""
        elsewhere, own = self._relay.elsewhere, self._own_state()
        if elsewhere is None:
            return own
        others = await elsewhere.ask_all({"t": "state"})
        return merged(own, others.values()) | {"processes": processes(elsewhere.process, own, others)}

    async def games(self) -> State:
        """The games that go on, the newest first, as `GET /api/watch` has them."""
        elsewhere, own = self._relay.elsewhere, self._own_games()
        if elsewhere is None:
            return own
        others = await elsewhere.ask_all({"t": "games", "from": 0})
        pages = dict(others)
        at, listed = 0, list(own["games"])
        while answers := [page for page in pages.values() if page is not None]:
            listed += [game for page in answers for game in page["games"]]
            at += PAGE
            further = [process for process, page in pages.items() if page is not None and page["more"]]
            pages = await elsewhere.ask_all({"t": "games", "from": at}, further) if further else {}
            others |= {process: None for process, page in pages.items() if page is None}
        games = {game["game_id"]: game for game in listed}
        newest = sorted(games.values(), key=lambda game: -game["started"])
        told = processes(elsewhere.process, own, others)
        return merged(own, others.values()) | {"games": newest, "processes": told}

    async def running(self) -> list[str]:
        """The games that go on, by id."""
        own, elsewhere = self._watching.running(), self._relay.elsewhere
        if elsewhere is None:
            return own
        answers = (await elsewhere.ask_all({"t": "running"})).values()
        return own + [game for answer in answers if answer is not None for game in answer["running"]]

    async def game(self, game_id: str) -> State | None:
        """A game of another process: what was counted of it, whether it goes on, its settings; None: none has it."""
        elsewhere = self._relay.elsewhere
        if elsewhere is None or self._relay.lobby.games.room(game_id) is not None:
            return None
        answers = (await elsewhere.ask_all({"t": "game", "game": game_id})).values()
        return next((answer["game"] for answer in answers if answer is not None and answer["game"] is not None), None)

    def _own_state(self) -> State:
        return self._overview.state(time.monotonic(), time.time()) | self._own()

    def _own_games(self, start: int = 0, most: int | None = None) -> State:
        return self._watching.games(time.monotonic(), time.time(), start, most) | self._own()

    def _page(self, start: int) -> State:
        """As many games as an answer has, from one on."""
        return self._own_games(start, PAGE) | {"more": len(self._watching.running()) > start + PAGE}

    def _own(self) -> State:
        return {} if self._relay.elsewhere is None else {**self._relay.sizes(), "version": __version__}

    def _own_game(self, game_id: str) -> State | None:
        room = self._relay.lobby.games.room(game_id)
        if room is None:
            return None
        return {"counts": room.counts(), "goes_on": room.ended_wall is None, "settings": room.settings}


def merged(own: State, answers: Iterable[State | None]) -> State:
    """One state of several; what is said once, as the time, is this process's own."""
    others = [answer for answer in answers if answer is not None]
    found = dict(own)
    for name in SUMS:
        if name in own:
            found[name] = sum(each[name] for each in (own, *others))
    for name in COUNTS:
        if name in own:
            counted: Counter[str] = Counter()
            for each in (own, *others):
                counted.update(each[name])
            found[name] = dict(counted.most_common())
    for name, by in LISTS:
        if name in own:
            turns = chain.from_iterable(zip_longest(*(each[name] for each in (own, *others))))
            rows = [row for row in turns if row is not None]
            found[name] = (sorted(rows, key=lambda row: -row[by]) if by else rows)[:LISTED]
    return found


def processes(me: str, own: State, others: Mapping[str, State | None]) -> list[State]:
    """What each process answers, this one first."""
    shown = ("version", "sockets", "waiting", "games_playing")
    return [
        {"process": process[:SHORT], "answers": answer is not None, "here": process == me}
        | {name: answer[name] for name in shown if answer is not None and name in answer}
        for process, answer in {me: own, **others}.items()
    ]
