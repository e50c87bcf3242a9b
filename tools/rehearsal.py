"""`build.py demo --selfplay`: whole sessions in headless pages over a real relay, impaired and checked.

Every page is a browser context of its own. The players' inputs are scripted from the seed, each value held for 3
to 12 frames. The network is impaired below the channel's API, by the browser's own emulation, which shapes both
directions of the page it is set on: a packet from one page to another passes it twice, hence the halves and roots
below. What the pages leave is checked by `verdict`; the first difference decides.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import chromium, verdict
from tools import relay as relays
from tools.paths import BUILD, ROOT
from tools.process import Failed, Missing, say

FPS = 30
LOAD_TIMEOUT = 60.0
END_TIMEOUT = 30.0
GAME = ROOT / "examples" / "volley.py"

SCRIPT = """
(() => {
  let state = SEED >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const log = [];
  let plan = [];
  let last = Infinity;
  window.pycoreRead = log;
  window.pycoreReadAction = (frame) => {
    if (frame < last) {
      plan = [];
      if (frame === 0 && last > 0) log.push({});
    }
    last = frame;
    while (plan.length <= frame) {
      const action = Math.floor(random() * ACTIONS);
      for (let hold = 3 + Math.floor(random() * 10); hold > 0; hold -= 1) plan.push(action);
    }
    log[log.length - 1][frame] = plan[frame];
    return plan[frame];
  };
})();
"""
"""A new plan for every episode; what was read is kept by episode and frame, for the comparison with the records."""

WATCH = """
() => {
  const game = window.pycoreGame;
  const before = game.p2pMetrics.inputsReceivedViaSocketIO;
  window.pycoreFirstBySocket = null;
  const timer = setInterval(() => {
    if (game.p2pMetrics.inputsReceivedViaSocketIO > before) {
      clearInterval(timer);
      window.pycoreFirstBySocket = performance.timeOrigin + performance.now();
    }
  }, 1);
}
"""


@dataclass
class Plan:
    """What a rehearsal does."""

    pages: int = 2
    seconds: float = 20.0
    latency_ms: float = 0.0
    loss: float = 0.0
    down_at: float | None = None
    up_at: float | None = None
    cut: str = "silent"
    socketio_only: bool = False
    input_delay: int | None = None
    seed: int = 1
    episodes: int | None = None
    """None: as many as the time allows, each half of it long; the session is stopped when the time is over."""
    hide: tuple[int, float, float] | None = None
    """A page, and from when to when it is hidden."""
    screenshots: dict[str, float] = field(default_factory=dict)
    """Name -> seconds after the start at which the first page is photographed."""

    def settings(self) -> dict[str, Any]:
        """The study's settings."""
        values: dict[str, Any] = {
            "fps": FPS,
            "num_episodes": self.episodes or 20,
            "max_steps": max(60, round(self.seconds * FPS / (self.episodes or 2))),
            "action_space": {"type": "discrete", "n": 6},
            "environment": "volley_v1",
            "episode_pause": 0.5,
            "p2p": not self.socketio_only,
        }
        if self.input_delay is not None:
            values["input_delay"] = self.input_delay
        return values


@dataclass
class Outcome:
    """What a rehearsal left."""

    game_id: str
    metrics: dict[str, dict[str, Any]]
    trajectories: dict[str, str]
    huds: dict[str, dict[str, Any]]
    relay: dict[str, Any]
    stored: bool
    seconds: float
    failover_ms: float | None
    lost: list[str]
    problems: list[str]
    reports: list[str]


def main(options: argparse.Namespace) -> int:
    """The command."""
    plan = Plan(
        pages=options.selfplay,
        seconds=options.seconds,
        latency_ms=options.latency,
        loss=options.loss / 100,
        down_at=options.p2p_down_at,
        up_at=options.p2p_up_at,
        cut=options.p2p_cut,
        socketio_only=options.socketio_only,
        input_delay=options.input_delay,
        seed=options.seed,
    )
    out = options.out or BUILD / "rehearsal"
    if options.settings:
        raise Missing("--selfplay makes its own settings; --settings is for two people who play")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Missing(f"--out {out} cannot be a folder: {error}") from error
    outcome = rehearse(plan, database=options.database, port=options.port, out=out)
    write(outcome, out)
    print(table(outcome))
    for problem in outcome.problems:
        print(f"WRONG: {problem}")
    say(f"metrics and trajectories are in {out}")
    return 1 if outcome.problems else 0


