"""Studies and participants: the real server of the interactive_gym page, and people in real browsers who take part.

    with Study(browser, folder, episodes=2, max_steps=60) as study:
        ann, bob = study.players("ann", "bob")   # both have loaded, joined and play
        study.finish(ann, bob)
        table = study.csv(ann, 0)

A test hears what the page does from outside: from what `step` was given, from the frames of its web socket, from the
files that the server wrote. Nothing here knows whether the page's own module runs or ours.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import page_records
import study as study_file
from page_engines import means_of
from page_traffic import Traffic

from tools import hostpage

HERE = Path(__file__).parent
SCRIPT = HERE / "page_rig.js"
LOADING = 90.0
"""Seconds for the page to load its Python: four here, more when all cores are busy."""
ENDING = "e"
"""The key that ends an episode, for the setting of that name."""
SETTLED = 0.6
"""Seconds for which a file that the server may be writing must not change."""

Prepare = Callable[[Any], None]
STUDYS_OWN: Mapping[str, Any] = {}


class Participant:
    """A person: a browser context of its own, with one page. `name` is the subject's id in the files.

    `prepare(context)` is called before the page is made, for routes and scripts of a test's own.
    """

    def __init__(
        self,
        browser: Any,
        url: str,
        name: str,
        numpy: bool = False,
        prepare: Prepare | None = None,
        **context: Any,
    ) -> None:
        self.name = name
        self.url = f"{url}{name}"
        self.context = browser.new_context(**{"viewport": {"width": 960, "height": 800}, **context})
        self.addresses = hostpage.answer_cdn(self.context, numpy)
        self.context.add_init_script(path=SCRIPT)
        self._means = means_of(browser, self.context)
        if prepare is not None:
            prepare(self.context)
        self.page = self.context.new_page()
        self.console: list[str] = []
        self.errors: list[str] = []
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._means.watch(self.page)

    @property
    def sent(self) -> Traffic:
        """What the page sent to its server."""
        return self._means.sent

    @property
    def received(self) -> Traffic:
        """What the server sent to the page."""
        return self._means.received

    # -- the way through the study ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Ask for the page; loading goes on by itself."""
        # Chromium shapes only the connections that are made after it was told to, however little.
        self.network()
        self.page.goto(self.url, wait_until="commit")

    def ready(self) -> None:
        """Wait until the page has loaded its Python and shows the welcome."""
        self.wait("document.querySelector('#advanceButton')?.offsetParent != null", LOADING, "the page loads")

    def proceed(self) -> None:
        """Click Continue."""
        self.page.click("#advanceButton:not([disabled])")

    def start(self) -> None:
        """Click Start as soon as the game's page allows it, which joins the waiting room."""
        self.page.click("#startButton:not([disabled])", timeout=LOADING * 1000)

    def playing(self, seconds: float = 120.0) -> None:
        """Wait for the first frame."""
        self.wait("window.game?.frameNumber > 0", seconds, "the game begins")

    def arrive(self, scene: str, seconds: float) -> None:
        """Wait for a scene by its header."""
        quoted = json.dumps(scene)
        self.wait(f"document.querySelector('#sceneHeader')?.textContent === {quoted}", seconds, f"scene {scene}")

    def reload(self) -> None:
        self.page.reload(wait_until="commit")

    def close(self) -> None:
        """Leave, as by closing the tab."""
        self._means.hear()
        self.context.close()

    # -- what they do ------------------------------------------------------------------------------------------------

    def play(self, seed: int, chance: float = 0.2) -> None:
        """From now on press keys by a seeded script: at each tick another key, or none, with this probability."""
        keys = "Object.keys(window.game.config.action_mapping).filter((key) => /^Arrow[^,]+$/.test(key))"
        self.page.evaluate(f"([seed, chance]) => window.rig.play(seed, {keys}, chance)", [seed, chance])

    def walk(self, places: Sequence[tuple[int, int, int]]) -> None:
        """From now on go to a column of the arena and stay near it: `places` are episode, first frame, and column."""
        self.page.evaluate("(places) => window.rig.walk(places)", [*map(list, places)])

    def end(self) -> None:
        """Hold the key that ends the episode, where the study has one, until the next one begins or there is none."""
        self.page.evaluate("(key) => window.rig.end(key)", ENDING)

    def rest(self) -> None:
        """Let go of all keys that the script holds."""
        self.page.evaluate("window.rig.rest()")

    @contextlib.contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Hold a key of the real keyboard."""
        self.page.keyboard.down(key)
        try:
            yield
        finally:
            self.page.keyboard.up(key)

    def hide(self, hidden: bool = True) -> None:
        """Put the tab into the background, for all that the page can see of it; `hide(False)` brings it back."""
        self._means.hide(hidden)

    def network(self, latency: float = 1.0, loss: float = 0.0) -> None:
        """Shape everything, data channels too: `latency` ms are added in each direction, `loss` is a probability.

        Chromium ignores the loss when the latency is below 1. In Firefox only data channels are shaped.
        """
        self._means.network(latency, loss)

    def cut(self) -> None:
        """Lose every datagram between the players, silently; socket.io goes on. Do it on both pages."""
        self.network(loss=1.0)

    # -- what is seen of them ----------------------------------------------------------------------------------------

    def game(self, expression: str) -> Any:
        """A value of the page's game: `game("frameNumber")` is `window.game.frameNumber`."""
        return self.page.evaluate(f"window.game.{expression}")

    @property
    def log(self) -> list[dict[str, Any]]:
        """Each call of `step`: episode, frame, step, action (own), actions, at, ms, hidden, stepped (it gave a
        result)."""
        return self.page.evaluate("window.rig.log")

    @property
    def failures(self) -> list[str]:
        """What `step` threw into the page."""
        return self.page.evaluate("window.rig.failures")

    @property
    def pauses(self) -> list[dict[str, float]]:
        """When the page did nothing at all, `from` and `to` in ms since the epoch: its machine had other work."""
        return self.page.evaluate("window.rig.pauses")

    @property
    def assigned(self) -> dict[str, Any]:
        """What the server said last: `player_id`, `game_id`, `game_seed`, `num_players`."""
        return self.received.named("pyodide_player_assigned")[-1].data

    def wait(self, expression: str, seconds: float, what: str) -> None:
        """Wait until an expression is true in the page; the failure says what the page was at instead."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: not within {seconds:g} s: {what}\n{self.report()}")
            self.page.wait_for_timeout(50)

    def sleep(self, seconds: float) -> None:
        """Let time pass for all pages."""
        self.page.wait_for_timeout(seconds * 1000)

    def report(self) -> str:
        """The page as it is, for a failure's message."""
        shown = self.page.evaluate("document.body.innerText")[:800]
        said = "\n".join(line[:300] for line in self.console[-25:])
        return f"page errors: {self.errors}\nshown:\n{shown}\nconsole:\n{said}"


