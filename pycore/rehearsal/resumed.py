"""A page that is loaded again in mid-game and comes back: where it went on, and what was read of its player.

Of its own frames around the return the record may have what either load read, or the default action: what the load
before had sent stands, of what nobody had got nobody knows. Before and behind that it has what was read, and nothing
else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycore import records
from pycore.errors import PycoreError
from pycore.records.agreement import agree
from pycore.rehearsal.departures import Departed
from pycore.settings import Settings


@dataclass(frozen=True)
class Resumed:
    """Where a page went on."""

    player: str
    seat: int
    frames: int
    """What the load before had stepped."""
    episode: int
    frame: int
    """The first frame that the later load played."""
    unsure: int
    """Up to this frame an action may be of either load."""
    earlier: Mapping[str, Any]
    """What the load before had read in that episode, by frame."""
    seconds: float | None = None
    """From the reload until it played."""

    def is_unsure(self, seat: int, episode: int, frame: int) -> bool:
        """Whether an action may be of either load."""
        return (seat, episode) == (self.seat, self.episode) and self.frame <= frame <= self.unsure

    def as_json(self) -> dict[str, Any]:
        """For the verdict of a script."""
        return {
            "player": self.player, "frames": self.frames, "episode": self.episode, "frame": self.frame,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
        }  # fmt: skip

    def __str__(self) -> str:
        took = "" if self.seconds is None else f" {self.seconds:.1f} s later"
        return (
            f"player {self.player} loaded its page again after {self.frames:,} frames, and played on{took}, from frame "
            f"{self.frame:,} of episode {self.episode} on"
        )


def without_beginnings(texts: Mapping[str, str], resumed: Resumed) -> tuple[Mapping[str, str], list[str]]:
    """The records without that of who came back, where it differs from the others by this alone: of an episode at whose
    end somebody was away and played for, its record has the beginning. And what is to be said of that."""
    player = resumed.player
    others = {name: text for name, text in texts.items() if name != player}
    try:
        agreement = agree({name: records.Reading(text.splitlines()) for name, text in texts.items()})
        own, whole = (records.read(text).episodes for text in (texts[player], max(others.values(), key=len)))
    except PycoreError:
        return texts, []
    said = []
    for number, episode in enumerate(whole):
        had, all_of_it = len(own[number].frames) if number < len(own) else 0, len(episode.frames)
        if had == all_of_it:
            continue
        # What it gave last, and what others gave then, it had not confirmed when it went.
        if not any(
            stood.episode <= number and stood.back is not None and stood.back >= (number + 1, 0)
            for stood in agreement.away.get(player, ())
        ):
            return texts, []
        said.append(
            f"player {player} was away at the end of episode {number}: its record has {had} of {all_of_it} frames of it"
        )
    return (others, said) if said and agreement.parting is None else (texts, [])


def _between_episodes(said: set[tuple[int, int]]) -> bool:
    """Whether these are one place: some hold at the end of an episode, and others are before the first frame of the
    next."""
    (first, _), (last, frame) = min(said), max(said)
    return len(said) == 2 and last == first + 1 and frame == -1


def resumed(
    before: Departed,
    metrics: Mapping[str, Mapping[str, Any]],
    read: Sequence[Mapping[str, Any]],
    settings: Settings,
    delay: int,
    seconds: float | None = None,
) -> tuple[Resumed | None, Sequence[Mapping[str, Any]], list[str]]:
    """Where the page of `before` went on, by the `metrics` of all; with both loads' readings of it as one, and what is
    wrong with that. `read` is the later load's."""
    player = before.player
    own = metrics[player]
    said = {
        (each["episode"], each["frame"])
        for other, of in metrics.items() if other != player
        for each in of.get("returns", ()) if str(each["playerId"]) == player and each["load"] == own.get("load")
    }  # fmt: skip
    if not own.get("load") or not said:
        return None, read, [f"player {player} loaded its page again, and did not come back into its game"]
    if len(said) > 1 and not settings.reopens and not _between_episodes(said):
        return None, read, [f"the others say differently where player {player} came back: {sorted(said)}"]
    # Where they have played on meanwhile, each says how far it was itself, and it stepped what any of them had. Between
    # two episodes it is told of the one or the other.
    unseen = [(each["episode"], each["to"]) for each in own.get("unseen", ())]
    stepped = {place for place in said if unseen == ([place] if place[1] >= 0 else [])}
    episode, last = max(said if settings.reopens else stepped or said)
    if unseen != ([(episode, last)] if last >= 0 else []):
        return None, read, [f"player {player} stepped {unseen} again, and came back behind frame {last} of {episode}"]
    frame = last + 1
    earlier = dict(before.read[episode]) if episode < len(before.read) else {}
    merged = [dict(of) for of in before.read[:episode]]
    merged += [{}] * (episode - len(merged))
    merged.append({at: action for at, action in earlier.items() if int(at) < frame})
    if read:
        merged[-1] |= {at: action for at, action in read[0].items() if int(at) >= frame}
        merged += [dict(of) for of in read[1:]]
    unsure = frame + settings.prediction_window + 2 * delay
    found = Resumed(player, before.seat, before.metrics["frames"]["total"], episode, frame, unsure, earlier, seconds)
    return found, merged, []
