"""Whole sessions in headless pages over a real relay, impaired as planned, and judged.

Every page is a browser context of its own, with a scripted player. What the pages leave is checked by `verdict`; the
first difference decides.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pycore import records
from pycore.factory import make_with
from pycore.rehearsal import coverage, departures, inputs, pace, partners, serving, verdict
from pycore.rehearsal.browsers import Pages, browser
from pycore.rehearsal.departures import KEEP
from pycore.rehearsal.detour import Detour, detour
from pycore.rehearsal.game import actions_of
from pycore.rehearsal.network import Impairment
from pycore.rehearsal.outcome import Outcome
from pycore.rehearsal.plan import Plan
from pycore.rehearsal.reproducing import Here, InPage
from pycore.rehearsal.resumed import resumed
from pycore.rehearsal.serving import RehearsalFailed, Relay
from pycore.rehearsal.stage import LOAD_TIMEOUT, Say, Stage, photograph

Server = Callable[[Sequence[str]], contextlib.AbstractContextManager[Relay]]

END_TIMEOUT = 30.0
"""Seconds from the request to stop until everything is stored."""


def rehearse(
    plan: Plan,
    *,
    site: Path,
    chromium: Path | None = None,
    firefox: Path | None = None,
    database: str | None = None,
    port: int | None = None,
    out: Path | None = None,
    say: Say = lambda line: None,
    server: Server | None = None,
    others: Callable[[], contextlib.AbstractContextManager[Pages]] | None = None,
) -> Outcome:
    """Play one session and judge it.

    `site` is the folder with the page, built with the plan's game; `chromium` and `firefox` the browsers (None:
    Playwright's own, and the one that is found);
    `database` a URL or file (None: a passing one); `port` the relay's (None: a free one); `out` takes screenshots;
    `server` starts another relay than one process of this package, with these words behind `pycore relay`; `others`
    opens the plan's browsers in the place of those two.
    Raises RehearsalFailed where a page or the relay does not do its part.
    """
    scripts = plan.scripts()
    with (
        tempfile.TemporaryDirectory() as folder,
        detour(Path(folder), plan.seed, plan.detours) as around,
        _relay(Path(folder), plan, site, database, port, around, server) as relay,
        (browser(chromium, firefox) if others is None else others()) as opened,
    ):
        def stored(game_id: str) -> dict[str, bytes]:
            return _stored(relay.database or _store(Path(folder), database), game_id, Path(folder))

        outcome = _play(plan, relay, opened, inputs.script(scripts) + KEEP, out, say, stored, around)
        files = stored(outcome.game_id)
        kept = {name: data for name, data in files.items() if name.startswith(("experienced-", "game."))}
        return replace(outcome, stored_files=kept, problems=[*outcome.problems, *verdict.not_as_shown(files)])


def _stored(database: str, game_id: str, folder: Path) -> dict[str, bytes]:
    """What the relay has of the game, by the names that `pycore data` gives."""
    from pycore.relay.storage.export import export_game, list_games
    from pycore.relay.storage.store import DataStore

    store = DataStore(database, create=False)
    try:
        (game,) = list_games(store, game_id)
        paths = export_game(store, game, folder / "game")
    finally:
        store.close()
    return {path.name: path.read_bytes() for path in paths}


def _store(folder: Path, database: str | None) -> str:
    return serving.database_url(database) if database else f"sqlite:///{folder / 'rehearsal.sqlite'}"


@contextlib.contextmanager
def _relay(
    folder: Path, plan: Plan, site: Path, database: str | None, port: int | None, around: Detour | None,
    server: Server | None,
) -> Iterator[Relay]:  # fmt: skip
    """A relay of its own, with the plan's settings."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps(plan.settings()), encoding="utf-8")
    if server is not None:
        words = ["--site", str(site.resolve()), "--settings", str(settings), "--seats", str(plan.game.seats)]
        with server([*words, "--seed", str(plan.seed), *(around.options if around is not None else ())]) as relay:
            yield relay
        return
    if port:
        # Another relay there would answer in the place of ours, with other settings.
        serving.refuse_taken("127.0.0.1", port)
    chosen = port or serving.free_port()
    command = serving.command("127.0.0.1", chosen, _store(folder, database), site, settings)
    command += ["--seed", str(plan.seed), "--seats", str(plan.game.seats)]
    environ = None
    if around is not None:
        command += around.options
        environ = around.environ
    relay = Relay(command, serving.address("127.0.0.1", chosen), folder / "relay.log", environ)
    try:
        relay.start()
        yield relay
    finally:
        relay.stop()


