"""A rehearsal without browsers: a game's pages, their network and their server in virtual time, and a judge.

`Simulated(game).run(scenario)` plays one scenario of `pycore.testing.scenario`. What is published by every page is
compared with the ground truth, a bare environment that is stepped with what the players really did; beside it stand
the law of standing still, the books of every link, and that every session ends by itself. One seed is one run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import combinations
from math import inf
from typing import Any, Final

from pycore.audit.moves import Moves
from pycore.audit.sampling import script
from pycore.costs import Costs
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ConfigError
from pycore.events import Desync, DesyncReported, PathChanged
from pycore.policy import Policy
from pycore.rehearsal.game import Game, actions_of
from pycore.settings import Settings
from pycore.testing import Mesh, Page, Standing, ground_truth, wrong_with
from pycore.testing.happenings import Happenings
from pycore.testing.oracle import Truth
from pycore.testing.pages import Published
from pycore.testing.scenario import GOES, Happening, Scenario
from pycore.values.json import record_json

ENDED: Final = frozenset(("complete", "stop"))
GONE: Final = frozenset(("player_left", "ready_timeout", "dropped", "returned", "no_progress"))
"""What may end a session besides where somebody goes, or where nobody can hear the others for too long."""
GRACE: Final = 5.0
"""Seconds from the loss of a page's socket until the server tells the others."""
LIVELY: Final = 0.02
"""One way, seconds: from here on a game without a single rollback has not been played."""


@dataclass(kw_only=True)
class Outcome:
    """What became of one scenario."""

    scenario: Scenario
    problems: list[str] = field(default_factory=list)
    """What is wrong; empty if nothing is."""
    seconds: float = 0.0
    """Virtual seconds until every session was over."""
    frames: int = 0
    """Frames that every page published that is still there."""
    rollbacks: int = 0
    resimulated: int = 0
    """Frames that were stepped again."""
    deepest: int = 0
    """The deepest rollback, in frames."""
    stalls: int = 0
    """Ticks in which somebody stood."""
    standing: float = 0.0
    """The longest time for which somebody stood in one piece, seconds."""
    path_changes: int = 0
    through_server: int = 0
    """Inputs that crossed the server."""
    hashes: int = 0
    """Hashes that were compared."""
    reasons: tuple[str, ...] = ()
    """With what the sessions ended, by page; "gone" for a page that is not there any more."""
    changed: bool = False
    """Whether the players' actions changed from frame to frame, and the state or the rewards with them."""

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "scenario": self.scenario.as_json()}


