"""Whoever is only interrupted is played for, and comes back (`on_interrupt`): all have the same records, and nobody
stands."""

from __future__ import annotations

import json

import pytest
from drawing import Schedule, seeds, with_returns
from laws import Tally, faults
from networks import build, patience

from pycore.testing import Conditions


def run(schedule: Schedule) -> tuple[list[str], Tally]:
    """Play a schedule; what it breaks, and what happened."""
    net = build(schedule)
    net.run(patience(schedule) + 60.0)
    tally = Tally()
    tally.note(net)
    return faults(net, schedule), tally


@pytest.mark.slow
def test_whoever_was_played_for_has_its_seat_again_over_fixed_seeds() -> None:
    """Pages are loaded again, freeze, and lose their line; and that seats were open again really happened."""
    whole = Tally()
    numbers, least = seeds(12, 3, 8)
    for number in numbers:
        wrong, tally = run(with_returns(number))
        assert wrong == [], number
        whole.add(tally)
    assert whole.amounts["seats open again"] >= 2 * least, whole.amounts
    assert whole.seen["returned"] >= 3 * least, whole.seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        # What was not dispatched on the link of who was gone, and what is nobody's before the open frame, was sent.
        11, 27, 163,
        # Who is over because it comes back took the others with it; both of two were told that the other one is gone.
        31, 32,
        # A page that had come back before anything was played never opened a seat that was played for.
        58,
        # A word with an open frame was refused with the packet that it came in, and the hashes in that as well.
        231,
        # Two were gone, and who came back could not step the past before it had settled both.
        176,
        # Who is taken in by a word alone was sent nothing of what was confirmed before.
        5, 199,
        # Of two who were loaded again nobody was left who knew what was played, and one of them played on.
        244,
        # A page took the word that it is back for one that calls it gone, and loaded itself again for ever.
        186,
        # Without an input delay nothing said that a seat was played for from the first frame on.
        233,
        # What a page was told of an episode before this one it took for what was played in this one; and the tape of a
        # stream was forgotten although the same load came back.
        1031,
        # Of who went before its seat was open, what nobody can reach yet was passed on as inputs.
        6032,
        # Who had just come back took another one that did for as far as it was: that one lacked an input for ever.
        361,
        # Whom the server had forgotten waited for proofs of its channel, which lost much, and sent nothing.
        1607,
        # On its way back a page said that it holds what it had stepped of somebody behind the last input; all waited.
        2421,
    ],
)  # fmt: skip
def test_what_runs_have_found_of_those_who_are_played_for_stays_mended(number: int) -> None:
    """Schedules each of which broke a law once."""
    wrong, tally = run(with_returns(number))
    assert wrong == []
    assert tally.seen["returned"]


@pytest.mark.slow
@pytest.mark.parametrize("seats", [2, 3])
def test_the_others_play_on_while_a_line_is_dead_and_the_seat_is_a_players_again(seats: int) -> None:
    """Of two and of three: both frames are recorded alike, and nobody stands for longer than it takes to notice."""
    others = [other for other in range(seats) if other != 1]
    cuts = tuple(f"cut 1-{other}@4-9" for other in others)
    schedule = Schedule(
        seats=seats, seed=3, episodes=1, steps=600, reopens=True, conditions=Conditions(delay=0.03),
        more=(*cuts, "socket-down 1@4-9"), good_after=12.0,
    )  # fmt: skip
    net = build(schedule)
    net.run(60.0)
    assert faults(net, schedule) == []
    assert [page.session.reason for page in net.peers] == ["complete"] * seats
    told = [page.stood_in[0] for page in net.peers]
    assert told == [told[0]] * seats
    marks = [(frame, json.loads("{" + text[1:] + "}")["gone"]) for frame, text in sorted(told[0].items())]
    assert [of for _, of in marks] == [{"1": "default_action"}, {"1": "player"}]
    (went, _), (back, _) = marks
    # It was noticed after two seconds, and the line was back five seconds after it had been cut.
    assert 110 < went < 150
    assert 60 < back - went < 300
    assert net.standing.longest < 4.0
    assert all(page.rows == net.peers[0].rows for page in net.peers)