def write(outcome: Outcome, out: Path) -> None:
    """The files that the command promises."""
    out.mkdir(parents=True, exist_ok=True)
    for player, metrics in outcome.metrics.items():
        (out / f"metrics-{player}.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    for player, text in outcome.trajectories.items():
        (out / f"trajectory-{player}.jsonl").write_bytes(text.encode())


def rehearse(plan: Plan, *, database: str | None = None, port: int | None = None, out: Path | None = None) -> Outcome:
    """Play one session and judge it."""
    if plan.pages != 2:
        raise Failed(f"a session has two players here, not {plan.pages}")
    with (
        tempfile.TemporaryDirectory() as folder,
        relay(Path(folder), plan, database, port) as url,
        browser_pages(plan.pages) as pages,
    ):
        return _play(plan, url, pages, out)


@contextlib.contextmanager
def relay(folder: Path, plan: Plan, database: str | None, port: int | None) -> Iterator[str]:
    """A relay of its own, with the plan's settings; gives its address."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps(plan.settings()), encoding="utf-8")
    if port:
        # Another relay there would answer in the place of ours, with other settings.
        relays.refuse_taken("127.0.0.1", port)
    chosen = port or relays.free_port()
    store = relays.database_url(database) if database else f"sqlite:///{folder / 'rehearsal.sqlite'}"
    command = [*relays.relay_command("127.0.0.1", chosen, store, BUILD / "site", settings), "--seed", str(plan.seed)]
    log = (folder / "relay.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        url = relays.address("127.0.0.1", chosen)
        try:
            relays.wait_until_healthy(url, process)
        except Failed as error:
            said = (folder / "relay.log").read_text("utf-8", "replace").strip()
            raise Failed(f"{error}\n{said}") from error
        yield url
    finally:
        relays.stop(process)
        log.close()


@contextlib.contextmanager
def browser_pages(count: int) -> Iterator[list[Any]]:
    """So many pages, each in a context of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium.ensure(None)))
        try:
            yield [browser.new_context(viewport={"width": 960, "height": 720}).new_page() for _ in range(count)]
        finally:
            browser.close()


class Impairment:
    """Latency, loss and cuts of the pages' networks."""

    def __init__(self, pages: list[Any], plan: Plan) -> None:
        self._sessions = [page.context.new_cdp_session(page) for page in pages]
        # The browser ignores a loss without a latency, and a cut of connections that began without emulation.
        least = 1.0 if plan.loss or plan.down_at is not None else 0.0
        self._latency = max(least, plan.latency_ms / 2)
        self._loss = 100 * (1 - math.sqrt(1 - plan.loss))
        for session in self._sessions:
            session.send("Network.enable")

    def usual(self) -> None:
        """What the plan says."""
        self._set(self._latency, self._loss)

    def cut(self) -> None:
        """Every datagram is dropped without a word; socket.io goes on."""
        self._set(self._latency, 100.0)

    def _set(self, latency: float, loss: float) -> None:
        for session in self._sessions:
            session.send(
                "Network.emulateNetworkConditions",
                {
                    "offline": False,
                    "latency": latency,
                    "downloadThroughput": -1,
                    "uploadThroughput": -1,
                    "packetLoss": loss,
                },
            )