class Simulated:
    """A game that can be played in virtual time. Raises ConfigError for one that has no page but policies."""

    def __init__(self, game: Game, *, episodes: int | None = None, costs: Costs | None = None) -> None:
        self.game = game
        played = game.played()
        self.pages = len(game.people)
        if self.pages < 1:
            raise ConfigError("policies play all seats: nobody has a page")
        self._computed = sorted(game.policies())
        if self._computed != list(range(self.pages, game.seats)):
            raise ConfigError("in virtual time policies play behind the people, and every page computes them")
        self._episodes = played.num_episodes if episodes is None else episodes
        self._costs = costs
        self.actions = actions_of(played, game.seats)

    def settings(self, scenario: Scenario) -> Settings:
        """The study's, with episodes of the scenario's length at most."""
        played = self.game.played()
        steps = max(1, min(played.max_steps, round(scenario.seconds * played.fps)))
        values = {**self.game.settings, "max_steps": steps, "num_episodes": self._episodes, "hash_interval": None}
        return Settings.of({**values, "p2p": not scenario.socketio_only})

    def run(self, scenario: Scenario) -> Outcome:
        """Play it, and judge it. Raises ConfigError for a scenario that has no such pages."""
        scenario.check(self.pages)
        outcome = Outcome(scenario=scenario)
        settings = self.settings(scenario)
        standing = Standing()
        try:
            rows = self._rows(settings, scenario.seed)
            mesh = self._mesh(scenario, settings, standing, rows)
            mesh.run(_patience(scenario, settings, self._costs))
        except Exception as error:
            # What an environment raises in a frame of which everything is known ends the game: that is the finding.
            outcome.problems.append(f"raised {type(error).__name__}: {error}")
            return outcome
        self._count(mesh, standing, outcome)
        outcome.problems += [*standing.wrong, *self._judge(mesh, scenario, settings)]
        return outcome

    # -- playing ----------------------------------------------------------------------------------------------

    def _rows(self, settings: Settings, seed: int) -> list[list[Any]]:
        """What the people do, by frame and seat, as JSON has it."""
        people = self.actions[: self.pages]
        spaces = [dict(of.space) for of in people]
        if self.game.turns:
            simulation = self.game.simulation(settings, seed)
            if isinstance(simulation, ParallelEnvAdapter):
                codecs = [of.codec for of in self.actions]
                moves = Moves(simulation, [dict(of.space) for of in self.actions], codecs, settings.max_steps)
                return [moves.recorded(row)[: self.pages] for row in moves.rows(seed)]
        return [
            [of.spelled(action) for of, action in zip(people, row, strict=True)]
            for row in script(spaces, settings.max_steps, seed)
        ]

    def _mesh(self, scenario: Scenario, settings: Settings, standing: Standing, rows: Sequence[Sequence[Any]]) -> Mesh:
        conditions = scenario.conditions
        if self._costs is not None:
            conditions = replace(conditions, costs=self._costs)

        def player(seat: int) -> Callable[[int, int], Any]:
            # Every episode begins elsewhere in what they do.
            return lambda episode, frame: rows[(frame + 97 * episode) % len(rows)][seat]

        mesh = Mesh(
            self.pages,
            settings,
            lambda seat: self.game.simulation(settings, scenario.seed),
            player,
            conditions,
            seed=scenario.seed,
            watchers=[standing],
            policies=[partial(self._policy, seat) for seat in self._computed],
            predictors=[self.game.predictor() for _ in range(self.pages)],
        )
        standing.mesh = mesh
        mesh.server.grace = GRACE
        for way in mesh.network.ways.values():
            way.duplicates = scenario.duplicates
        happenings = Happenings(mesh, standing)
        for happening in scenario.happenings:
            happenings.add(happening)
        return mesh

    def _policy(self, seat: int) -> Policy:
        return self.game.policies()[seat]

    # -- judging ----------------------------------------------------------------------------------------------

    def _count(self, mesh: Mesh, standing: Standing, outcome: Outcome) -> None:
        pages = mesh.peers
        timelines = [page.session.timeline for page in pages]
        outcome.seconds = round(mesh.now, 3)
        loads = [[*page.published_before, page.published] for page in pages]
        there = [number for number, page in enumerate(pages) if not page.gone] or range(len(pages))
        outcome.frames = min(max(of.frames for of in loads[number]) for number in there)
        outcome.rollbacks = sum(timeline.rollbacks for timeline in timelines)
        outcome.resimulated = sum(timeline.resimulated for timeline in timelines)
        outcome.deepest = max(timeline.events.max_frames for timeline in timelines)
        outcome.stalls = sum(page.session.stalls for page in pages)
        outcome.standing = round(standing.longest, 3)
        outcome.path_changes = sum(len(page.events(PathChanged)) for page in pages)
        outcome.through_server = mesh.through_server
        outcome.hashes = sum(page.session.hashes_compared for page in pages)
        outcome.reasons = tuple("gone" if page.gone else page.session.reason or "" for page in pages)
        played = max((of for number in there for of in loads[number]), key=lambda of: of.frames)
        outcome.changed = any(self._changes(mesh.settings, outcome.scenario.seed, rows) for rows in played.rows[:1])

    def _changes(self, settings: Settings, seed: int, rows: Sequence[tuple[bytes, ...]]) -> bool:
        """Whether the first episode's actions differ from frame to frame, and state or rewards move."""
        if len(set(rows)) < 2:
            return False
        simulation = self.game.simulation(settings, seed)
        simulation.reset(0)
        # From the first step on: the adapter's own state tells whether there was one.
        seen = set()
        for row in rows:
            result = simulation.step([of.codec.decode(action) for of, action in zip(self.actions, row, strict=True)])
            rewards = record_json(None if result is None else result.rewards)
            seen.add((rewards, simulation.canonical(simulation.save())))
            if len(seen) > 1:
                return True
        return False

    def _judge(self, mesh: Mesh, scenario: Scenario, settings: Settings) -> Iterator[str]:
        if not mesh.over:
            phases = [(page.session.episode, page.session.frame) for page in mesh.peers if not page.over]
            yield f"not over after {mesh.now:.0f} s: somebody is still at episode, frame {phases[0]}"
            return
        may_end = _may_end(scenario, settings, self.pages)
        for page in mesh.peers:
            for desync in page.events(Desync)[:1]:
                yield (
                    f"pages {page.seat} and {desync.seat} differ in the {desync.what} of episode {desync.episode}, "
                    f"frame {desync.frame}: the environment did something else there (`pycore audit` says why)"
                    + _named(page, desync)
                )
            reason = page.session.reason
            if not page.gone and reason not in (ENDED | GONE if may_end else ENDED):
                yield f"page {page.seat} ended with {reason!r}"
        whole = not may_end and all(page.session.reason in ENDED for page in mesh.peers)
        for episode in range(settings.num_episodes):
            yield from self._judge_episode(mesh, scenario, settings, episode, whole)
        if whole:
            yield from _books(mesh)

    def _judge_episode(
        self, mesh: Mesh, scenario: Scenario, settings: Settings, episode: int, whole: bool
    ) -> Iterator[str]:
        codecs = [of.codec for of in self.actions]
        inputs = [_given(page, episode) for page in mesh.peers] + [{} for _ in self._computed]
        for page in mesh.peers:
            for published in (*page.published_before, page.published):
                count = len(published.rows[episode]) if episode < len(published.rows) else 0
                if not count:
                    if whole:
                        yield f"episode {episode}, page {page.seat}: nothing was recorded"
                    continue
                truth = ground_truth(
                    self.game.simulation(settings, scenario.seed), settings, codecs, inputs, episode,
                    None if whole else count - 1, policies=self.game.policies(), seed=scenario.seed,
                )  # fmt: skip
                found = _unlike(truth, published, episode, whole)
                if found:
                    yield f"episode {episode}, page {page.seat}: {found}"


