"""Whole sessions in headless pages over a real relay, impaired as planned, and judged.

Every page is a browser context of its own, with a scripted player. What the pages leave is checked by `verdict`; the
first difference decides.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pycore import records
from pycore.factory import make_with
from pycore.rehearsal import coverage, departures, inputs, pace, partners, serving, verdict
from pycore.rehearsal.browsers import Browser, browser
from pycore.rehearsal.departures import KEEP, Departed
from pycore.rehearsal.game import actions_of
from pycore.rehearsal.network import WATCH, Impairment
from pycore.rehearsal.outcome import Outcome
from pycore.rehearsal.plan import Plan
from pycore.rehearsal.reproducing import Here, InPage
from pycore.rehearsal.serving import RehearsalFailed, Relay

LOAD_TIMEOUT = 180.0
"""Seconds until a page has loaded Pyodide, the core and packages, and again until it plays."""

END_TIMEOUT = 30.0
"""Seconds from the request to stop until everything is stored."""

LOOK = 0.25
"""Seconds between two looks at the pages while they play."""

Say = Callable[[str], None]
"""Takes one line about how far a rehearsal is."""


def rehearse(
    plan: Plan,
    *,
    site: Path,
    chromium: Path | None = None,
    database: str | None = None,
    port: int | None = None,
    out: Path | None = None,
    say: Say = lambda line: None,
) -> Outcome:
    """Play one session and judge it.

    `site` is the folder with the page, built with the plan's game; `chromium` the browser (None: Playwright's own);
    `database` a URL or file (None: a passing one); `port` the relay's (None: a free one); `out` takes screenshots.
    Raises RehearsalFailed where a page or the relay does not do its part.
    """
    scripts = plan.scripts()
    with (
        tempfile.TemporaryDirectory() as folder,
        _relay(Path(folder), plan, site, database, port) as relay,
        browser(chromium) as opened,
    ):
        outcome = _play(plan, relay, opened, inputs.script(scripts) + KEEP, out, say)
        return replace(outcome, stored_files=_stored(_store(Path(folder), database), outcome.game_id, Path(folder)))


def _stored(database: str, game_id: str, folder: Path) -> dict[str, bytes]:
    """What the relay has of the game that the pages do not hold any more, by the names that `pycore data` gives."""
    from pycore.relay.export import export_game, list_games
    from pycore.relay.store import DataStore

    store = DataStore(database, create=False)
    try:
        (game,) = list_games(store, game_id)
        paths = export_game(store, game, folder / "game")
    finally:
        store.close()
    return {path.name: path.read_bytes() for path in paths if path.name.startswith(("experienced-", "game."))}


def _store(folder: Path, database: str | None) -> str:
    return serving.database_url(database) if database else f"sqlite:///{folder / 'rehearsal.sqlite'}"


@contextlib.contextmanager
def _relay(folder: Path, plan: Plan, site: Path, database: str | None, port: int | None) -> Iterator[Relay]:
    """A relay of its own, with the plan's settings."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps(plan.settings()), encoding="utf-8")
    if port:
        # Another relay there would answer in the place of ours, with other settings.
        serving.refuse_taken("127.0.0.1", port)
    chosen = port or serving.free_port()
    command = serving.command("127.0.0.1", chosen, _store(folder, database), site, settings)
    command += ["--seed", str(plan.seed), "--seats", str(plan.game.seats)]
    relay = Relay(command, serving.address("127.0.0.1", chosen), folder / "relay.log")
    try:
        relay.start()
        yield relay
    finally:
        relay.stop()


def _play(plan: Plan, relay: Relay, opened: Browser, script: str, out: Path | None, say: Say) -> Outcome:
    reports: list[str] = []
    url = relay.url
    pages = [opened.page() for _ in range(plan.pages)]
    for number, page in enumerate(pages):
        page.on("pageerror", lambda error, number=number: reports.append(f"page {number}: {error}"))
        page.add_init_script(script)
    say(f"loading {len(pages)} pages")
    for page in pages:
        page.goto(url)
    for page in pages:
        _wait_until_loaded(page)
    impairment = Impairment(pages, plan)
    impairment.usual()
    for page in pages:
        page.click("#play")
    for page in pages:
        _wait_until(page, ["playing", "done"], "began to play")
    begun = time.monotonic()
    say(f"playing for {plan.seconds:g} s")
    stage = _Stage(plan, pages, impairment, relay, begun, out, say)
    failover = stage.direct()
    pages = stage.pages
    for page in pages:
        with contextlib.suppress(Exception):
            page.wait_for_function(
                "['done', 'failed'].includes(window.pycoreStatus.phase) && window.pycoreStatus.stored",
                timeout=END_TIMEOUT * 1000,
            )
    seconds = time.monotonic() - begun
    if out is not None and "end" in plan.screenshots:
        _photograph(pages, out, "end")

    def another() -> Any:
        page = opened.page()
        page.goto(url)
        _wait_until_loaded(page)
        return page

    say("judging the records")
    return _collect(plan, relay, pages, another, seconds, failover, reports, stage.departed)


