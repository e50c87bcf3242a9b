"""A spectator's page shows the frames that were recorded, at any place of the past, or says that it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bridge_support import done, keys, pair

from examples import volley
from pycore.bridge import spectator as module
from pycore.bridge.spectator import Spectator, create
from pycore.bridge.view import Pictures
from pycore.envs import ParallelEnvAdapter
from pycore.records import RecordError
from pycore.relay.storage import past

VOLLEY: dict[str, Any] = {"action_space": {"type": "discrete", "n": 6}}


def recorded() -> tuple[str, list[str], list[str]]:
    """A volley's header, the rows of its episodes, and what it drew of each frame of the second one."""
    two = pair(max_steps=120, num_episodes=2)
    two.until(done(two), play=keys)
    header, *lines = two.pages[0].bridge.view.records().splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith('{"end"')) + 1
    drawn = []
    env, of = volley.make_env(), [json.loads(line) for line in lines[first:-1]]
    game = ParallelEnvAdapter(env, [0, 1], seed=json.loads(header)["seed"], rngs=())
    game.reset(1)
    pictures = Pictures(game)
    for row in of:
        game.step(row["actions"])
        drawn.append(moving(pictures.render()))
    return header, lines[first:], drawn


def moving(picture: str) -> str:
    """What is drawn but for what lasts."""
    return json.dumps([each for each in json.loads(picture)["objects"] if not each.get("permanent")])


@pytest.fixture(scope="module")
def game() -> tuple[str, list[str], list[str]]:
    return recorded()


def begun(header: str) -> Spectator:
    spectator = create(volley.make_env())
    spectator.begin(json.dumps(VOLLEY), header, 1)
    return spectator


