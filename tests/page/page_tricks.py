"""For tests of what goes wrong in the real page: what a page is prepared with, and what is left of a broken game."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import page_records
import page_rig
from page_verdict import changes

SCRIPT = Path(__file__).with_suffix(".js")


def tricks(context: Any) -> None:
    """Prepare a participant's context: `window.tricks` in its page, see page_tricks.js."""
    context.add_init_script(path=SCRIPT)


def assignment(who: page_rig.Participant, game: int) -> dict[str, Any]:
    """What the server said when a game of several was made, counting those that somebody took part in."""
    return who.received.named("pyodide_player_assigned")[game].data


def reached(who: page_rig.Participant, frame: int, episode: int = 0) -> None:
    """Wait until a page is at this frame."""
    at = f"window.game.num_episodes === {episode} && window.game.frameNumber >= {frame}"
    who.wait(at, 60, f"frame {frame} of episode {episode} is reached")


def outlives(cut: Callable[[], object], *people: page_rig.Participant) -> None:
    """Cut peer-to-peer between people while it carries their game, and wait until it has taken over again.

    A busy machine may have left it for a while before: what is cut then is no change of path, and in no metrics.
    """
    times = {}
    for who in people:
        who.wait("window.game.p2pHealthy", 60, "P2P carries the game")
    for who in people:
        times[who] = sum(change["cause"] == "recovered" for change in changes(who))
    cut()
    again = "window.game.exportSessionMetrics().pathChanges.filter(({ cause }) => cause === 'recovered')"
    for who in people:
        who.wait(f"window.game.p2pHealthy && {again}.length > {times[who]}", 60, "P2P takes over again")


def overlay(who: page_rig.Participant, kind: str, seconds: float = 90.0, text: str = "") -> str:
    """Wait for a notice of this kind over the page, with this in its text; returns all of it."""
    shown = f"document.querySelector('#pycoreOverlay[data-kind={kind}]')?.innerText.includes({json.dumps(text)})"
    who.wait(shown, seconds, f"a notice: {kind} {text}")
    return who.page.inner_text("#pycoreOverlay")


def gone(who: page_rig.Participant, seconds: float = 90.0) -> None:
    """Wait until no notice stands over the page."""
    who.wait("document.querySelector('#pycoreOverlay') === null", seconds, "the notice goes")


def completion_code(who: page_rig.Participant) -> str:
    """Wait for the end of a game with a completion code; the code."""
    who.wait("document.querySelector('#pycoreCompletionCode') !== null", 30, "a completion code")
    return who.page.inner_text("#pycoreCompletionCode")


def told(who: page_rig.Participant, *names: str) -> list[str]:
    """Which of these events somebody's page sent to the server, in their order."""
    return [message.name for message in who.sent.messages if message.name in names]


def serve(address: str, path: Path) -> Callable[[Any], None]:
    """A preparation of a context in which this address is answered with this file."""
    headers = {"Access-Control-Allow-Origin": "*"}
    return lambda context: context.route(address, lambda route: route.fulfill(path=path, headers=headers))


def other_version(wheel: Path, folder: Path, version: str) -> Path:
    """A copy of the core's wheel in this folder that says it is another version, under the same name."""
    copy = folder / wheel.name
    changed = 0
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == "pycore/version.py":
                text, changed = re.subn(r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"', content.decode())
                content = text.encode()
            new.writestr(item, content)
    assert changed == 1
    return copy


def kept(
    study: page_rig.Study, *people: page_rig.Participant, complete: int, game: int = 0, more: bool = True
) -> list[list[page_records.Table]]:
    """Everybody's files of one of several games, or of one that ended early: `complete` episodes and, with `more`, a
    part of another one.

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
            episode = [table.up_to(shortest) for table in episode]
        for other in episode[1:]:
            assert page_records.differences(episode[0], other) == []
    alone = sum(each["multiplayer"].get("multiplayer") is False for each in study.games[:game])
    for who, own in zip(people, tables, strict=True):
        seed = assignment(who, game - alone)["game_seed"]
        for table, rows in zip(own, study.truth(own, seed, game), strict=True):
            assert page_records.untrue(table, rows) == []
    return tables
