"""What is known of a study: every game with its players, measures, curves, and what the rules of exclusion say.

Games are taken one after the other, and records line by line: what is kept of a game is what is shown of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pycore.export.evidence import Evidence, evidence_of
from pycore.export.exclusions import Excluded, Judgement, Rule, judge
from pycore.export.measures import Value, measured, played
from pycore.export.pseudonyms import Pseudonyms, subjects_of
from pycore.export.seen import open_experience
from pycore.export.shapes import reports_of
from pycore.export.sources import Source
from pycore.records.agreement import NotOneGame
from pycore.records.reader import RecordedFrame
from pycore.report.series import Curves
from pycore.values.sums import plus

Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""Passes the items of a record on, and may show how many there were."""

DEEPEST: Final = 10_000
"""Frames; no window is larger, and a file that says more is not believed."""

SPREADS: Final = (
    ("Round trip, peer-to-peer", "ms", "network", "rttMs"),
    ("Round trip, through the server", "ms", "network", "rttViaSocketIOMs"),
    ("Jitter", "ms", "network", "jitterMs"),
    ("Input age", "frames", "quality", "inputAgeFrames"),
    ("Confirmation lag", "frames", "quality", "confirmationLagFrames"),
    ("Time of a tick", "ms", "frameTimes", "tickMs"),
    ("From one displayed frame to the next", "ms", "frameTimes", "displayMs"),
)
PERCENTILES: Final = ("p50", "p90", "p99", "max")


class Guesses(NamedTuple):
    """How often a player's action was guessed, by somebody."""

    frames: int
    """That were stepped with a guess in its place."""
    right: int
    wrong: int


class Spread(NamedTuple):
    """How the values of something are spread."""

    what: str
    unit: str
    of: str
    """The other player; empty where it is of no link."""
    values: tuple[float | None, ...]
    """By `PERCENTILES`."""


class Episode(NamedTuple):
    """One episode, by the record that has most of it."""

    frames: int
    whole: bool
    rewards: dict[str, Any]
    """Sums by agent, of vectors by component; None where they have none."""
    hashes: int


@dataclass(slots=True)
class PlayerReport:
    """One player of a game."""

    player: str
    seat: int
    agent: str | None
    """What the environment calls whom this player plays; None where it is not known, or the player's own id."""
    subject: str | None
    """Subject id or pseudonym."""
    measures: dict[str, Value]
    depths: list[int]
    """Rollbacks by depth; empty where that is not known."""
    causes: dict[str, int]
    """Stalls by cause."""
    stepped: int | None
    """Frames that were stepped for the first time in play."""
    guesses: dict[str, Guesses]
    """By the other player whose actions were guessed."""
    spreads: list[Spread]
    traffic: dict[str, dict[str, int]]
    """By path: inputs, packets and bytes, sent and received."""
    path_changes: list[dict[str, Any]]
    desyncs: list[dict[str, Any]]
    reports: list[dict[str, Any]]
    """What is known of the first of each episode."""
    lengths: tuple[int, ...]
    """Frames of the player's record, by episode."""
    curves: Curves | None
    """None: there is no record of what was seen."""


@dataclass(slots=True)
class GameReport:
    """One game."""

    game_id: str
    environment: str
    started: float | None
    """Unix time, s."""
    ended: float | None
    status: str
    reasons: list[str]
    parting: tuple[int, int] | None
    """Episode and frame in which the records differ first."""
    players: list[PlayerReport]
    """Those for whom no policy plays, as in the tables: of a policy there is nothing to measure."""
    episodes: list[Episode]
    judgement: Judgement
    incomplete: list[str]
    """Records that were not read, since the database lacks parts of them."""

    @property
    def frames(self) -> int:
        """Frames of the records together."""
        return sum(episode.frames for episode in self.episodes)

    @property
    def agents(self) -> list[str]:
        """Whoever had a reward in any episode: some come later."""
        return list(dict.fromkeys(agent for episode in self.episodes for agent in episode.rewards))

    def excluded(self, player: PlayerReport) -> list[Excluded]:
        """What excludes a player, one entry for each rule and player of whom it is true."""
        return self.judgement.excluded.get(player.player, [])

    @property
    def broken(self) -> list[Excluded]:
        """Every rule that is true, once for each player of whom it is."""
        return list(dict.fromkeys(each for found in self.judgement.excluded.values() for each in found))

    def named(self, player: str) -> str:
        """A player with the subject id."""
        subject = next((each.subject for each in self.players if each.player == player), None)
        return player if subject is None else f"{player} ({subject})"


