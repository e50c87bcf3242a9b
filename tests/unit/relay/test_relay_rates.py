"""How many inputs a page may send: so many for each player that it sends for."""

from __future__ import annotations

import pytest
from people_support import People

from pycore.relay.fields import Refused
from pycore.relay.limits import Limits

FPS = 60


def by_the_server(policies: int, people: int = 2, limits: Limits | None = None) -> tuple[People, str]:
    """A game of so many people by sockets 0, 1, …, in which the page of the first computes so many policies; its id."""
    computed = {str(people + number): {"policy": "net.js", "computed_by": "one"} for number in range(policies)}
    playing = People(seats=people + policies, settings={"fps": FPS, "policies": computed}, limits=limits)
    for number in range(people):
        playing.come(str(number))
    (room,) = playing.lobby.games.playing()
    assert len(room.sent) == policies
    return playing, room.game_id


def refused(playing: People, game: str, sid: str, player: int, frame: int, now: float) -> bool:
    """Whether an input is refused as one too many."""
    payload = {"game_id": game, "player_id": player, "action": 1, "frame_number": frame, "sync_epoch": 0}
    try:
        playing.lobby.action(sid, payload, now, now)
    except Refused as error:
        return error.code == "too_frequent"
    return False


@pytest.mark.parametrize("policies", [1, 3, 4, 6])
def test_a_page_that_computes_policies_for_all_sends_the_inputs_of_each(policies: int) -> None:
    """A minute of them, and nearly ten seconds of them at once, as after a change of path."""
    playing, game = by_the_server(policies)
    players = [0, *range(2, 2 + policies)]
    for frame in range(60 * FPS):
        found = [refused(playing, game, "0", player, frame, frame / FPS) for player in players]
        assert not any(found), frame
    for frame in range(10 * FPS - 1):
        assert not any(refused(playing, game, "0", player, frame, 70.0) for player in players), frame


@pytest.mark.parametrize(("policies", "sid"), [(6, "1"), (0, "0"), (0, "1")])
def test_who_sends_for_nobody_else_has_the_rate_of_one(policies: int, sid: str) -> None:
    """Beside one that does, and where no policies play."""
    playing, game = by_the_server(policies)
    limits = playing.lobby.limits
    found = [refused(playing, game, sid, int(sid), frame, 0.0) for frame in range(1000)]
    assert found.index(True) == limits.input_burst
    found = [refused(playing, game, sid, int(sid), frame, 1.0) for frame in range(1000)]
    assert found.count(False) == limits.input_rate


def test_who_sends_for_others_has_a_bound_as_well() -> None:
    """So many times that of one as there are players that it sends for."""
    playing, game = by_the_server(3, limits=Limits(input_rate=10, input_burst=20))
    found = [refused(playing, game, "0", 2 + frame % 3, frame, 0.0) for frame in range(200)]
    assert found.count(False) == 80
    found = [refused(playing, game, "0", 0, frame, 1.0) for frame in range(200)]
    assert found.count(False) == 40
