"""What the files of one game prove together.

The evidence has one of four names. `reconciled`: there is a record of every player, they are the same and whole, and
the metrics agree with them. `partial`: somebody has less, or the metrics say something else. `single`: there is one
record only. `desynced`: rows or hashes differ. Whatever the name, every reason is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pycore.export.books import REGULAR, not_received
from pycore.export.files import GameFiles, open_record, player_of, read_about, read_metrics
from pycore.export.seen import Seen, compare, open_experience
from pycore.export.shapes import reports_of
from pycore.records.agreement import Agreement, Held, NotOneGame, agree, joined
from pycore.records.reader import RecordedEnd, RecordedFrame
from pycore.settings import Settings

DECIDED: Final = ("done", "max_steps", "stop")
"""Reasons of an episode's end that are the same for everybody."""


@dataclass(slots=True)
class Evidence:
    """The files of a game, read and compared."""

    files: GameFiles
    game_id: str
    players: list[str]
    header: dict[str, Any] | None
    """Of the records; None without any."""
    agreement: Agreement | None
    records: dict[str, Path]
    """By player, or by the name of a file that does not say whose it is."""
    metrics: dict[str, dict[str, Any]]
    """By player."""
    about: dict[str, Any]
    people: list[str]
    """The players for whom no policy plays: of each there is a record."""
    experienced: dict[str, Path] = field(default_factory=dict)
    """The records of what players saw, by player."""
    seen: dict[str, Seen] = field(default_factory=dict)
    """What is in them."""
    desyncs: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The name of the evidence."""
        if self.desyncs:
            return "desynced"
        if len(self.records) == 1 and len(self.people) > 1:
            return "single"
        return "partial" if self.lacks else "reconciled"

    @property
    def reasons(self) -> list[str]:
        """Why it is not reconciled."""
        return self.desyncs + self.lacks

    @property
    def longest(self) -> str | None:
        """Whose record has most."""
        return None if self.agreement is None else self.agreement.longest

    @property
    def frames(self) -> int:
        """Frames that the records have together."""
        return 0 if self.agreement is None else self.agreement.together.rows

    def items(self) -> Iterator[RecordedFrame | RecordedEnd]:
        """Frames and ends, of each episode those of the record that has most of it."""
        holders = {} if self.agreement is None else self.agreement.holders
        return joined({name: open_record(self.records[name]) for name in holders.values()}, holders)


def evidence_of(files: GameFiles) -> Evidence:
    """Read all files of a game. Raises RecordError for what cannot be read, NotOneGame for what belongs elsewhere."""
    readings = {path: open_record(path) for path in files.records}
    names = _names({path: reading.header for path, reading in readings.items()})
    agreement = agree({names[path]: reading for path, reading in readings.items()}) if readings else None
    about = read_about(files.about)
    metrics: dict[str, dict[str, Any]] = {}
    header = None if agreement is None else agreement.header
    seen = open_experience(files.experienced[0]).header if files.experienced else {}
    game_id = (header or about or seen).get("game_id")
    for path in files.metrics:
        of = read_metrics(path)
        game_id = of["gameId"] if game_id is None else game_id
        player = str(of["playerId"])
        if of["gameId"] != game_id:
            raise NotOneGame(f"{path} is of game {of['gameId']}, not of {game_id}; give the files of one game")
        if player in metrics:
            raise NotOneGame(f"{path} has metrics of player {player}, which another file has too")
        metrics[player] = of
    if about and about["game_id"] != game_id:
        raise NotOneGame(f"{files.about} is of game {about['game_id']}, not of {game_id}")
    players = [str(player) for player in (header or about or ({} if metrics else seen)).get("players", metrics)]
    for player in metrics:
        if player not in players:
            raise NotOneGame(f"there are metrics of player {player}, who is none of {', '.join(players)}")
    policies = ((about.get("settings") or {}) if header is None else header).get("policies") or {}
    people = [player for player in players if player not in policies]
    found = Evidence(
        files, str(game_id), players, header, agreement, {names[path]: path for path in readings}, metrics, about,
        people,
    )  # fmt: skip
    _judge(found)
    _compare_games(found, "game.json", about)
    _look_at_experienced(found)
    return found


def _compare_games(of: Evidence, what: str, said: Mapping[str, Any]) -> None:
    """Whether what lies beside the records is of the game that was played, and not only called so."""
    records = of.header or said
    of.lacks += [
        f"{what} has the {name} {said[name]!r:.70}, the records have {records.get(name)!r:.70}"
        for name in ("seed", "configuration") if name in said and said[name] != records.get(name)
    ]  # fmt: skip


def _look_at_experienced(of: Evidence) -> None:
    """Read what the players saw beside what was confirmed."""
    for path in of.files.experienced:
        experience = open_experience(path)
        header = experience.header
        player = str(header["player"])
        if header["game_id"] != of.game_id:
            raise NotOneGame(f"{path} is of game {header['game_id']}, not of {of.game_id}; give the files of one game")
        if player in of.experienced or player not in of.people:
            why = "which another file is too" if player in of.experienced else "who is none of the game's"
            raise NotOneGame(f"{path} is what player {player} saw, {why}")
        of.experienced[player] = path
        _compare_games(of, f"what player {player} saw", header)
        items = open_record(of.records[player]) if player in of.records else of.items()
        seen = of.seen[player] = compare(experience, items)
        if seen.untrue:
            of.lacks.append(f"what player {player} saw does not fit the record: {seen.untrue}")


def _names(headers: Mapping[Path, dict[str, Any]]) -> dict[Path, str]:
    """What records are called: by their player, otherwise by their file."""
    names: dict[Path, str] = {}
    for path, header in headers.items():
        name = player_of(path, header)
        if name == path.name:
            name = str(path)
        for other, taken in names.items():
            if taken == name:
                raise NotOneGame(f"{path} and {other} are both called a record of player {name}")
        names[path] = name
    return names


def named(name: str, players: list[str]) -> str:
    """A record's name in a sentence."""
    return f"player {name}" if name in players else name


