"""What can happen in a scenario: to whom, for how long, with what amount."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

PAGE, PAIR, WAY, ALL = "a page", "a pair", "a way", "all"
WHO: Final[Mapping[str, tuple[str, frozenset[int]]]] = {
    PAGE: ("PAGE", frozenset((1,))),
    PAIR: ("[A-B]", frozenset((0, 2))),
    WAY: ("[A-B]", frozenset((0, 2))),
    ALL: ("", frozenset((0,))),
}
"""How it is written to whom something happens, and how many pages may be named."""


class Kind(NamedTuple):
    """One kind of what happens."""

    whom: str
    """`PAGE`, `PAIR`, `WAY` (from the first page to the second; all ways where none is named) or `ALL`."""
    meaning: str
    lasts: bool = True
    """False: it happens at one moment."""
    amount: str = ""
    """What its amount is; empty: it has none."""
    least: float = 0.0
    most: float = 0.0
    """Bounds of the amount."""
    usual: float | None = None
    """The amount where none is written; None: it must be."""

    @property
    def form(self) -> str:
        """How it is written."""
        until = "@FROM[-TO]" if self.lasts else "@S"
        amount = f"={self.amount}" if self.amount else ""
        return WHO[self.whom][0] + until + (amount if self.usual is None else f"[{amount}]")


KINDS: Final[Mapping[str, Kind]] = {
    "leave": Kind(PAGE, "a page is closed", lasts=False),
    "vanish": Kind(PAGE, "a page is gone without a word", lasts=False),
    "reload": Kind(
        PAGE, "a page is loaded again, and is there after S seconds (3)", lasts=False, amount="S", least=0, most=3600,
        usual=3.0,
    ),
    "break": Kind(PAGE, "the environment of a page raises", lasts=False),
    "stop": Kind(PAGE, "somebody asks for the end", lasts=False),
    "hide": Kind(PAGE, "a page is hidden: it plays the default action"),
    "freeze": Kind(PAGE, "the browser freezes a page: no timer, no message"),
    "hiccups": Kind(PAGE, "a page stands for a quarter of a second, every S seconds", amount="S", least=0.3, most=3600),
    "slow": Kind(PAGE, "a page's ticks take PCT per cent longer", amount="PCT", least=0, most=400),
    "ticks": Kind(PAGE, "a page makes at most N ticks a second", amount="N", least=2, most=1000),
    "skew": Kind(PAGE, "a page's clock runs PCT per cent fast", amount="PCT", least=-10, most=10),
    "clock": Kind(PAGE, "a page's clock jumps by S seconds", lasts=False, amount="S", least=-86_400, most=86_400),
    "socket-down": Kind(PAGE, "a page has no connection to the server, and both know it"),
    "socket-dies": Kind(PAGE, "the same, and both notice after S seconds", amount="S", least=0, most=3600),
    "cut": Kind(PAIR, "peer-to-peer drops everything without a word"),
    "cut-one-way": Kind(WAY, "the same in one direction"),
    "hang": Kind(WAY, "the channel delivers nothing, and in the end all at once"),
    "close": Kind(PAIR, "the channel is closed, and opened again"),
    "close-late": Kind(WAY, "the same, and B sees it S seconds later", amount="S", least=0, most=3600),
    "fail": Kind(PAIR, "the connection fails, and there is a new one"),
    "congest": Kind(PAGE, "the channels of a page take no more: their buffers are full"),
    "refuse": Kind(WAY, "every send raises"),
    "lose-next": Kind(WAY, "the next N packets are lost", lasts=False, amount="N", least=1, most=10_000),
    "delay": Kind(WAY, "another one-way time", amount="MS", least=0, most=5000),
    "lossy": Kind(WAY, "another loss", amount="PCT", least=0, most=100),
    "narrow": Kind(WAY, "another bandwidth", amount="KBPS", least=1, most=10**6),
    "server-down": Kind(ALL, "the server is away; every page notices within a second"),
    "server-restart": Kind(ALL, "the server starts anew: every page is back within four seconds", lasts=False),
}
GOES: Final = ("leave", "vanish", "reload", "break")
"""After these the session may end before its time."""
