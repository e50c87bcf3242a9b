"""Participants in the harness page: browser contexts, hands on the keys, and tabs that are hidden."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seed_server import SeedServer

from tools import hostpage

LOAD_TIMEOUT = 60.0
KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown")
ACTIONS = {key: action for action, key in enumerate(KEYS, start=1)}

HIDING = """
(() => {
  // A hidden tab as browsers treat it: no animation frames, and timers of the page once a second. Workers go on.
  let hidden = false;
  const waiting = [];
  const late = new Map();
  const [later, stop, every, frame] = [setTimeout, clearTimeout, setInterval, requestAnimationFrame];
  const untilSecond = () => 1000 - (performance.now() % 1000);
  window.setTimeout = (work, ms = 0, ...rest) => {
    const run = () => (late.delete(id), work(...rest));
    const id = later(() => (hidden ? late.set(id, later(run, untilSecond())) : run()), ms);
    return id;
  };
  window.clearTimeout = (id) => (stop(id), stop(late.get(id)), late.delete(id));
  window.setInterval = (work, ms = 0, ...rest) => {
    let last = 0;
    return every(() => {
      const second = Math.floor(performance.now() / 1000);
      if (hidden && second === last) return;
      last = second;
      work(...rest);
    }, ms);
  };
  window.requestAnimationFrame = (work) => (hidden ? -waiting.push(work) : frame(work));
  Object.defineProperty(Document.prototype, 'hidden', {get: () => hidden});
  Object.defineProperty(Document.prototype, 'visibilityState', {get: () => (hidden ? 'hidden' : 'visible')});
  window.seedHide = (value) => {
    hidden = value;
    document.dispatchEvent(new Event('visibilitychange'));
    if (!hidden) waiting.splice(0).forEach((work) => frame(work));
  };
})();
"""

WATCHING = """
(() => {
  // Notes each state that the page draws, what a game has counted at its end, and what pycore laid over the page; and
  // does what a test wants at a frame. Who looks from outside comes too late when a machine is busy.
  window.seedDrawn = [];
  window.seedOverlays = [];
  window.seedCounted = [];
  window.seedPlans = [];
  window.seedDatagrams = {sent: 0, received: 0};
  const {send} = RTCDataChannel.prototype;
  const heard = new WeakSet();
  RTCDataChannel.prototype.send = function (data) {
    if (!heard.has(this)) this.addEventListener('message', () => (window.seedDatagrams.received += 1));
    heard.add(this);
    window.seedDatagrams.sent += 1;
    send.call(this, data);
  };
  const watched = (name, wrap) => {
    let value = null;
    const set = (made) => {
      value = made;
      wrap(made);
    };
    Object.defineProperty(window, name, {get: () => value, set});
  };
  new MutationObserver((changes) => {
    for (const node of changes.flatMap(({addedNodes}) => [...addedNodes])) {
      if (node.id === 'pycoreOverlay') window.seedOverlays.push({kind: node.dataset.kind, text: node.textContent});
    }
  }).observe(document, {childList: true, subtree: true});
  watched('seedScene', (scene) => {
    const {drawState} = scene;
    scene.drawState = () => {
      drawState.call(scene);
      const {num_episodes: episode} = scene.pyodide_remote_game;
      const picture = scene.picture === null ? null : [scene.picture.width, scene.picture.height];
      window.seedDrawn.push({episode, step: scene.state.step, names: [...scene.objectMap.keys()], picture});
    };
  });
  watched('seedGame', (game) => {
    const {isDone, step} = game;
    game.isDone = () => {
      const done = isDone.call(game);
      if (done) window.seedCounted.push(game.exportSessionMetrics?.() ?? null);
      return done;
    };
    game.step = async (actions) => {
      const result = await step.call(game, actions);
      const due = ({episode, step}) => game.num_episodes === episode && game.step_num >= step;
      for (const plan of window.seedPlans.filter(due)) {
        window.seedPlans.splice(window.seedPlans.indexOf(plan), 1);
        plan.work(game);
      }
      return result;
    };
  });
})();
"""

HANDS = """
([seed, keys]) => {
  // Holds a key, or none, for 70 to 270 ms, and then the next one; what was held is kept with its time.
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const press = (type, key) => document.dispatchEvent(new KeyboardEvent(type, {key, bubbles: true}));
  window.seedHeld = [];
  let held = null;
  const next = () => {
    if (held !== null) press('keyup', held);
    held = random() < 0.2 ? null : keys[Math.floor(random() * keys.length)];
    if (held !== null) press('keydown', held);
    window.seedHeld.push([performance.now(), held]);
    window.seedHands = setTimeout(next, 70 + random() * 200);
  };
  next();
}
"""


class Participant:
    """One person: a browser context with one page. `console` is what the page said, `errors` what it threw."""

    def __init__(self, context: Any, server: SeedServer, subject: str) -> None:
        self.subject = subject
        self.context = context
        self.addresses = hostpage.answer_cdn(context)
        context.add_init_script(HIDING)
        context.add_init_script(WATCHING)
        self.page = context.new_page()
        self.console: list[str] = []
        self.errors: list[str] = []
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._server = server
        self._cdp: Any = None
        self.page.goto(server.address_of(subject))

    def start(self) -> None:
        """Press the start button when the page lets it be pressed."""
        self.page.wait_for_selector("#startButton:not([disabled])", timeout=LOAD_TIMEOUT * 1000)
        self.page.click("#startButton")

    def play(self, seed: int) -> None:
        """Hands on the keys, when the game is drawn."""
        self.until("window.seedScene?.objectMap.size > 0 || window.seedScene?.picture != null", LOAD_TIMEOUT)
        self.page.evaluate(HANDS, [seed, KEYS])

    def impair(self, latency_ms: float, loss: float = 0) -> None:
        """Slow down and lose packets, in both directions of this page, peer-to-peer included; latency at least 1."""
        if self._cdp is None:
            self._cdp = self.context.new_cdp_session(self.page)
            self._cdp.send("Network.enable")
        conditions = {"offline": False, "latency": latency_ms, "downloadThroughput": -1, "uploadThroughput": -1}
        self._cdp.send("Network.emulateNetworkConditions", {**conditions, "packetLoss": loss})

    def hide(self, hidden: bool = True) -> None:
        """Hide the tab, or show it again."""
        self.page.evaluate("(hidden) => window.seedHide(hidden)", hidden)

    def until(self, expression: str, seconds: float) -> None:
        """Wait until this is true in the page, in which `game` is what plays. It is asked from outside: a page that is
        hidden has no clock to ask itself."""
        deadline = time.monotonic() + seconds
        while not self.game(expression):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.subject}: not within {seconds:g} s: {expression}")
            self.page.wait_for_timeout(50)

    def at(self, episode: int, step: int, work: str) -> None:
        """Have the page do this (JavaScript, in which `game` is what plays) once, at this step or soon after."""
        plan = "([episode, step]) => void window.seedPlans.push({episode, step, work: (game) => {" + work + "}})"
        self.page.evaluate(plan, [episode, step])

    def counted(self, number: int = 0) -> dict[str, Any]:
        """The session's metrics at the end of a scene's game."""
        return self.page.evaluate("(number) => window.seedCounted[number]", number)

    @property
    def drawn(self) -> list[dict[str, Any]]:
        """Every state that the page drew: `episode`, `step`, `names` of what stood there then, its `picture`'s size."""
        return json.loads(self.page.evaluate("JSON.stringify(window.seedDrawn)"))

    def game(self, expression: str) -> Any:
        """A value in the page, in which `game` is what plays."""
        return self.page.evaluate(f"() => {{ const game = window.seedGame; return {expression}; }}")

    def finish(self, seconds: float, number: int = 0) -> Path:
        """Wait for the end of the scene and for the data; the CSV file."""
        self.until("document.getElementById('sceneHeader').textContent === 'The end'", seconds)
        return self.stored(10, number)

    def stored(self, seconds: float, number: int = 0) -> Path:
        """Wait for the data of a scene; the CSV file."""
        path = self._server.csv_of(self.subject, number)
        deadline = time.monotonic() + seconds
        while not path.with_name(f"{self.subject}_metadata.json").is_file():  # the last one that is written
            if time.monotonic() > deadline:
                raise AssertionError(f"the page of {self.subject} sent no data")
            self.page.wait_for_timeout(50)
        return path


class Browser:
    """Chromium, with a context for everybody who opens the page of one server."""

    def __init__(self, browser: Any, server: SeedServer) -> None:
        self._browser = browser
        self._server = server
        self.participants: list[Participant] = []

    def participant(self, subject: str) -> Participant:
        self.participants.append(Participant(self._browser.new_context(), self._server, subject))
        return self.participants[-1]


@contextlib.contextmanager
def browser(chromium: Any, server: SeedServer) -> Iterator[Browser]:
    """Chromium for the pages of this server, which end with it."""
    people = Browser(chromium, server)
    try:
        yield people
    except BaseException:
        for person in people.participants:
            print(f"--- {person.subject}", *person.console[-40:], *person.errors, sep="\n")
        raise
    finally:
        for person in people.participants:
            with contextlib.suppress(Exception):
                person.context.close()
