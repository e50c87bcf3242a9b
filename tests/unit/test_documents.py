"""What the documents show is what the code does: their examples run, and say what the text around them says."""

from __future__ import annotations

import contextlib
import io
import random
import re
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from pycore import Outlook, Session, Settings, events, spaces
from pycore.audit.objects import EVERY, FIELDS
from pycore.cli import cli
from pycore.envs import ParallelEnvAdapter
from pycore.errors import EnvironmentUnfit
from pycore.records import Trajectory, trajectory_text
from pycore.session.topics import topic
from pycore.session.topics.over import REASONS
from pycore.testing import Conditions, Mesh, Walk
from pycore.wire import datagram

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")


def examples(text: str) -> list[str]:
    """The Python of a document, block by block."""
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def picture() -> bytes:
    """The packet whose bytes the protocol explains."""
    found = re.search(r"^```\n(b4 [0-9a-f ]+)\n│", PROTOCOL, re.MULTILINE)
    assert found, "there is no packet"
    return bytes.fromhex(found[1])


def read(data: bytes) -> datagram.Datagram:
    """As seat 0 reads what seat 1 sends it."""
    settings = Settings(action_space={"type": "discrete", "n": 6})
    session = Session(Walk(2), settings, game_id="mesh", players=[0, 1], me=0, now=0.0, wall_ms=0.0)
    return datagram.decode(data, [seat.codec for seat in session.seats], 1, 1, 43, 0, 42)


def test_the_protocols_example_decodes_to_what_its_picture_says() -> None:
    """The bytes in the picture are those that the snippet decodes; written again they are the same."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(examples(PROTOCOL)[0], "protocol.md", "exec"), {})
    packet = read(picture())
    assert out.getvalue().strip() == repr(packet)
    assert (packet.incarnation, packet.seq, packet.echo, packet.hold) == (2, 42, 40, 23)
    assert (packet.first, packet.receipts, packet.advantage) == (39, (40,), 5)
    body = b"".join(packet.inputs) + b"".join(datagram.encode_block(*block) for block in packet.blocks)
    flags = datagram.BLOCKS | len(packet.inputs)
    assert picture() == datagram.encode(0xC4CF, 2, 0, 42, 40, 23, 39, flags, 5, packet.receipts, body)


def test_the_protocols_table_of_blocks_has_every_topic_and_no_other() -> None:
    """By number and name."""
    kinds: dict[str, Any] = {name: value for name, value in vars(topic).items() if name.isupper()}
    table = re.findall(r"^\| (\d+) ([A-Z]+) \|", PROTOCOL, re.MULTILINE)
    assert {name: int(number) for number, name in table} == kinds


def test_the_protocol_numbers_every_reason_of_an_end() -> None:
    """As they travel."""
    listed = PROTOCOL.split("Reasons of OVER:")[1].split(". A code")[0]
    found = {int(number): name for number, name in re.findall(r"(\d+)\s`(\w+)`", listed)}
    assert found == {number: name for number, name in enumerate(REASONS) if name}


def test_the_embedding_guides_two_calls_run() -> None:
    """With a caller around them: what they hand out is sent, and the trajectory is a sink."""
    sent: list[tuple[int, bytes]] = []
    emitted: list[str] = []
    block = examples((DOCS / "embedding.md").read_text(encoding="utf-8"))[0]
    scope: dict[str, Any] = {
        "simulation": Walk(2), "now": lambda: 100.0, "wall_ms": 1.7e12, "action": 0, "channels": [10],
        "send": lambda peer, payload: sent.append((peer, payload)), "emit": lambda event, data: emitted.append(event),
    }  # fmt: skip
    exec(compile(block, "embedding.md", "exec"), scope)
    assert scope["flags"] == 0
    assert [(peer, payload[0]) for peer, payload in sent] == [(1, 0xB5)]
    assert emitted == ["webrtc_signal"]


def test_the_partner_in_the_guide_to_policies_plays() -> None:
    """It does what its observation says, and hesitates."""
    partner, *_ = examples((DOCS / "howto" / "policy.md").read_text(encoding="utf-8"))
    scope: dict[str, Any] = {}
    exec(compile(partner, "policy.md", "exec"), scope)
    policy = scope["make_policy"]()
    acted = {policy.act(Outlook(1, 1, 0, (9, 4)), frame, random.Random(frame)) for frame in range(50)}
    assert acted == {0, 2}


def test_the_predictor_in_the_guide_to_policies_guesses() -> None:
    """Who stands at the target is thought to stay there."""
    (block,) = [
        block for block in examples((DOCS / "howto" / "policy.md").read_text(encoding="utf-8"))
        if "def make_predictor" in block
    ]  # fmt: skip
    scope: dict[str, Any] = {}
    exec(compile(block, "policy.md", "exec"), scope)
    predictor = scope["make_predictor"]()
    assert [predictor.predict(Outlook(1, 1, 0, seen), 2, 1, 5) for seen in ((9, 4), (4, 4))] == [2, 0]


def played() -> str:
    """The trajectory of one player of a short game of beach volley, under loss."""
    make = runpy.run_path(str(ROOT / "examples" / "volley.py"))["make_env"]
    settings = Settings(
        num_episodes=2, max_steps=70, action_space={"type": "discrete", "n": 6}, environment="volley_v1"
    )
    mesh = Mesh(
        2, settings, lambda seat: ParallelEnvAdapter(make(), [0, 1], seed=9, rngs=()),
        lambda seat: lambda episode, frame: (frame // 7 + seat) % 6, Conditions(delay=0.06, loss=0.1), seed=9,
    )  # fmt: skip
    trajectory = Trajectory()
    mesh.peers[0].session.add_sink(trajectory)
    mesh.run(60.0)
    session = mesh.peers[0].session
    assert session.reason == "complete"
    assert session.timeline.rollbacks
    return trajectory_text(session, trajectory)


def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What the data guide says to run over a trajectory."""
    file = tmp_path / "trajectory-0.jsonl"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["check.py", str(file)])
    monkeypatch.chdir(ROOT)
    (guide,) = [block for block in examples((DOCS / "data.md").read_text("utf-8")) if "ParallelEnvAdapter" in block]
    exec(compile(guide, "data.md", "exec"), {})


