"""The experienced record in real pages: what it says was shown is what the page was handed to draw."""

import json
import sqlite3

import pytest

from pycore.records import Displayed, Experience, Happening
from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser]

WATCH = """
window.drawn = [];
window.read = {};
window.pycoreReadAction = (frame) => {
    const action = Math.floor(frame / 4) % 3;
    window.read[frame] ??= [action, Date.now()];
    return action;
};
// What is handed to the drawing is parsed just before; the frame is the bridge's own.
const parse = JSON.parse;
JSON.parse = (text, ...more) => {
    const value = parse(text, ...more);
    if (value && Array.isArray(value.objects) && window.pycoreGame) {
        const game = window.pycoreGame;
        if (game.phase === 'playing' || game.phase === 'holding') window.drawn.push(game.frame - 1);
    }
    return value;
};
"""

HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_the_record_has_the_frames_that_were_drawn_the_actions_that_were_read_and_the_hidden_tab(
    start_relay, open_page, tmp_path
):
    """All of it from the database, as the server acknowledged it while the game went on."""
    relay = start_relay(core=True, fps=30, max_steps=240, store_every=1, action_space={"type": "discrete", "n": 6})
    pages = [open_page("about:blank") for _ in range(2)]
    for page in pages:
        page.add_init_script(WATCH)
        page.goto(f"{relay.url}?autojoin=1&PROLIFIC_PID=person-{pages.index(page)}")
    for page in pages:
        phase(page, "playing")
    first = pages[0]
    first.wait_for_function("pycoreGame.frame > 60")
    rows = sqlite3.connect(tmp_path / "data.sqlite")
    first.evaluate(HIDE, True)
    first.wait_for_function("pycoreGame.frame > 100")
    assert rows.execute("select count(*) from experienced").fetchone()[0] >= 4
    first.evaluate(HIDE, False)
    for page in pages:
        phase(page, "done")
        page.wait_for_function("pycoreStatus.stored")
        assert page.problems == []
    subjects = json.loads(rows.execute("select subjects from games").fetchone()[0])
    for page in pages:
        me = page.evaluate("pycoreGame.myPlayerId")
        assert subjects[str(me)] == f"person-{pages.index(page)}"
        parts = rows.execute("select part, last, data from experienced where player = ? order by part", (str(me),))
        found = parts.fetchall()
        assert [part for part, _, _ in found] == list(range(len(found)))
        assert [bool(last) for _, last, _ in found] == [False] * (len(found) - 1) + [True]
        experience = Experience(b"".join(data for _, _, data in found).decode().splitlines())
        items = list(experience)
        assert experience.ended == "complete"
        displayed = [item for item in items if isinstance(item, Displayed)]
        assert [item.frame for item in displayed] == page.evaluate("drawn")
        read = page.evaluate("read")
        seat = [0, 1].index(me)
        late = []
        for item in displayed:
            if item.frame > 0 and not item.hidden:
                action, time_ms = read[str(item.frame - 1)]
                assert item.shown[seat] == action
                # Frame 0 is current, and its keys are read, while the other is waited for; what counts comes last.
                if item.frame > 1:
                    late.append(abs(item.input_ms - time_ms))
        # A busy machine lets a tick stand between the two readings of the clock, now and then.
        assert sum(ms > 60 for ms in late) <= len(late) // 10
        assert max(late) < 1000
        metrics = page.evaluate("pycoreGame.exportSessionMetrics()")
        assert metrics["frameTimes"]["tickMs"]["count"] > 200
        assert abs(metrics["clock"]["offsetMs"]) < 100
        assert metrics["waiting"]["seconds"] >= 0
        told = [item.event for item in items if isinstance(item, Happening) and item.event in ("hidden", "shown")]
        flips = [sight["hidden"] for sight in metrics["visibility"]]
        assert (told, flips) == ((["hidden", "shown"], [True, False]) if page is first else ([], []))
        assert any(item.hidden for item in displayed) == (page is first)
