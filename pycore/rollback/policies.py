"""The seats that policies play: in every frame that is stepped, their actions are computed from the state before it.

Nobody sends these actions and nobody waits for them. A frame that is stepped again has them computed again, since its
state may be another one; in a run-up they stand as they are, since nothing changed. What a policy draws comes from a
generator that is a pure function of seed, episode, seat and frame, so that a rollback has nothing of it to go back to.

Where the study says so, a policy plays on for who is gone: from a frame on it has that seat, in this episode.

A policy with a reaction time of r frames is shown, in frame f, the state before frame f - r, and does the default
action until there is one. What it is shown is held here for some frames, so that it needs no snapshot; whole states of
so many frames ago are the snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any, Final

from pycore.errors import PolicyError, described
from pycore.frozen import Named
from pycore.policy import Outlook, Policy
from pycore.rollback.frames import NOT_SAVED, Frames
from pycore.rollback.seats import Seat
from pycore.simulation import Contents, Observing, Simulation
from pycore.values import canonical

HELD: Final = 256
"""Frames of which views are held: more than the deepest rollback, of 120, and the longest reaction time, of 60."""


class Views:
    """What players were shown before each of the last frames, as bytes: an environment may go on using what it gave."""

    __slots__ = ("_dumps", "_loads", "_newest", "_players", "_rings")

    def __init__(self, players: Sequence[int | str]) -> None:
        import pickle  # whoever reacts at once pays nothing for it

        self._dumps, self._loads = pickle.dumps, pickle.loads
        self._players = tuple(players)
        self._rings = [[b""] * HELD for _ in players]
        self._newest = -1
        """The last frame that was noted on the way that led to here."""

    def begin(self) -> None:
        """Another episode: nobody was shown anything."""
        self._newest = -1

    def note(self, frame: int, shown: dict[Any, Any]) -> None:
        """Keep what is shown before a frame. After a rollback to a frame that was noted before there may be nothing to
        see, and what was noted of it holds: the state before it is the same one. Raises PolicyError."""
        if frame > self._newest:
            for player, ring in zip(self._players, self._rings, strict=True):
                try:
                    ring[frame % HELD] = self._dumps(shown.get(player), 5)
                except Exception as error:  # pickle raises whatever an object's own methods raise
                    raise PolicyError(
                        f"what player {player} is shown before frame {frame} cannot be held for the reaction time of "
                        f"its policy: {described(error)}"
                    ) from error
        self._newest = frame

    def seen(self, player: int | str, frame: int) -> Any:
        """What a player was shown before a frame, as a value of its own."""
        return self._loads(self._rings[self._players.index(player)][frame % HELD])


class StandIn(Named):
    """The policy that plays on for who is gone."""

    policy: Policy
    reaction: int
    """Its reaction time, in frames."""
    players: Sequence[int | str]
    """The players' ids, by seat."""


class Played(Named):
    """A seat that a policy plays."""

    seat: Seat
    player: int | str
    policy: Policy
    reaction: int
    first: int
    """The first frame of the episode that it plays."""