def test_a_trajectory_passes_the_data_guides_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hash follows from the states and the lines."""
    text = played()
    assert text.count('"hash"') == 6
    check(tmp_path, monkeypatch, text)


def test_a_line_that_was_changed_does_not_pass_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even in what the environment's state does not hold."""
    text = played().replace('"rally":0', '"rally":1', 1)
    with pytest.raises(AssertionError):
        check(tmp_path, monkeypatch, text)


def test_the_guides_action_spaces_are_spaces() -> None:
    """Its example runs, and its table names every type with all its fields."""
    guide = (DOCS / "environment.md").read_text("utf-8")
    out = io.StringIO()
    (block,) = [block for block in examples(guide) if "space_of" in block]
    with contextlib.redirect_stdout(out):
        exec(compile(block, "environment.md", "exec"), {})
    assert out.getvalue().startswith("{'type': 'dict', 'spaces': {'jump': {'type': 'discrete', 'n': 3}, 'move': ")
    section = guide.split("## Action spaces")[1].split("##")[0].replace("(`int64`)", "").replace("(`float32`)", "")
    table = re.findall(r"^\| `(\w+)` \|(.*?)\|", section, re.MULTILINE)
    assert {kind: set(re.findall(r"`(\w+)`", row)) for kind, row in table} == {
        kind: set(fields) for kind, fields in spaces.FIELDS.items()
    }


