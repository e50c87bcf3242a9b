"""What a rehearsal proves: the players' canonical records are the same, whole, alive, and true.

- the same: byte for byte on every peer;
- whole: in every episode frames 0 to the end without a gap;
- alive: the state changed, and every player did something else than the default;
- seen: what the pages showed can be read, and was that, or a guess that was corrected;
- accounted for: what one side sent the other received, and on a healthy link no input crossed the server;
- true: every action that a page read from its player stands in the records, at its frame, and nothing else; and
  the environment, stepped with nothing but these actions, gives the same rewards and the same hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pycore import records
from pycore.errors import ActionError, PycoreError
from pycore.export.seen import compare
from pycore.records import Experience, Reading, RecordError, Recording
from pycore.records.agreement import agree
from pycore.records.replay import POLICY
from pycore.rehearsal.coverage import untried
from pycore.rehearsal.departures import Broken
from pycore.rehearsal.game import SeatActions
from pycore.rehearsal.reproducing import Here, Place, explained, reproduced
from pycore.rehearsal.resumed import Resumed, without_beginnings
from pycore.session.publication import PLAYER

HASHES_TO_CHANGE: Final = 2


class Judgement(NamedTuple):
    """What is wrong, which inputs were lost, and what this rehearsal did not try; all empty if all is well."""

    problems: list[str]
    lost: list[str]
    warnings: list[str]


def judge(
    texts: Mapping[str, str],
    read: Mapping[str, Sequence[Mapping[str, Any]]],
    seats: Sequence[SeatActions],
    here: Here,
    there: Place,
    way: str = "cpython",
    delays: Sequence[Sequence[int]] = (),
    broken: Broken | None = None,
    resumed: Resumed | None = None,
) -> Judgement:
    """The judgement on the players' trajectories; `broken` where somebody went away before the end, `resumed` where
    somebody came back.

    `texts` are the trajectories by player, `read` what each page read from its player and `delays` the input delays of
    each episode (see `lost_inputs`); the record is stepped again `here` or `there`, as `way` says
    (`pycore.rehearsal.reproducing`).
    """
    problems: list[str] = []
    lost: list[str] = []
    ended = broken is not None and broken.ended
    if broken is not None and ended and not broken.settled:
        # Each of those who stayed ends where the news came to it.
        texts = _as_far_as_all_go(texts)
    short: list[str] = []
    if resumed is not None and len(set(texts.values())) > 1:
        texts, short = without_beginnings(texts, resumed)
    text = next(iter(texts.values()))
    if difference := first_difference(texts, here, there):
        problems.append(difference)
    try:
        recording = records.read(text)
    except RecordError as error:
        return Judgement([*problems, str(error)], lost, [])
    if missing := incomplete(recording, last=not ended):
        return Judgement([*problems, missing], lost, [])
    players = recording.header["players"]
    people = [read.get(str(player)) for player in players]
    lost = lost_inputs(recording, people, seats, delays, broken, resumed)
    if lost:
        problems.append(f"{len(lost)} inputs differ from what the players did; the first: {lost[0]}")
    if found := trivial(recording):
        problems.append(found)
    idle = idle_seats(recording, seats)
    problems += [f"the player on seat {seat} never did anything" for seat in idle if people[seat] is not None]
    warnings = [f"the policy on seat {seat} never did anything" for seat in idle if people[seat] is None]
    if not difference and (found := reproduced(way, text, here, there)):
        problems.append(found)
    return Judgement(problems, lost, [*short, *warnings, *untried(recording)])


def first_difference(texts: Mapping[str, str], here: Here, there: Place) -> str:
    """The first line in which two players' records differ, with the fields; empty if there is none."""
    (first, text), *others = texts.items()
    if all(other == text for _, other in others):
        return ""
    try:
        found = agree({f"player {name}": Reading(text.splitlines()) for name, text in texts.items()})
    except PycoreError:
        found = None
    if found is None or found.parting is None:
        name, other = next((name, other) for name, other in others if other != text)
        for number, (left, right) in enumerate(zip(text.splitlines(), other.splitlines(), strict=False), 1):
            if left != right:
                return f"line {number} differs between player {first} and player {name}:\n  {left}\n  {right}"
        lengths = len(text.splitlines()), len(other.splitlines())
        return f"player {first} has {lengths[0]} lines, player {name} {lengths[1]}"
    parting = found.parting
    said = f"the players saw two games: {parting}"
    if any(not path.startswith(("$.hash", "$.end", "$.frames")) for path, _, _ in parting.fields):
        return said
    return said + explained(text, parting.episode, parting.frame, here, there)


def _as_far_as_all_go(texts: Mapping[str, str]) -> dict[str, str]:
    """The lines that every record has, if they are records of one game."""
    shortest = min(len(text.splitlines()) for text in texts.values())
    return {player: "\n".join(text.splitlines()[:shortest]) + "\n" for player, text in texts.items()}


def incomplete(recording: Recording, last: bool = True) -> str:
    """What is missing from a trajectory; empty if nothing is. `last`: its last episode must have an end, too."""
    if not recording.episodes:
        return "no frame was recorded"
    whole = recording.episodes if last else recording.episodes[:-1]
    for number, episode in enumerate(whole):
        if episode.hash is None:
            return f"episode {number} has no end"
    return ""


def trivial(recording: Recording) -> str:
    """Why a trajectory proves nothing; empty if it does prove something."""
    for number, episode in enumerate(recording.episodes):
        hashes = {frame.hash for frame in episode.frames if frame.hash is not None} | {episode.hash}
        if len(hashes) < HASHES_TO_CHANGE and len(episode.frames) > 60:
            return f"episode {number}: the state never changed"
    return ""


