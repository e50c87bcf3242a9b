"""A file that says what the options say; what a call means; and what is tried before anything is started."""

from __future__ import annotations

import hashlib
import json
import resource
import socket
import sqlite3
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from pycore.cli import checking, cli
from pycore.cli.config import options_of
from pycore.cli.relay import relay
from pycore.cli.serve import serve_study
from pycore.errors import UsageError
from pycore.relay import Limits
from pycore.relay.storage.store import DataStore

COMMANDS = {"relay": relay, "serve": serve_study}


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, words, env=environ)


def configured(folder: Path, text: str) -> str:
    """A file of that name and content."""
    file = folder / "relay.toml"
    file.write_text(text)
    return str(file)


def printed(*words: str, **environ: str) -> dict[str, Any]:
    """What `--print-config` says, read back."""
    result = run(*words, "--print-config", **environ)
    assert result.exit_code == 0, result.output
    return tomllib.loads(result.output)


def sample(option: click.Option) -> Any:
    """A value of the option that is not its default."""
    if option.is_flag:
        return True
    if isinstance(option.type, click.Choice):
        return next(each for each in option.type.choices if each != option.default)
    if isinstance(option.type, click.IntRange):
        return 3
    if isinstance(option.type, click.types.FloatParamType):
        return 12.5
    value = {
        "origins": "https://a.example", "turn_urls": "turn:a.example", "operator_token": "x" * 20,
        "bus": "nats://a.example:4222",
    }  # fmt: skip
    return value.get(str(option.name), "sqlite:////tmp/x.db" if option.name == "database" else "word")


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_that_an_option_says_a_file_can_say(name: str, tmp_path: Path) -> None:
    """All options of the command, and all limits; what it means is shown as a file that means the same."""
    options = options_of(COMMANDS[name])
    lines = []
    for key, option in options.items():
        value = sample(option)
        value = [value] if option.multiple else value
        shown = {True: "true"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)
        lines.append(f"{key} = {shown}")
    lines += ["[limits]", *(f"{each.name} = {each.default * 2}" for each in fields(Limits))]
    file = configured(tmp_path, "\n".join(lines))
    words = [name, *(["x.py"] if name == "serve" else []), "--config", file]
    found = printed(*words)
    assert found.pop("limits") == {each.name: each.default * 2 for each in fields(Limits)}
    secrets = {"operator-token", "turn-secret", "join-secret", "alarm-url"}
    assert set(found) == set(options) - secrets
    for key, option in options.items():
        if key in secrets:
            continue
        expected = str(tmp_path / "word") if isinstance(option.type, click.Path) or key == "pyodide" else sample(option)
        several = option.multiple and not isinstance(expected, list)
        assert found[key] == ([expected] if several else expected), key


def test_the_command_line_comes_first_then_the_environment_then_the_file(tmp_path: Path) -> None:
    """Limits one by one."""
    file = configured(tmp_path, 'port = 1\nhost = "10.0.0.1"\n[limits]\nrooms = 3\nsockets = 4')
    found = printed("relay", "--config", file, "--port", "2", "--limit", "rooms=5")
    assert (found["port"], found["host"]) == (2, "10.0.0.1")
    assert (found["limits"]["rooms"], found["limits"]["sockets"]) == (5, 4)
    assert found["limits"]["waiting_s"] == Limits().waiting_s
    file = configured(tmp_path, 'operator-token = "in-the-file-0123"')
    by_environment = run("relay", "--config", file, "--print-config", PYCORE_OPERATOR_TOKEN="in-the-environment").output
    assert "# operator-token =  # a secret, by PYCORE_OPERATOR_TOKEN" in by_environment
    assert "0123" not in by_environment


def test_paths_in_a_file_lie_relative_to_it(tmp_path: Path) -> None:
    """That of a SQLite database too; an address is none."""
    file = configured(
        tmp_path, 'database = "sqlite:///data/x.db"\nsettings = "study.json"\npyodide = "https://x.example/"'
    )
    found = printed("serve", "game.py", "--config", file)
    assert found["database"] == f"sqlite:///{tmp_path}/data/x.db"
    of_a_driver = configured(tmp_path, 'database = "sqlite+pysqlite:///data/x.db"')
    assert printed("relay", "--config", of_a_driver)["database"] == f"sqlite+pysqlite:///{tmp_path}/data/x.db"
    assert found["settings"] == str(tmp_path / "study.json")
    assert found["pyodide"] == "https://x.example/"
    for url in ("sqlite:////abs/x.db", "postgresql+psycopg://h/d"):
        assert printed("relay", "--config", configured(tmp_path, f'database = "{url}"'))["database"] == url


