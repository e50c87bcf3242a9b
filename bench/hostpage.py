"""`build.py bench --page`: the interactive_gym page with its own multiplayer module and with ours, in one run.

Two people play the tests' arena in the real page (tests/page), once with its module as released (`before`) and once
with ours installed into a copy (`after`), in turns, so that what else the machine does hits both alike. The page's
module needs numpy and gets a stand-in, which is faster than numpy would be.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import hostpage_figures as figures
from bench.hostpage_figures import Heard
from bench.hostpage_table import remarks, rows_of
from bench.rows import Row
from tools import chromium as chromiums
from tools import hostpage
from tools.paths import ROOT
from tools.process import Failed, say

sys.path.insert(0, str(ROOT / "tests" / "page"))
import page_records
import page_rig

SCRIPT = Path(__file__).with_suffix(".js")
DEPTH = 8
ROUNDS = 2
LATENCY_MS = 10.0
LOSS = 0.15
EACH_WAY = 1 - (1 - LOSS) ** 0.5
"""Chromium drops what a page sends and what it receives, so a datagram passes two of them."""
SILENCE = 2.0
"""Seconds for which no datagram arrives."""
CHANNEL = {"before": "webrtcManager.dataChannel", "after": "core.inspectLink(0).channel"}
"""Where each module keeps it, below `window.game`."""
PATIENCE = 45.0
"""Seconds after which a game that should be over is given up."""


CONDITIONS = (
    f"rollback: {DEPTH} frames deep; the inputs of the other player are held back alike, and come together",
    f"channel: closed by one page at frame 100, or silent for {SILENCE:g} s in both",
    f"runs: one game of 120 frames each, in which {LOSS:.0%} of the datagrams are lost in each direction",
    f"... from the first frame on: {EACH_WAY:.1%} in every page and direction, and {LATENCY_MS:g} ms added in each",
)


@dataclass
class Side:
    """The page with one of the two modules."""

    name: str
    package: Path | None
    browser: Any
    folder: Path
    people: int = 0
    made: int = 0

    @property
    def own_module(self) -> bool:
        return self.package is None

    @contextlib.contextmanager
    def study(self, group: Group) -> Iterator[page_rig.Study]:
        """A study of one episode, for any number of pairs one after the other."""
        self.made += 1
        folder = self.folder / f"{self.name}-{self.made}"
        settings = {"fps": group.fps, "max_steps": group.frames, "options": {"generator": "word"}}
        with page_rig.Study(self.browser, folder, self.package, self.own_module, **settings) as study:
            yield study

    @contextlib.contextmanager
    def pair(
        self, study: page_rig.Study, seed: int | None, shaped: bool = False
    ) -> Iterator[list[page_rig.Participant]]:
        """Two people who play, by key scripts of this seed; in the end they leave.

        Chromium can shape only connections that are made after it was first told to: with `shaped` it is.
        """
        self.people += 1
        people = [study.participant(f"{name}{self.people}") for name in ("ann", "bob")]
        try:
            for who in people:
                who.ready()
                who.page.evaluate(SCRIPT.read_text("utf-8"))
                if shaped:
                    who.network()
            for act in (page_rig.Participant.proceed, page_rig.Participant.start):
                for who in people:
                    act(who)
            for number, who in enumerate(people):
                if seed is not None:
                    who.play(seed * 1000 + number)
            for who in people:
                who.playing()
            yield people
        finally:
            for who in people:
                who.close()


def until(who: page_rig.Participant, frame: int, seconds: float = PATIENCE) -> None:
    """Let the game go on to a frame."""
    who.wait(f"window.game.frameNumber >= {frame}", seconds, f"frame {frame}")


def datagrams(people: Sequence[page_rig.Participant]) -> list[tuple[int, int]]:
    """How many datagrams each page has sent and received so far."""
    return [
        tuple(who.page.evaluate("[window.bench.datagrams.sent, window.bench.datagrams.received]")) for who in people
    ]


def over(study: page_rig.Study, people: list[page_rig.Participant], seconds: float = PATIENCE) -> list[str]:
    """Wait until everybody's episode is stored, or a last word is on the screen; what each of them came to."""
    terminal = "window.game?.state === 'done' && window.game.isDone() === false"
    deadline = time.monotonic() + seconds
    found = [""] * len(people)
    while not all(found) and time.monotonic() < deadline:
        for number, who in enumerate(people):
            if study.path(who, "_ep0.csv").is_file():
                found[number] = found[number] or "played to the end"
            elif not found[number] and who.page.evaluate(terminal):
                found[number] = f"ended: {' '.join(who.page.evaluate('document.body.innerText').split())[:80]}"
        people[0].sleep(0.1)
    return [what or f"stands at frame {who.game('frameNumber')}" for what, who in zip(found, people, strict=True)]


