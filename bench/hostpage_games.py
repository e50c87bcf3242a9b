"""The games of the benchmark in the interactive_gym page: each is played by one side, and keeps what it heard.

Whether a game counts, and how often each is played, is said of each kind here and done by `bench.hostpage`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import hostpage_figures as figures
from bench.hostpage_figures import Heard
from bench.hostpage_people import (
    Outcome,
    Participant,
    Side,
    Spoiled,
    Study,
    clock,
    datagrams,
    over,
    page_records,
    until,
)

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


@dataclass(frozen=True)
class Group:
    """Games of one kind."""

    play: Callable[[Side, Study, int, Heard], None]
    frames: int
    rounds: int
    fps: int = 30
    counts: tuple[str, ...] = ()
    """Figures in which each game is 1 or 0; one that could not be played is 0."""
    strict: bool = False
    """A game that has begun counts, whatever comes of it; otherwise one that breaks off is played again."""


def ordinary(side: Side, study: Study, number: int, heard: Heard) -> None:
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


def deep(side: Side, study: Study, number: int, heard: Heard) -> None:
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


def dying(how: str) -> Callable[[Side, Study, int, Heard], None]:
    """A game whose channel is closed by one page, or hears nothing for a while, at frame 100."""

    def play(side: Side, study: Study, number: int, heard: Heard) -> None:
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


def lossy(side: Side, study: Study, number: int, heard: Heard) -> None:
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


def judged(study: Study, people: list[Participant], outcome: Outcome) -> dict[str, Any]:
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


def fates(side: Side, people: list[Participant], outcome: Outcome) -> list[figures.Fate]:
    """What became of the actions of each player."""
    taken = [figures.taken(who.log, first=not side.own_module) for who in people]
    return [
        figures.fate(own, who.assigned["player_id"], outcome.files, outcome.frames)
        for own, who in zip(taken, people, strict=True)
    ]


def detours(people: Sequence[Participant]) -> list[str]:
    """Who of them left the peer-to-peer path, how often and why."""
    found = []
    for who in people:
        metrics = who.game("exportSessionMetrics()")
        way = "is not known" if metrics is None else figures.detours(metrics)
        if way:
            found.append(f"{who.name} by the server: {way}")
    return found


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