def test_what_is_printed_means_the_same_wherever_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths of the call lie relative to where it was made, those of a file relative to that."""
    (tmp_path / "study").mkdir()
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    words = ["--settings", "study.json", "--subjects", "invited.txt", "--matcher", "own.py:Mine", "--pyodide", "py"]
    words += ["--with", "levels", "--with", "more/", "--packages", "numpy, own-1-py3-none-any.whl"]
    found = printed("serve", "game.py", *words)
    kept = tmp_path / "etc" / "relay.toml"
    kept.write_text(run("serve", "game.py", *words, "--print-config").output)
    monkeypatch.chdir(tmp_path)
    assert printed("serve", "study/game.py", "--config", str(kept)) == found
    assert found["database"] == f"sqlite:///{tmp_path}/study/pycore.db"
    assert found["matcher"] == f"{tmp_path}/study/own.py:Mine"
    assert found["with"] == [f"{tmp_path}/study/levels", f"{tmp_path}/study/more"]
    assert found["packages"] == f"numpy,{tmp_path}/study/own-1-py3-none-any.whl"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Nor the password of a database."""
    file = configured(
        tmp_path,
        'turn-url = "turn:a"\nturn-secret = "s3cret"\noperator-token = "s3cret-s3cret"\n'
        'join-secret = "s3cret"\nalarm-url = "https://x.org/s3cret"\n'
        'database = "postgresql+psycopg://u:s3cret@h/d"',
    )
    result = run("relay", "--config", file, "--print-config")
    assert result.exit_code == 0
    assert "s3cret" not in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "unknown option 'prot'; did you mean 'port'?"),
        ("watch_token = 'x'", "unknown option 'watch_token'"),
        ("[limit]\nrooms = 1", "did you mean 'limits'?"),
        ("[limits]\nroms = 1", "limits.roms: there is no such limit; did you mean 'rooms'?"),
        ("[limits]\nrooms = 1.5", "limits.rooms is 1.5; it must be a whole number"),
        ("[limits]\nrooms = true", "limits.rooms is True; it must be a whole number"),
        ("[limits]\nrooms = -1", "not below 0"),
        ("[limits]\ngrace_s = nan", "it must be a number"),
        ("[limits]\ngrace_s = '1'", "it must be a number"),
        ("limits = 3", "limits is no table"),
        ("port = '8000'", "port is '8000'; it must be a whole number"),
        ("port = 70000", "port: 70000 is not in the range"),
        ("force-relay = 1", "force-relay is 1; it must be true or false"),
        ("turn-secret = 17", "turn-secret is a secret; it must be a text"),
        ("log = 'xml'", "'xml' is not one of"),
        ("origin = [1]", "origin is 1; it must be a text"),
        ("check = true", "unknown option 'check'"),
        ("port = ", "is no TOML"),
        ("[matcher]\nbound = 0.1", "an object has a name"),
        ("[matcher]\nname = 'latncy'", "did you mean 'latency'?"),
        ("[matcher]\nname = 'latency'\nbund = 0.1", "matcher latency: unknown setting 'bund'; did you mean 'bound'?"),
        ("[matcher]\nname = 'latency'\nbound = -0.1", "matcher latency: bound is -0.1; it must be seconds"),
        ("[matcher]\nname = 'groups'\ngroups = 'a'", "groups is 'a'; it must be a list of names"),
        ("matcher = 3", "matcher is 3; it must be a text"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_the_way_out(text: str, message: str, tmp_path: Path) -> None:
    """Status 2, in a sentence; nothing is started."""
    result = run("relay", "--config", configured(tmp_path, text))
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_not_there_and_a_wrong_limit_are_named(tmp_path: Path) -> None:
    """As every mistake is."""
    for words, message in (
        (["--config", str(tmp_path / "none.toml")], "cannot read"),
        (["--limit", "roms=1"], "did you mean 'rooms'?"),
        (["--limit", "rooms"], "rooms is None; it must be a whole number"),
        (["--limit", "rooms=many"], "rooms is 'many'; it must be a whole number"),
    ):
        result = run("relay", *words)
        assert (result.exit_code, message in result.output) == (2, True), result.output


STUDY = {"limits": {"rooms": 11, "waiting_s": 90}, "matcher": {"name": "latency", "bound": 0.3}}


def test_a_study_says_limits_and_its_matcher_and_the_call_comes_first(tmp_path: Path) -> None:
    """Then the file, then the study; what is shown can be given again as a file."""
    study = tmp_path / "study.json"
    study.write_text(json.dumps(STUDY))
    file = configured(tmp_path, '[matcher]\nname = "groups"\ngroups = ["a", "b"]\npatience = 60\n[limits]\nrooms = 12')
    words = ["relay", "--settings", str(study), "--database", "sqlite:////tmp/x.db"]
    assert printed(*words)["limits"]["rooms"] == 11
    found = printed(*words, "--config", file, "--limit", "sockets=13")
    assert [found["limits"][name] for name in ("rooms", "waiting_s", "sockets")] == [12, 90, 13]
    assert found["matcher"] == {"name": "groups", "groups": ["a", "b"], "patience": 60}
    assert found["limits"]["waiting_s"] == 90
    assert "waiting_s = 90.0  # by the study" in run(*words, "--print-config").output
    assert printed(*words, "--config", file, "--matcher", "latency")["matcher"] == "latency"
    again = tmp_path / "again.toml"
    again.write_text(run(*words, "--config", file, "--print-config").output)
    assert printed("relay", "--config", str(again)) == printed(*words, "--config", file)


def test_the_matcher_and_the_limits_of_a_call_are_those_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says them."""
    from pycore.cli import serving

    made: list[dict[str, Any]] = []
    monkeypatch.setattr(serving, "create_app", lambda **options: made.append(options) or sys.exit(9))
    (tmp_path / "mine.py").write_text("class Mine:\n    def match(self, waiting, seats, now):\n        return []\n")
    study = tmp_path / "study.json"
    study.write_text(json.dumps({**STUDY, "matcher": "mine.py:Mine"}))
    file = configured(tmp_path, "[matcher]\nname = 'latency'\npatience = 5")
    words = ["relay", "--port", "0", "--database", f"sqlite:///{tmp_path / 'x.db'}"]
    for more in (["--settings", str(study)], ["--settings", str(study), "--config", file, "--limit", "rooms=7"]):
        assert run(*words, *more).exit_code == 9
    assert made[0]["recruiting"] == {"matcher": f"{tmp_path / 'mine.py'}:Mine"}
    assert made[1]["recruiting"] == {"matcher": {"name": "latency", "patience": 5}}
    assert [(each["limits"].rooms, each["limits"].waiting_s) for each in made] == [(11, 90.0), (7, 90.0)]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"limits": {"roms": 1}}, "limits.roms: there is no such limit; did you mean 'rooms'?"),
        ({"limits": {"rooms": 1.5}}, "limits.rooms is 1.5; it must be a whole number"),
        ({"limits": 3}, "limits is 3; it must have limits by name"),
        ({"limit": {}}, "did you mean 'limits'?"),
        ({"matcher": {"name": "latency", "bund": 1}}, "did you mean 'bound'?"),
        ({"matcher": ["latency"]}, "matcher is ['latency']"),
    ],
)
def test_a_mistake_in_a_study_is_named_by_check(tmp_path: Path, study: dict[str, Any], message: str) -> None:
    """With the other checks, and status 1; a start says the same, with status 2."""
    file = tmp_path / "study.json"
    file.write_text(json.dumps(study))
    words = ["relay", "--settings", str(file), "--port", "0", "--database", f"sqlite:///{tmp_path / 'x.db'}"]
    for more, status in ((["--check"], 1), ([], 2)):
        result = run(*words, *more)
        assert (result.exit_code, message in result.output) == (status, True), result.output


# --check

GAME = """
import random

class Count:
    possible_agents = agents = [0, 1]
    def reset(self, seed=None, options=None):
        self.t, self.agents = 0, [0, 1]
        return {0: 0, 1: 0}, {0: {}, 1: {}}
    def step(self, actions):
        self.t += 1
        over = self.t >= 50
        flags = {0: over, 1: over}
        self.agents = [] if over else [0, 1]
        return {0: self.t, 1: self.t}, {0: 0, 1: 0}, flags, {0: False, 1: False}, {0: {}, 1: {}}
    def action_space(self, agent): return {"type": "discrete", "n": 2}
    def get_state(self): return {"t": self.t, "agents": list(self.agents)}
    def set_state(self, state): self.t, self.agents = state["t"], list(state["agents"])
    def render(self): return []

def make_env():
    return Count()
"""


@pytest.mark.slow
def test_what_is_in_order_is_said_and_nothing_has_changed(tmp_path: Path) -> None:
    """Not the database either, which is not made."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("x")
    result = run(
        "relay", "--check", "--port", "0", "--database", f"sqlite:///{tmp_path}/x.db", "--site", str(site),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "x.db: it will be made" in result.output
    assert "1 files" in result.output
    assert not (tmp_path / "x.db").exists()
    DataStore(f"sqlite:///{tmp_path}/x.db").close()
    before = hashlib.sha256((tmp_path / "x.db").read_bytes()).digest()
    again = run("relay", "--check", "--port", "0", "--database", f"sqlite:///{tmp_path}/x.db")
    assert "x.db: of this version" in again.output
    assert hashlib.sha256((tmp_path / "x.db").read_bytes()).digest() == before


def test_all_that_is_wrong_is_said_at_once_and_the_status_is_1(tmp_path: Path) -> None:
    """What is right beside it, too."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    (tmp_path / "empty").mkdir()
    (tmp_path / "settings.json").write_text('{"input_dely": 2}')
    result = run(
        "relay", "--check", "--port", str(taken.getsockname()[1]), "--database", f"sqlite:///{tmp_path}/no/x.db",
        "--site", str(tmp_path / "empty"), "--settings", str(tmp_path / "settings.json"), "--origin", "nowhere",
        "--turn-url", "turn:x", "--metrics-address", "here", "--limit", "sockets=100000000",
    )  # fmt: skip
    taken.close()
    assert result.exit_code == 1, result.output
    for message in (
        "did you mean 'input_delay'?", "is in use", "there is no folder", "has no index.html", "'nowhere' is no site",
        "static-auth-secret", "'here' is no address", "limit connections=", "9 of these must be mended first",
    ):  # fmt: skip
        assert message in result.output, (message, result.output)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert ("open files" in result.output) is (hard != resource.RLIM_INFINITY)


@pytest.mark.slow
def test_a_database_that_is_none_locked_or_too_new_is_wrong(tmp_path: Path) -> None:
    """Each is named, and as it was."""
    (tmp_path / "text.db").write_text("this is no database, and it is long enough to be read as one " * 20)
    DataStore(f"sqlite:///{tmp_path}/new.db").close()
    with sqlite3.connect(tmp_path / "new.db") as new:
        new.execute("UPDATE pycore_version SET version_num = '9999'")
    new.close()
    with sqlite3.connect(tmp_path / "others.db") as others:
        others.execute("CREATE TABLE theirs (x)")
    others.close()
    for name, message in (("text", "not a database"), ("new", "of version 9999"), ("others", "is none of this relay")):
        file = tmp_path / f"{name}.db"
        before = file.read_bytes()
        with pytest.raises(UsageError, match=message):
            checking.database(f"sqlite:///{file}", 0)
        assert file.read_bytes() == before
    DataStore(f"sqlite:///{tmp_path}/locked.db").close()
    with sqlite3.connect(tmp_path / "locked.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UsageError, match="locked"):
            checking.database(f"sqlite:///{tmp_path}/locked.db", 0)
    other.close()


def test_a_disk_with_too_little_room_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing could be stored. Where little is free it is said, and a server that crashes there starts again."""
    monkeypatch.setattr(checking, "LEAST_FREE", 1 << 62)
    assert "MB are free" in checking.database(f"sqlite:///{tmp_path}/x.db", 0)
    with pytest.raises(UsageError, match=r"MB are free.*nothing would be stored"):
        checking.database(f"sqlite:///{tmp_path}/x.db", 1 << 61)


@pytest.mark.parametrize("name", ["rooms", "sockets", "connections"])
def test_limits_with_which_nobody_could_play_are_wrong(name: str) -> None:
    """None of something, or fewer connections than sockets."""
    assert "sockets" in checking.bounds(Limits())
    with pytest.raises(UsageError, match=f"{name} is 0"):
        checking.bounds(Limits(**{name: 0}))
    with pytest.raises(UsageError, match="connections is 10"):
        checking.bounds(Limits(connections=10, sockets=20))


def test_metrics_at_the_servers_own_address_are_wrong() -> None:
    """Both would be free by themselves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    result = run("relay", "--check", "--port", str(port), "--metrics-address", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "is the server's own address" in result.output


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_none_to_serve_with(url: str) -> None:
    """Each of a server's threads would have another one."""
    result = run("relay", "--check", "--port", "0", "--database", url)
    assert result.exit_code == 1
    assert "in no file" in result.output


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_a_number_that_is_none_is_refused_by_name(value: str, tmp_path: Path) -> None:
    """On the command line and in a file: nothing ever takes that long."""
    result = run("relay", "--print-config", "--drain-s", value)
    assert result.exit_code == 2
    assert "finite" in result.output
    (tmp_path / "relay.toml").write_text(f"drain-s = {value}\n")
    result = run("relay", "--print-config", "--config", str(tmp_path / "relay.toml"))
    assert result.exit_code == 2
    assert "drain-s" in result.output


def test_a_limit_beyond_all_numbers_is_refused_by_name(tmp_path: Path) -> None:
    """A whole number of four hundred digits is one to TOML and JSON."""
    (tmp_path / "relay.toml").write_text("[limits]\nwaiting_s = 1" + 400 * "0" + "\n")
    result = run("relay", "--print-config", "--config", str(tmp_path / "relay.toml"))
    assert result.exit_code == 2
    assert "waiting_s" in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.slow
def test_a_study_is_tried_and_built_and_not_served(tmp_path: Path) -> None:
    """Its environment, its settings and its files, with what the server needs; all that is wrong is said at once, as
    the guide has it: what was wrong with the study was said alone."""
    (tmp_path / "game.py").write_text(GAME)
    words = ["serve", str(tmp_path / "game.py"), "--check", "--port", "0", "--database", f"sqlite:///{tmp_path}/x.db"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "2 players" in result.output
    assert "everything is in order" in result.output
    (tmp_path / "game.py").write_text(GAME.replace("return {0: 0, 1: 0}, {0: {}, 1: {}}", "raise ValueError('no')"))
    broken = run(*words[:-1], "sqlite:////nowhere/x.db")
    assert broken.exit_code == 1
    assert "wrong  environment  the environment raised ValueError: no" in broken.output
    assert "wrong  database" in broken.output
    (tmp_path / "study.json").write_text('{"fps": 500}')
    broken = run(*words)
    assert broken.exit_code == 1
    assert "wrong  settings     fps is 500" in broken.output
    assert "ok     database" in broken.output
    assert run("serve", str(tmp_path / "nothing.py"), "--check").exit_code == 2


@pytest.mark.parametrize("host", ["0.0.0..0", 70 * "a", "nowhere.invalid"])
def test_a_host_that_is_none_is_refused_in_a_sentence(host: str) -> None:
    """One point too many was a traceback."""
    for more in ([], ["--check"]):
        result = run("relay", "--port", "0", "--host", host, *more)
        assert result.exit_code == (1 if more else 2)
        assert "is not an address of this machine" in result.output


def test_several_servers_without_a_token_do_not_start() -> None:
    """Each would make its own, and the others would not believe it."""
    words = ["relay", "--port", "0", "--database", "postgresql+psycopg://x@127.0.0.1:1/x", "--bus", "nats://127.0.0.1:1"]
    result = run(*words)
    assert result.exit_code == 2
    assert "PYCORE_OPERATOR_TOKEN" in result.output