def _unlike(truth: Truth, published: Published, episode: int, whole: bool) -> str:
    """In what an episode as a page published it differs from the truth; empty if in nothing."""
    final = published.finals[episode]
    if final is None and not whole:
        # It was broken off.
        final = truth.final_hash
    found = wrong_with(truth, published.rows[episode], published.rewards[episode], final)
    if not found and any(truth.hashes.get(at) != digest for at, digest in published.hashes[episode].items()):
        found = "a state's hash is not that of the environment alone"
    return found


def _given(page: Page, episode: int) -> dict[int, bytes]:
    """All inputs that were fixed at a page; of a frame with several, since it was loaded again, the first."""
    found: dict[int, bytes] = {}
    for load in (page.inputs, *reversed(page.given_before)):
        if episode < len(load):
            found.update(load[episode])
    return found


def _books(mesh: Mesh) -> Iterator[str]:
    """What one side of a link sent, the other received, and it is what was fixed."""
    for page in mesh.peers:
        fixed = sum(len(inputs) for inputs in page.inputs)
        for link in page.session.links:
            mine = link.counts
            theirs = mesh.peers[link.seat].session.link_to(page.seat).counts
            sent = mine.sent_via_p2p + mine.sent_via_socketio
            received = theirs.received_via_p2p + theirs.received_via_socketio
            if not sent == received == fixed:
                yield f"page {page.seat} to {link.seat}: {fixed} inputs, {sent} sent, {received} received"


# -- what may come of it ----------------------------------------------------------------------------------------------


def _named(page: Page, desync: Desync) -> str:
    """What differs, where the two pages found that out."""
    for report in page.events(DesyncReported):
        if (report.seat, report.episode, report.frame) == (desync.seat, desync.episode, desync.frame):
            return "".join([f"; {path} is {own} and {theirs}" for path, own, theirs in report.differences])
    return ""


