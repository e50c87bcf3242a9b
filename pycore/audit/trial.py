"""The tries of an audit: an environment is made twice and played, and what differs that should not is found.

Everything here runs the researcher's code, so it runs in a process of its own (`pycore.audit.child`): whatever that
code does, up to ending the interpreter, is a finding.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.actions.codec import ActionCodec, action_codec
from pycore.audit.agents import finding_of_many, own_adapter, said_spaces, settings_of, short, spaces_of
from pycore.audit.comparison import Frame, decoded, fields_that_differ, rows_that_differ
from pycore.audit.coverage import findings_of_coverage, findings_of_records
from pycore.audit.drawing import findings_of_drawing
from pycore.audit.elsewhere import difference as difference_elsewhere
from pycore.audit.findings import Finding, Report
from pycore.audit.left import Outside, attributes_left
from pycore.audit.moves import Moves
from pycore.audit.policies import policy_settings, try_policies
from pycore.audit.pyodide import difference
from pycore.audit.source import findings_of_source, sources_of
from pycore.audit.timing import Costs, costs_of, findings_of_costs
from pycore.audit.wrappers import findings_of_wrappers
from pycore.envs import RNGS, ParallelEnvAdapter
from pycore.envs.audit import play_guesses
from pycore.envs.interfaces import as_parallel, interface_of
from pycore.errors import CanonicalError, ConfigError
from pycore.simulation import Simulation
from pycore.spaces import space_of
from pycore.values.canonical import encode
from pycore.values.results import results_text

__all__ = ["Given", "Trial"]

LAWS: Final = 60
"""Frames of the laws, which play them several times over and compare every one."""


class Given(NamedTuple):
    """What the command was given."""

    factory: Callable[[], Any]
    players: tuple[int | str, ...] = ()
    """Empty: all agents of the environment."""
    frames: int = 300
    seed: int = 1
    space: Any = None
    """The action space of every seat, where the environment has none or another one is meant."""
    interface: str | None = None
    subject: str = ""
    pyodide: str | None = None
    """The folder of a Pyodide in which the same actions are played."""
    settings: dict[str, Any] | None = None
    """A study's, which say what actions there are, and whose policies are tried."""
    folder: str | None = None
    """Where the files of policies are; None: they are imported."""


