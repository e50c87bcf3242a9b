"""What must hold whatever a schedule did: `faults` gives every law that a finished run breaks.

Where everybody stays: every row, reward, state hash and end is the bare replica's; what was sent was received, and
is what was fixed, per link; both sides compared as many hashes. Where somebody goes: every session that still ticks
ended by itself with a reason, what is published is a prefix of the truth, and nobody heard of a desync.
Beside that stands what was judged on the way (`watching`).
"""

from __future__ import annotations

from collections import Counter

import core_view
from drawing import Schedule
from networks import Bot, Net, patience
from watching import given

from pycore.events import CaughtUp, Desync, EpisodeEnded, PathChanged
from pycore.testing import Page, Truth, Walk, ground_truth, survivors, wrong_with
from pycore.testing.published import Published


def _is_too_short_to_knock(schedule: Schedule) -> bool:
    """Whether who is loaded again, and played for, may find each episode at its end: a known limit. A packet there and
    one back take longer than an episode does."""
    return schedule.reopens and schedule.steps / schedule.fps < 2 * schedule.conditions.server_delay + 0.2


def faults(net: Net, schedule: Schedule) -> list[str]:
    """Every law that a finished run breaks; empty if none."""
    found = [each for judge in net.judges for each in zip(judge.kinds, judge.wrong, strict=True)]
    wrong = [text for kind, text in found if kind != "returning" or not _is_too_short_to_knock(schedule)]
    if not net.over:
        phases = [(p.gone, p.session.phase, p.session.episode, p.session.frame) for p in net.peers]
        return [*wrong, f"not over after {net.now:.1f} s: gone, phase, episode, frame are {phases}"]
    for page in net.peers:
        wrong += _of_any_page(page, schedule)
        # A page that knows nothing of an episode, and those who are in it, refuse each other's packets; and whom the
        # others play on without, the inputs of frames that it cannot have reached: a server may pass them on to it.
        strangers = any(of.loads for of in net.peers)
        alone = any(page.seat in of.session.gone for of in net.peers)
        if page.session.contradictions or (page.session.malformed and not alone and not strangers):
            wrong.append(f"seat {page.seat}: contradictions or malformed packets")
    if schedule.reopens:
        return wrong + _reopened(net, schedule)
    wrong += _departed(net, schedule) if schedule.departures else _stayed(net, schedule)
    return wrong


def _of_any_page(page: Page, schedule: Schedule) -> list[str]:
    wrong = []
    session = page.session
    if page.events(Desync):
        wrong.append(f"seat {page.seat}: false alarm {page.events(Desync)[0]}")
    if core_view.deepest(session) > schedule.window - 1:
        wrong.append(f"seat {page.seat}: a rollback of {core_view.deepest(session)} frames")
    at: dict[int, str | None] = {}
    for change in page.events(PathChanged):
        if change.from_path == change.to_path or at.get(change.seat, change.from_path) != change.from_path:
            wrong.append(f"seat {page.seat}: {change} follows {at.get(change.seat)}")
        at[change.seat] = change.to_path
    return wrong


def _truth(net: Net, episode: int, stop: int | None = None) -> Truth:
    schedule = net.schedule
    inputs = [given(page, episode) for page in net.peers] + [{}] * schedule.policies
    walk = Walk(len(inputs), seed=schedule.seed, ending=schedule.ending)
    policies = {schedule.seats + number: Bot(schedule.wide) for number in range(schedule.policies)}
    codec = net.peers[0].session.codec
    return ground_truth(
        walk, net.settings, codec, inputs, episode, stop,
        policies=policies, seed=schedule.seed, input_delays=net.input_delays(episode),
        gone=(survivors.away_in if schedule.reopens else survivors.gone_in)(net, episode),
        stand_in=None if net.settings.stand_in is None else Bot(schedule.wide),
    )  # fmt: skip


# -- everybody stays --------------------------------------------------------------------------------------------