def state(spectator: Spectator, frame: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(spectator.state(frame))
    return found


def test_rows_that_come_in_pieces_are_stepped_and_compared_to_their_end(game: tuple[str, list[str], list[str]]) -> None:
    """An episode that is not the first, in batches; every hash of it is compared."""
    header, rows, drawn = game
    spectator = begun(header)
    assert spectator.step(10) == 0
    assert spectator.feed("".join(f"{row}\n" for row in rows[:50])) == 50
    assert [spectator.step(20) for _ in range(4)] == [20, 40, 50, 50]
    assert moving(spectator.show(50)) == drawn[49]
    assert spectator.feed("".join(f"{row}\n" for row in rows[50:])) == len(rows) - 50
    assert spectator.step(1000) == 120
    found = state(spectator, 120)
    assert (found["frames"], found["ended"], found["difference"], found["waiting"]) == (120, True, None, 0)
    assert found["hashes"] == sum('"hash"' in row for row in rows)
    assert found["actions"] == json.loads(rows[119])["actions"]
    rewards = [json.loads(row)["rewards"] for row in rows[:-1]]
    assert found["totals"] == {player: sum(each[player] for each in rewards) for player in ("0", "1")}


def test_any_frame_of_the_past_is_drawn_and_the_game_goes_on_from_its_newest(
    game: tuple[str, list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any order, between the batches, where few states are kept; lasting objects come with the first picture."""
    monkeypatch.setattr(module, "KEPT", 3)
    header, rows, drawn = game
    spectator = begun(header)
    spectator.feed("".join(f"{row}\n" for row in rows))
    newest = 0
    for _ in range(6):
        newest = spectator.step(20)
        for frame in (newest, 1, newest // 2, newest - 1, 7, newest):
            assert moving(spectator.show(frame)) == drawn[frame - 1]
    assert newest == 120
    spectator.step(1)
    assert state(spectator)["difference"] is None
    assert state(spectator)["ended"]
    again = begun(header)
    again.feed(f"{rows[0]}\n")
    again.step(1)
    first = json.loads(again.show(1))
    assert first["reset"]
    assert any(each.get("permanent") for each in first["objects"])


def test_who_plays_the_past_steps_each_frame_once(
    game: tuple[str, list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one frame to the next, also across kept states; a jump back steps from a kept one."""
    header, rows, drawn = game
    spectator = begun(header)
    spectator.feed("".join(f"{row}\n" for row in rows))
    assert spectator.step(1000) == 120
    stepped = []
    step = ParallelEnvAdapter.step
    monkeypatch.setattr(ParallelEnvAdapter, "step", lambda *of: stepped.append(1) or step(*of))
    for frame in range(1, 120):
        assert moving(spectator.show(frame)) == drawn[frame - 1]
    kept = [frame for frame in range(2, 120) if frame % module.EVERY == 0]
    assert len(stepped) == 118 - len(kept)
    assert moving(spectator.show(15)) == drawn[14]
    assert moving(spectator.show(120)) == drawn[119]
    assert len(stepped) == 118 - len(kept) + 14


def test_who_is_gone_is_said_from_that_frame_on(game: tuple[str, list[str], list[str]]) -> None:
    """As the rows have it, and who went before is still gone."""
    header, rows, _ = game
    first = [
        row.replace(f'"frame":{frame},', f'"frame":{frame},"gone":{{"{player}":"{what}"}},')
        if (player := {3: "1", 6: "0"}.get(frame)) and (what := {3: "default_action", 6: "policy"}[frame]) else row
        for frame, row in enumerate(rows[:9])
    ]  # fmt: skip
    spectator = begun(header)
    spectator.feed("".join(f"{row}\n" for row in first))
    assert spectator.step(100) == 9
    one, both = {"1": "default_action"}, {"1": "default_action", "0": "policy"}
    assert [state(spectator, frame)["gone"] for frame in range(1, 10)] == [{}] * 3 + [one] * 3 + [both] * 3
    assert state(spectator)["difference"] is None
    spectator.begin(json.dumps(VOLLEY), header, 1)
    assert state(spectator)["gone"] == {}


def test_why_a_session_ended_stands_where_the_list_of_games_looks_for_it() -> None:
    """In the beginning of its metrics, as they are stored."""
    two = pair(max_steps=120, num_episodes=2)
    two.until(done(two), play=keys)
    stores = json.loads(two.pages[0].bridge.take_end_stores(two.now, -1))
    (whole,) = [store["metrics"] for name, store in stores if name == "p2p_session_metrics" and store["episode"] == -1]
    text = json.dumps(whole, separators=(",", ":"))
    start = text[: past.METRICS_CHARACTERS]
    assert past.reason_of(start, lambda: "not needed") == whole["end"]["reason"]
    assert text.index('"rollbacks":') > start.index('"end":') > text.index('"desyncReports":')


def test_a_row_that_is_not_what_the_environment_does_is_said(game: tuple[str, list[str], list[str]]) -> None:
    """Whether a result was changed or the environment is another one; what is shown stays what was true."""
    header, rows, _ = game
    changed = [*rows[:30], rows[30].replace('"rewards":{"0":', '"rewards":{"0":1'), *rows[31:]]
    spectator = begun(header)
    spectator.feed("".join(f"{row}\n" for row in changed))
    assert spectator.step(1000) == 30
    assert "episode 1, frame 30" in state(spectator)["difference"]
    assert spectator.step(10) == 30


def test_rows_that_are_none_raise_with_their_line(game: tuple[str, list[str], list[str]]) -> None:
    """A gap, for one: nothing is guessed."""
    header, rows, _ = game
    spectator = begun(header)
    spectator.feed("".join(f"{row}\n" for row in (*rows[:5], *rows[6:])))
    with pytest.raises(RecordError, match="frame 6 of episode 1, not frame 5 of episode 1"):
        spectator.step(100)


def test_points_that_are_no_numbers_of_json_are_said_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards may be infinite: the page could not read it, and said that the rows cannot be stepped."""

    class Endless(volley.Volley):
        def step(self, actions: Any) -> Any:
            observations, _rewards, *rest = super().step(actions)
            return observations, {0: float("inf"), 1: 2.5}, *rest

    monkeypatch.setattr(volley, "make_env", Endless)
    header, lines, _ = recorded()
    spectator = begun(header)
    spectator.feed("\n".join(lines[:-1]) + "\n")
    frames = spectator.step(500)
    found = json.loads(spectator.state(frames), parse_constant=lambda name: pytest.fail(f"JavaScript refuses {name}"))
    assert found["difference"] is None
    assert found["totals"] == {"0": "inf", "1": 2.5 * frames}


class Bare:
    """A simulation with its duties alone."""

    def __init__(self, of: ParallelEnvAdapter) -> None:
        self.reset, self.save, self.load, self.step, self.canonical = of.reset, of.save, of.load, of.step, of.canonical


@pytest.mark.parametrize("draws", [True, False])
def test_a_simulation_of_the_studys_own_is_shown(game: tuple[str, list[str], list[str]], draws: bool) -> None:
    """What the page makes may be one; the players' pages step it as it is."""
    header, rows, drawn = game
    own = ParallelEnvAdapter(volley.make_env(), [0, 1], seed=json.loads(header)["seed"], rngs=())
    spectator = create(own if draws else Bare(own))
    spectator.begin(json.dumps(VOLLEY), header, 1)
    spectator.feed("".join(f"{row}\n" for row in rows))
    assert spectator.step(1000) == 120
    assert state(spectator)["difference"] is None
    for frame in (7, 8, 120):
        shown = spectator.show(frame)
        assert moving(shown) == drawn[frame - 1] if draws else shown == ""
