"""`build.py bench --page`: the interactive_gym page with its own multiplayer module and with ours, in one run.

Two people play the tests' arena in the real page (tests/page), once with its module as released (`before`) and once
with ours installed into a copy (`after`), in turns, so that what else the machine does hits both alike. The page's
module needs numpy and gets a stand-in, which is faster than numpy would be.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Error

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
GRACE = 2.0
"""Seconds for data to come after a last word on the screen."""
ATTEMPTS = 3
"""How often a game is played at most, until it is one."""
LOSSY_SEEDS = 100
JUDGED = ("complete", "equal", "true")

CONDITIONS = (
    f"rollback: {DEPTH} frames deep; the inputs of the other player are held back alike, and come together",
    f"channel: closed by one page at frame 100, or silent for {SILENCE:g} s in both",
    "complete: both files have all the frames that the game was to have, or more; only then can they be equal or true",
    f"runs: one game of 120 frames each, in which {LOSS:.0%} of the datagrams are lost in each direction",
    f"... from the first frame on: {EACH_WAY:.1%} in every page and direction, and {LATENCY_MS:g} ms added in each",
    "... Chromium draws the same losses in every new page; by the run's seed some are drawn before, so runs differ",
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
    loading: float = 0.0
    """Seconds that it took to come to first frames."""

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

        Raises `Spoiled` if neither of them gets to the first frame. Chromium can shape only connections that are made
        after it was first told to: with `shaped` it is, and loses other datagrams for each seed.
        """
        self.people += 1
        started = time.monotonic()
        people = [study.participant(f"{name}{self.people}") for name in ("ann", "bob")]
        try:
            try:
                begin(people, seed, shaped)
            except (AssertionError, Error) as error:
                if any(began(who) for who in people):
                    raise
                raise Spoiled(f"it did not begin: {first_line(error)}") from error
            self.loading += time.monotonic() - started
            yield people
        finally:
            for who in people:
                with contextlib.suppress(Error):
                    who.close()


class Spoiled(Exception):
    """A game that says nothing about what it was played for; it is played again."""


def begin(people: Sequence[page_rig.Participant], seed: int | None, shaped: bool) -> None:
    """Everybody comes as far as the first frame."""
    for number, who in enumerate(people):
        who.ready()
        who.page.evaluate(SCRIPT.read_text("utf-8"))
        if shaped:
            who.network()
            draws = random.Random(f"{seed} {number}").randrange(200)
            who.page.evaluate("(count) => window.bench.draw(count)", draws)
    for act in (page_rig.Participant.proceed, page_rig.Participant.start):
        for who in people:
            act(who)
    for number, who in enumerate(people):
        if seed is not None:
            who.play(seed * 1000 + number)
    for who in people:
        who.playing()


def began(who: page_rig.Participant) -> bool:
    """Whether somebody came to the first frame."""
    with contextlib.suppress(Error):
        return bool(who.page.evaluate("window.game?.frameNumber > 0"))
    return False


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0]


def until(who: page_rig.Participant, frame: int, seconds: float = PATIENCE) -> None:
    """Let the game go on to a frame."""
    who.wait(f"window.game.frameNumber >= {frame}", seconds, f"frame {frame}")


def clock(people: Sequence[page_rig.Participant]) -> float:
    """Milliseconds since the epoch, as the pages have it."""
    return max(who.page.evaluate("window.bench.clock()") for who in people)


def datagrams(who: page_rig.Participant, way: str, since: float, until: float | None = None) -> list[int]:
    """The marks of the datagrams that a page `sent` or `received` between two times of the pages' clock."""
    given = [way, since] if until is None else [way, since, until]
    return who.page.evaluate("(given) => window.bench.datagrams(...given)", given)


@dataclass
class Outcome:
    """What a game came to, in the order of its people."""

    tables: list[page_records.Table | None]
    """The stored episodes; None: none."""
    ends: list[str]
    """In words."""
    frames: int

    @property
    def files(self) -> list[list[dict[str, Any]] | None]:
        return [None if table is None else table.rows for table in self.tables]

    @property
    def complete(self) -> bool:
        return figures.complete(self.files, self.frames)


def over(study: page_rig.Study, people: list[page_rig.Participant], seconds: float = PATIENCE) -> Outcome:
    """Wait until everybody's whole episode is stored, or a last word is on the screen and no more data comes.

    That a file is there says nothing: a game that ends early may store a part of its episode.
    """
    frames = study.game["max_steps"]
    terminal = "window.game?.state === 'done' && window.game.isDone() === false"
    tables: list[page_records.Table | None] = [None] * len(people)
    whole, words, settled = [False] * len(people), [""] * len(people), False
    deadline = time.monotonic() + seconds
    while not all(whole) and time.monotonic() < deadline:
        people[0].sleep(0.1)
        for number, who in enumerate(people):
            if whole[number]:
                continue
            table = tables[number] = stored(study.path(who, "_ep0.csv"))
            whole[number] = table is not None and len(table.rows) >= frames
            if not whole[number] and not words[number] and who.page.evaluate(terminal):
                words[number] = " ".join(who.page.evaluate("document.body.innerText").split())[:80] or "without a word"
        if not settled and all(word or done for word, done in zip(words, whole, strict=True)):
            settled = True
            deadline = min(deadline, time.monotonic() + GRACE)
    ends = []
    for who, table, word in zip(people, tables, words, strict=True):
        rows = "no file" if table is None else f"{len(table.rows)} of {frames} frames stored"
        ends.append(f"{rows}; ended: {word}" if word else f"{rows}; at frame {who.game('frameNumber')}")
    return Outcome(tables, ends, frames)


