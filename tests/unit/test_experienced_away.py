"""The experienced record of players who were away: what they did not show is named, what they did last may be lost."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from experienced_support import Recorder, lines_of, run

from pycore.export.evidence import evidence_of
from pycore.export.experience import with_corrections
from pycore.export.files import games_of
from pycore.export.seen import compare
from pycore.records import Displayed, Experience, Reading, Trajectory, trajectory_text
from pycore.records.metrics import export_session_metrics, metrics_so_far
from pycore.records.reader import RecordedFrame
from pycore.rehearsal import verdict
from pycore.testing import Conditions, Mesh, Standing
from pycore.testing.happenings import Happenings
from pycore.testing.scenario import Happening
from pycore.values.json import to_json


def events(text: str, name: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(text) if line.get("event") == name]


PLAYED_FOR = {"on_drop": "default_action", "on_interrupt": "default_action"}


def befallen(
    texts: Sequence[str], seats: int = 3, seed: int = 1, reload_presses: int = 0, **settings: Any
) -> tuple[Mesh, Recorder, str]:
    """What these happenings leave of a game: the mesh, everybody's records, and the first player's trajectory. Players
    press other keys in each frame or two; a later load of a page other ones by `reload_presses`."""
    kept = Trajectory()
    of: list[Mesh] = []

    def script(mesh: Mesh) -> None:
        of.append(mesh)
        mesh.server.grace = 60.0
        mesh.peers[0].session.add_sink(kept)
        standing = Standing()
        standing.mesh = mesh
        happenings = Happenings(mesh, standing)
        for text in texts:
            happenings.add(Happening.of(*text.split()))

    def play(seat: int) -> Callable[[int, int], int]:
        def pressed(episode: int, frame: int) -> int:
            load = of[0].peers[seat].session.load if of else 0
            return (random.Random(f"{seed} {seat} {episode} {frame // 2}").randrange(6) + reload_presses * load) % 6

        return pressed

    mesh, recorder = run(
        Conditions(delay=0.06, jitter=0.02, loss=0.03), seats=seats, script=script, every=0.25, until=90.0, play=play,
        seed=seed, **{"max_steps": 200, **settings},
    )  # fmt: skip
    return mesh, recorder, trajectory_text(mesh.peers[0].session, kept)


AWAY = ["socket-down 1@4-5", "reload 1@4.3", "cut 0-1@4-5"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seats", "texts"),
    [
        (3, ["freeze 1@4-9"]),
        (2, ["reload 1@4"]),
        (3, ["reload 1@4"]),
        (3, ["reload 1@3", "reload 1@6"]),
        (2, ["socket-down 1@4-9", "cut 0-1@4-9"]),
        (3, ["socket-down 1@4-9", "cut 0-1@4-9", "cut 1-2@4-9"]),
    ],
)
def test_who_was_played_for_and_hurries_after_the_others_says_what_it_did_not_show(
    seats: int, texts: list[str]
) -> None:
    """On its way back it steps several frames a tick, and shows one: each of the others is named, and the record can be
    read, frame by frame without a gap."""
    mesh, recorder, confirmed = befallen(texts, seats, **PLAYED_FOR)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * seats
    text = recorder.text(1)
    seen = compare(Experience(text.splitlines()), Reading(confirmed.splitlines()))
    assert (seen.untrue, seen.ended) == ("", "complete")
    assert mesh.peers[1].session.load
    later = map(json.loads, text[text.rindex("pycore_experienced") :].splitlines()[1:])
    shown = {(line["episode"], line["frame"]) for line in later if "shown" in line}
    hidden: set[tuple[int, int]] = set()
    for line in events(text, "unseen"):
        hidden |= {(line["episode"], frame) for frame in range(line["from"], line["to"] + 1)}
    first, last = min(shown), max(shown)
    whole = {(episode, frame) for episode in range(2) for frame in range(200) if first <= (episode, frame) <= last}
    assert whole <= shown | hidden
    assert whole & hidden - shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seats", "texts", "settings"),
    [
        (2, ["reload 1@4=1", "reload 1@5.6=1"], {}),
        (3, ["reload 1@4=0.5", "reload 1@5.2=0.5", "reload 1@6"], PLAYED_FOR),
        (3, ["reload 1@4", "reload 1@9=1"], PLAYED_FOR),
    ],
)
def test_a_frame_that_any_load_of_a_page_displayed_was_seen_and_one_that_none_did_is_unseen_once(
    seats: int, texts: list[str], settings: dict[str, Any]
) -> None:
    """However often the page was loaded again, and whatever it skipped on its way."""
    mesh, recorder, confirmed = befallen(texts, seats, **settings)
    assert mesh.peers[1].session.load > 1
    text = recorder.text(1)
    shown = {(line["episode"], line["frame"]) for line in lines_of(text) if "shown" in line}
    stepped = {
        (line["episode"], frame) for line in events(text, "unseen") for frame in range(line["from"], line["to"] + 1)
    }  # fmt: skip
    seen = compare(Experience(text.splitlines()), Reading(confirmed.splitlines()))
    assert seen.unseen == len(stepped - shown) > 0


@pytest.mark.slow
def test_frames_are_counted_by_the_places_that_were_displayed_whatever_was_displayed_last() -> None:
    """Two loads within seconds name the same frames, one of which a third one shows after all; or one comes back to the
    episode before."""
    head = lines_of(befallen(["reload 1@4"], 2)[1].text(1))[0]

    def load(number: int, to: int, *frames: int) -> list[str]:
        of = [{"frame": to, "event": "unseen", "episode": 0, "from": 0, "to": to - 1, "time_ms": 1}] if to else []
        shown = [
            {"episode": frame // 200, "frame": frame % 200, "shown": [0, 0], "time_ms": 1} for frame in frames
        ]  # fmt: skip
        return [to_json(line) for line in ({**head, **({"load": number} if number else {})}, *of, *shown)]

    def unseen(*loads: list[str]) -> int:
        return compare(Experience([line for each in loads for line in each]), ()).unseen

    first, second, third = load(0, 0, *range(100)), load(1, 130), load(2, 160, *range(160, 170))
    assert unseen(first, load(1, 130, *range(130, 140))) == 30
    assert unseen(first, second, third) == 60
    assert unseen(first, second, load(2, 90, *range(90, 125))) == 5
    assert unseen(first, load(1, 130, *range(130, 150)), load(2, 120, *range(120, 140))) == 20
    assert unseen(load(0, 0, *range(203)), load(1, 190, *range(190, 200))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seats", [2, 3])
def test_what_a_page_did_last_before_it_was_loaded_again_may_have_come_to_nobody(seats: int) -> None:
    """Its line was out: it showed what it did, and what is confirmed is what its next load did. That is no fault; of
    anybody else, or where it was not loaded again, it is one."""
    mesh, recorder, confirmed = befallen([*AWAY, *(["cut 1-2@4-5"] if seats == 3 else [])], seats, reload_presses=3)
    assert [page.session.reason for page in mesh.peers] == ["complete"] * seats
    lines = recorder.text(1).splitlines()
    assert compare(Experience(lines), Reading(confirmed.splitlines())).untrue == ""
    (again,) = [number for number, line in enumerate(lines) if '"load":1' in line and "pycore_experienced" in line]
    frames = {item.frame: item.shown for item in Experience(lines[:again]) if isinstance(item, Displayed)}
    rows = [item for item in Reading(confirmed.splitlines()) if isinstance(item, RecordedFrame) and item.episode == 0]
    differ = [row.frame for row in rows if row.frame in frames and frames[row.frame][1] != row.actions[1]]
    assert differ
    # The same of a game that goes on without another load.
    without = [*lines[:again], to_json({"end": "complete", "time_ms": 0})]
    assert "is confirmed" in compare(Experience(without), Reading(confirmed.splitlines())).untrue
    for reason in ("dropped", "returned"):
        alone = [*lines[:again], to_json({"end": reason, "time_ms": 0})]
        assert compare(Experience(alone), Reading(confirmed.splitlines())).untrue == ""
    # Somebody else's, in the same place.
    at = next(n for n, line in enumerate(lines) if f'"frame":{differ[0]},' in line and '"shown"' in line)
    line = json.loads(lines[at])
    line["shown"][0], line["predicted"] = (line["shown"][0] + 1) % 6, []
    other = [*lines[:at], to_json(line), *lines[at + 1 :]]
    assert "of seat 0" in compare(Experience(other), Reading(confirmed.splitlines())).untrue


class After:
    """Plays on for who is gone."""

    def act(self, outlook: Any, frame: int, generator: Any) -> int:
        return (int(outlook.observation) + outlook.seat + frame) % 6


@pytest.mark.slow
def test_what_a_policy_does_for_who_is_gone_is_a_guess_from_the_tick_on_in_which_that_is_agreed() -> None:
    """The picture of that very tick is made before anybody is told of it."""
    for seed in (1, 7, 9):
        kept = Trajectory()

        def script(mesh: Mesh, kept: Trajectory = kept) -> None:
            mesh.server.grace = 0.0
            mesh.peers[0].session.add_sink(kept)
            mesh.at(4.0, mesh.peers[3].leave)

        mesh, recorder = run(
            Conditions(delay=0.1, jitter=0.08, loss=0.1), seats=4, script=script, seed=seed, num_episodes=1,
            max_steps=200, on_drop="policy", stand_in="after.py", session={"stand_in": lambda: After()},
        )  # fmt: skip
        confirmed = trajectory_text(mesh.peers[0].session, kept).splitlines()
        for seat in (0, 1, 2):
            assert compare(Experience(recorder.text(seat).splitlines()), Reading(confirmed)).untrue == "", (seed, seat)


@pytest.mark.slow
def test_what_was_there_of_another_player_is_taken_back_only_behind_its_last_action() -> None:
    """As all have agreed on that; otherwise what was shown as known has to be what is confirmed."""
    kept = Trajectory()
    _, recorder = run(Conditions(delay=0.05), script=lambda mesh: mesh.peers[1].session.add_sink(kept))
    mesh, _ = run(Conditions(delay=0.05), script=lambda mesh: mesh.peers[1].session.add_sink(Trajectory()))
    confirmed = trajectory_text(mesh.peers[1].session, kept).splitlines()
    lines = recorder.text(1).splitlines()
    at = next(n for n, line in enumerate(lines) if '"frame":40,' in line and '"shown"' in line)
    line = json.loads(lines[at])
    line["shown"][0] = (line["shown"][0] + 1) % 6
    line.pop("predicted", None)
    for last, said in ((39, ""), (40, "though it was no guess")):
        gone = {
            "event": "gone", "episode": 0, "frame": 44, "time_ms": 0, "player": 0, "cause": "silent",
            "last": {"episode": 0, "frame": last}, "on_drop": "default_action",
        }  # fmt: skip
        changed = [*lines[:at], to_json(line), to_json(gone), *lines[at + 1 :]]
        untrue = compare(Experience(changed), Reading(confirmed)).untrue
        assert untrue.endswith(said)
        assert bool(untrue) is bool(said)


@pytest.mark.slow
def test_a_drop_that_ended_in_a_return_is_none_although_somebody_went_away_in_between(tmp_path: Path) -> None:
    """Whose metrics end while another one is gone does not know that it came back."""
    mesh, _, confirmed = befallen(["freeze 3@3-6", "leave 2@5.5"], 4, **PLAYED_FOR)
    assert [page.session.reason for page in mesh.peers] == ["complete", "complete", "", "complete"]
    metrics = [export_session_metrics(page.session) for page in mesh.peers]
    assert [str(drop["playerId"]) for drop in metrics[2]["drops"]] == ["3"]
    (tmp_path / "trajectory-0.jsonl").write_text(confirmed)
    for seat, of in enumerate(metrics):
        (tmp_path / f"metrics-{seat}.json").write_text(json.dumps(of))
    (games,) = games_of([tmp_path])
    found = evidence_of(games)
    assert found.status != "desynced"
    assert [reason for reason in found.reasons if "player 3 was gone" in reason] == []
    assert [reason for reason in found.reasons if "player 3 was away" in reason]


def test_a_correction_is_of_the_load_that_showed_it() -> None:
    """What an earlier load showed last, a later one corrected on no screen of its."""
    of_seats = {"configuration": "0" * 16, "environment": "walk", "fps": 32.0, "game_id": "g", "input_delay": 0}
    header = {**of_seats, "player": 0, "players": [0, 1], "pycore_experienced": 1, "seed": 1}
    picture = {"episode": 0, "frame": 0, "predicted": [1], "shown": [0, 0], "time_ms": 1}
    again = [{**header, "load": 1}, picture]
    corrected = {"episode": 0, "event": "corrected", "frame": 1, "from": 0, "time_ms": 2, "to": 0}
    lines = [to_json(line) for line in [header, picture, *again, corrected]]
    found = [(item.load, was) for item, was in with_corrections(Experience(lines))]
    assert found == [(0, False), (1, True)]


@pytest.mark.slow
def test_a_second_names_who_is_there() -> None:
    """Of who is gone there is no round trip and no path any more."""
    mesh, recorder, _ = befallen(["leave 2@3"], on_drop="default_action")
    assert [page.session.reason for page in mesh.peers[:2]] == ["complete"] * 2
    seconds = [line["peers"].keys() for line in lines_of(recorder.text(0)) if "second" in line]
    assert seconds[1] == {"1", "2"}
    assert {frozenset(peers) for peers in seconds[-5:]} == {frozenset({"1"})}
    assert set(metrics_so_far(mesh.peers[0].session)["now"]["links"]) == {"1"}


@pytest.mark.slow
def test_a_rehearsal_is_wrong_where_what_was_seen_cannot_be_read_or_does_not_fit() -> None:
    """Of each player, beside its own record, or where it has none beside the longest."""
    trajectory = Trajectory()
    mesh, recorder = run(Conditions(delay=0.05), script=lambda mesh: mesh.peers[0].session.add_sink(trajectory))
    record = trajectory_text(mesh.peers[0].session, trajectory).encode()
    seen = {f"experienced-{seat}.jsonl": recorder.text(seat).encode() for seat in (0, 1)}
    assert verdict.not_as_shown({"trajectory-0.jsonl": record, **seen}) == []
    lines = seen["experienced-1.jsonl"].splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"shown"' in line and b'"frame":40,' in line)
    without = b"".join(lines[:at] + lines[at + 1 :])
    (gap,) = verdict.not_as_shown({"trajectory-0.jsonl": record, **seen, "experienced-1.jsonl": without})
    assert gap.startswith("what player 1 saw: ")
    assert "lines are missing" in gap
    line = json.loads(lines[at])
    line["shown"][0] += 1
    line.pop("predicted", None)
    other = b"".join([*lines[:at], to_json(line).encode() + b"\n", *lines[at + 1 :]])
    (untrue,) = verdict.not_as_shown({"trajectory-0.jsonl": record, **seen, "experienced-1.jsonl": other})
    assert "of seat 0" in untrue