class Trial:
    """One environment on trial; findings and facts go into `report`."""

    def __init__(self, given: Given, report: Report) -> None:
        self.given = given
        self.report = report
        self.adapter: ParallelEnvAdapter
        self.codecs: list[ActionCodec] = []
        self.spaces: list[dict[str, Any]] = []
        self.moves: Moves
        self.rows: list[list[Any]] = []
        self.first: list[Frame] = []
        self.measured: Costs | None = None

    # --- the stages, in order ---

    def make(self) -> None:
        """Make it, see what it is, and how its state can be saved."""
        env = self.given.factory()
        played = env.view if isinstance(env, ParallelEnvAdapter) else env
        self.report.facts["interface"] = "{}: {}".format(*interface_of(played))
        self.adapter = adapter = self._adapted(env)
        self.report.facts["state"] = adapter.state_way
        self.report.facts["environment"] = adapter.described()
        self.report.facts["agents"] = [str(player) for player in adapter.players]
        if adapter.seating:
            self.report.facts["seats"] = adapter.seating
        for finding in (finding_of_many(adapter), *findings_of_wrappers(adapter)):
            self._add(finding)

    def actions(self) -> None:
        """Find the action space of every seat, and whether its codec takes what its space samples."""
        agents, given = self.adapter.agents, self.given.space
        spaces = [given] * len(agents) if given is not None else said_spaces(self.given.settings or {}, len(agents))
        if any(space is None for space in spaces):
            own = spaces_of(self.adapter)
            spaces = [own[seat] if space is None else space for seat, space in enumerate(spaces)]
        for seat, (agent, space) in enumerate(zip(agents, spaces, strict=True)):
            if space is None:
                self._find(
                    "no_action_space",
                    "risk",
                    f"{agent!r} has no action space: the trial plays the numbers 0 to 5",
                    "say which actions there are: a method action_space(agent), the study's settings, or --actions N",
                )
                space = {"type": "discrete", "n": 6}
            codec = action_codec(space)
            self.codecs.append(codec)
            self.spaces.append(space_of(space))
            if hasattr(space, "sample"):
                # The environment's own is left as it is: one that was drawn from is part of the state.
                apart = _copied(space)
                for _ in range(20):
                    codec.encode(apart.sample())
            self.report.facts.setdefault("actions", []).append(short(self.spaces[seat]))
        self.moves = Moves(self.adapter, self.spaces, self.codecs, self.given.frames)
        self.rows = self.moves.rows(self.given.seed)
        self.report.facts["settings"] = settings_of(self.spaces, self.moves.turns)

    def play(self, guess: bool = False) -> None:
        """Play random, lively actions: what is recorded, what changes, what never happens."""
        # What is filled once is full in all that comes later: this play is compared with them as the one before it.
        outside = Outside(self.adapter)
        self.first = list(self._play(self.adapter, self.rows, guess=guess))
        drawn = sorted(name for name in decoded(self.first[-1].state) if name not in ("env", "agents"))
        self.report.facts["generators"] = drawn or ["none of the process or of np_random"]
        for finding in findings_of_records(self.first):
            self.report.add(finding)
        try:
            encode(self.adapter.observations)
        except CanonicalError as error:
            what = f"observations are not compared: {error}"
            self._find("observations_unseen", "note", what, "numbers, texts, lists, dicts and arrays are")
        self._add(outside.left())
        for finding in findings_of_coverage(self.first, captured=self.adapter.state_way == "capture"):
            self.report.add(finding)

    def laws(self) -> None:
        """The laws of a rollback, over the first frames."""
        self.adapter.check(script=self.rows[:LAWS])

    def rollbacks(self) -> None:
        """As over a network, guessed, taken back and stepped again; by an instance that has played nothing yet."""
        if not {finding.code for finding in self.report.findings} & {"laws", "two_instances"}:
            self._compare(
                self._play(self._another(), self.rows, guess=True),
                "rollbacks",
                "with frames that are guessed and taken back the game differs",
                "something has state that its copies leave out: give get_state() and set_state(), or two functions",
            )

    def instances(self) -> None:
        """A second instance, disturbed where a page disturbs it: every player has one of their own."""
        self._disturb(7)
        other = self._another()
        if other is self.adapter:
            what = "the factory gives the same object again, so two instances could not be compared"
            self._find("one_instance", "risk", what, "make a new environment in each call")
        self._compare(
            self._play(other, self.rows, disturbed=True),
            "two_instances",
            "two instances with the same seed and actions differ",
            "draw everything from generators that reset(seed) seeds, and set every attribute there, whatever the "
            "constructor did",
        )

    def processes(self) -> None:
        """Another process: every player's page is one."""
        given = self.given
        if not given.subject:
            return
        space = None if given.space is None else space_of(given.space)
        job = {**given._asdict(), "factory": None, "space": space}
        found = difference_elsewhere({**job, "guess": True}, self.first)
        if found is None:
            do = "see that a process can make it anew, with what --timeout allows; pages are processes of their own"
            what = "the same could not be played in another process, so the two were not compared"
            self._find("one_process", "risk", what, do)
        elif found:
            straight = difference_elsewhere({**job, "guess": False}, self.first)
            if straight:
                do = "walk no set but by sorted(), and use neither hash() nor id(): each page has an order of its own"
                what = f"another process with the same seed and actions differs, first {straight}"
                self._find("two_processes", "unfit", what, do)
            else:
                do = "a table of a module, or a memo, keeps what is not so at another time: keep it in the environment"
                what = "where frames are guessed and taken back from the start of a process, the game differs"
                self._find("rollbacks", "unfit", f"{what}, first {found}", do)

    def resets(self) -> None:
        """The same instance once more, after all that."""
        self._disturb(11)
        self._compare(
            self._play(self.adapter, self.rows),
            "two_resets",
            "the same instance, reset with the same seed, differs",
            "set every attribute anew in reset(seed), and seed every generator from that seed",
        )

    def every_seat(self) -> None:
        """Whether some action of every seat changes something."""
        idle = []
        for seat, player in enumerate(self.adapter.players):
            rows = self.moves.changed(self.rows, seat, self.given.seed + 1)
            played = self._play(self.adapter, rows)
            if all(frame == before for frame, before in zip(played, self.first, strict=False)):
                idle.append(str(player))
        if idle:
            alone = len(idle) < len(self.adapter.players)
            self._find(
                "actions_ignored",
                "risk" if alone else "wrong",
                f"no action of {', '.join(idle[:8])}{' and others' if len(idle) > 8 else ''} changed anything in "
                f"{len(self.first)} frames",
                "check that step() reads the actions by agent, and that everybody takes part",
            )

    def pictures(self) -> None:
        """Whether drawing changes the game."""
        first = [frame for frame in self.first[:LAWS] if frame.episode == 0]
        for finding in findings_of_drawing(self.adapter, self.rows, first):
            self._add(finding)

    def transfer(self) -> None:
        """Whether a state survives the way through its canonical bytes: then it may be sent to a page."""
        self.report.facts["state can be sent"] = False
        if self.adapter.state_way == "capture":
            return
        other = self._adapted(self.given.factory())
        for adapter in (self.adapter, other):
            adapter.reset(0)
        for row in self.rows[:5]:
            self.adapter.step(row)
        state = self.adapter.canonical(self.adapter.save())
        try:
            other.env.set_state(decoded(state)["env"])
            same = encode(other.contents(other.save())["env"]) == encode(decoded(state)["env"])
        except Exception:
            same = False
        self.report.facts["state can be sent"] = same

    def hidden(self) -> None:
        """Attributes that set_state() leaves as they are: what `get_state` may have forgotten."""
        if self.adapter.state_way != "capture":
            self._add(attributes_left(self.adapter, self.rows[: LAWS // 2]))

    def costs(self) -> None:
        """How long it takes to save, load, compare and step, and what rollback fits."""
        self.measured = costs = costs_of(self.adapter, self.rows)
        self.report.facts["costs"] = costs.as_facts()
        for finding in findings_of_costs(costs):
            self.report.add(finding)

    def policies(self) -> None:
        """The policies of a study, each on its seat among random actions."""
        given = self.given
        if not any((given.settings or {}).get(name) for name in ("policies", "stand_in")):
            return
        settings = policy_settings(given.settings or {}, self.report.facts["settings"])

        def make(observed: Sequence[int | str]) -> ParallelEnvAdapter:
            return self._adapted(given.factory(), as_seats=True, observed=observed)

        folder = None if given.folder is None else Path(given.folder)
        for what, player, facts, findings in try_policies(
            settings, make, self.rows, given.seed, folder, self.measured
        ):  # fmt: skip
            self.report.facts.setdefault(what, {})[player] = facts
            for finding in findings:
                self.report.add(finding)

    def in_pyodide(self) -> None:
        """The same actions in Pyodide, if there is one."""
        given = self.given
        if given.pyodide is None:
            return
        rows = [self.moves.recorded(row) for row in self.rows]
        try:
            found = difference(
                Path(given.pyodide), given.subject, self.first, rows, self.spaces,
                players=given.players, seed=given.seed, interface=given.interface,
            )  # fmt: skip
        except ConfigError as error:
            do = "a page can only load what that Pyodide has, and files beside this one"
            self._find("fails_in_pyodide", "risk", str(error), do)
            return
        self.report.facts["the same in Pyodide"] = not found
        if found:
            self._find(
                "differs_in_pyodide",
                "note",
                f"Pyodide gives something else, first {found}",
                "players in browsers agree with each other; replay their records in Pyodide, or use functions that are "
                "the same everywhere",
            )

    def source(self) -> None:
        """What its source says."""
        paths = sources_of(self.adapter.env)
        self.report.facts["sources"] = [path.name for path in paths]
        for finding in findings_of_source(paths):
            self.report.add(finding)

    # --- parts ---

    def _another(self) -> ParallelEnvAdapter:
        """The adapter of a new environment; the same, where the factory gives that one again: another one would take
        what was played for its beginning."""
        other = self._adapted(self.given.factory())
        return self.adapter if other.view.unwrapped is self.adapter.view.unwrapped else other

    def _adapted(
        self, env: Any, as_seats: bool = False, observed: Sequence[int | str] = ()
    ) -> ParallelEnvAdapter:
        """The adapter of an environment; `as_seats` calls the players as a study does, unless they were named. One that
        the study makes itself says who plays, and seeds itself."""
        if isinstance(env, Simulation):
            return own_adapter(env, self.given.players, observed)
        view = as_parallel(env, interface=self.given.interface)
        players = self.given.players or tuple(view.possible_agents)
        if not players:
            raise ConfigError("the environment names no agents; say who plays: --players a,b")
        metadata = getattr(env, "metadata", None)
        rngs = metadata.get("rngs", RNGS) if isinstance(metadata, dict) else RNGS
        if as_seats and not self.given.players:
            seats = range(len(players))
            return ParallelEnvAdapter(view, seats, seed=self.given.seed, rngs=rngs, observed=observed)
        return ParallelEnvAdapter(
            view, players, seed=self.given.seed, rngs=rngs, numeric_ids=False, observed=observed
        )

    def _play(
        self, adapter: ParallelEnvAdapter, rows: Sequence[Sequence[Any]], disturbed: bool = False, guess: bool = False
    ) -> Iterator[Frame]:
        """Episode after episode, until the rows are used up."""
        episode = frame = 0
        adapter.reset(episode)
        for number, row in enumerate(rows):
            if disturbed:
                self._disturb(number)
                adapter.resume()
            if guess:
                play_guesses(adapter, rows, number)
            result = adapter.step(list(row))
            yield Frame(episode, frame, adapter.canonical(adapter.save()), results_text(result))
            frame += 1
            if result.done:
                episode, frame = episode + 1, 0
                adapter.reset(episode)

    def _disturb(self, seed: int) -> None:
        """Draw from and seed what others in the process may."""
        random.seed(seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(seed)

    def _compare(self, played: Iterator[Frame], code: str, what: str, do: str) -> None:
        for now, before in zip(played, self.first, strict=False):
            if now == before:
                continue
            where = f"{what}, first after frame {before.frame} of episode {before.episode}"
            if now.state != before.state:
                self._differ(before.state, now.state, code, "unfit", where, do)
            else:
                self._find(
                    code, "unfit", f"{where}, in what step() returned: {rows_that_differ(before.row, now.row)}", do
                )
            return

    def _differ(self, before: bytes, after: bytes, code: str, harm: str, what: str, do: str) -> None:
        if before == after:
            return
        fields = fields_that_differ(before, after)
        self._find(code, harm, f"{what}: {fields}", do)

    def _add(self, finding: Finding | None) -> None:
        if finding is not None:
            self.report.add(finding)

    def _find(self, code: str, harm: str, what: str, do: str) -> None:
        self.report.add(Finding(code, harm, what, do))


def _copied(space: Any) -> Any:
    """A space to draw from; the space itself, where it has no copy."""
    try:
        return copy.deepcopy(space)
    except Exception:  # somebody's own class may refuse in any way
        return space