def _may_end(scenario: Scenario, settings: Settings, pages: int) -> bool:
    """Whether the session may end before its time: somebody goes, or cannot be heard for too long.

    What makes a page or a pair mute may add up, since little may be heard between; a way that is dead costs beside that
    the time in which nobody knows it yet.
    """
    happenings = scenario.happenings
    if any(of.what in GOES for of in happenings):
        return True
    trip = 2 * max(scenario.latency_ms + scenario.jitter_ms, scenario.server_ms) / 1000
    noticed = max(2.0, 8.0 * trip)
    for page in range(pages):
        # A session hears of a socket that is gone after the server's grace.
        if _lasting(_times(happenings, ("socket-down",), {page})) >= GRACE - 1.0:
            return True
    for pair in combinations(range(pages), 2):
        frozen = _times(happenings, ("freeze",), set(pair))
        dead = _times(happenings, ("cut", "close"), set(pair))
        if scenario.socketio_only or scenario.loss >= 1.0:
            dead = [(0.0, inf)]
        server = _times(happenings, ("server-down", "socket-down", "freeze"), set(pair))
        mute = [(max(a, c), min(b, d)) for a, b in dead for c, d in server if max(a, c) < min(b, d)]
        unnoticed = [(begins, begins + noticed) for begins, ends in dead if ends < inf]
        silent = [(begins, ends + noticed) for begins, ends in frozen + mute] + unnoticed
        if _lasting(silent) >= settings.dropped_after - 1.0:
            return True
    return False


def _times(happenings: Sequence[Happening], kinds: Sequence[str], seats: set[int]) -> list[tuple[float, float]]:
    """When any of these lasts for one of the pages, or between both."""
    return [
        (of.begins, of.ends)
        for of in happenings
        if of.what in kinds and of.ends is not None
        and (not of.seats or (seats.issuperset(of.seats) if len(of.seats) == 1 else seats == set(of.seats)))
    ]  # fmt: skip


def _lasting(times: Sequence[tuple[float, float]]) -> float:
    """How long they last together; what overlaps counts once."""
    total, until = 0.0, 0.0
    for begins, ends in sorted(times):
        total += max(0.0, ends - max(begins, until))
        until = max(until, ends)
    return total


def _patience(scenario: Scenario, settings: Settings, costs: Costs | None) -> float:
    """When at the latest every session is over, virtual seconds: however slow network and machines let them play."""
    trip = 2 * max(scenario.latency_ms + scenario.jitter_ms, scenario.server_ms) / 1000 + 0.2
    rate = min(settings.fps, (settings.prediction_window + settings.input_delay) / trip)
    if costs is not None and costs.step > 0.0:
        # In the worst case every frame is stepped again by every tick of its window.
        rate = min(rate, 1.0 / (costs.step * (settings.prediction_window + settings.input_delay + 1)))
    played = settings.num_episodes * (settings.max_steps / rate * 1.5 + settings.episode_pause + 2.0)
    return scenario.last + played + settings.p2p_wait + settings.dropped_after + settings.ready_timeout + 10.0


# -- many seeds -----------------------------------------------------------------------------------------------------


def vacuous(outcomes: Sequence[Outcome], seats: int) -> list[str]:
    """Why a set of right outcomes may prove nothing."""
    found = []
    if not any(outcome.frames for outcome in outcomes):
        found.append("no frame was played by all who stayed")
    elif not any(outcome.changed for outcome in outcomes):
        found.append("nothing changed: the players did the same in every frame, or neither state nor rewards moved")
    elif seats > 1 and not any(outcome.rollbacks for outcome in outcomes):
        if any(outcome.scenario.latency_ms / 1000 >= LIVELY for outcome in outcomes):
            found.append("no guess was ever wrong: the input delay is longer than the way, or actions never change")
    return found


def shrunk(simulated: Simulated, outcome: Outcome, tries: int = 40) -> Outcome:
    """A smaller scenario with a fault, found by leaving out one thing after the other."""
    best = outcome
    for _ in range(tries):
        for smaller in _smaller(best.scenario):
            tries -= 1
            if tries < 0:
                return best
            found = simulated.run(smaller)
            if not found.right:
                best = found
                break
        else:
            return best
    return best


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    for number in range(len(scenario.happenings)):
        rest = scenario.happenings[:number] + scenario.happenings[number + 1 :]
        yield replace(scenario, happenings=rest)
    for calmer in (
        replace(scenario, duplicates=0.0), replace(scenario, jitter_ms=0.0), replace(scenario, loss=0.0),
        replace(scenario, latency_ms=0.0),
    ):  # fmt: skip
        if calmer != scenario:
            yield calmer
    if scenario.seconds > 2.0 and scenario.last < scenario.seconds / 2:
        yield replace(scenario, seconds=round(scenario.seconds / 2, 2))