def _judge(of: Evidence) -> None:
    if of.agreement is None:
        of.lacks.append("there is no record")
    else:
        _judge_records(of, of.agreement)
    for path in of.files.incomplete:
        of.lacks.append(f"{path.name} was not read: the database lacks parts of it")
    _judge_metrics(of)


def _judge_records(of: Evidence, agreement: Agreement) -> None:
    if agreement.parting is not None:
        parting = agreement.parting
        one, other = named(parting.one, of.players), named(parting.other, of.players)
        of.desyncs.append(f"the records differ: {parting._replace(one=one, other=other)}")
    whole = agreement.together
    for name, held in agreement.held.items():
        _judge_middle(of, name, held, whole)
        if held.stops_at < whole.stops_at:
            episode, frame = held.stops_at
            of.lacks.append(
                f"{named(name, of.players)} has {held.rows} of {whole.rows} frames, and nothing from episode "
                f"{episode}, frame {frame} on ({_ends(of)})"
            )
    if not whole.whole:
        of.lacks.append(f"{_broken_off(whole)} ({_ends(of)})")
    elif _has_no_end(of, whole):
        last = len(whole.lengths) - 1
        of.lacks.append(f"the session was broken off behind episode {last} ({_ends(of)})")
    if 1 < len(of.people) > len(of.records):
        without = [player for player in of.people if player not in of.records]
        if all(name in of.people for name in of.records):
            of.lacks += [f"there is no record of player {player}" for player in without]
        else:
            of.lacks.append(f"there are {len(of.records)} records of {len(of.people)} players")


def _broken_off(held: Held) -> str:
    """The first episode that has no end."""
    if not held.lengths:
        return "no frame was recorded"
    episode = held.ended.index(False)
    if not held.lengths[episode]:
        return f"nothing is there of episode {episode}"
    return f"episode {episode} was broken off after {held.lengths[episode]} frames"