def _wait_until_loaded(page: Any) -> None:
    _wait_until(page, ["start"], "was loaded")


def _wait_until(page: Any, phases: list[str], what: str) -> None:
    """Until a page is that far; RehearsalFailed if it fails, or takes too long."""
    try:
        page.wait_for_function(
            "(phases) => phases.includes(window.pycoreStatus?.phase)", arg=[*phases, "failed"],
            timeout=LOAD_TIMEOUT * 1000,
        )  # fmt: skip
    except Exception as error:
        status = page.evaluate("window.pycoreStatus ?? {}")
        raise RehearsalFailed(
            f"{LOAD_TIMEOUT:g} s went by before a page {what}; it is at '{status.get('phase', 'nothing')}'"
        ) from error
    status = page.evaluate("window.pycoreStatus")
    if status["phase"] == "failed":
        raise RehearsalFailed(f"a page failed: {_error(status)}")


class _Stage:
    """The pages while they play, and what happens to them at its time."""

    def __init__(
        self, plan: Plan, pages: list[Any], impairment: Impairment, relay: Relay, begun: float, out: Path | None,
        say: Say,
    ) -> None:  # fmt: skip
        self._plan = plan
        self.pages = list(pages)
        """Those that stay in the game."""
        self.departed: Departed | None = None
        self._impairment = impairment
        self._relay = relay
        self._begun = begun
        self._out = out
        self._say = say
        self._cut_at: float | None = None

    def _cues(self) -> list[tuple[float, str]]:
        plan = self._plan
        cues: list[tuple[float | None, str]] = [
            (plan.seconds, "stop"), (plan.down_at, "down"), (plan.up_at, "up"), (plan.leave_at, "leave"),
            (plan.reload_at, "reload"), (plan.server_down_at, "server down"), (plan.server_up_at, "server up"),
            *((at, name) for name, at in plan.screenshots.items() if name != "end"),
        ]  # fmt: skip
        if plan.hide is not None:
            cues += [(plan.hide[1], "hide"), (plan.hide[2], "show")]
        return sorted((at, name) for at, name in cues if at is not None)

    def direct(self) -> float | None:
        """Let the time pass, and do what the plan says meanwhile; returns the failover time in milliseconds."""
        for when, cue in self._cues():
            while (left := self._begun + when - time.monotonic()) > 0:
                step = LOOK if not self._plan.jitter_ms else self._impairment.JITTER_S
                self.pages[0].wait_for_timeout(min(left, step) * 1000)
                self._impairment.jitter()
                if all(page.evaluate("window.pycoreStatus.phase") in ("done", "failed") for page in self.pages):
                    break
            self._do(cue)
        if self._cut_at is None:
            return None
        arrivals = [page.evaluate("window.pycoreFirstBySocket") for page in self.pages]
        return min((at - self._cut_at for at in arrivals if at is not None), default=None)

    def _do(self, cue: str) -> None:
        pages = self.pages
        if cue == "down":
            self._cut()
        elif cue == "up":
            self._impairment.usual()
            self._say("peer-to-peer is restored")
        elif cue in ("hide", "show"):
            assert self._plan.hide is not None
            _set_hidden(pages[self._plan.hide[0]], cue == "hide")
        elif cue == "stop":
            # A session that is to end because somebody went away does so by itself.
            if self.departed is None or self._plan.goes_on:
                pages[0].evaluate("window.pycoreGame.requestStop()")
        elif cue in ("leave", "reload"):
            page = pages.pop()
            # What it had is read by another page: the browser does not shape the network of one that is gone.
            self._impairment.forget(page)
            self.departed = (departures.leave if cue == "leave" else departures.reload)(page, self._relay.url)
            self._say("a page is closed" if cue == "leave" else "a page is loaded again")
        elif cue in ("server down", "server up"):
            self._serve(cue == "server up")
        elif self._out is not None:
            _photograph(pages, self._out, cue)

    def _serve(self, up: bool) -> None:
        relay = self._relay
        # A game that goes through the server has its place in the memory of that process: there it is out of reach.
        if self._plan.socketio_only:
            (relay.thaw if up else relay.freeze)()
        else:
            (relay.restart if up else relay.stop)()
        self._say(f"the server is {'there again' if up else 'away'}")

    def _cut(self) -> None:
        pages = self.pages
        for page in pages:
            page.evaluate(WATCH)
        if self._plan.cut == "close":
            self._cut_at = pages[0].evaluate(
                "(links) => { for (let link = 0; link < links; link += 1) "
                "window.pycoreGame.inspectLink(link).channel.close();"
                " return performance.timeOrigin + performance.now(); }",
                len(pages) - 1,
            )
            # Both sides learn of the closing; then nothing can be opened again until the restoration.
            pages[0].wait_for_timeout(100)
            self._impairment.cut()
        else:
            self._impairment.cut()
            self._cut_at = pages[0].evaluate("performance.timeOrigin + performance.now()")
        self._say(f"peer-to-peer is cut ({self._plan.cut})")


