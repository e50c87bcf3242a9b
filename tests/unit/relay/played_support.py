"""Whole games by the server without a browser: real bridges on real sockets, which store what a page stores.

A player is what the page is otherwise: it ticks by the clock, hands over what came and carries out what Python answers,
connects again when its socket is lost, and sends what is to be stored until that is acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from examples import volley
from pycore.bridge.bridge import FLAG_OUTBOX
from pycore.duties import CHANNEL_UNABLE
from pycore.rehearsal import serving
from pycore.relay.storage.store import DataStore, games
from pycore.session.phases import DONE
from tests.unit.bridge_support import Page
from tests.unit.relay.relay_support import Client

FPS = 30
WHOLE = -1
HEARD = {
    "pyodide_other_player_action", "webrtc_signal", "end_game", "player_away", "player_back", "player_gone",
}  # fmt: skip
PATIENCE_S = 90.0
TRY_AGAIN_S = 0.3
ANSWERED_S = 3.0


class Player:
    """One page. `urls`: where it may connect, the next one when its socket is lost."""

    def __init__(self, number: int, urls: list[str]) -> None:
        self.number = number
        self._urls = urls
        self._auth = {"session_id": f"the session of player {number}", "page": f"the page of player {number}"}
        self.client = Client(urls[0])
        self.connections = 0
        self.refused: set[str] = set()
        """The codes with which stores were refused."""
        self._unstored: deque[tuple[str, dict[str, Any]]] = deque()
        self.page: Page

    async def joins(self) -> None:
        """It asks for a game."""
        await self.client.connect(self._auth)
        assert (await self.client.call("join_game", {}))["status"] == "ok"

    async def begins(self, **settings: Any) -> str:
        """Its game has begun; the id of it."""
        start = await self.client.get("start_game")
        assigned = await self.client.get("pyodide_player_assigned")
        self.identity = {
            "game_id": start["game_id"], "player_id": assigned["player_id"], "session_id": self._auth["session_id"],
        }  # fmt: skip
        self.page = Page(
            assigned["player_id"], [0, 1], volley.make_env(), {"fps": FPS, "num_episodes": 1, **settings},
            game_id=start["game_id"], now=time.monotonic(), wall_ms=1000 * time.time(),
        )  # fmt: skip
        self.page.channel = self.page.stream = CHANNEL_UNABLE
        return str(start["game_id"])

    @property
    def over(self) -> bool:
        """Whether its session is over."""
        return self.page.bridge.session.phase >= DONE

    async def plays(self) -> None:
        """It plays to the end, and until the server has all of it."""
        keys = random.Random(self.number)
        storing = asyncio.ensure_future(self._stores())
        began, ticks, action, told = time.monotonic(), 0, 0, False
        again: asyncio.Future[None] | None = None
        try:
            while not (told and not self._unstored):
                assert time.monotonic() - began < PATIENCE_S, f"{self.page.bridge.session.frame}: {self._unstored}"
                if not self.client.sio.connected and (again is None or again.done()):
                    again = asyncio.ensure_future(self._connects_again())
                if ticks % 9 == 0:
                    action = keys.randrange(6)
                await self._tick(action)
                ticks += 1
                if ticks % FPS == 0:
                    self._unstored.extend(json.loads(self.page.bridge.take_stores(time.monotonic())))
                if self.over and not told:
                    told = True
                    for episode in (0, WHOLE):
                        self._unstored.extend(json.loads(self.page.bridge.take_end_stores(time.monotonic(), episode)))
                await asyncio.sleep(max(0.0, began + ticks / FPS - time.monotonic()))
        finally:
            works = [work for work in (storing, again) if work is not None]
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            await self.client.close()

    async def _tick(self, action: int) -> None:
        now = time.monotonic()
        bridge, page = self.page.bridge, self.page
        for event, data in self.client.events:
            if event in HEARD:
                page.event(event, data, now)
        self.client.events.clear()
        page.socket = self.client.sio.connected
        await self._carry_out(bridge.poll(now, action, page.write_inbox()))
        if bridge.advance(time.monotonic()) & FLAG_OUTBOX:
            await self._carry_out(bridge.outbox_length())

    async def _carry_out(self, length: int) -> None:
        for kind, _link, _seq, payload in self.page.read_outbox(length):
            if kind == 2:
                message = json.loads(payload)
                with contextlib.suppress(Exception):  # the socket is gone, as `connected` will say
                    await self.client.emit(message["event"], message["data"])

    async def _connects_again(self) -> None:
        self._urls.append(self._urls.pop(0))
        await self.client.close()
        client = Client(self._urls[0])
        try:
            await client.connect(self._auth)
        except Exception:
            await client.close()
            await asyncio.sleep(TRY_AGAIN_S)
            return
        self.client = client
        self.connections += 1

    async def _stores(self) -> None:
        while True:
            if not self._unstored:
                await asyncio.sleep(0.02)
                continue
            event, data = self._unstored[0]
            try:
                reply = await self.client.sio.call(event, {**self.identity, **data}, timeout=ANSWERED_S)
            except Exception:
                # Whether it is there nobody knows: it comes again.
                await asyncio.sleep(TRY_AGAIN_S)
                continue
            if reply == {"status": "ok"}:
                self._unstored.popleft()
            else:
                self.refused.add(reply["code"])
                await asyncio.sleep(TRY_AGAIN_S)


async def played(
    urls: list[str], database: str, meanwhile: Callable[[list[Player]], Coroutine[Any, Any, None]], **settings: Any
) -> list[Player]:
    """Two play a game, each at its own first address, while something happens; it begins when they have played for a
    second, and the database knows their game: one that it does not know is lost with its process, as the guide says."""
    players = [Player(number, urls[number:] + urls[:number]) for number in range(2)]
    for player in players:
        await player.joins()
    for player in players:
        await player.begins(**{"max_steps": 300, **settings})

    async def happens() -> None:
        await until(lambda: players[0].page.bridge.session.frame >= FPS)
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(knows_a_game, database):
                await asyncio.sleep(0.1)
        await meanwhile(players)

    await asyncio.gather(happens(), *[player.plays() for player in players])
    return players


def knows_a_game(database: str) -> bool:
    """Whether a game is written in a database. Blocks."""
    store = DataStore(database, create=False)
    try:
        return bool(store.read(sa.select(games.c.game_id)))
    finally:
        store.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


async def aside(work: Callable[[], object]) -> None:
    """Do something that blocks, while the game goes on."""
    await asyncio.get_running_loop().run_in_executor(None, work)


def complete_and_equal(players: list[Player], database: str, folder: Path) -> None:
    """Both came to the end with one record, and the server has it of both, byte for byte, and nothing else."""
    texts = {player.page.bridge.view.records() for player in players}
    assert len(texts) == 1
    (text,) = texts
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["frames"] for line in lines if "end" in line] == [300]
    assert len({tuple(line["actions"]) for line in lines if "actions" in line}) > 10
    assert [player.page.bridge.session.reason for player in players] == ["complete"] * 2
    for player in players:
        metrics = json.loads(player.page.bridge.view.export_session_metrics())
        assert metrics["inputs"]["sentViaSocketIO"] == 300
    words = [sys.executable, "-m", "pycore", "data", "--database", database, "--out", "out"]
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, "PYTHONPATH": str(serving.HOME)}, capture_output=True, text=True,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    stored = sorted(folder.glob("out/**/trajectory-*.jsonl"))
    assert [path.name for path in stored] == ["trajectory-0.jsonl", "trajectory-1.jsonl"]
    for path in stored:
        assert path.read_text("utf-8") == text