class Applied(NamedTuple):
    """What became of a rule."""

    rule: Rule
    games: int
    """Games in which it is true of somebody."""
    true_of: int
    """Players of whom it is true."""
    excludes: int
    """Players whom it excludes: with a rule of games, the others as well."""


@dataclass(slots=True)
class Study:
    """All of it."""

    games: list[GameReport]
    rules: Sequence[Rule] | None
    """None: there are no rules."""

    @property
    def players(self) -> list[tuple[GameReport, PlayerReport]]:
        """Every player of every game."""
        return [(game, player) for game in self.games for player in game.players]

    @property
    def counted(self) -> list[tuple[GameReport, PlayerReport]]:
        """Those whom no rule excludes."""
        return [(game, player) for game, player in self.players if not game.excluded(player)]

    @property
    def statuses(self) -> dict[str, int]:
        """Number of games by the name of their evidence, the best first."""
        names = [game.status for game in self.games]
        return {name: names.count(name) for name in ("reconciled", "partial", "single", "desynced") if name in names}

    @property
    def applied(self) -> list[Applied]:
        """What became of the rules, in their order."""
        found = []
        for rule in self.rules or ():
            by_game = [
                [(player.player, each.player) for player in game.players for each in game.excluded(player)
                 if each.rule == rule.name]
                for game in self.games
            ]  # fmt: skip
            found.append(Applied(
                rule, sum(bool(pairs) for pairs in by_game),
                sum(len({of for _, of in pairs}) for pairs in by_game),
                sum(len({whom for whom, _ in pairs}) for pairs in by_game),
            ))  # fmt: skip
        return found


def collect(
    sources: Iterable[Source], rules: Sequence[Rule] | None = None, pseudonyms: Pseudonyms | None = None,
    watch: Watch = lambda items, _: items,
) -> Study:  # fmt: skip
    """Read all games. Raises RecordError for what cannot be read, NotOneGame for what does not belong together."""
    sources = list(sources)
    if pseudonyms is not None:
        pseudonyms.name(source.about for source in sources)
    games: dict[str, GameReport] = {}
    for source in sources:
        with source.files() as files:
            of = evidence_of(files)
            if of.game_id in games:
                raise NotOneGame(
                    f"game {of.game_id} is there twice, the second time in {files.folder}; a game is reported once, "
                    "with all of its files in one folder"
                )
            about = source.about or of.about
            subjects = subjects_of(about, pseudonyms)
            games[of.game_id] = _game(of, about, subjects, rules or (), watch)
    return Study(list(games.values()), rules)


def _game(
    of: Evidence, about: Mapping[str, Any], subjects: Mapping[str, str], rules: Sequence[Rule], watch: Watch
) -> GameReport:
    players = [
        _player(of, seat, player, subjects.get(player), watch)
        for seat, player in enumerate(of.players) if player in of.people
    ]  # fmt: skip
    parting = None if of.agreement is None else of.agreement.parting
    known = (of.header or {}).get("environment") or (about.get("settings") or {}).get("environment")
    return GameReport(
        of.game_id, str(known or ""), _time(about.get("started")), _time(about.get("ended")), of.status, of.reasons,
        None if parting is None else (parting.episode, parting.frame), players, _episodes(of, watch),
        judge(rules, {each.player: each.measures for each in players}), [path.name for path in of.files.incomplete],
    )  # fmt: skip