def _stayed(net: Net, schedule: Schedule) -> list[str]:
    wrong = []
    returned = any(page.returns for page in net.peers)
    for page in net.peers:
        if page.session.reason == "no_return" and all(_whole(page, each) for each in range(schedule.episodes)):
            # The others had everything, and so had the load before.
            continue
        if page.session.reason != "complete":
            wrong.append(f"seat {page.seat} ended with {page.session.reason}")
        if core_view.rollback_pending(page.session):
            wrong.append(f"seat {page.seat}: a rollback was never performed")
    for episode in range(schedule.episodes):
        truth = _truth(net, episode)
        if not truth.complete:
            wrong.append(f"episode {episode}: the true inputs end before the episode does")
        for page in net.peers:
            whole = _whole(page, episode)
            if whole is not None and page.session.reason == "no_return":
                continue
            if whole is None or episode >= len(page.session.ended):
                wrong.append(f"episode {episode}, seat {page.seat}: never ended")
                continue
            found = wrong_with(truth, whole.rows[episode], whole.rewards[episode], whole.finals[episode])
            if found:
                wrong.append(f"episode {episode}, seat {page.seat}: {found}")
            if whole.hashes[episode] != truth.hashes:
                lacking = sorted(truth.hashes.items() ^ whole.hashes[episode].items())[:2]
                wrong.append(f"episode {episode}, seat {page.seat}: other hashes at {[frame for frame, _ in lacking]}")
            ended = page.session.ended[episode]
            if ended != EpisodeEnded(episode=episode, frames=len(truth.rows), reason=ended.reason):
                wrong.append(f"episode {episode}, seat {page.seat}: {ended}")
    # Who was loaded again counts from then on.
    return wrong if returned else wrong + _books(net) + _totals(net, schedule)


def _whole(page: Page, episode: int) -> Published | None:
    """What the last load of a page published that has an episode to its end."""
    for published in (page.published, *reversed(page.published_before)):
        if episode < len(published.rows) and published.finals[episode] is not None:
            return published
    return None


def _books(net: Net) -> list[str]:
    """What one side of a link sent, the other received."""
    wrong = []
    for page in net.peers:
        for link in page.session.links:
            other = net.peers[link.seat].session
            theirs = core_view.counts(other.link_to(page.seat))
            mine = core_view.counts(link)
            sent = mine.sent_via_p2p + mine.sent_via_socketio
            received = theirs.received_via_p2p + theirs.received_via_socketio
            fixed = sum(len(of) for of in page.inputs)
            if not sent == received == fixed:
                wrong.append(f"{page.seat} -> {link.seat}: {fixed} fixed, {sent} sent, {received} received")
            if min(mine.resent_via_p2p, mine.resent_via_socketio, mine.sent_via_p2p, mine.sent_via_socketio) < 0:
                wrong.append(f"{page.seat} -> {link.seat}: a negative count")
            compared = page.session.hashes_compared_with(link.seat), other.hashes_compared_with(page.seat)
            if compared[0] != compared[1]:
                wrong.append(f"{page.seat}, {link.seat} compared {compared} hashes")
    return wrong


def _totals(net: Net, schedule: Schedule) -> list[str]:
    totals = {core_view.total_frames(page.session) for page in net.peers}
    frames = sum(len(rows) for rows in net.peers[0].rows)
    wrong = []
    if not schedule.ending and totals != {frames}:
        wrong.append(f"frames.total {totals} instead of {frames}")
    if min(totals) < frames:
        wrong.append(f"frames.total {totals} below {frames}")
    return wrong


# -- somebody goes ----------------------------------------------------------------------------------------------

REASONS = frozenset(("complete", "stop", "player_left", "ready_timeout", "error"))
"""What may end a session of honest peers with an honest game."""
WHERE_NOTHING_HEALS = frozenset(("no_progress",))
"""What may end it besides where neither path carries inputs any more, though something is heard."""
WHERE_MOST_ARE_UNHEARD = frozenset(("partition",))
WHERE_A_PAGE_CAME_BACK = frozenset(("returned", "no_return"))
WHERE_THE_OTHERS_WENT_ON = frozenset(("dropped",))
"""What ends it for who hears that the others go on, or ended, without it: the server told them, or it was silent."""


def _departed(net: Net, schedule: Schedule) -> list[str]:
    wrong = survivors.not_alike(net) + net.holding.lost(net)
    if net.now > patience(schedule):
        wrong.append(f"over only after {net.now:.1f} s, {patience(schedule):.1f} granted")
    for page in net.peers:
        reasons = REASONS if schedule.heals else REASONS | WHERE_NOTHING_HEALS
        if schedule.seats > 2:
            reasons |= WHERE_MOST_ARE_UNHEARD
        if any(of.loads for of in net.peers):
            reasons |= WHERE_A_PAGE_CAME_BACK
        dropped = any(page.seat in of.session.gone for of in net.peers)
        if dropped or net.server.told or any(of.session.reason == "player_left" for of in net.peers if of is not page):
            reasons |= WHERE_THE_OTHERS_WENT_ON
        if not page.absent and page.session.reason not in reasons:
            wrong.append(f"seat {page.seat} ended with {page.session.reason!r}")
        loads = [*(page.published_before if page.session.load and _known(net) else ()), page.published]
        for load, published in enumerate(loads):
            for episode in range(len(published.rows)):
                wrong += _prefix(net, page, published, episode, f"seat {page.seat}, load {load}")
        for ended in page.session.ended:
            played = [rows[ended.episode] for rows in of_all_loads(page) if ended.episode < len(rows)]
            # The last load that has any of it: one before may have confirmed a frame more, with a partner that is gone.
            frames = next((len(rows) for rows in reversed(played) if rows), 0)
            if ended.frames != frames:
                wrong.append(f"seat {page.seat}: {ended}, {frames} published")
    if {what for _, what, *_ in schedule.departures} == {"stop"} and schedule.heals and not net.server.told:
        # Everybody is there: a stop is an end like any other, at the same frame and with the same reason.
        # Who was not there any more when it came back knows of no end.
        ends = {
            (page.session.reason, tuple(page.session.ended), *_wholes(page))
            for page in net.peers if page.session.reason != "no_return"
        }  # fmt: skip
        if len(ends) > 1:
            wrong.append(f"a stop that all could reach: reasons, frames, finals, ends are {ends}")
    return wrong