def answers(url: str, seconds: float = 10.0) -> bool:
    """Whether a server answers, with anything."""
    try:
        # The one address that begins no participant's session.
        urllib.request.urlopen(f"{url}robots.txt", timeout=seconds)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


class Study:
    """A study with its server, its participants and its data. Settings are those of study.py.

    `package` is a copy of the page's package to run from (default: the installed one, unmodified). With `own_module`
    the page gets the stand-in for numpy, which its own module needs and ours must not.
    """

    def __init__(
        self, browser: Any, folder: Path, package: Path | None = None, own_module: bool = False, **settings: Any
    ) -> None:
        if own_module:
            settings["packages"] = [*settings.get("packages", ()), "numpy"]
            settings["options"] = {**settings.get("options", {}), "numpy": True}
        self.own_module = own_module
        self.games = study_file.complete(settings)
        self.game: Mapping[str, Any] = self.games[0]
        self.server = hostpage.Server(HERE / "study.py", folder, settings, package)
        self.participants: list[Participant] = []
        self.answered = True
        """Whether the server still answered when everybody had left: 0.1.3's can lock itself up for good."""
        self._browser = browser

    def __enter__(self) -> Study:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for participant in self.participants:
            with contextlib.suppress(Exception):
                participant.close()
        self.answered = answers(self.server.url)
        self.server.__exit__()

    @property
    def refused(self) -> list[str]:
        """The public addresses that some page asked for and nobody foresaw."""
        return [address for participant in self.participants for address in participant.addresses.refused]

    def participant(self, name: str, browser: Any = None, **context: Any) -> Participant:
        """Somebody opens the study, in the study's browser or in another one."""
        participant = Participant(browser or self._browser, self.server.url, name, self.own_module, **context)
        self.participants.append(participant)
        participant.open()
        return participant

    def join(
        self,
        *names: str,
        prepare: Prepare | Mapping[str, Prepare] | None = None,
        browsers: Mapping[str, Any] = STUDYS_OWN,
        **context: Any,
    ) -> list[Participant]:
        """So many people come as far as the first game's waiting room; `prepare` is for all of them, or by name.

        `browsers`, by name, are those of people who have another one than the study's.
        """
        by_name = prepare if isinstance(prepare, Mapping) else dict.fromkeys(names, prepare)
        participants = [
            self.participant(name, browsers.get(name), prepare=by_name.get(name), **context) for name in names
        ]
        for step in (Participant.ready, Participant.proceed, Participant.start):
            for participant in participants:
                step(participant)
        return participants

    def players(self, *names: str, seed: int | None = 1, **context: Any) -> list[Participant]:
        """So many people who play, each by a key script of its own seed; with `seed=None` nobody presses anything."""
        participants = self.join(*names, **context)
        for number, participant in enumerate(participants):
            if seed is not None:
                participant.play(seed * 1000 + number)
        for participant in participants:
            participant.playing()
        return participants

    def next_game(self, *participants: Participant, game: int = 1, seconds: float = 120.0) -> None:
        """Come from one game into the next one, and play."""
        scene = json.dumps(self.games[game]["scene"])
        for participant in participants:
            participant.wait(f"window.game.sceneId === {scene} && window.game.isP2PReady", seconds, "the next scene")
            participant.start()
        for participant in participants:
            participant.playing()

    def finish(self, *participants: Participant, seconds: float = 120.0) -> None:
        """Wait until all have come to a page after the last game; a page that is late may advance twice by itself."""
        after = "['Debrief', 'Goodbye'].includes(document.querySelector('#sceneHeader')?.textContent)"
        for participant in participants:
            participant.wait(after, seconds, "the page after the last game")

    # -- data --------------------------------------------------------------------------------------------------------

    def path(self, participant: Participant | str, ending: str, game: int = 0) -> Path:
        """Where the server puts a file of somebody: `path(ann, "_ep0.csv")`."""
        name = participant if isinstance(participant, str) else participant.name
        chosen = self.games[game]
        return self.server.data / chosen["experiment"] / chosen["scene"] / f"{name}{ending}"

    def until(self, found: Callable[[], Any], seconds: float, what: Callable[[], str]) -> Any:
        """Wait for something outside of the pages, which go on; the failure says `what` is missing."""
        deadline = time.monotonic() + seconds
        while not (result := found()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s: {what()}")
            self._sleep()
        return result

    def _sleep(self) -> None:
        """Let 50 ms pass. Whoever sleeps in a page of Playwright's lets it answer the others' requests."""
        page = next((each.page for each in self.participants if not each.page.is_closed()), None)
        if page is None:
            time.sleep(0.05)
        else:
            page.wait_for_timeout(50)

    def file(
        self,
        participant: Participant | str,
        ending: str,
        game: int = 0,
        seconds: float = 20.0,
        good: Callable[[str], Any] = bool,
    ) -> Path:
        """Such a file, as soon as it is there and as it should be."""
        return self.settled(self.path(participant, ending, game), seconds, good)

    def settled(self, path: Path, seconds: float = 20.0, good: Callable[[str], Any] = bool) -> Path:
        """Wait until a file is there, `good` says so of its text, and it has not changed for a while: the server writes
        into the file itself, and into some files more than once."""

        def found() -> bool:
            # What was written since it was looked at changes its time again, and is read the next time.
            if not path.is_file() or time.time() - path.stat().st_mtime < SETTLED:
                return False
            text = path.read_text("utf-8", "replace")
            try:
                return bool(text and good(text))
            except ValueError:
                return False

        def what() -> str:
            return f"{path.name} as it should be; there are {sorted(item.name for item in path.parent.glob('*'))}"

        self.until(found, seconds, what)
        return path

    def csv(self, participant: Participant | str, episode: int | str, game: int = 0) -> page_records.Table:
        """An episode's rows, as the server stored them for somebody."""
        path = self.file(participant, f"_ep{episode}.csv", game, good=lambda text: text.endswith("\n"))
        return page_records.read_csv(path)

    def metrics(
        self,
        participant: Participant | str,
        game: int = 0,
        good: Callable[[dict[str, Any]], Any] = bool,
    ) -> dict[str, Any]:
        """The multiplayer metrics that the server stored for somebody, as soon as `good` says so of them."""
        ending = "_multiplayer_metrics.json"
        path = self.file(participant, ending, game, good=lambda text: good(json.loads(text)))
        return json.loads(path.read_text("utf-8"))

    def status(self, participant: Participant | str, reason: str, game: int = 0) -> dict[str, Any]:
        """How a game ended for somebody, as soon as the metrics say that it was for this reason."""
        metrics = self.metrics(participant, game, lambda text: text["sessionStatus"]["terminationReason"] == reason)
        return metrics["sessionStatus"]

    def truth(self, tables: list[page_records.Table], seed: int, game: int = 0) -> list[list[page_records.Row]]:
        """What the environment does, in CPython, with the actions of these episodes."""
        chosen = self.games[game]
        options = {name: value for name, value in chosen["options"].items() if name != "numpy"}
        code = study_file.code_of({**chosen, "options": options})
        players = [player for player, _ in chosen["policies"]]
        return page_records.truth(code, chosen["step_code"], players, seed, [table.actions() for table in tables])