def tables_of(
    study: page_rig.Study, people: list[page_rig.Participant], seconds: float = 2.0
) -> list[page_records.Table | None]:
    """Everybody's stored episode, None if it has not come."""
    paths = [study.path(who, "_ep0.csv") for who in people]
    deadline = time.monotonic() + seconds
    while not all(path.is_file() for path in paths) and time.monotonic() < deadline:
        people[0].sleep(0.1)
    people[0].sleep(0.3)  # a file may be there and not yet complete
    return [page_records.read_csv(path) if path.is_file() else None for path in paths]


def fates(
    side: Side, people: list[page_rig.Participant], tables: list[page_records.Table | None]
) -> list[figures.Fate]:
    """What became of the actions of each player."""
    files = [None if table is None else table.rows for table in tables]
    taken = [figures.taken(who.log, first=not side.own_module) for who in people]
    return [figures.fate(own, who.assigned["player_id"], files) for own, who in zip(taken, people, strict=True)]


# -- the games: each plays a round with one side and keeps what it heard ----------------------------------------------


def ordinary(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
    """A game over loopback: the time of every tick, and what crosses the server from frame 30 to the last but 30."""
    frames = study.game["max_steps"]
    with side.pair(study, seed=10 + number) as people:
        until(people[0], 30)
        since = time.monotonic()
        until(people[0], frames - 30)
        end = time.monotonic()
        over(study, people)
        for who in people:
            heard.add("tick.ms", figures.settled(who.log))
            crossed = [message for way in (who.sent, who.received) for message in way.messages]
            played = figures.between(crossed, since, end)
            heard.add("server.bytes", [sum(message.size for message in played) / (end - since)])
            heard.add("server.inputs", [figures.inputs(played)])
            heard.names.update(message.name for message in played)
            options = {**study.game["options"], "agents": [0, 1]}
            heard.add("environment.us", who.page.evaluate("(given) => window.bench.environment(given)", repr(options)))


def deep(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
    """A game in which the other's inputs come in bursts, each of which corrects the last eight frames."""
    frames = study.game["max_steps"]
    with side.pair(study, seed=None) as people:
        for who in people:
            who.page.evaluate("(key) => window.bench.press(key)", ("ArrowLeft", "ArrowUp")[number % 2])
        until(people[0], 20)
        for who in people:
            who.page.evaluate("(frames) => window.bench.hold(frames)", DEPTH)
        until(people[0], frames - 5)
        metrics = [who.page.evaluate("window.game.exportSessionMetrics()") for who in people]
        for who, known in zip(people, metrics, strict=True):
            ticks = figures.ticks(who.log, known["rollbacks"]["events"], DEPTH)
            if len(ticks.deep) < 5 or len(ticks.quiet) < 5:
                raise Failed(f"{side.name}: {len(ticks.deep)} rollbacks of depth {DEPTH}; others: {ticks.other}")
            heard.add("rollback.ms", ticks.rollback)
            heard.add("rollback.tick.ms", ticks.deep)
            heard.add("rollback.quiet.ms", ticks.quiet)
            heard.add("rollback.count", [len(ticks.deep)])
            heard.add("rollback.other", [len(ticks.other)])
        for who in people:
            who.page.evaluate("window.bench.hold(0)")
        over(study, people)


def dying(how: str) -> Callable[[Side, page_rig.Study, int, Heard], None]:
    """A game whose channel is closed by one page, or hears nothing for a while, at frame 100."""

    def play(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
        with side.pair(study, seed=30 + number, shaped=True) as people:
            until(people[0], 100)
            if how == "close":
                people[0].game(f"{CHANNEL[side.name]}.close()")
            else:
                for who in people:
                    who.cut()
                people[0].sleep(0.2)  # what was under way
                before = datagrams(people)
                people[0].sleep(SILENCE - 0.2)
                heard_of = [now[1] - then[1] for now, then in zip(datagrams(people), before, strict=True)]
                if any(heard_of):
                    raise Failed(f"{side.name}: {heard_of} datagrams came through the cut")
                for who in people:
                    who.network()
            ends = over(study, people)
            found = fates(side, people, tables_of(study, people))
            heard.add(f"channel.{how}.lost", [sum(one.lost for one in found)])
            heard.add(f"channel.{how}.taken", [sum(one.taken for one in found)])
            for end, one in zip(ends, found, strict=True):
                said = f"{one.altered} altered, {one.missing} missing of {one.taken}"
                heard.notes.append(f"{end}; inputs: {said}")

    return play


def lossy(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
    """A game with loss from its first frame on: are both files equal, and what really happened?"""
    with side.pair(study, seed=100 + number, shaped=True) as people:
        for who in people:
            who.network(LATENCY_MS, EACH_WAY)
        before = datagrams(people)
        ends = over(study, people)
        gone = [
            [now - then for now, then in zip(*both, strict=True)]
            for both in zip(datagrams(people), before, strict=True)
        ]
        sent, received = (sum(column) for column in zip(*gone, strict=True))
        tables = tables_of(study, people)
        run = judged(study, people, tables)
        heard.add("runs.equal", [run["equal"]])
        heard.add("runs.true", [run["true"]])
        heard.add("runs.lost", [sum(one.lost for one in fates(side, people, tables))])
        heard.add("runs.datagrams.lost", [100 * (1 - received / max(1, sent))])
        heard.runs.append({"seed": 100 + number, "ends": ends, "sent": sent, "received": received, **run})


def judged(
    study: page_rig.Study, people: list[page_rig.Participant], tables: list[page_records.Table | None]
) -> dict[str, Any]:
    """Whether two files of an episode are there and equal, and whether the environment does that in CPython."""
    run: dict[str, Any] = {"equal": 0, "true": 0, "rows": [len(table.rows) if table else None for table in tables]}
    present = [table for table in tables if table is not None]
    if len(present) < len(tables):
        return {**run, "why": "a file is missing"}
    run["rollbacks"] = [len(table.rollbacks()) for table in present]
    different = page_records.differences(present[0], present[1])
    run["equal"] = int(not different)
    untrue: list[str] = []
    for table in present:
        try:
            (rows,) = study.truth([table], people[0].assigned["game_seed"])
            untrue += page_records.untrue(table, rows)
        except Exception as error:
            untrue.append(f"cannot be replayed: {error!r}")
    run["true"] = int(not untrue)
    why = "; ".join([*different[:2], *untrue[:2]])
    return {**run, "differences": len(different), "untrue": len(untrue), "why": why}


@dataclass(frozen=True)
class Group:
    """Games of one kind."""

    play: Callable[[Side, page_rig.Study, int, Heard], None]
    frames: int
    rounds: int
    fps: int = 30


def groups(runs: int) -> dict[str, Group]:
    """What is played, by name, in this order."""
    return {
        "tick": Group(ordinary, frames=450, rounds=ROUNDS),
        # Slower, so that the page's module has time for its rollbacks; but eight frames must be less than half a second
        # of silence, at which ours would go by the server.
        "rollback": Group(deep, frames=400, rounds=ROUNDS, fps=24),
        "channel.close": Group(dying("close"), frames=240, rounds=ROUNDS),
        "channel.silent": Group(dying("silent"), frames=240, rounds=ROUNDS),
        "runs": Group(lossy, frames=120, rounds=runs),
    }


def once_more(group: Group, side: Side, study: page_rig.Study, number: int) -> Heard:
    """Play a game; one that does not get going on a busy machine is said and played again, once."""
    from playwright.sync_api import Error

    heard = Heard()
    try:
        group.play(side, study, number, heard)
    except (AssertionError, Error) as error:
        heard = Heard(notes=[f"played again, because: {str(error).splitlines()[0]}"])
        group.play(side, study, number, heard)
    return heard


def measure(sides: Sequence[Side], chosen: dict[str, Group]) -> dict[str, Heard]:
    """Play all games, the sides in turns."""
    heard = {side.name: Heard() for side in sides}
    for name, group in chosen.items():
        with contextlib.ExitStack() as stack:
            studies = [stack.enter_context(side.study(group)) for side in sides]
            for number in range(group.rounds):
                # Who is first changes, so that neither is always the one after a pause.
                for side, study in list(zip(sides, studies, strict=True))[:: -1 if number % 2 else 1]:
                    started = time.monotonic()
                    played = once_more(group, side, study, number)
                    played.notes = [f"{side.name}, {name}, game {number + 1}: {note}" for note in played.notes]
                    heard[side.name].take(played)
                    say(f"{name} {number + 1}/{group.rounds}: {side.name}, {time.monotonic() - started:.0f} s")
    return heard


def run(runs: int, only: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Measure with a browser of its own; returns the rows and the remarks."""
    from playwright.sync_api import sync_playwright

    chosen = {name: group for name, group in groups(runs).items() if not only or name.startswith(tuple(only))}
    if not chosen:
        raise Failed(f"there are the games {', '.join(groups(runs))}")
    chromiums.use_with_playwright()
    with tempfile.TemporaryDirectory(prefix="pycore-bench-") as name:
        folder = Path(name)
        package = hostpage.copy_package(folder / "installed")
        install = [sys.executable, "-m", "pycore", "interactive-gym", "install", str(package)]
        subprocess.run(install, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(args=list(hostpage.CHROMIUM_ARGUMENTS))
            try:
                sides = [Side("before", None, browser, folder), Side("after", package, browser, folder)]
                heard = measure(sides, chosen)
            finally:
                browser.close()
    rows = rows_of(heard)
    return rows, remarks(heard, rows, CONDITIONS)
