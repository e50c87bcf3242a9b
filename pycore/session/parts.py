"""What a session is made of, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.actions.codec import action_codec
from pycore.errors import ConfigError
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.link.peer import Peer
from pycore.link.unacknowledged import Unacknowledged
from pycore.policy import Policy, Predictor
from pycore.rollback.prediction import DefaultAction, Guessing
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import Timeline
from pycore.session.beginning import Beginning, ring
from pycore.session.confirmed import Sink
from pycore.session.course import Course
from pycore.session.dispatch import Dispatch
from pycore.session.drops import Drops
from pycore.session.ending import Ending
from pycore.session.episode import Episode
from pycore.session.identity import Identity
from pycore.session.inputs import Inputs
from pycore.session.intake import Intake
from pycore.session.journal import Journal
from pycore.session.membership import Membership
from pycore.session.messages.account import AccountKind, PastKind
from pycore.session.messages.state import States
from pycore.session.outputs import Outputs
from pycore.session.own_inputs import OwnInputs
from pycore.session.pacing import Pacing
from pycore.session.packets import Packets, longest_action
from pycore.session.publication import Publication
from pycore.session.returning import Returning
from pycore.session.roster import Roster
from pycore.session.stage import Stage
from pycore.session.streams import Streams
from pycore.session.tick import Tick
from pycore.session.timesync import TimeSync
from pycore.session.topics.deaf import Deaf
from pycore.session.topics.end import End
from pycore.session.topics.gone import Gone
from pycore.session.topics.hashes import Hashes
from pycore.session.topics.over import Over
from pycore.session.topics.ready import LIMIT, Ready
from pycore.session.topics.returns import Returns
from pycore.session.topics.status import Status
from pycore.session.topics.stop import Stop
from pycore.session.topics.terms import Terms
from pycore.session.topics.topic import Topic
from pycore.session.vigil import Vigil
from pycore.session.welcomes import Welcomes
from pycore.settings import Settings
from pycore.simulation import Simulation

STILL: Final = 1.0
"""Seconds that nothing may move beyond those after which a silent peer is given up."""


class Parts(Named):
    """What a session hands on to, each for what is its own."""

    timeline: Timeline
    roster: Roster
    drops: Drops
    links: tuple[Link, ...]
    episode: Episode
    journal: Journal
    timesync: TimeSync
    membership: Membership
    publication: Publication
    outputs: Outputs
    dispatch: Dispatch
    inputs: Inputs
    intake: Intake
    ready: Ready
    hashes: Hashes
    stop: Stop
    over: Over
    streams: Streams
    states: States
    course: Course
    pacing: Pacing
    beginning: Beginning
    returning: Returning | None
    ending: Ending
    vigil: Vigil
    tick: Tick


def seats_of(settings: Settings, who: Identity) -> tuple[Seat, ...]:
    """The seats, each with its codec, default action and input delay. Raises ConfigError, ActionError."""
    count = len(who.players)
    if len(settings.seats) > count:
        raise ConfigError(f"settings for {len(settings.seats)} seats; there are {count}")
    limit = longest_action(settings.datagram_bytes, count)
    return tuple(
        Seat(
            number,
            who.owners[number],
            action_codec(settings.of_seat(number, "action_space"), limit),
            settings.of_seat(number, "default_action"),
            settings.of_seat(number, "input_delay"),
            settings.reaction_time(who.players[number]),
        )
        for number in range(count)
    )


def assemble(
    simulation: Simulation,
    settings: Settings,
    who: Identity,
    agreed: Mapping[str, Any],
    sinks: Sequence[Sink],
    predictor: Predictor | None,
    policies: Mapping[int, Policy],
    load: int,
    stand_in: Policy | None,
    now: float,
    wall_ms: float,
) -> Parts:
    """Make all parts of a session. `policies` are by seat, `stand_in` plays on for who is gone."""
    seats = seats_of(settings, who)
    computed = None
    # What the policies are shown that this page computes for all has to be held as well.
    watched = [who.players[seat] for seat in who.own if seats[seat].reaction]
    if policies or watched or stand_in is not None:
        from pycore.rollback.policies import Policies, StandIn

        played = [(seats[seat], who.players[seat], policies[seat]) for seat in sorted(policies)]
        after = None if stand_in is None else StandIn(stand_in, settings.stand_in_reaction, who.players)
        computed = Policies(simulation, played, agreed["seed"], watched, after)
    if predictor is None and settings.predictor is not None:
        raise ConfigError(f"the settings name the predictor {settings.predictor}; none is given")
    if predictor is None and settings.prediction == "default_action":
        predictor = DefaultAction([seat.default_action for seat in seats])
    guessing = None if predictor is None else Guessing(simulation, seats, who.players, predictor)
    frames = ring(seats, settings, not who.own)
    timeline = Timeline(simulation, frames, seats, guessing, settings.hash_every, computed)
    links = tuple(
        Link(
            Peer(number, owned),
            [Unacknowledged(seat, seats[seat].codec.size) for seat in who.own],
            [seat.number for seat in seats if seat.number not in owned],
            now,
        )
        for number, owned in enumerate(who.peers)
        if owned is not None and number != who.me
    )
    episode = Episode()
    journal = Journal(who.players, episode, timeline, now, wall_ms)
    outputs = Outputs(who)
    own = [OwnInputs(seats[seat], place) for place, seat in enumerate(who.own)]
    timesync = TimeSync(who.me)
    roster = Roster(links, who, reopens=settings.reopens)
    membership = Membership(
        roster, journal, outputs, settings.interrupted_after, settings.dropped_after, settings.return_within, now,
        settings.reopens,
    )  # fmt: skip

    there = roster.links
    answers: list[tuple[Link, int, float, str]] = []
    ready = Ready(episode, who.incarnation, agreed, watches=not who.own)
    if ready.size > LIMIT:
        raise ConfigError(f"the names of the settings together exceed {LIMIT} bytes")
    over = Over(there)
    streams = Streams(who, links, outputs, over, journal, roster.gone)
    ends = settings.on_desync == "end"
    states = States(streams, simulation, seats, journal, ends)
    hashes = Hashes(there, journal, 2 * timeline.frames.size, settings.period, settings.hash_every, states)
    status = Status(there, journal)
    stop = Stop(there, episode, journal, timeline, ends)
    end = End(there, episode, timeline)
    deaf = Deaf(journal)
    publication = Publication(sinks, settings.hash_every, hashes.own, len(seats), settings.return_within > 0)
    drops = Drops(
        roster, who, timeline, episode, publication, hashes, membership, journal, answers, settings
    )  # fmt: skip
    gone = Gone(roster, episode, timeline, drops)
    returns = Returns()
    terms = Terms(roster, len(seats))
    topics: tuple[Topic, ...] = (terms, ready, returns, gone, deaf, status, over, stop, end, hashes)
    packets = Packets(
        who, episode, timeline, there, own, topics, deaf, over, status, outputs, journal,
        settings.datagram_bytes, settings.period, drops, answers, now,
    )  # fmt: skip
    dispatch = Dispatch(timeline, own, packets, outputs, journal)
    course = Course(simulation, episode, publication, over, journal, now)
    stage = Stage(simulation, timeline, there, episode, course, dispatch, publication)
    pacing = Pacing(settings, timeline, there, who.own, journal)
    beginning = Beginning(stage, settings, roster, drops, membership, ready, terms, pacing, states, journal)
    welcomes = Welcomes(
        settings.return_within, streams, stage, pacing, beginning, drops, membership, hashes, over, journal,
        settings.period,
    )  # fmt: skip
    drops.comings.host(welcomes)
    inputs = Inputs(episode, timeline, roster, journal)
    intake = Intake(
        who, episode, timeline, roster, drops, inputs, {topic.kind: topic for topic in topics}, status, over, packets,
        streams, outputs, membership, timesync, journal, welcomes, settings.period, now, settings.reopens,
    )  # fmt: skip
    ending = Ending(stage, settings.num_episodes, end, stop, hashes, drops)
    vigil = Vigil(
        timeline, roster, drops, episode, course, membership, status, stop, journal, settings.dropped_after + STILL,
        now, settings.reopens,
    )  # fmt: skip
    returning = None
    if load and settings.return_within and links:
        returning = Returning(
            load, stage, settings, who, roster, drops, hashes, status, stop, beginning, intake, welcomes,
            journal, now,
        )  # fmt: skip
    returns.begin(returning, welcomes)
    streams.know(AccountKind(returning, welcomes, seats, len(who.peers), who.players))
    streams.know(PastKind(returning, seats))
    tick = Tick(
        stage, settings, outputs, packets, intake, streams, states, status, over, timesync, membership, beginning,
        returning, ending, vigil,
    )  # fmt: skip
    return Parts(
        timeline, roster, drops, links, episode, journal, timesync, membership, publication, outputs, dispatch,
        inputs, intake, ready, hashes, stop, over, streams, states, course, pacing, beginning, returning, ending,
        vigil, tick,
    )  # fmt: skip