def _play(
    plan: Plan, relay: Relay, opened: Pages, script: str, out: Path | None, say: Say,
    stored: Callable[[str], Mapping[str, bytes]], around: Detour | None,
) -> Outcome:  # fmt: skip
    reports: list[str] = []
    url = relay.url
    pages = [opened.page(plan.engine(number)) for number in range(plan.pages)]
    for number, page in enumerate(pages):
        page.on("pageerror", lambda error, number=number: reports.append(f"page {number}: {error}"))
        page.add_init_script(script)
    say(f"loading {len(pages)} pages")
    for page in pages:
        page.goto(url)
    for page in pages:
        _wait_until_loaded(page)
    impairment = Impairment(pages, plan, around)
    impairment.usual()
    for page in pages:
        page.click("#play")
    for page in pages:
        _wait_until(page, ["playing", "done"], "began to play")
    begun = time.monotonic()
    say(f"playing for {plan.seconds:g} s")
    stage = Stage(plan, pages, impairment, relay, begun, out, say)
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
        photograph(pages, out, "end")

    def another() -> Any:
        page = opened.page(plan.engine(0))
        page.goto(url)
        _wait_until_loaded(page)
        return page

    say("judging the records")
    return _collect(plan, relay, pages, another, seconds, failover, reports, stage, stored)


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


def _collect(
    plan: Plan,
    relay: Relay,
    pages: list[Any],
    another: Callable[[], Any],
    seconds: float,
    failover: float | None,
    reports: list[str],
    stage: Stage,
    stored_files: Callable[[str], Mapping[str, bytes]],
) -> Outcome:
    departed, back = stage.departed, None
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
    if plan.returns:
        if stage.before is None:
            raise RehearsalFailed("the page that was loaded again was in no game")
        player = stage.before.player
        delay = settings.longest_input_delay_of(stage.before.seat)
        back, read[player], wrong = resumed(stage.before, metrics, read[player], settings, delay, stage.back_after)
        problems += wrong
        # What came before its last load it does not hold any more: it is judged by what is stored.
        texts[player] = stored_files(game_id).get(f"trajectory-{player}.jsonl", b"").decode()
    seats = actions_of(settings, plan.game.seats)
    played = json.dumps(plan.settings())
    here = Here(lambda: make_with(plan.game.make, plan.game.subject), played)
    delays = [list(episode["inputDelay"].values()) for episode in everybody[0]["episodes"]]
    judged = verdict.judge(
        texts, read, seats, here, InPage(another, played), plan.reproduce, delays, departures.broken(departed),
        back,
    )  # fmt: skip
    problems += judged.problems
    if not problems and plan.reproduce == "cpython":
        text = next(iter(texts.values()))
        problems += [found for found in [partners.recomputed(plan.game, settings, records.read(text))] if found]
    if not stored:
        problems.append("not everything was acknowledged by the server")
    counts = _counts(relay, game_id)
    problems += verdict.not_taken_up(relay.restarts, counts)
    if stage.before is not None:
        problems += verdict.differing_states(everybody)  # what a page counted before it was loaded again is lost
    elif not failed and departed is None:
        # Who failed has told what, and who went away tells nothing: that others heard less of it adds nothing.
        # What a page gave a server that ended may have come to nobody: it was said again.
        problems += verdict.wrong_books(everybody, {} if relay.restarts else counts)
    if vacuous := coverage.without_rollback(plan, everybody):
        problems.append(vacuous)
    if away := coverage.not_back(plan, everybody):
        problems.append(away)
    warnings = [*judged.warnings, *coverage.ends(everybody), *coverage.never_changed(here.states)]
    warnings += [*coverage.without_peer_to_peer(plan, everybody), *coverage.of_predictors(everybody)]
    for player, of in paces.items():
        depths = [event["rollbackFrames"] for event in metrics[player]["rollbacks"]["events"]]
        warnings += [said for said in [pace.advice(player, of, depths, seats[int(player)].delay)] if said]
    return Outcome(
        game_id, metrics, texts, huds, counts, stored, seconds, failover, judged.lost, problems, reports,
        warnings=warnings, paces=paces, settings=plan.settings(), reproduced=plan.reproduce, departed=departed,
        restarts=relay.restarts, server_away=plan.server_away, resumed=back,
    )  # fmt: skip


def _counts(relay: Relay, game_id: str) -> dict[str, Any]:
    """What the relay counted of the game, with what the processes before it had counted when they were stopped."""
    return relay.ask(f"api/games/{game_id}")


HINTS: Final = {
    "load-pyodide": ". A folder with Pyodide is given by --pyodide DIR; docs/running.md says where it comes from",
    "load-package": ". Wheels are given by --wheels DIR; numpy and other packages with C code come with a full release "
    "of Pyodide, given by --pyodide DIR",
}
"""What to do about what a page could not load, in the words of the command."""


def _error(status: dict[str, Any]) -> str:
    error = status.get("error")
    if status.get("notBack"):
        return f"it came back, and found no game: {status['notBack']}"
    if not isinstance(error, dict):
        return "it says nothing"
    said = f"{error['code']}: {error['message']}"
    if "ModuleNotFoundError" in said:
        said += " (what the page loads beside the environment's own files is said by --packages, with --wheels)"
    return said + HINTS.get(error["code"], "")