def _has_no_end(of: Evidence, whole: Held) -> bool:
    """Whether the session ended between two episodes, each of which is whole: as far as metrics say why it ended, that
    is no regular end for anybody, and there were more episodes to be played."""
    ends = [of.metrics[player]["end"] for player in of.people if player in of.metrics]
    reasons = [end["reason"] for end in ends if "reason" in end]
    asked = of.about["settings"].get("num_episodes", Settings.num_episodes) if of.about else math.inf
    return bool(reasons) and not {*reasons} & {*REGULAR} and len(whole.lengths) != asked


def _judge_middle(of: Evidence, name: str, held: Held, whole: Held) -> None:
    """Whether a record that goes on has all of the episodes before."""
    for episode, (length, most) in enumerate(zip(held.lengths[:-1], whole.lengths, strict=False)):
        if _was_away(of, name, episode):
            continue
        if length < most:
            what = f"{length} of {most} frames" if length else "nothing"
        elif whole.ended[episode] and not held.ended[episode]:
            what = "no end"
        else:
            continue
        of.lacks.append(f"{named(name, of.players)} has {what} of episode {episode}, and goes on behind it")


def _ends(of: Evidence) -> str:
    """How the session ended for each player, by the metrics."""
    ends = [
        f"player {player}: {of.metrics[player]['end'].get('reason') or 'no end in its metrics'}"
        for player in of.players if player in of.metrics
    ]  # fmt: skip
    return ", ".join(ends) or "there are no metrics that say why"


def _named(metrics: dict[str, Any]) -> str:
    """What differed first, as far as the players found out: the fields, and what is lacking."""
    for report in [report for report in reports_of(metrics) if report["frame"] is not None]:
        said = [f"{each['path']} is {each['own']} here and {each['theirs']} there" for each in report["fields"]]
        said += [str(report["lacks"])] if report["lacks"] else []
        return f"; at frame {report['frame']} of episode {report['episode']}: {'; '.join(said)}"
    return ""


def _judge_metrics(of: Evidence) -> None:
    reasons: dict[Any, dict[str, Any]] = {}
    for player, metrics in of.metrics.items():
        if metrics.get("soFar"):
            of.lacks.append(f"the page of player {player} went away in the middle of an episode; its metrics end there")
        mismatches = metrics["sync"].get("p2pHashMismatches")
        if mismatches:
            named = _named(metrics)
            of.desyncs.append(f"player {player} counted {mismatches} hashes that differed{named}")
        if metrics["end"].get("reason") == "desync":
            of.desyncs.append(f"for player {player} the session ended by a desync")
        lengths = {row.get("episode"): row.get("frames") for row in metrics["episodes"]}
        for row in metrics["episodes"]:
            reasons.setdefault(row.get("episode"), {})[player] = row.get("reason")
        if of.agreement is not None and player in of.agreement.held:
            held = of.agreement.held[player]
            for episode, length in enumerate(held.lengths):
                if episode in lengths and not held.ended[episode] and _is_told(of, player, episode, length):
                    continue  # by the metrics others told it how that episode ended
                elif episode in lengths and lengths[episode] != length:
                    said = f"{lengths[episode]} by the metrics"
                    of.lacks.append(f"player {player} has {length} frames of episode {episode}, and {said}")
                elif metrics.get("load") and episode not in lengths:
                    continue  # the load before knew it
                elif episode not in lengths and held.ended[episode] and metrics["end"].get("reason"):
                    of.lacks.append(f"the metrics of player {player} have no episode {episode}")
            for episode in lengths:
                if episode not in range(len(held.lengths)) and lengths[episode]:
                    of.lacks.append(f"player {player} has nothing of episode {episode}, which is in the metrics")
    gone = _dropped(of)
    for episode, of_all in reasons.items():
        # For who was dropped it was over earlier, and for a reason of its own.
        by_player = {player: reason for player, reason in of_all.items() if player not in gone}
        if len(set(by_player.values())) > 1 and any(reason in DECIDED for reason in by_player.values()):
            told = ", ".join(f"player {player}: {reason}" for player, reason in by_player.items())
            of.lacks.append(f"episode {episode} did not end alike ({told})")
    _judge_drops(of)
    of.lacks += not_received(of.metrics, of.people)