def _time(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None


def _player(of: Evidence, seat: int, player: str, subject: str | None, watch: Watch) -> PlayerReport:
    metrics: dict[str, Any] = of.metrics.get(player) or {}
    depths = metrics.get("rollbacks", {}).get("depths")
    counts = isinstance(depths, list) and all(type(count) is int and count >= 0 for count in depths)
    if not counts or len(depths) > DEEPEST:
        depths = _depths_of_events(metrics)
    held = None if of.agreement is None else of.agreement.held.get(player)
    path = of.experienced.get(player)
    agent = metrics.get("environment", {}).get("agent")
    return PlayerReport(
        player=player,
        seat=seat,
        agent=agent if isinstance(agent, str) and agent != player else None,
        subject=subject,
        measures=measured(of, player),
        depths=depths,
        causes=_counts(metrics.get("quality", {}).get("stallCauses")),
        stepped=played(metrics),
        guesses={
            other: Guesses(each.get("frames", 0), each.get("hits", 0), each.get("misses", 0))
            for other, each in ((other, _counts(each)) for other, each in _dicts(metrics.get("predictions")))
        },
        spreads=_spreads(metrics),
        traffic=_traffic(metrics),
        path_changes=list(metrics.get("pathChanges", [])),
        desyncs=[each for each in metrics.get("desyncs") or () if isinstance(each, dict)],
        reports=reports_of(metrics),
        lengths=() if held is None else held.lengths,
        curves=None if path is None else Curves().take(watch(open_experience(path), f"reading {path.name}")),
    )


def _counts(values: Any) -> dict[str, int]:
    """The whole numbers among the values of an object."""
    return {str(name): n for name, n in values.items() if type(n) is int} if isinstance(values, dict) else {}


def _dicts(values: Any) -> list[tuple[str, dict[str, Any]]]:
    """The objects in an object."""
    return [(str(n), v) for n, v in values.items() if isinstance(v, dict)] if isinstance(values, dict) else []


def _depths_of_events(metrics: Mapping[str, Any]) -> list[int]:
    """What earlier versions tell of depths: those of the events."""
    counts: list[int] = []
    for event in metrics.get("rollbacks", {}).get("events", []):
        depth = event.get("rollbackFrames")
        if type(depth) is int and 0 <= depth < DEEPEST:
            counts += [0] * (depth + 1 - len(counts))
            counts[depth] += 1
    return counts


def _spreads(metrics: Mapping[str, Any]) -> list[Spread]:
    found = []
    for what, unit, group, name in SPREADS:
        if group == "network":
            each = [(other, link.get(name)) for other, link in _dicts(metrics.get(group))]
        else:
            each = [("", (metrics.get(group) or {}).get(name))]
        for of, values in each:
            if not isinstance(values, dict):
                continue
            numbers = tuple(_time(values.get(percentile)) for percentile in PERCENTILES)
            if any(number is not None for number in numbers):
                found.append(Spread(what, unit, of, numbers))
    return found


def _traffic(metrics: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """By path, what the metrics have of inputs, packets and bytes, over all links."""
    found: dict[str, dict[str, int]] = {}
    links = [link for _, link in _dicts(metrics.get("network"))]
    for path, ends in (("p2p", "ViaP2P"), ("socketio", "ViaSocketIO")):
        of = found[path] = {}
        for way in ("sent", "received"):
            groups = {"inputs": [metrics.get("inputs")]}
            groups |= {kind: [link.get(kind) for link in links] for kind in ("packets", "bytes")}
            for kind, values in groups.items():
                known = [_counts(each)[way + ends] for each in values if way + ends in _counts(each)]
                if known:
                    of[f"{kind}_{way}"] = sum(known)
    return {path: of for path, of in found.items() if of}


def _episodes(of: Evidence, watch: Watch) -> list[Episode]:
    """The episodes of the records together."""
    if of.agreement is None or of.longest is None:
        return []
    held = of.agreement.together
    rewards: list[dict[str, Any]] = [{} for _ in held.lengths]
    hashes = [int(ended) for ended in held.ended]
    for item in watch(of.items(), f"reading {of.records[of.longest].name}"):
        if not isinstance(item, RecordedFrame):
            continue
        hashes[item.episode] += item.hash is not None
        sums = rewards[item.episode]
        for agent, reward in item.values.get("rewards", {}).items():
            sums[agent] = plus(sums.get(agent, 0), reward)
    return [Episode(*each) for each in zip(held.lengths, held.ended, rewards, hashes, strict=True)]
