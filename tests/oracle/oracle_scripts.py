"""Scripts for the stage: any, as Hypothesis draws them, and a few whose course is known."""

from __future__ import annotations

from hypothesis import strategies as st
from oracle_stage import LIMIT, LOST, Hand, Script, Segment

from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED, P2P, SOCKETIO

CHANNELS = (
    (0, 0),
    (LIMIT, 0),
    (LIMIT + 1, 0),
    (0, 99_999),
    (20_000, 20_000),
    (CHANNEL_CLOSED, 0),
    (0, CHANNEL_FAILED),
    (CHANNEL_FAILED, CHANNEL_FAILED),
)
GOOD = (True, True)

hands = st.builds(
    Hand,
    side=st.integers(0, 1),
    ahead=st.integers(-9, 9),
    twist=st.sampled_from(["true", "true", "other", "far", "epoch"]),
    path=st.sampled_from([P2P, SOCKETIO]),
)
segments = st.builds(
    Segment,
    ticks=st.integers(1, 16),
    delays=st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, LOST]), min_size=1, max_size=5).map(tuple),
    server=st.integers(0, 6),
    channels=st.one_of(st.just((0, 0)), st.sampled_from(CHANNELS)),
    lost=st.sampled_from([(False, False), (False, False), (False, False), (True, False), (False, True)]),
    throws=st.one_of(st.just((False, False)), st.tuples(st.booleans(), st.booleans())),
    sockets=st.one_of(st.just(GOOD), st.just(GOOD), st.tuples(st.booleans(), st.booleans())),
    hands=st.lists(hands, max_size=3).map(tuple),
)
held = st.lists(st.integers(0, 5), min_size=1, max_size=8).map(tuple)


def scripts(longest: int = 40, episodes: int = 3, most: int = 6) -> st.SearchStrategy[Script]:
    """Any script with at most so many frames, episodes and segments."""
    return st.builds(
        Script,
        segments=st.lists(segments, min_size=1, max_size=most).map(tuple),
        actions=st.tuples(held, held),
        hold=st.integers(1, 6),
        input_delay=st.integers(0, 3),
        window=st.sampled_from([1, 2, 4, 8, 8, 12]),
        max_steps=st.integers(1, longest),
        episodes=st.integers(1, episodes),
        opens=st.sampled_from([True, True, True, False]),
        connection=st.sampled_from([None, "direct", "relay"]),
        differs_from=st.sampled_from([None, None, 10]),
    )


CLEAN = Script(segments=(Segment(ticks=20),), input_delay=3)
LATE = Script(segments=(Segment(ticks=40, delays=(6, 2, 8)),), hold=2, window=8)
OVERTAKEN = Script(segments=(Segment(ticks=60, delays=(8, 0, LOST, 3, LOST)),), hold=1, window=8, connection="relay")
ONE_REFUSAL = Script(segments=(Segment(ticks=8), Segment(ticks=1, channels=(LIMIT + 1, 0)), Segment(ticks=8)))
AT_THE_LIMIT = Script(segments=(Segment(ticks=8), Segment(ticks=8, channels=(LIMIT, LIMIT))))
TWO_REFUSALS = Script(segments=(Segment(ticks=8), Segment(ticks=2, channels=(LIMIT + 1, 0)), Segment(ticks=8)))
CONGESTED = Script(
    segments=(Segment(ticks=8), Segment(ticks=6, channels=(0, 20_000)), Segment(ticks=120)), max_steps=70
)
CLOSED = Script(
    segments=(Segment(ticks=8, delays=(4,)), Segment(ticks=4, channels=(CHANNEL_CLOSED, 0)), Segment(ticks=120)),
    max_steps=70,
)
NEVER_OPEN = Script(segments=(Segment(ticks=8, channels=(-1, -1), server=4),), opens=False)
SILENT = Script(segments=(Segment(ticks=8), Segment(ticks=40, delays=(LOST,)), Segment(ticks=60)), max_steps=60)
EXCEPTIONS = Script(
    segments=(Segment(ticks=8), Segment(ticks=1, throws=(True, True)), Segment(ticks=4), Segment(ticks=9, throws=GOOD))
)
BY_HAND = Script(
    segments=tuple(
        Segment(
            ticks=6,
            delays=(5,),
            hands=tuple(
                Hand(side=1, ahead=ahead, twist=twist, path=path)
                for path in (P2P, SOCKETIO)
                for twist, ahead in (("true", -1), ("other", -6), ("far", 1), ("epoch", 0), ("true", 0), ("true", -3))
            ),
        )
        for _ in range(5)
    )
)
LOPSIDED = Script(segments=(Segment(ticks=150, delays=(0, 9)),), max_steps=110, window=16, episodes=1)
"""One way is quick and the other slow: to one side the other seems far behind."""
UNHEARD = Script(
    segments=(Segment(ticks=8), Segment(ticks=70, lost=(True, False), sockets=(True, False)), Segment(ticks=60)),
    max_steps=70,
    episodes=1,
)
"""One way is dead, and who hears nothing cannot say so: its server is out of reach."""
OVER = Script(
    segments=(Segment(ticks=60), Segment(ticks=3, channels=(CHANNEL_CLOSED, CHANNEL_CLOSED))), max_steps=10, episodes=1
)
"""Everybody is done, and then the channel closes."""
KNOWN = {
    "clean": CLEAN,
    "late": LATE,
    "overtaken": OVERTAKEN,
    "one refusal": ONE_REFUSAL,
    "at the limit": AT_THE_LIMIT,
    "two refusals": TWO_REFUSALS,
    "congested": CONGESTED,
    "closed": CLOSED,
    "never open": NEVER_OPEN,
    "silent": SILENT,
    "exceptions": EXCEPTIONS,
    "by hand": BY_HAND,
    "lopsided": LOPSIDED,
    "unheard": UNHEARD,
    "over": OVER,
}