# -- whoever is interrupted is played for --------------------------------------------------------------------------

WHO_CAME_BACK_TOO_LATE = frozenset(("dropped", "no_return", "returned", "partition"))


def _reopened(net: Net, schedule: Schedule) -> list[str]:
    """What is published is a beginning of the truth; who comes to the end has all of it, and somebody does."""
    wrong = survivors.not_alike(net) + net.holding.lost(net)
    if net.now > patience(schedule):
        wrong.append(f"over only after {net.now:.1f} s, {patience(schedule):.1f} granted")
    reasons = {page.seat: page.session.reason for page in net.peers if not page.absent}
    granted = REASONS | WHO_CAME_BACK_TOO_LATE
    wrong += [f"seat {seat} ended with {reason!r}" for seat, reason in reasons.items() if reason not in granted]
    # Whose page was loaded again while everybody else's line was dead has nobody who knows what was played.
    there_all_along = any(not page.loads and not _was_away(page, schedule) for page in net.peers)
    if not schedule.departures and not net.server.told and there_all_along and "complete" not in reasons.values():
        wrong.append(f"nobody came to the end: {reasons}")
    # What those before had confirmed is known where somebody was there all the time, and never dropped.
    known = any(
        not page.loads and not page.absent and page.session.reason not in WHO_CAME_BACK_TOO_LATE for page in net.peers
    )
    for page in net.peers:
        for load, published in enumerate([*(page.published_before if known else ()), page.published]):
            for episode in range(len(published.rows)):
                wrong += _prefix(net, page, published, episode, f"seat {page.seat}, load {load}")
    there = [page for page in net.peers if page.session.reason == "complete"]
    if len({tuple(page.session.ended) for page in there}) > 1:
        wrong.append(f"who came to the end have {[page.session.ended for page in there]}")
    for episode in range(schedule.episodes):
        # Who was away at the end of an episode has a beginning of it.
        wholes = {_wholes(page)[episode] for page in there} - {None}
        if len(wholes) > 1:
            wrong.append(f"episode {episode} ended in {wholes}")
    return wrong


def _was_away(page: Page, schedule: Schedule) -> bool:
    """Whether a page was dropped, as whoever stands still or has no line for longer than a moment is."""
    planned = any(what.startswith((f"socket-down {page.seat}@", f"freeze {page.seat}@")) for what in schedule.more)
    return planned and page.session.reason == "dropped"


def of_all_loads(page: Page) -> list[list[list[tuple[bytes, ...]]]]:
    """The rows that each load of a page published, by episode; without a return they are sessions of their own."""
    return [*[of.rows for of in page.published_before if page.session.load], page.rows]


def _known(net: Net) -> bool:
    """Whether somebody was there all the time: what a load before had confirmed, nobody else need know any more."""
    gone = {number for page in net.peers for number in page.session.gone}
    return any(not page.loads and not page.absent and page.seat not in gone for page in net.peers)


def _wholes(page: Page) -> list[tuple[int, bytes | None] | None]:
    """Frames and final hash of each episode that any load of a page brought to its end."""
    found = [_whole(page, episode) for episode in range(len(page.session.ended))]
    return [
        None if of is None else (len(of.rows[episode]), of.finals[episode]) for episode, of in enumerate(found)
    ]


def _prefix(net: Net, page: Page, published: Published, episode: int, whose: str) -> list[str]:
    rows = published.rows[episode]
    if not rows:
        return []
    final = published.finals[episode]
    truth = _truth(net, episode, len(rows) - 1)
    found = wrong_with(truth, rows, published.rewards[episode], final or truth.final_hash)
    if any(truth.hashes.get(frame) != digest for frame, digest in published.hashes[episode].items()):
        found = found or "a hash is not the truth's"
    return [f"episode {episode}, {whose}: {found}"] if found else []