def stored(path: Path) -> page_records.Table | None:
    """A file of an episode as it is by now; the server may still be at its last line."""
    return page_records.read_csv(path) if path.is_file() and path.read_bytes().endswith(b"\n") else None


def fates(side: Side, people: list[page_rig.Participant], outcome: Outcome) -> list[figures.Fate]:
    """What became of the actions of each player."""
    taken = [figures.taken(who.log, first=not side.own_module) for who in people]
    return [
        figures.fate(own, who.assigned["player_id"], outcome.files, outcome.frames)
        for own, who in zip(taken, people, strict=True)
    ]


def detours(people: Sequence[page_rig.Participant]) -> list[str]:
    """Who of them left the peer-to-peer path, how often and why."""
    found = []
    for who in people:
        metrics = who.game("exportSessionMetrics()")
        way = "is not known" if metrics is None else figures.detours(metrics)
        if way:
            found.append(f"{who.name} by the server: {way}")
    return found


# -- the games: each plays a round with one side and keeps what it heard ----------------------------------------------


def ordinary(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
    """A game over loopback: the time of every tick, and what crosses the server from frame 30 to the last but 30."""
    frames = study.game["max_steps"]
    with side.pair(study, 10 + number) as people:
        until(people[0], 30)
        since = time.monotonic()
        until(people[0], frames - 30)
        end = time.monotonic()
        over(study, people)
        heard.notes += detours(people)
        for who in people:
            heard.add("tick.ms", figures.settled(who.log))
            sent, received = (figures.during(way.messages, since, end) for way in (who.sent, who.received))
            crossed = figures.played([*sent, *received])
            heard.add("server.bytes", [sum(message.size for message in crossed) / (end - since)])
            heard.add("server.console.bytes", [figures.console([*sent, *received]) / (end - since)])
            heard.add("server.inputs", [figures.inputs(sent)])
            heard.names.update(message.name for message in crossed)
            options = {**study.game["options"], "agents": [0, 1]}
            heard.add("environment.us", who.page.evaluate("(given) => window.bench.environment(given)", repr(options)))


def deep(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
    """A game in which the other's inputs come in bursts, each of which corrects the last eight frames."""
    frames = study.game["max_steps"]
    with side.pair(study, None) as people:
        for who in people:
            who.page.evaluate("(key) => window.bench.press(key)", ("ArrowLeft", "ArrowUp")[number % 2])
        until(people[0], 20)
        for who in people:
            who.page.evaluate("(frames) => window.bench.hold(frames)", DEPTH)
        until(people[0], frames - 5)
        heard.notes += detours(people)
        for who in people:
            events = who.page.evaluate("window.game.exportSessionMetrics().rollbacks.events")
            ticks = figures.ticks(who.log, events, DEPTH)
            if len(ticks.deep) < 5 or len(ticks.quiet) < 5:
                raise Spoiled(f"{len(ticks.deep)} rollbacks of depth {DEPTH}, {len(ticks.other)} others")
            heard.add("rollback.ms", ticks.rollback)
            heard.add("rollback.tick.ms", ticks.deep)
            heard.add("rollback.quiet.ms", ticks.quiet)
            heard.add("rollback.count", [len(ticks.deep)])
            heard.add("rollback.other", [len(ticks.other)])


def dying(how: str) -> Callable[[Side, page_rig.Study, int, Heard], None]:
    """A game whose channel is closed by one page, or hears nothing for a while, at frame 100."""

    def play(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
        with side.pair(study, 30 + number, shaped=True) as people:
            until(people[0], 100)
            if how == "close":
                people[0].game(f"{CHANNEL[side.name]}.close()")
            else:
                for who in people:
                    who.cut()
                people[0].sleep(0.2)  # what was under way
                since = clock(people)
                people[0].sleep(SILENCE - 0.2)
                came = [len(datagrams(who, "received", since)) for who in people]
                if any(came):
                    raise Spoiled(f"{came} datagrams came through the cut")
                for who in people:
                    who.network()
            outcome = over(study, people)
            found = fates(side, people, outcome)
            heard.add(f"channel.{how}.complete", [int(outcome.complete)])
            heard.add(f"channel.{how}.lost", [sum(one.lost for one in found)])
            heard.add(f"channel.{how}.taken", [sum(one.taken for one in found)])
            for end, one in zip(outcome.ends, found, strict=True):
                said = f"{one.altered} altered, {one.missing} missing of {one.taken}"
                heard.notes.append(f"{end}; inputs: {said}")
            heard.notes += detours(people)

    return play


def lossy(side: Side, study: page_rig.Study, number: int, heard: Heard) -> None:
    """A game with loss from its first frame on: are both files equal, and what really happened?"""
    with side.pair(study, LOSSY_SEEDS + number, shaped=True) as people:
        for who in people:
            who.network(LATENCY_MS, EACH_WAY)
        people[0].sleep(0.2)  # what was under way
        since = clock(people)
        outcome = over(study, people)
        # Who still plays when the other's page has ended sends to nobody, and that is no loss of the network's.
        end = min(who.page.evaluate("window.bench.lastStep()") for who in people)
        sent = [datagrams(who, "sent", since, end) for who in people]
        received = [datagrams(who, "received", since) for who in reversed(people)]
        count, gone = sum(map(len, sent)), sum(map(figures.undelivered, sent, received))
        run = judged(study, people, outcome)
        for figure in JUDGED:
            heard.add(f"runs.{figure}", [run[figure]])
        heard.add("runs.rows", [rows or 0 for rows in run["rows"]])
        heard.add("runs.lost", [sum(one.lost for one in fates(side, people, outcome))])
        heard.add("runs.datagrams.lost", [100 * gone / max(1, count)])
        ways = detours(people)
        heard.runs.append({"seed": LOSSY_SEEDS + number, "sent": count, "gone": gone, "detours": ways, **run})
        heard.notes += ways


def judged(study: page_rig.Study, people: list[page_rig.Participant], outcome: Outcome) -> dict[str, Any]:
    """Whether two files of an episode are whole and equal, and whether the environment does that in CPython."""
    seed = people[0].assigned["game_seed"]
    run: dict[str, Any] = {"complete": int(outcome.complete), "equal": 0, "true": 0, "game_seed": seed}
    run |= {"ends": outcome.ends, "rows": [None if rows is None else len(rows) for rows in outcome.files]}
    present = [table for table in outcome.tables if table is not None]
    run["rollbacks"] = [len(table.rollbacks()) for table in present]
    if not outcome.complete:
        return {**run, "why": "; ".join(outcome.ends)}
    different = page_records.differences(present[0], present[1])
    run["equal"] = int(not different)
    untrue: list[str] = []
    for table in present:
        try:
            (rows,) = study.truth([table], seed)
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
    counts: tuple[str, ...] = ()
    """Figures in which each game is 1 or 0; one that could not be played is 0."""
    strict: bool = False
    """A game that has begun counts, whatever comes of it; otherwise one that breaks off is played again."""


def groups(runs: int) -> dict[str, Group]:
    """What is played, by name, in this order."""
    return {
        "tick": Group(ordinary, frames=450, rounds=ROUNDS),
        # Slower, so that the page's module has time for its rollbacks; but eight frames must be less than half a second
        # of silence, at which ours would go by the server.
        "rollback": Group(deep, frames=400, rounds=ROUNDS, fps=24),
        "channel.close": Group(dying("close"), frames=240, rounds=ROUNDS, counts=("channel.close.complete",)),
        "channel.silent": Group(dying("silent"), frames=240, rounds=ROUNDS, counts=("channel.silent.complete",)),
        "runs": Group(lossy, frames=120, rounds=runs, counts=tuple(f"runs.{figure}" for figure in JUDGED), strict=True),
    }


def settle(group: Group, side: Side, study: page_rig.Study, number: int) -> Heard:
    """Play a game; one that was spoiled, or broke off, is played again. Each time is counted and said."""
    notes: list[str] = []
    for again in range(ATTEMPTS):
        heard, final = Heard(), again + 1 == ATTEMPTS
        try:
            group.play(side, study, number, heard)
        except Spoiled as spoiled:
            why = str(spoiled)
        except (AssertionError, Error) as error:
            why = f"it broke off: {first_line(error)}"
            final = final or group.strict
        else:
            heard.add("games.failed", [0])
            break
        if final:
            heard = Heard({figure: [0] for figure in group.counts}, notes=[f"failed, because {why}"])
            heard.add("games.failed", [1])
            if group.strict:
                heard.runs.append({"seed": LOSSY_SEEDS + number, **dict.fromkeys(JUDGED, 0), "why": why})
            break
        notes.append(f"played again, because {why}")
    heard.add("games.again", [again])
    for run in heard.runs:
        run["again"] = again
    heard.notes[:0] = notes
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
                    loading = side.loading
                    played = settle(group, side, study, number)
                    played.notes = [f"{side.name}, {name}, game {number + 1}: {note}" for note in played.notes]
                    heard[side.name].take(played)
                    took = (
                        f"{time.monotonic() - started:.0f} s, {side.loading - loading:.0f} s of it to the first frame"
                    )
                    say(f"{name} {number + 1}/{group.rounds}: {side.name}, {took}")
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
