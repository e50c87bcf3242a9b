"""The command line, the site, the settings: what a researcher meets first."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from relay_support import Client, action, running

from pycore.cli import cli
from pycore.cli.relay import relay as relay_command
from pycore.cli.serving import Options, watched
from pycore.errors import ConfigError
from pycore.relay import Limits
from pycore.relay.settings import check_settings
from pycore.relay.turn import Turn
from pycore.version import __version__


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_serves_until_it_is_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    """The first line is the address; two players play; a signal ends it with status 0; the data are there."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<h1>game</h1>")
    (tmp_path / "settings.json").write_text('{"fps": 20, "num_episodes": 2}')
    command = [
        sys.executable,
        "-m",
        "pycore",
        "relay",
        "--port",
        "0",
        "--site",
        "site",
        "--settings",
        "settings.json",
        "--drain-s",
        "0",
    ]
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal: where all of these tests run behind `nohup`, it would ignore that signal, and be right.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("pycore relay on http://127.0.0.1:"), first
        watch = next(line for line in process.stdout if line.startswith("  watch "))
        looked = CliRunner().invoke(cli, ["watch", watch.split()[1], "--once", "--json"])
        assert json.loads(looked.output)["games"] == []

        async def play() -> str:
            url = first.split(" on ")[1].strip()
            one, two = await Client(url).connect(), await Client(url).connect()
            await one.call("join_game", {"subject_id": "anna"})
            await two.call("join_game", {})
            start = await two.get("start_game")
            assert start["scene_metadata"] == {"fps": 20, "num_episodes": 2}
            game: str = start["game_id"]
            await one.call("pyodide_player_action", action(game, 0, 1, 0))
            await two.get("pyodide_other_player_action")
            await one.call("p2p_session_metrics", {"game_id": game, "player_id": 0, "episode": -1, "metrics": {"n": 1}})
            process.send_signal(number)
            # The pages are still connected: the end does not wait for them.
            assert await asyncio.to_thread(process.wait, 45) == 0
            await one.close()
            await two.close()
            return game

        game = asyncio.run(play())
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
    database = f"sqlite:///{tmp_path / 'pycore.db'}"
    listed = CliRunner().invoke(cli, ["data", "--database", database], env={"COLUMNS": "80"})
    assert listed.exit_code == 0
    of_game, of_player, *_ = listed.output.splitlines()
    assert re.fullmatch(rf"{game}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC", of_game)
    assert of_player == "  player 0  anna  failed  metrics: session  episodes: none  seen: none"
    assert len(of_game) < 80
    exported = CliRunner().invoke(cli, ["data", "--database", database, "--out", str(tmp_path / "out")])
    assert exported.exit_code == 0
    assert (tmp_path / "out" / game / "metrics-0.json").read_bytes() == b'{"n":1}'


def test_a_token_that_was_named_is_not_printed_and_a_new_one_is() -> None:
    """What a server prints lies in a log, where others read it."""
    context = click.Context(relay_command)
    usual = {str(each.name): each.get_default(context) for each in relay_command.params}
    usual = {name: value for name, value in usual.items() if name in Options._fields or name == "limits"}
    usual |= {"limits": (), "origins": (), "turn_urls": ()}
    named = watched(Options.given(**usual | {"operator_token": "secret-of-mine"}), "http://x/")
    assert "secret-of-mine" not in named
    assert named.startswith("  watch     http://x/watch/#token=TOKEN ")
    new = Options.given(**usual | {"operator_token": None})
    assert watched(new, "http://x/") == f"  watch     http://x/watch/#token={new.operator_token}"


