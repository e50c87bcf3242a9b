"""For tests of what goes wrong in the real page: what a page is prepared with, and what is left of a broken game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import page_records
import page_rig

SCRIPT = Path(__file__).with_suffix(".js")


def tricks(context: Any) -> None:
    """Prepare a participant's context: `window.tricks` in its page, see page_tricks.js."""
    context.add_init_script(path=SCRIPT)


def assignment(who: page_rig.Participant, game: int) -> dict[str, Any]:
    """What the server said when a game of several was made, counting those that somebody took part in."""
    return who.received.named("pyodide_player_assigned")[game].data


def overlay(who: page_rig.Participant, kind: str, seconds: float = 20.0) -> str:
    """Wait for a notice of this kind over the page; its text."""
    who.wait(f"document.querySelector('#pycoreOverlay[data-kind={kind}]') !== null", seconds, f"a notice: {kind}")
    return who.page.inner_text("#pycoreOverlay")


def kept(
    study: page_rig.Study, *people: page_rig.Participant, complete: int, game: int = 0, more: bool = True
) -> list[list[page_records.Table]]:
    """Everybody's files of a game that ended early: `complete` episodes and, with `more`, a part of another one.

    Complete episodes are equal in all but the personal columns, the part as far as both have it, and all of it is
    what the environment does with these actions.
    """
    tables = [[study.csv(who, number, game) for number in range(complete + more)] for who in people]
    for number in range(complete + more):
        episode = [own[number] for own in tables]
        shortest = min(len(table.rows) for table in episode)
        if number < complete:
            assert {len(table.rows) for table in episode} == {shortest}
        else:
            episode = [table._replace(rows=table.rows[:shortest]) for table in episode]
        for other in episode[1:]:
            assert page_records.differences(episode[0], other) == []
    alone = sum(each["multiplayer"].get("multiplayer") is False for each in study.games[:game])
    for who, own in zip(people, tables, strict=True):
        seed = assignment(who, game - alone)["game_seed"]
        for table, rows in zip(own, study.truth(own, seed, game), strict=True):
            assert page_records.untrue(table, rows) == []
    return tables
