"""A rehearsal without browsers: a game's pages, their network and their server in virtual time, and a judge.

`Simulated(game).run(scenario)` plays one scenario of `pycore.testing.scenario`. What is published by every page is
compared with the ground truth, a bare environment that is stepped with what the players really did; beside it stand
the law of standing still, the books of every link, and that every session ends by itself. One seed is one run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from pycore.audit.moves import Moves
from pycore.audit.sampling import script
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ConfigError
from pycore.events import Desync, DesyncReported, PathChanged
from pycore.policy import Policy
from pycore.rehearsal.game import Game, actions_of
from pycore.rehearsal.patience import grace, may_end, patience
from pycore.rehearsal.result import Fault, Outcome
from pycore.settings import Settings
from pycore.testing import Mesh, Page, Standing, Watcher, ground_truth, wrong_with
from pycore.testing.happenings import Happenings
from pycore.testing.oracle import Truth
from pycore.testing.published import Published
from pycore.testing.scenario import Scenario
from pycore.testing.survivors import Holding, away_in, gone_in, not_alike
from pycore.values.json import record_json

GONE: Final = frozenset(
    ("player_left", "ready_timeout", "dropped", "returned", "no_return", "partition", "no_progress")
)
"""What may end a session besides where somebody goes, or where nobody can hear the others for too long."""


class Simulated:
    """A game that can be played in virtual time. Raises ConfigError for one that has no page but policies."""

    def __init__(self, game: Game) -> None:
        self.game = game
        played = game.played()
        self.pages = len(game.people)
        if self.pages < 1:
            raise ConfigError("policies play all seats: nobody has a page")
        self._computed = sorted(game.policies())
        if self._computed != list(range(self.pages, game.seats)):
            raise ConfigError("in virtual time policies play behind the people, and every page computes them")
        self.actions = actions_of(played, game.seats)

    def settings(self, scenario: Scenario) -> Settings:
        """The study's, with episodes of the scenario's length at most, and as many as it has."""
        played = self.game.played()
        episodes = played.num_episodes if scenario.episodes is None else scenario.episodes
        steps = max(1, min(played.max_steps, round(scenario.seconds * played.fps)))
        values = {**self.game.settings, "max_steps": steps, "num_episodes": episodes}
        return Settings.of({**values, "p2p": False} if scenario.socketio_only else values)

    def run(self, scenario: Scenario) -> Outcome:
        """Play it, and judge it. Raises ConfigError for a scenario that has no such pages."""
        scenario.check(self.pages)
        if not self.game.played().p2p:
            scenario = replace(scenario, socketio_only=True)
        outcome = Outcome(scenario=scenario, pages=self.pages)
        settings = self.settings(scenario)
        standing, holding = Standing(), Holding()
        try:
            rows = self._rows(settings, scenario.seed)
            mesh = self._mesh(scenario, settings, standing, rows, holding)
            happens = self._happen(mesh, standing, scenario)
        except ConfigError:
            # Nothing was played: it is the call that is wrong.
            raise
        except Exception as error:
            outcome.add(_raised(error))
            return outcome
        try:
            mesh.run(patience(scenario, settings))
        except Exception as error:
            # What an environment raises in a frame of which everything is known ends the game: that is the finding.
            outcome.add(_raised(error))
            return outcome
        outcome.happened = tuple(of for of in scenario.happenings if of in happens.happened)
        self._count(mesh, standing, outcome)
        # What never happened excuses nothing.
        judged = self._judge(mesh, replace(scenario, happenings=outcome.happened), settings)
        outcome.add(*zip(standing.kinds, standing.wrong, strict=True), *judged)
        outcome.add(*(("survivors", text) for text in holding.lost(mesh)))
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

    def _mesh(
        self, scenario: Scenario, settings: Settings, standing: Standing, rows: Sequence[Sequence[Any]],
        *watchers: Watcher,
    ) -> Mesh:  # fmt: skip
        def player(seat: int) -> Callable[[int, int], Any]:
            # Every episode begins elsewhere in what they do.
            return lambda episode, frame: rows[(frame + 97 * episode) % len(rows)][seat]

        mesh = Mesh(
            self.pages,
            settings,
            lambda seat: self.game.simulation(settings, scenario.seed),
            player,
            scenario.conditions,
            seed=scenario.seed,
            watchers=[standing, *watchers],
            policies=[partial(self._policy, seat) for seat in self._computed],
            predictors=[self.game.predictor() for _ in range(self.pages)],
            stand_in=self.game.stand_in,
        )
        standing.mesh = mesh
        mesh.server.grace = grace(settings)
        return mesh

    def _happen(self, mesh: Mesh, standing: Standing, scenario: Scenario) -> Happenings:
        happens = Happenings(mesh, standing)
        for happening in scenario.happenings:
            happens.add(happening)
        return happens

    def _policy(self, seat: int) -> Policy:
        return self.game.policies()[seat]

    # -- judging ----------------------------------------------------------------------------------------------

    def _count(self, mesh: Mesh, standing: Standing, outcome: Outcome) -> None:
        pages = mesh.peers
        timelines = [page.session.timeline for page in pages]
        outcome.seconds = round(mesh.now, 3)
        loads = [[*page.published_before, page.published] for page in pages]
        there = [number for number, page in enumerate(pages) if not page.absent] or range(len(pages))
        outcome.frames = min(_frames(loads[number]) for number in there)
        outcome.rollbacks = sum(timeline.rollbacks for timeline in timelines)
        outcome.resimulated = sum(timeline.resimulated for timeline in timelines)
        outcome.deepest = max(timeline.events.max_frames for timeline in timelines)
        outcome.stalls = sum(page.session.stalls for page in pages)
        outcome.standing = round(standing.longest, 3)
        outcome.path_changes = sum(len(page.events(PathChanged)) for page in pages)
        outcome.through_server = mesh.through_server
        for way in mesh.network.ways.values():
            outcome.lost_in_bursts += way.lost
            outcome.doubled += way.doubled
            outcome.held_back += way.held_back
            outcome.choked += way.choked
        outcome.hashes = sum(page.session.hashes_compared for page in pages)
        outcome.reasons = tuple("gone" if page.absent else page.session.reason or "" for page in pages)
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

    def _judge(self, mesh: Mesh, scenario: Scenario, settings: Settings) -> Iterator[Fault]:
        if not mesh.over:
            phases = [(page.session.episode, page.session.frame) for page in mesh.peers if not page.over]
            yield "not over", f"not over after {mesh.now:.0f} s: somebody is still at episode, frame {phases[0]}"
            return
        ends = _ends(scenario, settings, self.pages)
        for page in mesh.peers:
            for desync in page.events(Desync)[:1]:
                yield "desync", (
                    f"pages {page.seat} and {desync.seat} differ in the {desync.what} of episode {desync.episode}, "
                    f"frame {desync.frame}: the environment did something else there (`pycore audit` says why)"
                    + _named(page, desync)
                )
            if not page.absent and page.session.reason not in ends:
                yield "end", f"page {page.seat} ended with {page.session.reason!r}"
        yield from (("survivors", text) for text in not_alike(mesh))
        whole = all(page.session.reason == "complete" for page in mesh.peers)
        for episode in range(settings.num_episodes):
            yield from self._judge_episode(mesh, scenario, settings, episode, whole)
        if whole and not any(page.returns for page in mesh.peers):
            # What a page counted before it was loaded again is lost.
            yield from _books(mesh)

    def _judge_episode(
        self, mesh: Mesh, scenario: Scenario, settings: Settings, episode: int, whole: bool
    ) -> Iterator[Fault]:
        codecs = [of.codec for of in self.actions]
        inputs = [_given(page, episode) for page in mesh.peers] + [{} for _ in self._computed]
        for page in mesh.peers:
            loads = (*page.published_before, page.published)
            if whole and not settings.reopens and not any(len(of.rows) > episode and of.rows[episode] for of in loads):
                yield "nothing recorded", f"episode {episode}, page {page.seat}: nothing was recorded"
            for published in loads:
                count = len(published.rows[episode]) if episode < len(published.rows) else 0
                if not count:
                    continue
                # Of a load that was not the last one the episode may be a part.
                last = published is page.published and not settings.reopens
                ended = whole and (last or published.finals[episode] is not None)
                truth = ground_truth(
                    self.game.simulation(settings, scenario.seed), settings, codecs, inputs, episode,
                    None if ended else count - 1, policies=self.game.policies(), seed=scenario.seed,
                    input_delays=mesh.input_delays(episode),
                    gone=(away_in if settings.reopens else gone_in)(mesh, episode),
                    stand_in=self.game.stand_in(),
                )  # fmt: skip
                found = _unlike(truth, published, episode, ended)
                if found:
                    yield "record", f"episode {episode}, page {page.seat}: {found}"


def _frames(loads: Sequence[Published]) -> int:
    """Frames that the loads of a page published, each once."""
    episodes = max(len(of.rows) for of in loads)
    return sum(max(len(of.rows[each]) if each < len(of.rows) else 0 for of in loads) for each in range(episodes))


def _raised(error: Exception) -> Fault:
    return f"raised {type(error).__name__}", f"raised {type(error).__name__}: {error}"


def _ends(scenario: Scenario, settings: Settings, pages: int) -> frozenset[str]:
    """With what a session may end."""
    what = {of.what for of in scenario.happenings}
    ends = frozenset(("complete",))
    if settings.reopens:
        # Who is away at the end of all, or comes back to nobody who knows the game.
        ends |= {"dropped", "no_return", "partition", "player_left"}
    if "stop" in what:
        ends |= {"stop"}
    if "break" in what:
        # Whoever hears of it, at whatever time, has lost a player.
        ends |= {"error"}
    return ends | GONE if may_end(scenario, settings, pages) else ends


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
    """All inputs that were fixed at a page; of a frame with several, since it was loaded again, the first, unless it
    came back: then it knows what others hold of those before."""
    found: dict[int, bytes] = {}
    loads = [*page.given_before, page.inputs]
    for load in loads if page.session.load else reversed(loads):
        if episode < len(load):
            found.update(load[episode])
    return found


def _books(mesh: Mesh) -> Iterator[Fault]:
    """What one side of a link sent, the other received, and it is what was fixed."""
    for page in mesh.peers:
        fixed = sum(len(inputs) for inputs in page.inputs)
        for link in page.session.links:
            mine = link.counts
            theirs = mesh.peers[link.seat].session.link_to(page.seat).counts
            sent = mine.sent_via_p2p + mine.sent_via_socketio
            received = theirs.received_via_p2p + theirs.received_via_socketio
            if not sent == received == fixed:
                yield "books", f"page {page.seat} to {link.seat}: {fixed} inputs, {sent} sent, {received} received"


def _named(page: Page, desync: Desync) -> str:
    """What differs, where the two pages found that out."""
    for report in page.events(DesyncReported):
        if (report.seat, report.episode, report.frame) == (desync.seat, desync.episode, desync.frame):
            return "".join([f"; {path} is {own} and {theirs}" for path, own, theirs in report.differences])
    return ""