def test_mistakes_are_told_in_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    """Status 2, no traceback: port in use, no such folder, database, settings, TURN without its secret."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    bad, unknown, wrong = tmp_path / "bad.json", tmp_path / "unknown.json", tmp_path / "wrong.json"
    bad.write_text("{")
    unknown.write_text('{"input_dely": 2}')
    wrong.write_text('{"fps": "fast"}')
    (tmp_path / "text.db").write_text("this is no database, and it is long enough to be read as one " * 20)
    relay = ["relay", "--port", "0", "--database", f"sqlite:///{tmp_path / 'x.db'}"]
    cases: list[tuple[list[str], str]] = [
        (["relay", "--port", str(taken.getsockname()[1])], "is in use; choose another with --port"),
        (["relay", "--port", "0", "--host", "203.0.113.9"], "cannot listen on 203.0.113.9"),
        ([*relay, "--site", str(tmp_path / "none")], "there is no site folder"),
        ([*relay, "--settings", str(tmp_path / "none.json")], "cannot read the settings"),
        ([*relay, "--settings", str(bad)], "are not JSON"),
        ([*relay, "--settings", str(unknown)], "did you mean 'input_delay'?"),
        ([*relay, "--settings", str(wrong)], "fps is 'fast'"),
        ([*relay, "--turn-url", "turn:host"], "static-auth-secret"),
        ([*relay, "--operator-token", "too-short"], "the operator's token must have 12 to 128"),
        ([*relay, "--operator-token", "not-in-an-#-address"], "the operator's token must have 12 to 128"),
        ([*relay, "--turn-url", "http://host", "--turn-secret", "s"], "is not a TURN address"),
        (["relay", "--port", "0", "--database", "sqlite:////none/such/x.db"], "cannot write to the database"),
        (["relay", "--port", "0", "--database", f"sqlite:///{tmp_path / 'text.db'}"], "not a database"),
        (["relay", "--port", "0", "--database", "mysql://u:secret@h/d"], "neither SQLite nor PostgreSQL"),
        (["relay", "--port", "0", "--database", "what?"], "is not a database URL"),
        (["relay", "--port", "0", "--database", "postgresql://u:secret@h:port/d"], "//u:***@h:port/d' is not"),
        (["data", "--database", "postgresql://[::1"], "is not a database URL"),
        (["data", "--backup", "x", "--database", "postgresql://[::1"], "is not a database URL"),
        (["data", "--database", f"sqlite:///{tmp_path / 'none.db'}"], "there is no database file"),
    ]
    for arguments, message in cases:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert message in result.output.replace("\n", " "), (arguments, result.output)
        assert "secret@" not in result.output
        assert "Traceback" not in result.output
    taken.close()


@pytest.mark.slow
def test_without_the_extra_the_command_says_how_to_get_it() -> None:
    """The core needs nothing; the command line names what it needs."""
    code = "import sys; sys.modules[sys.argv[1]] = None; sys.argv[1:] = {}; from pycore.__main__ import main; main()"
    for missing, arguments, extra in (
        ("click", [], "study"),
        ("socketio", ["relay", "--port", "0"], "relay"),
        ("sqlalchemy", ["data"], "relay"),
    ):
        root = str(Path(__file__).parents[3])
        run = subprocess.run(
            [sys.executable, "-c", code.format(arguments), missing],
            cwd=root, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert run.returncode == 2, run.stderr
        assert f"pip install 'interactive-gym-pycore[{extra}]'" in " ".join(run.stderr.split())
        assert "Traceback" not in run.stderr


def test_the_version_needs_no_extra() -> None:
    """Who reports a fault is asked for it."""
    code = (
        "import sys; sys.modules['click'] = None; sys.argv[1:] = ['--version']; "
        "from pycore.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"pycore, version {__version__}\n")
    assert CliRunner().invoke(cli, ["--version"]).output == done.stdout


@pytest.mark.slow
def test_importing_the_core_imports_nothing_of_the_relay() -> None:
    """The relay's dependencies are optional; even its package imports them only when an app is made."""
    code = (
        "import sys, pycore, pycore.relay\n"
        "print([m for m in ('socketio', 'uvicorn', 'starlette', 'sqlalchemy', 'click') if m in sys.modules])"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_site_is_served_with_types_that_browsers_accept_and_never_from_a_cache(tmp_path: Path) -> None:
    """A module or a wasm file of a wrong type does not load; a stale core is worse than a slow one."""
    site = tmp_path / "site"
    (site / "pyodide").mkdir(parents=True)
    types = {
        "index.html": "text/html; charset=utf-8",
        "pyodide/pyodide.asm.wasm": "application/wasm",
        "pyodide/pyodide.mjs": "text/javascript; charset=utf-8",
        "pyodide/python_stdlib.zip": "application/zip",
        "pycore-0.1.0-py3-none-any.whl": "application/zip",
    }
    for name in types:
        (site / name).write_bytes(name.encode())
    named = {"pyodide": {"url": "pyodide"}, "packages": ["pycore-0.1.0-py3-none-any.whl"]}
    (site / "manifest.json").write_text(json.dumps(named))
    (tmp_path / "secret.txt").write_text("outside")

    async def go(relay: Any) -> None:
        for name, kind in types.items():
            status, headers, body = await relay.http("/" + name)
            assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, "no-cache")
            assert body == name.encode()
        manifest = (await relay.http("/manifest.json"))[1]
        assert (manifest["content-type"], manifest["cache-control"]) == ("application/json", "no-cache")
        assert (await relay.http("/"))[2] == b"index.html"
        assert (await relay.http("/none.js"))[0] == 404
        assert (await relay.http("/..%2fsecret.txt"))[0] == 404

    with running(tmp_path, site=site) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_relay_without_a_site_says_so(tmp_path: Path) -> None:
    """The address that was printed answers something in any case."""

    async def go(relay: Any) -> None:
        status, _, body = await relay.http("/")
        assert status == 200
        assert b"/api/health" in body

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_page_of_another_site_may_not_connect_unless_it_is_named(tmp_path: Path) -> None:
    """The origin of a socket is checked: a foreign page in the participant's browser is no player."""
    import aiohttp

    async def status(relay: Any, origin: str) -> int:
        url = relay.url + "socket.io/?EIO=4&transport=polling"
        async with aiohttp.ClientSession() as session, session.get(url, headers={"Origin": origin}) as reply:
            return reply.status

    with running(tmp_path, origins=["https://study.example/"]) as relay:
        assert asyncio.run(status(relay, "https://study.example")) == 200
        assert asyncio.run(status(relay, relay.url.rstrip("/"))) == 200
        assert asyncio.run(status(relay, "https://evil.example")) == 400
    with running(tmp_path) as relay:
        assert asyncio.run(status(relay, relay.url.rstrip("/"))) == 200
        assert asyncio.run(status(relay, "https://evil.example")) == 400


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_step": 3}, "did you mean 'max_steps'"),
        ({"zzz": 3}, "known are fps"),
        ({"fps": 0}, "fps is 0"),
        ({"window": 1.5e9}, "window"),
        ({"fps": 30, "default_action": {1, 2}}, "default_action is of the wrong type: .*set"),
        ({"fps": 30, "default_action": float("nan")}, "default_action is of the wrong type"),
        ({"window": 9, "prediction": ["repeat_last"]}, "prediction"),
        ({"default_action": -1}, "default_action is not in the action space"),
        ({"default_action": "left"}, "default_action is not in the action space"),
        ({"seats": [{}, {"default_action": 256}]}, r"seats\[1\].default_action is not in the action space"),
        ({"action_space": {"type": "discrete"}}, "action_space: a discrete space needs n"),
        ({"action_space": {"type": "Discrete", "n": 6}}, "did you mean 'discrete'"),
        ({"action_space": {"type": "discrete", "n": "6"}}, "action_space.n is '6'"),
        ({"action_space": {"type": "discrete", "m": 6}}, "no 'm'"),
        ({"action_space": {"type": "multi_discrete", "nvec": [2**40] * 400}}, "takes 2000 bytes"),
        ({"seats": [{"action_space": {"type": "box", "shape": [9000]}}]}, r"seats\[0\].action_space.shape"),
        ({"seats": [{"action_space": {"type": "box", "shape": [600]}}]}, r"seats\[0\].action_space: .* 2400 bytes"),
        ({"seats": [3]}, r"seats\[0\] is 3"),
        ({"seats": "two"}, "seats is 'two'"),
        ({"input_delay": 2.5}, "input_delay is 2.5"),
        ({"seats": [{"input_delay": "2"}]}, r"seats\[0\].input_delay is '2'"),
        ({"window": True}, "window is True"),
        ({"p2p": "false"}, "p2p is 'false'; it must be true or false"),
        ({"p2p_required": 1}, "p2p_required is 1; it must be true or false"),
        ({"environment": None}, "environment is None"),
    ],
)
def test_wrong_settings_are_refused_before_anybody_waits(values: dict[str, Any], message: str) -> None:
    """The unknown name with the nearest known one, the value with its range."""
    with pytest.raises(ConfigError, match=message):
        check_settings(values)