def idle_seats(recording: Recording, seats: Sequence[SeatActions]) -> list[int]:
    """Seats of which nothing but the default action is recorded."""
    return [
        seat for seat, of in enumerate(seats)
        if all(frame.actions[seat] == of.idle for episode in recording.episodes for frame in episode.frames)
    ]  # fmt: skip


def lost_inputs(
    recording: Recording,
    read: Sequence[Sequence[Mapping[str, Any]] | None],
    seats: Sequence[SeatActions],
    delays: Sequence[Sequence[int]] = (),
    broken: Broken | None = None,
    resumed: Resumed | None = None,
) -> list[str]:
    """Actions that were read from a player and do not stand in the records, or stand there without being read.

    `read[seat][episode]` maps the frame (as text) at which the page read an action to that action; None stands for a
    seat from which no page reads. `delays` has the
    input delays of an episode by seat, where they may rise; those of the settings stand for what it lacks. Actions are
    compared as they are played: a float is rounded to the dtype of its space. Behind the last action of one who went
    away (`broken`) stands the default, and what a policy does there is computed again elsewhere; where somebody came
    back (`resumed`), an action may be of either load.
    """
    wrong = []
    players = [str(player) for player in recording.header["players"]]
    for number, episode in enumerate(recording.episodes):
        of_episode = delays[number] if number < len(delays) else [seat.delay for seat in seats]
        computed: set[int] = set()
        away: set[int] = set()
        for frame in episode.frames:
            for player, what in frame.stand_ins.items():
                (away.discard if what == PLAYER else away.add)(players.index(player))
            computed |= {players.index(player) for player, what in frame.stand_ins.items() if what == POLICY}
            for seat, (of, action) in enumerate(zip(seats, frame.actions, strict=True)):
                read_there = read[seat]
                if read_there is None or seat in computed:
                    continue
                given = read_there[number] if number < len(read_there) else {}
                at = frame.frame - of_episode[seat]
                # Who was played for pressed keys on its way back that were nobody's.
                expected = of.idle if at < 0 or seat in away else given.get(str(at), _NOT_READ)
                if broken is not None and broken.seat == seat and broken.after is not None:
                    expected = of.idle if (number, frame.frame) > broken.after else expected
                if resumed is not None and resumed.is_unsure(seat, number, frame.frame):
                    either = (resumed.earlier.get(str(at), _NOT_READ), of.idle)
                    expected = action if _played(of, action) in [_played(of, one) for one in either] else expected
                if _played(of, action) != _played(of, expected):
                    where = f"episode {number}, frame {frame.frame}, seat {seat}"
                    wrong.append(f"{where}: {action!r} instead of {expected!r}")
    return wrong


class _NotRead:
    def __repr__(self) -> str:
        return "nothing that was read"


_NOT_READ: Final = _NotRead()


def _played(seat: SeatActions, action: Any) -> Any:
    """An action as bytes; what is none as itself."""
    try:
        return seat.codec.encode(action)
    except ActionError:
        return action


def wrong_books(metrics: Sequence[Mapping[str, Any]], relay: Mapping[str, Any]) -> list[str]:
    """What does not add up between the players' metrics and the relay's own count, if it has one."""
    wrong = []
    sent = [of["inputs"]["sentViaP2P"] + of["inputs"]["sentViaSocketIO"] for of in metrics]
    received = [of["inputs"]["receivedViaP2P"] + of["inputs"]["receivedViaSocketIO"] for of in metrics]
    if len(metrics) == 2:
        for one, other in ((0, 1), (1, 0)):
            if sent[one] != received[other]:
                wrong.append(
                    f"player {metrics[one]['playerId']} sent {sent[one]} inputs, "
                    f"player {metrics[other]['playerId']} received {received[other]}"
                )
    elif sum(sent) != sum(received):
        wrong.append(f"the players sent {sum(sent)} inputs over all links and received {sum(received)}")
    wrong += differing_states(metrics)
    by_server = sum(of["inputs"]["givenToServer"] for of in metrics)
    if relay and relay.get("inputs_relayed") != by_server:
        wrong.append(f"the players gave the server {by_server} inputs, it relayed {relay.get('inputs_relayed')}")
    return wrong


def not_as_shown(files: Mapping[str, bytes]) -> list[str]:
    """What does not fit between what players saw and the records of their game, by the names of the server's files."""
    wrong = []
    records_of = {name.split(".")[0].removeprefix("trajectory-"): data for name, data in files.items()
                  if name.startswith("trajectory-")}  # fmt: skip
    longest = max(records_of.values(), key=len, default=None)
    for name, data in sorted(files.items()):
        if not name.startswith("experienced-"):
            continue
        player = name.split(".")[0].removeprefix("experienced-")
        record = records_of.get(player, longest)
        reading = () if record is None else Reading(record.decode().splitlines())
        try:
            untrue = compare(Experience(data.decode().splitlines()), reading).untrue
        except RecordError as error:
            untrue = str(error)
        if untrue:
            wrong.append(f"what player {player} saw: {untrue}")
    return wrong


def not_taken_up(restarts: int, relay: Mapping[str, Any]) -> list[str]:
    """A game of which the server that came up knows nothing but what is stored: it would have ended by the server."""
    if relay.get("restarts", 0) == restarts:
        return []
    return [f"the server's process ended {restarts} times, and the game was taken up {relay.get('restarts', 0)} times"]


def differing_states(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who saw hashes that differ."""
    return [
        f"player {of['playerId']} saw {of['sync']['p2pHashMismatches']} states that differ"
        for of in metrics
        if of["sync"]["p2pHashMismatches"]
    ]