# -- what happened ------------------------------------------------------------------------------------------------


def _opened(net: Net) -> int:
    """How often a seat was a player's again."""
    back = [
        [of for spans in survivors.away_in(net, episode).values() for of in spans if of[1] is not None]
        for episode in range(net.schedule.episodes)
    ]  # fmt: skip
    return sum(map(len, back)) if net.schedule.reopens else 0


class Tally:
    """Counts over all examples of a property what really happened in them."""

    def __init__(self) -> None:
        self.runs = 0
        self.seen: Counter[str] = Counter()
        self.amounts: Counter[str] = Counter()
        self.longest = dict.fromkeys(
            ("standing", "standing, share of the granted", "holding", "outliving", "on the way back"), 0.0
        )

    def note(self, net: Net) -> None:
        """What happened in one run."""
        self.runs += 1
        schedule = net.schedule
        causes = {change.cause for page in net.peers for change in page.events(PathChanged)}
        happened = {
            "returned": any(page.returns for page in net.peers),
            "several pages returned": sum(bool(page.returns) for page in net.peers) > 1,
            "caught up in the middle of an episode": any(
                event.frames > 0 for page in net.peers for event in page.events(CaughtUp)
            ),
            "open again": bool(opened := _opened(net)),
            "open again, twice": opened > 1,
            "two were on the way back at once": net.standing.most_on_the_way > 1,
            "rollback": any(core_view.rollbacks(page.session) for page in net.peers),
            "stall": any(page.session.stalls for page in net.peers),
            "fallback": any(core_view.fell_back(link) for page in net.peers for link in page.session.links),
            "return": "recovered" in causes,
            "revoked end": net.windows.revoked > 0,
            "burst": net.total("lost") > 0,
            "state changed": bool(net.peers[0].rows) and len({row for rows in net.peers[0].rows for row in rows}) > 3,
            "more than four seats": schedule.seats > 4,
            "told by the server": bool(net.server.told),
            "rollback with reaction time": any(schedule.reactions)
            and any(core_view.rollbacks(of.session) for of in net.peers),
            "rollback with policies": schedule.policies and any(core_view.rollbacks(of.session) for of in net.peers),
            **dict.fromkeys(causes, True),
            "adaptive delay": any(len(set(page.session.pacing.delays)) > 1 for page in net.peers),
            "duplicates": net.total("doubled") > 0,
            "reordering": net.total("held_back") > 0,
            "narrow ways that dropped": net.total("choked") > 0,
            **{f"happened: {of.what}": True for of in net.planned if of.begins < net.now},
            **{f"departure: {what}": True for when, what, *_ in schedule.departures if when <= net.now and net.left_at},
            **{f"ended: {page.session.reason}": True for page in net.peers if page.session.reason},
        }
        self.seen.update(name for name, did in happened.items() if did)
        self.amounts.update(
            {
                "frames": sum(core_view.total_frames(page.session) for page in net.peers),
                "seats open again": _opened(net),
                "rollbacks": sum(core_view.rollbacks(page.session) for page in net.peers),
                "re-simulated frames": sum(core_view.resimulated(page.session) for page in net.peers),
                "frames of run-ups": sum(core_view.run_up(page.session) for page in net.peers),
                "rollback events checked": net.truthful.checked,
                "packets with two runs checked": net.runs.checked,
                "stalled ticks": sum(page.session.stalls for page in net.peers),
                "inputs through the server": net.through_server,
                "packets lost in bursts": net.total("lost"),
                "packets that came twice": net.total("doubled"),
                "packets that were held back": net.total("held_back"),
                "packets that did not fit": net.total("choked"),
                "changes of path": sum(len(page.events(PathChanged)) for page in net.peers),
            }
        )
        standing = net.standing
        for name, seconds in (
            ("standing", standing.longest),
            ("standing, share of the granted", standing.longest_share),
            ("holding", standing.longest_hold),
            ("outliving", standing.longest_outlived),
            ("on the way back", standing.longest_return),
        ):
            self.longest[name] = max(self.longest[name], seconds)

    def add(self, other: Tally) -> None:
        """What another one counted as well."""
        self.runs += other.runs
        self.seen.update(other.seen)
        self.amounts.update(other.amounts)
        for name, seconds in other.longest.items():
            self.longest[name] = max(self.longest[name], seconds)

    def share(self, name: str) -> float:
        """Share of the runs in which it happened."""
        return self.seen[name] / max(1, self.runs)
