"""What a row of each table is made of, game by game. `pycore.export.columns` says what stands in its columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pycore.export.evidence import Evidence
from pycore.export.seen import Seen
from pycore.export.shapes import reports_of
from pycore.records.agreement import Held
from pycore.records.reader import RecordedEnd, RecordedFrame
from pycore.session.publication import PLAYER
from pycore.values.sums import plus

if TYPE_CHECKING:
    from pycore.export.exclusions import Judgement


class Nothing:
    """The value of a cell of which nothing is known; None is a value of JSON."""


NOTHING: Final = Nothing()


class Game:
    """The files of one game, while rows are made of them."""

    def __init__(
        self, evidence: Evidence, items: Iterable[RecordedFrame | RecordedEnd], subjects: Mapping[str, str],
        judgement: Judgement | None = None,
    ) -> None:  # fmt: skip
        self.evidence = evidence
        self.items = items
        """Of the records together; they can be gone through once."""
        self.subjects = subjects
        """By player."""
        self.judgement = judgement
        """What the rules of exclusion say; None without rules."""
        self.totals: dict[tuple[int, str], Any] = {}
        """Sums of rewards by episode and agent, of the frames that were gone through; None where they have none."""
        self.stood_in: dict[tuple[int, str], int] = {}
        """The first frame that something else played, by episode and player who was gone."""
        self.finals: dict[int, str] = {}
        """Hashes of final states by episode."""

    def held(self, player: str) -> Held | None:
        """What the player's record has."""
        agreement = self.evidence.agreement
        return None if agreement is None else agreement.held.get(player)

    def count(self, episode: int, agent: str, reward: Any) -> None:
        """Add a reward to its total."""
        key = (episode, agent)
        self.totals[key] = plus(self.totals.get(key, 0), reward)


class SessionRow(NamedTuple):
    """One game for one player."""

    game: Game
    player: str
    seat: int
    metrics: dict[str, Any]
    """Of the player's session; empty where there are none."""

    def at(self, group: str, name: str) -> Any:
        """A value of the metrics; None where there is none."""
        return self.metrics.get(group, {}).get(name)

    def inner(self, *names: str) -> Any:
        """A value further inside of the metrics; None where there is none."""
        found: Any = self.metrics
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    @property
    def waited_s(self) -> Any:
        """For how long the game was waited for: by the server, or else by the page."""
        known = self.game.evidence.about.get("waited_s", {}).get(self.player)
        return self.inner("waiting", "seconds") if known is None else known

    @property
    def outcome(self) -> str | None:
        """What the game came to, as the server decided it."""
        said = self.game.evidence.about.get("outcomes", {}).get(self.player)
        return None if said is None else str(said)

    def _links(self, group: str) -> list[dict[str, Any]]:
        found = self.metrics.get(group)
        return [each for each in found.values() if isinstance(each, dict)] if isinstance(found, dict) else []

    def total(self, group: str, *names: str) -> int | None:
        """The sum over the other players; None where nothing is known."""
        values: list[Any] = self._links(group)
        for name in names:
            values = [each.get(name) for each in values if isinstance(each, dict)]
        whole = [value for value in values if type(value) is int]
        return sum(whole) if whole else None

    @property
    def slowest(self) -> dict[str, Any]:
        """The network figures of the link with the longest median round trip."""
        return max(self._links("network"), key=lambda link: (link.get("rttMs") or {}).get("p50") or 0.0, default={})

    @property
    def differing(self) -> Any:
        """The fields that differed from another player's, each as path, own value and the other's; empty where nothing
        was told."""
        reports = reports_of(self.metrics)
        if not reports:
            return NOTHING
        return [[field["path"], field["own"], field["theirs"]] for report in reports for field in report["fields"]]

    @property
    def predictors(self) -> str | None:
        """Whatever guessed the others' actions."""
        return ", ".join(sorted({str(each.get("predictor")) for each in self._links("predictions")})) or None

    @property
    def hidden(self) -> tuple[int | None, float | None, float | None]:
        """How often the page was hidden, for how many ms as far as it was shown again, and since when (ms) it was not;
        None: it was."""
        sights = self.metrics.get("visibility")
        if not isinstance(sights, list):
            return None, None, None
        times = sum(1 for sight in sights if sight.get("hidden"))
        stamps = [sight.get("timestamp") or 0.0 for sight in sights]
        pairs = zip(stamps[::2], stamps[1::2], strict=False)
        # The clock may have been set back meanwhile.
        since = stamps[-1] if len(stamps) % 2 else None
        total = float(sum(max(0.0, shown - hidden) for hidden, shown in pairs))
        if self.metrics.get("load") and self.seen is not None:
            # Of the loads before, the record alone has it.
            times, total = max(times, self.seen.times_hidden), max(total, float(self.seen.hidden_ms))
        return times, total, since

    @property
    def excluded_by(self) -> list[str] | None:
        """The rules that exclude the player; None without rules."""
        judgement = self.game.judgement
        if judgement is None:
            return None
        return list(dict.fromkeys(each.rule for each in judgement.excluded[self.player]))

    @property
    def seen(self) -> Seen | None:
        """What the player's experienced record has."""
        return self.game.evidence.seen.get(self.player)