def test_good_settings_are_passed_on_unchanged() -> None:
    """No default is filled in: the core of the page knows its own."""
    values = {"fps": 10, "default_action": None, "action_space": {"type": "discrete", "n": 6}}
    assert check_settings(values) == values
    assert json.dumps(check_settings(values)) == json.dumps(values)


def test_settings_of_numpy_and_with_a_point_become_json() -> None:
    """A study is written in Python: its numbers come from a space, and a number of a table has a point."""
    import numpy

    discrete = {"type": "discrete", "n": numpy.int64(6)}
    values = {"max_steps": numpy.int32(90), "input_delay": 2.0, "action_space": discrete}
    assert json.dumps(check_settings(values)) == json.dumps(
        {"max_steps": 90, "input_delay": 2, "action_space": {"type": "discrete", "n": 6}}
    )
    box = {"type": "box", "shape": (2,), "low": numpy.float32(-1), "high": 1.0}
    given = {"action_space": box, "seats": [{"default_action": numpy.array([0.5, -0.0])}]}
    assert json.dumps(check_settings(given)) == json.dumps(
        {
            "action_space": {"type": "box", "shape": [2], "dtype": "float32", "low": -1, "high": 1},
            "seats": [{"default_action": [0.5, 0]}],
        }
    )

@pytest.mark.parametrize(
    "values",
    [
        {"urls": ["turn:a"]},
        {"secret": "s"},
        {"urls": [], "secret": "s"},
        {"urls": ["turn:a"], "secret": "s", "ttl_s": 1},
        {"urls": ["turn:a"], "secret": "s", "ttl": 100},
        {"urls": [3], "secret": "s"},
    ],
)
def test_wrong_turn_settings_are_refused(values: dict[str, Any]) -> None:
    """A study that needs TURN must not find out in front of participants."""
    with pytest.raises(ConfigError, match="TURN"):
        Turn.of(values)


@pytest.mark.slow
def test_who_finds_no_place_is_told_so_by_a_code_and_in_words(tmp_path: Path) -> None:
    """As socket.io has it for a refused connection: the message, and beside it what a page can decide by."""
    import socketio

    refused: list[dict[str, Any]] = []

    async def go(relay: Any) -> None:
        async with relay.clients(1):
            second = socketio.AsyncClient(reconnection=False)
            second.on("connect_error", refused.append)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await second.connect(relay.url, transports=["websocket"])

    with running(tmp_path, limits=Limits(sockets=1)) as relay:
        asyncio.run(go(relay))
    words = "1 sockets are connected; try again later"
    assert refused == [{"message": words, "data": {"code": "server_full", "message": words}}]