def _play(plan: Plan, url: str, pages: list[Any], out: Path | None) -> Outcome:
    reports: list[str] = []
    for number, page in enumerate(pages):
        page.on("pageerror", lambda error, number=number: reports.append(f"page {number}: {error}"))
        page.add_init_script(SCRIPT.replace("SEED", str(plan.seed * 1000 + number)).replace("ACTIONS", "6"))
    say(f"loading {len(pages)} pages")
    for page in pages:
        page.goto(url)
    for page in pages:
        page.wait_for_function(
            "['start', 'failed'].includes(window.pycoreStatus?.phase)", timeout=LOAD_TIMEOUT * 1000
        )
        _refuse_failed(page)
    impairment = Impairment(pages, plan)
    impairment.usual()
    for page in pages:
        page.click("#play")
    for page in pages:
        page.wait_for_function(
            "['playing', 'done', 'failed'].includes(window.pycoreStatus.phase)", timeout=LOAD_TIMEOUT * 1000
        )
        _refuse_failed(page)
    begun = time.monotonic()
    say(f"playing for {plan.seconds:g} s")
    failover = _direct(plan, pages, impairment, begun, out)
    for page in pages:
        with contextlib.suppress(Exception):
            page.wait_for_function(
                "['done', 'failed'].includes(window.pycoreStatus.phase) && window.pycoreStatus.stored",
                timeout=END_TIMEOUT * 1000,
            )
    seconds = time.monotonic() - begun
    if out is not None and "end" in plan.screenshots:
        pages[0].screenshot(path=str(out / "end.png"))
    return _collect(plan, url, pages, seconds, failover, reports)


def _direct(plan: Plan, pages: list[Any], impairment: Impairment, begun: float, out: Path | None) -> float | None:
    """Let the time pass, and do what the plan says meanwhile; returns the failover time in milliseconds."""
    cues: list[tuple[float, str]] = [(plan.seconds, "stop")]
    if plan.down_at is not None:
        cues.append((plan.down_at, "down"))
    if plan.up_at is not None:
        cues.append((plan.up_at, "up"))
    if plan.hide is not None:
        cues += [(plan.hide[1], "hide"), (plan.hide[2], "show")]
    cues += [(at, name) for name, at in plan.screenshots.items() if name != "end"]
    cut_at = None
    for when, cue in sorted(cues):
        while (left := begun + when - time.monotonic()) > 0:
            pages[0].wait_for_timeout(min(left, 0.25) * 1000)
            if all(page.evaluate("window.pycoreStatus.phase") in ("done", "failed") for page in pages):
                break
        if cue == "down":
            for page in pages:
                page.evaluate(WATCH)
            if plan.cut == "close":
                cut_at = pages[0].evaluate(
                    "() => { window.pycoreGame.inspectLink().channel.close();"
                    " return performance.timeOrigin + performance.now(); }"
                )
                # Both sides learn of the closing; then nothing can be opened again until the restoration.
                pages[0].wait_for_timeout(100)
                impairment.cut()
            else:
                impairment.cut()
                cut_at = pages[0].evaluate("performance.timeOrigin + performance.now()")
            say(f"peer-to-peer is cut ({plan.cut})")
        elif cue == "up":
            impairment.usual()
            say("peer-to-peer is restored")
        elif cue in ("hide", "show"):
            assert plan.hide is not None
            _set_hidden(pages[plan.hide[0]], cue == "hide")
        elif cue == "stop":
            pages[0].evaluate("window.pycoreGame.requestStop()")
        elif out is not None:
            out.mkdir(parents=True, exist_ok=True)
            pages[0].screenshot(path=str(out / f"{cue}.png"))
    if cut_at is None:
        return None
    arrivals = [page.evaluate("window.pycoreFirstBySocket") for page in pages]
    return min((at - cut_at for at in arrivals if at is not None), default=None)


def _set_hidden(page: Any, hidden: bool) -> None:
    state = "hidden" if hidden else "visible"
    page.evaluate(
        "([hidden, state]) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        [hidden, state],
    )


def _refuse_failed(page: Any) -> None:
    status = page.evaluate("window.pycoreStatus")
    if status["phase"] == "failed":
        raise Failed(f"a page failed: {status['error']}")