class EpisodeRow(NamedTuple):
    """One episode for one player."""

    game: Game
    episode: int
    player: str
    held: Held | None
    """What the player's record has, where it has something of this episode."""
    told: dict[str, Any]
    """What the player's metrics have of it."""

    @property
    def input_delay(self) -> Any:
        """This player's, by the record, otherwise by the metrics; None where neither says it."""
        evidence = self.game.evidence
        recorded = {} if evidence.agreement is None else evidence.agreement.delays
        if self.episode in recorded:
            return recorded[self.episode][evidence.players.index(self.player)]
        told = self.told.get("inputDelay")
        return told.get(self.player) if isinstance(told, dict) else None

    @property
    def gone_from(self) -> int | None:
        """The first frame in which something else played in this player's place; None: there is none."""
        return self.game.stood_in.get((self.episode, self.player))

    @property
    def total(self) -> Any:
        """What this player's rewards add up to; None where there are none, or they have no sum."""
        return self.game.totals.get((self.episode, self.player))


class FrameRow(NamedTuple):
    """One frame for one agent."""

    game: Game
    item: RecordedFrame
    agent: str
    seat: int | None
    """None for an agent that nobody plays."""
    reward: Any
    """NOTHING where the agent got none."""
    gone: str | None
    """What plays in the place of a player who is gone; None: nothing does."""

    def at(self, group: str) -> Any:
        """What the step returned for the agent; NOTHING where it returned none."""
        return self.item.values.get(group, {}).get(self.agent, NOTHING)


class EventRow(NamedTuple):
    """Something that a player's metrics tell: a rollback, or a change of a link's path."""

    game: Game
    player: str
    values: dict[str, Any]


def sessions(game: Game) -> Iterator[SessionRow]:
    """The people, by seat."""
    people = game.evidence.people
    for seat, player in enumerate(game.evidence.players):
        if player in people:
            yield SessionRow(game, player, seat, game.evidence.metrics.get(player) or {})


def episodes(game: Game) -> Iterator[EpisodeRow]:
    """Every episode that a record or metrics have, for every person. Complete when the frames were gone through."""
    of = game.evidence
    held = {} if of.agreement is None else of.agreement.held
    ends = {
        player: {row.get("episode"): row for row in metrics["episodes"]}
        for player, metrics in of.metrics.items()
    }
    known = max((len(each.lengths) for each in held.values()), default=0)
    told = {number for by in ends.values() for number in by if type(number) is int and number >= 0}
    # Not all up to the last: whatever a page says is the last.
    for episode in sorted({*range(known), *told}):
        for player in of.people:
            own = held.get(player)
            has = own is not None and episode < len(own.lengths)
            yield EpisodeRow(game, episode, player, own if has else None, ends.get(player, {}).get(episode, {}))


def frames(game: Game) -> Iterator[FrameRow]:
    """Every frame of the records, for every agent in it. Totals and final hashes come by the way."""
    players = game.evidence.players
    known = set(players)
    gone: dict[str, str] = {}
    for item in game.items:
        if isinstance(item, RecordedEnd):
            game.finals[item.episode] = item.hash
            continue
        if item.frame == 0:
            gone = {}
        if item.gone:
            gone = {player: what for player, what in {**gone, **item.stand_ins}.items() if what != PLAYER}
            for player in item.stand_ins:
                if player in gone:
                    game.stood_in.setdefault((item.episode, player), item.frame)
        values = item.values
        rewards, infos = values.get("rewards", {}), values.get("infos", {})
        agents = players
        if not rewards.keys() <= known or not infos.keys() <= known:
            ended, cut = values.get("terminations", {}), values.get("truncations", {})
            agents = [*players, *sorted({*rewards, *infos, *ended, *cut} - known)]
        seats = len(item.actions)
        for seat, agent in enumerate(agents):
            reward = rewards.get(agent, NOTHING)
            if reward is not NOTHING:
                game.count(item.episode, agent, reward)
            yield FrameRow(game, item, agent, seat if seat < seats else None, reward, gone.get(agent))


def rollbacks(game: Game) -> Iterator[EventRow]:
    """Mispredicted inputs, by the player who mispredicted them."""
    for player, metrics in game.evidence.metrics.items():
        for event in metrics["rollbacks"]["events"]:
            yield EventRow(game, player, event)


def paths(game: Game) -> Iterator[EventRow]:
    """Changes of paths, by the player who changed them."""
    for player, metrics in game.evidence.metrics.items():
        for change in metrics["pathChanges"]:
            yield EventRow(game, player, change)