def test_the_guides_test_finds_a_generator_that_get_state_forgets() -> None:
    """Also if only one player's rarer actions draw from it: with a player who always did the same it passed."""
    (block,) = [block for block in examples((DOCS / "environment.md").read_text("utf-8")) if "class Tag" in block]
    changes = {
        '{"at": self.at, "rng": self.rng.getstate()}': '{"at": self.at}',
        '        self.rng.setstate(state["rng"])\n': "",
        "(self.rng.random() < 0.1)": "(actions[1] == 2 and self.rng.random() < 0.1)",
    }
    for old, new in changes.items():
        assert block.count(old) == 1
        block = block.replace(old, new)
    names: dict[str, Any] = {}
    exec(compile(block, "environment.md", "exec"), names)
    with pytest.raises(EnvironmentUnfit, match=r"\$\.env\.at\[\d\] was"):
        names["test_it_can_be_rolled_back"]()


def test_the_embedding_guide_names_all_news_of_a_session() -> None:
    text = (DOCS / "embedding.md").read_text("utf-8")
    listed = re.search(r"`news\.news` is (.*?)with the fields of", text, re.DOTALL)
    assert listed is not None
    # The page is told to take what is to be stored by the bridge, and not by the session.
    told = {each.news for each in vars(events).values() if hasattr(each, "news")} | {"store"}
    assert set(re.findall(r"`([a-z-]+)`", listed[1])) == told


def test_the_page_in_the_embedding_guide_is_the_one_that_new_writes() -> None:
    """What is copied from the guide is what is played in Chromium by the tests."""
    (shown,) = re.findall(r"^```html\n(.*?)^```", (DOCS / "embedding.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert shown == (ROOT / "pycore" / "site" / "template" / "page.html").read_text("utf-8")


def test_the_drawing_guide_names_every_type_of_object_that_the_page_draws() -> None:
    """And no other; the audit knows the same ones."""
    canvas = (ROOT / "web" / "demo" / "canvas.js").read_text("utf-8")
    drawn = set(re.findall(r"^    case '(\w+)'", canvas, re.MULTILINE))
    assert "rectangle" in drawn
    named = re.search(r"^\| `object_type` \| (.*?) \|$", (DOCS / "drawing.md").read_text("utf-8"), re.MULTILINE)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) == drawn == set(FIELDS)


def test_the_drawing_guide_has_every_field_that_the_page_draws_and_what_stands_without_it() -> None:
    """In its tables, in the page and in what the audit knows; the values in brackets are those of the page."""
    canvas = (ROOT / "web" / "demo" / "canvas.js").read_text("utf-8")
    (drawing,) = re.findall(r"^function draw\(.*?^}", canvas, re.MULTILINE | re.DOTALL)
    shared = set(re.findall(r"object\.(\w+)", canvas.split("function fillAndStroke")[1].split("\n}")[0]))
    (taken,) = re.findall(r"const { (x = 0.*?) } = object;", drawing)
    usual = set(re.findall(r"(\w+) =", taken))
    raster = canvas.split("function raster")[1].split("\n}")[0]
    guide = (DOCS / "drawing.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", guide.split("| `object_type` | fields |")[1], re.MULTILINE))
    writing = canvas.split("function write")[1].split("\n}")[0]
    before, sprites = (ROOT / "web" / "demo" / "sprites.js").read_text("utf-8").split("function drawSprite")
    (stands_in,) = re.findall(r"function standIn\(context, {(.*?)}\)", before)
    for kind, case in re.findall(r"case '(\w+)':(.*?)(?=case '|default:)", drawing, re.DOTALL):
        used = set(re.findall(r"object\.(\w+)", case + (writing if kind == "text" else "")))
        if kind == "text":
            used |= {"x", "y"}
        if kind == "sprite":
            used |= set(re.findall(r"(\w+)(?:: \w+)? =", re.findall(r"const { (x.*?) } = object", sprites)[0]))
            used |= set(re.findall(r"object\.(\w+)", sprites)) | set(re.findall(r"(\w+)(?: = 0)?,? ", stands_in))
        used |= {name for name in usual if re.search(rf"\b{name}\b[,;)]", case)}
        used |= shared if "fillAndStroke" in case else set()
        if kind == "pixels":
            used |= set(re.findall(r"(\w+) = ", re.findall(r"const { (.*?) } = object", raster)[0])) | {"w", "h"}
        assert used == set(FIELDS[kind]), kind
        told = rows[kind] if kind in rows else guide.split("A list may have pictures")[1].split("##")[0]
        assert set(FIELDS[kind]) <= set(re.findall(r"`(\w+)`", told)), kind
    every = guide.split("| every object | |")[1].split("| `object_type` | fields |")[0]
    assert set(EVERY) <= set(re.findall(r"^\| `(\w+)`", every, re.MULTILINE))
    for drawn, said in {
        "object.size ?? 16": "`size` in units of the world (16)",
        "object.align ?? 'left'": "`align`: `left` (the default",
        "object.width ?? 1;": "`width` (1)",
        "object.width ?? 2;": "`width` of the outline (2)",
        "object.color ?? '#000000'": "`color` (black)",
    }.items():
        assert drawn in canvas
        assert said in guide