def _photograph(pages: list[Any], out: Path, name: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages):
        page.screenshot(path=str(out / f"{name}-page{number}.png"))


def _set_hidden(page: Any, hidden: bool) -> None:
    state = "hidden" if hidden else "visible"
    page.evaluate(
        "([hidden, state]) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        [hidden, state],
    )


def _collect(
    plan: Plan,
    relay: Relay,
    pages: list[Any],
    another: Callable[[], Any],
    seconds: float,
    failover: float | None,
    reports: list[str],
    departed: Departed | None,
) -> Outcome:
    metrics, texts, huds, read, paces, problems = {}, {}, {}, {}, {}, []
    gone: dict[str, Any] = {}
    settings = plan.played()
    stored, failed = True, False
    for number, page in enumerate(pages):
        status = page.evaluate("window.pycoreStatus")
        if status["phase"] != "done":
            failed = True
            problems.append(f"page {number} is '{status['phase']}' at the end: {_error(status)}")
        stored = stored and bool(status["stored"])
        reports += [f"page {number}: {report['code']}: {report['message']}" for report in status["reports"]]
        found = page.evaluate("() => window.pycoreGame?.exportSessionMetrics()")
        if found is None:
            raise RehearsalFailed(f"page {number} has no game: {_error(status)}")
        player = str(found["playerId"])
        metrics[player] = found
        texts[player] = page.evaluate("window.pycoreGame.records()")
        huds[player] = page.evaluate("window.pycoreGame.hud()")
        read[player] = page.evaluate("window.pycoreRead")
        gone[player] = status.get("gone") or {}
        paces[player] = pace.pace_of(page.evaluate("window.pycorePace"), settings.fps)
    metrics, texts, huds, paces = (dict(sorted(of.items())) for of in (metrics, texts, huds, paces))
    game_id = next(iter(metrics.values()))["gameId"]
    everybody = list(metrics.values())
    if plan.departs:
        if departed is None:
            raise RehearsalFailed("the page that went away was in no game")
        departed, wrong = departures.judged(departed, texts, metrics, gone, plan.goes_on)
        problems += wrong
        read[departed.player] = departed.read
    seats = actions_of(settings, plan.game.seats)
    played = json.dumps(plan.settings())
    here = Here(lambda: make_with(plan.game.make, plan.game.subject), played)
    delays = [list(episode["inputDelay"].values()) for episode in everybody[0]["episodes"]]
    judged = verdict.judge(
        texts, read, seats, here, InPage(another, played), plan.reproduce, delays, departures.broken(departed),
    )  # fmt: skip
    problems += judged.problems
    if not problems and plan.reproduce == "cpython":
        text = next(iter(texts.values()))
        problems += [found for found in [partners.recomputed(plan.game, settings, records.read(text))] if found]
    if not stored:
        problems.append("not everything was acknowledged by the server")
    counts = _counts(relay, game_id)
    if not failed and departed is None:
        # Who failed has told what, and who went away tells nothing: that others heard less of it adds nothing.
        problems += verdict.wrong_books(everybody, counts)
    least = min([seat.delay for seat in seats])
    if vacuous := coverage.without_rollback(plan, everybody, least):
        problems.append(vacuous)
    warnings = [*judged.warnings, *coverage.ends(everybody), *coverage.never_changed(here.states)]
    warnings += [*coverage.without_peer_to_peer(plan, everybody), *coverage.of_predictors(everybody)]
    for player, of in paces.items():
        depths = [event["rollbackFrames"] for event in metrics[player]["rollbacks"]["events"]]
        warnings += [said for said in [pace.advice(player, of, depths, seats[int(player)].delay)] if said]
    return Outcome(
        game_id, metrics, texts, huds, counts, stored, seconds, failover, judged.lost, problems, reports,
        warnings=warnings, paces=paces, settings=plan.settings(), reproduced=plan.reproduce, departed=departed,
        restarts=relay.restarts,
    )  # fmt: skip


def _counts(relay: Relay, game_id: str) -> dict[str, Any]:
    """What the relay counted of the game; nothing if it has begun again since, and knows of it from its database."""
    if relay.restarts:
        return {}
    found: dict[str, Any] = json.loads(urllib.request.urlopen(f"{relay.url}api/games/{game_id}", timeout=10).read())
    return found


HINTS: Final = {
    "load-pyodide": ". A folder with Pyodide is given by --pyodide DIR; docs/running.md says where it comes from",
    "load-package": ". Wheels are given by --wheels DIR; numpy and other packages with C code come with a full release "
    "of Pyodide, given by --pyodide DIR",
}
"""What to do about what a page could not load, in the words of the command."""


def _error(status: dict[str, Any]) -> str:
    error = status.get("error")
    if not isinstance(error, dict):
        return "it says nothing"
    said = f"{error['code']}: {error['message']}"
    if "ModuleNotFoundError" in said:
        said += " (what the page loads beside the environment's own files is said by --packages, with --wheels)"
    return said + HINTS.get(error["code"], "")