def _is_told(of: Evidence, player: str, episode: int, length: int) -> bool:
    """Whether it is said already, or no wonder, that a record has so few frames of an episode that has no end in it."""
    agreement = of.agreement
    assert agreement is not None
    lengths = agreement.held[player].lengths
    goes_on = episode + 1 < len(lengths) and length < agreement.together.lengths[episode]
    return goes_on or _was_away(of, player, episode)


def _was_away(of: Evidence, player: str, episode: int) -> bool:
    """Whether somebody was away, and played for, when an episode ended."""
    if of.agreement is None:
        return False
    gone = of.agreement.gone.get(player)
    if gone is not None and gone.episode <= episode:
        # It came back, perhaps, and the game was over before its seat was its own again.
        return True
    times = of.agreement.away.get(player, ())
    return any(away.episode <= episode and away.back is not None and away.back[0] > episode for away in times)


def _dropped(of: Evidence) -> dict[str, dict[str, dict[str, Any]]]:
    """Who was dropped for good, and by whom: what the metrics of each of the others say."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for player, metrics in of.metrics.items():
        for drop in metrics.get("drops") or ():
            gone = str(drop.get("playerId"))
            if not _came_back(of, gone, drop):
                found.setdefault(gone, {})[player] = drop
    return found


def _came_back(of: Evidence, gone: str, drop: dict[str, Any]) -> bool:
    """Whether who was dropped was back behind that: somebody whose metrics end in between does not know it."""
    episode, frame = drop.get("episode"), drop.get("frame")
    if of.agreement is None or episode is None or frame is None:
        return False
    return any(away.back is not None and (episode, frame + 1) < away.back for away in of.agreement.away.get(gone, ()))


def _judge_drops(of: Evidence) -> None:
    """Survivors settle alike on where somebody did its last action."""
    dropped = _dropped(of)
    for gone, by_player in dropped.items():
        # Who ended before it had agreed says nothing.
        places = {(drop.get("episode"), drop.get("frame")) for drop in by_player.values()} - {(None, None)}
        causes = "; ".join(sorted({str(drop.get("cause")) for drop in by_player.values()}))
        if len(places) > 1:
            of.desyncs.append(f"the others do not agree on the last action of player {gone}: {sorted(places, key=str)}")
        elif places:
            ((episode, frame),) = places
            last = f"its last action is of frame {frame}" if frame != -1 else "it did nothing"
            of.lacks.append(f"player {gone} was gone ({causes}): {last} in episode {episode}")
            _judge_stand_in(of, gone, episode, frame)
    for player, times in ({} if of.agreement is None else of.agreement.away).items():
        for away in times:
            assert away.back is not None
            of.lacks.append(
                f"player {player} was away: from frame {away.frame} of episode {away.episode} to {away.back[1]} of "
                f"episode {away.back[0]} its seat was played by {away.what}"
            )
    recorded = {} if of.agreement is None else of.agreement.gone
    for gone in recorded.keys() - dropped.keys():
        stood = recorded[gone]
        of.lacks.append(
            f"player {gone} was gone: from frame {stood.frame} of episode {stood.episode} on its seat was played by "
            f"{stood.what}, by the record"
        )


def _judge_stand_in(of: Evidence, gone: str, episode: Any, frame: Any) -> None:
    """Whether the record has somebody's place taken where that player's last action, by the metrics, lets it."""
    agreement = of.agreement
    stood = None if agreement is None else agreement.gone.get(gone)
    if agreement is None or stood is None:
        # An older record, or one that ends there.
        return
    delay = agreement.delays[episode][of.players.index(gone)] if episode in agreement.delays else 0
    if stood.episode < episode or (stood.episode == episode and stood.frame != max(frame + 1, delay)):
        of.desyncs.append(
            f"by the record player {gone} was gone from frame {stood.frame} of episode {stood.episode} on, and by the "
            f"metrics its last action is of frame {frame} in episode {episode}"
        )