def _collect(
    plan: Plan, url: str, pages: list[Any], seconds: float, failover: float | None, reports: list[str]
) -> Outcome:
    metrics, texts, huds, read, problems = {}, {}, {}, {}, []
    stored = True
    for number, page in enumerate(pages):
        status = page.evaluate("window.pycoreStatus")
        if status["phase"] != "done":
            problems.append(f"page {number} is '{status['phase']}' at the end: {status['error']}")
        stored = stored and bool(status["stored"])
        reports += [f"page {number}: {report['code']}: {report['message']}" for report in status["reports"]]
        found = page.evaluate("() => window.pycoreGame?.exportSessionMetrics()")
        if found is None:
            raise Failed(f"page {number} has no game: {status}")
        player = str(found["playerId"])
        metrics[player] = found
        texts[player] = page.evaluate("window.pycoreGame.records()")
        huds[player] = page.evaluate("window.pycoreGame.hud()")
        read[player] = page.evaluate("window.pycoreRead")
    metrics, texts, huds = (dict(sorted(of.items())) for of in (metrics, texts, huds))
    game_id = next(iter(metrics.values()))["gameId"]
    counts = json.loads(urllib.request.urlopen(f"{url}api/games/{game_id}", timeout=10).read())
    delay = plan.input_delay if plan.input_delay is not None else 1
    lost: list[str] = []
    text = next(iter(texts.values()))
    difference = verdict.first_difference(texts)
    if difference:
        problems.append(difference)
    missing = verdict.incomplete(text)
    if missing:
        problems.append(missing)
    else:
        players = verdict.episodes_of(text)[0]["players"]
        lost = verdict.lost_inputs(text, [read[str(player)] for player in players], delay)
        if lost:
            problems.append(f"{len(lost)} inputs differ from what the players did; the first: {lost[0]}")
        problems += [p for p in (verdict.trivial(text), verdict.untrue(text, GAME)) if p]
    if not stored:
        problems.append("not everything was acknowledged by the server")
    problems += verdict.wrong_books(list(metrics.values()), counts)
    return Outcome(game_id, metrics, texts, huds, counts, stored, seconds, failover, lost, problems, reports)


def table(outcome: Outcome) -> str:
    """One column per player."""
    rows: list[tuple[str, Any]] = [
        ("connection", lambda m: m["connection"]["type"]),
        ("frames", lambda m: m["frames"]["total"]),
        ("episodes", lambda m: len(m["episodes"])),
        ("sent p2p / socket.io", lambda m: f"{m['inputs']['sentViaP2P']} / {m['inputs']['sentViaSocketIO']}"),
        (
            "received p2p / socket.io",
            lambda m: f"{m['inputs']['receivedViaP2P']} / {m['inputs']['receivedViaSocketIO']}",
        ),
        ("resent p2p / socket.io", lambda m: f"{m['inputs']['resentViaP2P']} / {m['inputs']['resentViaSocketIO']}"),
        ("mispredicted inputs", lambda m: m["rollbacks"]["count"]),
        ("rollbacks, deepest", lambda m: f"{m['rollbacks']['performed']}, {m['rollbacks']['maxFrames']}"),
        ("stalled ticks", lambda m: m["quality"]["stalls"]),
        ("round trip ms", lambda m: ", ".join(str(rtt) for rtt in m["quality"]["rttMs"].values())),
        ("hashes compared / wrong", lambda m: f"{m['sync']['hashesCompared']} / {m['sync']['p2pHashMismatches']}"),
        (
            "path changes",
            lambda m: ", ".join(f"{c['to']} at {c['episode']}:{c['frame']} ({c['cause']})" for c in m["pathChanges"])
            or "none",
        ),
        ("end", lambda m: m["end"]["reason"]),
    ]
    players = list(outcome.metrics)
    lines = [["player", *players]]
    lines += [[title, *(str(of(outcome.metrics[player])) for player in players)] for title, of in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    text += f"\ninputs through the server: {outcome.relay.get('inputs_relayed')}"
    text += f"\ninputs lost: {len(outcome.lost)}"
    if outcome.failover_ms is not None:
        text += f"\nfrom the cut to the first input through the server: {outcome.failover_ms:.0f} ms"
    return text