class Policies:
    """The policies of one session, each with its seat and the id of the player that it is, and the one that stands in
    for who is gone, if there is one.

    What `watched` players are shown is held too: `seen` is asked for it from outside.
    """

    __slots__ = (
        "_contents", "_episode", "_frames", "_kept", "_observing", "_of_session", "_played", "_random", "_seed",
        "_simulation", "_stand_in", "_views",
    )  # fmt: skip

    def __init__(
        self,
        simulation: Simulation,
        played: Sequence[tuple[Seat, int | str, Policy]],
        seed: int,
        watched: Sequence[int | str] = (),
        stand_in: StandIn | None = None,
    ) -> None:
        self._simulation = simulation
        self._of_session = tuple([Played(seat, player, policy, seat.reaction, 0) for seat, player, policy in played])
        self._played = self._of_session
        self._stand_in = stand_in
        self._seed = seed
        self._observing: Observing | None = simulation if isinstance(simulation, Observing) else None
        self._contents: Contents | None = simulation if isinstance(simulation, Contents) else None
        late = [player for seat, player, _policy in played if seat.reaction]
        if stand_in is not None and stand_in.reaction:
            # Whoever it is that will be gone.
            late += stand_in.players
        self._views = Views([*dict.fromkeys([*late, *watched])]) if late or watched else None
        self._random = Random()
        self._episode = 0
        self._frames: Frames | None = None
        self._kept: dict[int, object] | None = None
        """Without a ring of frames, the states of our own; None: no policy can ask for one."""

    def begin(self, episode: int, frames: Frames | None = None) -> None:
        """Another episode: the generators are others. `frames` have the snapshots of earlier frames; without them they
        are taken here."""
        self._episode = episode
        self._played = self._of_session
        self._frames = frames
        if self._views is not None:
            self._views.begin()
        own = frames is None and self._views is not None and self._contents is not None
        self._kept = {} if own else None

    def take_over(self, seat: Seat, first: int) -> bool:
        """Who played a seat is gone: from this frame of the episode on it is the stand-in's. False: there is none."""
        of = self._stand_in
        if of is None:
            return False
        self._played += (Played(seat, of.players[seat.number], of.policy, of.reaction, first),)
        return True

    def act(self, frame: int, encoded: list[bytes], actions: list[Any]) -> None:
        """Write the actions of a frame into its row, encoded and decoded; the simulation is in the state before it.

        Raises PolicyError with the player and the frame, if a policy raises or gives what is no action.
        """
        views = self._views
        if views is not None:
            views.note(frame, self._observing.observations if self._observing is not None else {})
            if self._kept is not None:
                self._kept[frame] = self._simulation.save()
                self._kept.pop(frame - HELD, None)
        for seat, player, policy, reaction, first in self._played:
            number = seat.number
            if frame < first:
                continue
            if frame < reaction:
                encoded[number] = code = seat.default
                actions[number] = seat.decode(code)
                continue
            try:
                action = policy.act(self._outlook(seat, player, frame, reaction), frame, self._generator(number, frame))
                encoded[number] = code = seat.codec.encode(action)
            except Exception as error:
                raise PolicyError(
                    f"the policy of player {player} failed in frame {frame} of episode {self._episode}: "
                    f"{described(error)}"
                ) from error
            # As the others would have it, had it come from one of them: a policy may go on using what it gave.
            actions[number] = seat.decode(code)

    def seen(self, player: int | str, frame: int) -> Any:
        """What a player whose views are held was shown before one of the last frames, as a value of its own."""
        assert self._views is not None
        return self._views.seen(player, frame)

    def _outlook(self, seat: Seat, player: int | str, frame: int, reaction: int) -> Outlook:
        told = self._contents is not None
        if reaction:
            before = frame - reaction
            state = partial(self._earlier, before, frame) if told else None
            return Outlook(seat.number, player, self._episode, self.seen(player, before), state)
        # Asked for each: whoever was before us may have asked for an earlier state.
        shown = self._observing.observations if self._observing is not None else {}
        return Outlook(seat.number, player, self._episode, shown.get(player), self._state if told else None)

    def _generator(self, seat: int, frame: int) -> Random:
        random = self._random
        random.seed(int.from_bytes(canonical.digest([self._seed, self._episode, seat, frame]), "big"))
        return random

    def _state(self) -> Any:
        assert self._contents is not None
        return self._contents.contents(self._simulation.save())

    def _earlier(self, frame: int, now: int) -> Any:
        """What is in the state before an earlier frame. Where snapshots are sparse it is come to from the last one, and
        put beside it; the simulation is in the state before frame `now` again afterwards."""
        assert self._contents is not None
        if self._kept is not None:
            return self._contents.contents(self._kept[frame])
        assert self._frames is not None
        mask, states = self._frames.mask, self._frames.states
        state = states[frame & mask]
        if state is NOT_SAVED:
            simulation = self._simulation
            here = states[now & mask]
            if here is NOT_SAVED:
                here = simulation.save()
            start = frame
            while states[start & mask] is NOT_SAVED:
                start -= 1
            simulation.load(states[start & mask])
            for before in range(start, frame):
                simulation.step(self._frames.actions[before & mask])
            states[frame & mask] = state = simulation.save()
            simulation.load(here)
        return self._contents.contents(state)