def documents() -> dict[str, str]:
    """Everything that tells somebody what to type, by its path."""
    patterns = ("*.md", "docs/*.md", "docs/howto/*.md", "examples/*.py", "pycore/site/template/*.*")
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern)) if path.name != "CHANGELOG.md"]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths if path.is_file()}


def test_nobody_is_told_to_install_what_no_index_serves() -> None:
    """From a checkout or a wheel, by a path. What runs is installed already: it may name its extras, if they are."""
    found = documents()
    assert {"README.md", "docs/tutorial.md", "examples/volley_study.py"} <= set(found)
    lines = [(name, line) for name, text in found.items() for line in text.splitlines() if "pip install" in line]
    assert len(lines) >= 4
    assert [(name, line) for name, line in lines if "interactive-gym-pycore" in line] == []
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    told = [
        rest for path in (ROOT / "pycore").rglob("*.py")
        for rest in re.findall(r"pip install ([^\n]*?interactive-gym-pycore[^\n'\"]*)", path.read_text())
    ]  # fmt: skip
    assert len(told) >= 4
    for rest in told:
        named = re.fullmatch(r"'?interactive-gym-pycore\[(\w+)\]", rest)
        assert named is not None, rest
        assert named[1] in extras


CALL = re.compile(r"^ *(?:\$ |.*[;&] )?(?:python3? -m )?pycore ([a-z][a-z-]+(?: [^#;&\n]*)?)", re.MULTILINE)


def calls_in(text: str) -> list[str]:
    """The words behind `pycore` of every command in code: in blocks, where a prompt tells commands from output,
    and within lines, where one may wrap."""
    blocks = []
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        prompted = re.findall(r"^\$ .*$", block, re.MULTILINE)
        blocks += prompted or [block]
    within = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return CALL.findall("\n".join([*blocks, *(code.replace("\n", " ") for code in within)]))


def options_of(command: click.Command) -> set[str]:
    # Some options are made only when a command is called.
    parameters = command.get_params(click.Context(command))
    return {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}


def test_every_command_and_option_in_the_documents_is_one() -> None:
    """In code and within lines: what is typed from a guide is understood."""
    seen = set()
    for name, text in documents().items():
        for call in calls_in(text):
            command: click.Command = cli
            words = call.replace("|", " ").split()
            while isinstance(command, click.Group) and words and not words[0].startswith("-"):
                word = words.pop(0)
                assert word in command.commands, f"{name}: pycore {call}"
                command = command.commands[word]
            seen.add(command.name)
            for option in re.findall(r"(?:^|[ \[])(--[a-z][a-z-]*)", " ".join(words)):
                assert option in options_of(command) | {"--help"}, f"{name}: pycore {call}"
    assert {"new", "audit", "simulate", "rehearse", "serve", "data", "verify", "export", "report", "replay"} <= seen
