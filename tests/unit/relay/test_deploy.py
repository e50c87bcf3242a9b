"""The files of deploy/ as they are delivered: proxies in front of a relay, units, containers, coturn."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from click.testing import CliRunner
from relay_support import OPERATOR, PATIENCE_S, Relay, action, running

from pycore.cli import cli
from pycore.cli.config import options_of
from pycore.cli.serve import serve_study
from pycore.relay import Limits, create_app
from pycore.relay.turn import Turn
from tools import coturn, debian
from tools.paths import ROOT
from tools.process import Failed, Missing
from tools.proxies import DEPLOY, Haproxy, Nginx, Proxy, replaced
from tools.server import ChildServer

pytestmark = [pytest.mark.tooling, pytest.mark.slow]

UNSAFE = ssl.create_default_context()
UNSAFE.check_hostname = False
UNSAFE.verify_mode = ssl.CERT_NONE
"""The certificate is the test's own."""
FROM = "127.0.0.7"
"""The address of this machine from which a visitor comes, and the proxy does not."""


@pytest.fixture(scope="module", params=[Nginx, Haproxy], ids=["nginx", "haproxy"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Relay, Proxy]]:
    """A relay with a proxy in front of it, which is skipped where it is not to be had."""
    site = tmp_path_factory.mktemp("site")
    (site / "index.html").write_text("<h1>the study</h1>")
    with running(tmp_path_factory.mktemp("relay"), site=site) as relay:
        port = int(relay.url.rstrip("/").rpartition(":")[2])
        try:
            with request.param(tmp_path_factory.mktemp("proxy"), port) as proxy:
                deadline = time.monotonic() + PATIENCE_S
                while get(f"{proxy.url}api/health")[0] != 200:
                    assert time.monotonic() < deadline, proxy.text()
                    time.sleep(0.05)
                yield relay, proxy
        except Missing as error:
            pytest.skip(str(error))


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that sends one elsewhere is the answer."""

    def redirect_request(self, *of: Any) -> None:
        """It is not followed."""


def get(url: str, **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and body."""
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=UNSAFE), NoRedirect())
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class Visitor:
    """A page as it comes through the proxy."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def come(self, url: str, transports: list[str], **headers: str) -> Visitor:
        """Connect, from an address of its own."""
        connector = aiohttp.TCPConnector(local_addr=(FROM, 0), ssl=UNSAFE)
        self.http = aiohttp.ClientSession(connector=connector)
        self.sio = socketio.AsyncClient(reconnection=False, http_session=self.http)
        self.sio.on("*", lambda event, data=None: self.events.put_nowait((event, data)))
        try:
            await self.sio.connect(url, transports=transports, headers=headers)
        except BaseException:
            await self.http.close()
            raise
        return self

    async def get(self, event: str) -> Any:
        """The payload of the next such event."""
        while True:
            name, data = await asyncio.wait_for(self.events.get(), PATIENCE_S)
            if name == event:
                return data

    async def leave(self) -> None:
        """Disconnect. A request that waits for news is not waited for, as no browser does that closes a page."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.sio.disconnect(), 0.3)
        await self.http.close()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_game_is_played_through_a_proxy(proxied: tuple[Relay, Proxy], transport: str) -> None:
    """By WebSocket and without; the server knows its own page, where the visitor is, and that it came by TLS."""
    relay, proxy = proxied
    origin = proxy.url.rstrip("/")

    async def go() -> None:
        one, two = [await Visitor().come(proxy.url, [transport], Origin=origin) for _ in range(2)]
        try:
            assert one.sio.transport() == transport
            for client in (one, two):
                assert (await client.sio.call("join_game", {}, timeout=PATIENCE_S))["status"] == "ok"
            game = (await one.get("start_game"))["game_id"]
            await two.get("start_game")
            for frame in range(20):
                await one.sio.emit("pyodide_player_action", action(game, 0, frame % 3, frame))
            for frame in range(20):
                assert (await two.get("pyodide_other_player_action"))["frame_number"] == frame
            large = {"game_id": game, "player_id": 0, "episode": 0, "metrics": {"events": ["x" * 100] * 40_000}}
            assert (await one.sio.call("p2p_session_metrics", large, timeout=20))["status"] == "ok"
            scopes = [scope for scope in relay.app.relay._scopes.values() if scope]
            assert len(scopes) == 2
            for scope in scopes:
                assert scope["client"][0] == FROM
                assert scope["scheme"] in ("https", "wss")
        finally:
            await one.leave()
            await two.leave()

    asyncio.run(go())


def test_a_page_of_another_site_is_refused_through_a_proxy_as_well(proxied: tuple[Relay, Proxy]) -> None:
    """The name by which the participants ask comes through, so no other one passes."""
    _, proxy = proxied

    async def go() -> None:
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Visitor().come(proxy.url, ["websocket"], Origin="https://evil.example")

    asyncio.run(go())


def test_the_site_and_what_the_operator_asks_come_through_and_the_metrics_do_not(proxied: tuple[Relay, Proxy]) -> None:
    """Without TLS one is sent there, the address kept."""
    _, proxy = proxied
    status, headers, body = get(proxy.url)
    assert (status, body) == (200, b"<h1>the study</h1>")
    assert "max-age" in headers["strict-transport-security"]
    status, headers, _ = get(f"{proxy.plain}?PROLIFIC_PID=x")
    assert status == 301
    assert headers["location"].startswith("https://127.0.0.1")
    assert headers["location"].endswith("/?PROLIFIC_PID=x")
    token = f"Bearer {OPERATOR}"
    assert get(f"{proxy.url}api/operator", Authorization=token)[0] == 200
    assert get(f"{proxy.url}api/operator")[0] == 401
    assert get(f"{proxy.url}metrics", Authorization=token)[0] == 404


def test_what_a_visitor_says_of_its_address_is_not_believed(proxied: tuple[Relay, Proxy]) -> None:
    """Neither the address nor the scheme."""
    relay, proxy = proxied

    async def go() -> None:
        said = {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "http"}
        visitor = await Visitor().come(proxy.url, ["websocket"], **said)
        try:
            (scope,) = [scope for scope in relay.app.relay._scopes.values() if scope]
            assert scope["client"][0] == FROM
            assert scope["scheme"] in ("https", "wss")
        finally:
            await visitor.leave()

    asyncio.run(go())


def test_what_a_file_has_no_more_is_not_tested_in_silence() -> None:
    """A change of deploy/ that its test does not know of is an error."""
    assert replaced("a b a", ("a", "c")) == "c b c"
    with pytest.raises(Failed, match="no 'd' any more"):
        replaced("a b a", ("d", "c"))


# The other files

UNITS = sorted(path.name for path in DEPLOY.glob("pycore*") if path.suffix in (".service", ".timer"))


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Every key of them is one."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here")
    assert len(UNITS) == 3
    program = tmp_path / "pycore"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace("/opt/pycore/bin/pycore", str(program))
        (tmp_path / name).write_text(text)
    verified = subprocess.run(
        [analyze, "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    told = [line for line in verified.stderr.splitlines() if any(name in line for name in UNITS)]
    assert told == []
    (tmp_path / "pycore.service").write_text((tmp_path / "pycore.service").read_text().replace("UMask", "UMusk"))
    wrong = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / "pycore.service")], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "UMusk" in wrong.stderr


def test_the_configuration_is_one(tmp_path: Path) -> None:
    """What it says is what the command takes."""
    for command in ("relay", "serve"):
        words = [command, *(["x.py"] if command == "serve" else []), "--config", str(DEPLOY / "relay.toml")]
        result = CliRunner().invoke(cli, [*words, "--print-config"])
        assert result.exit_code == 0, result.output
        found = tomllib.loads(result.output)
        assert found["database"] == "sqlite:////var/lib/pycore/study.db"
        assert found["limits"]["sockets"] == 2000


def test_commands_in_units_and_containers_are_ones() -> None:
    """With options that there are."""
    calls = []
    for name in ("pycore.service", "pycore-backup.service", "compose.yaml"):
        calls += re.findall(r"(?:bin/|do )pycore (\w+) ([^'\n;]*)", (DEPLOY / name).read_text())
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    words = json.loads(re.findall(r"(?m)^CMD (\[.*\])$", dockerfile)[-1])
    assert json.loads(re.findall(r"(?m)^ENTRYPOINT (\[.*\])$", dockerfile)[0]) == ["pycore"]
    calls.append((words[0], " ".join(words[1:])))
    assert len(calls) == 5
    for command, rest in calls:
        known = {option for parameter in cli.commands[command].params for option in parameter.opts}
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest):
            assert option in known, (command, option)
    assert "backup" not in options_of(serve_study)


def test_the_services_of_compose_name_what_there_is() -> None:
    """Its volumes, services and variables; where Docker is there, it reads the file as well."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(found["services"]) == {"study", "proxy", "backup"}
    assert found["services"]["study"]["volumes"] == ["data:/data"]
    assert set(found["volumes"]) == {"data"}
    known = {option.envvar for option in options_of(serve_study).values() if option.envvar}
    assert {name for name in found["services"]["study"]["environment"] if name.startswith("PYCORE")} <= known


@pytest.mark.parametrize("copied", [True, False])
def test_the_copies_of_compose_are_those_of_two_weeks(copied: bool, tmp_path: Path) -> None:
    """The first at once; and the old ones go when there is a new one: they lie on the disk that the study needs."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    backup = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["backup"]
    for name, script in {"pycore": f"exit {0 if copied else 1}", "sleep": "kill $PPID"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    kept = tmp_path / "backup"
    kept.mkdir()
    for name, days in (("old", 16), ("new", 13)):
        (kept / f"{name}.db").touch()
        os.utime(kept / f"{name}.db", (time.time() - days * 86_400,) * 2)
    (script,) = backup["command"]
    words = [*backup["entrypoint"], script.replace("$$", "$").replace("/data/backup", str(kept))]
    subprocess.run(words, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, timeout=60, check=False)
    assert {path.name for path in kept.iterdir()} == ({"new.db"} if copied else {"old.db", "new.db"})


# What the guide says

GUIDE = (ROOT / "docs" / "deployment.md").read_text()


def table(heading: str) -> list[tuple[str, str]]:
    """The rows of the first table that begins so: names, and what is said of them."""
    rows = GUIDE.partition(f"| {heading} |")[2].split("\n\n")[0].splitlines()[2:]
    return [(row.split("|")[1], row.split("|", 2)[2]) for row in rows]


def test_the_guide_has_every_metric_and_no_other() -> None:
    """By the names that Prometheus has."""
    app = create_app(database="sqlite://", settings={})
    there = {
        f"{metric.name}{ {'counter': '_total', 'info': '_info'}.get(metric.type, '') }"
        for metric in app.measures._registry.collect() if metric.name.startswith("pycore")
    }  # fmt: skip
    app.store.close()
    assert {name for names, _ in table("metric") for name in re.findall("`(.*?)`", names)} == there


def test_the_guide_has_every_event_of_the_log_with_its_fields() -> None:
    """As they are said."""
    told = {}
    for names, fields in table("event"):
        for name in re.findall("`(.*?)`", names):
            told[name] = set(re.findall(r"`([a-z_]+)`", fields))
    there: dict[str, set[str]] = {}
    tree = ast.parse((ROOT / "pycore" / "relay" / "operating" / "noticing.py").read_text())
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say":
            name = call.args[2]
            # One of the two has its name put together.
            names = (name.value,) if isinstance(name, ast.Constant) else ("study_opened", "study_closed")
            there |= {str(each): {keyword.arg for keyword in call.keywords if keyword.arg} for each in names}
    there["page_failed"] |= {"where", "code", "said"}
    assert told == there


def test_the_guides_configuration_is_one_and_its_limits_are_the_defaults(tmp_path: Path) -> None:
    """So what is copied works."""
    (tmp_path / "relay.toml").write_text(GUIDE.partition("```toml\n")[2].partition("```")[0])
    result = CliRunner().invoke(cli, ["relay", "--config", str(tmp_path / "relay.toml"), "--print-config"])
    assert result.exit_code == 0, result.output
    for name, said in table("limit"):
        value = getattr(Limits(), name.strip(" `"))
        assert said.split("|")[0].strip() == (f"{value >> 20} MiB" if value > 1 << 20 else f"{value:g}")


class Relayed(ChildServer):
    """coturn, with `deploy/turnserver.conf`."""

    START_TIMEOUT = 10.0
    SECRET = "of the test"

    def command(self) -> list[str]:
        """The file as it is, but for addresses and the secret; players of this test are on this machine."""
        text = replaced(
            (DEPLOY / "turnserver.conf").read_text(), ("listening-port=3478", f"listening-port={self.port}"),
            ("external-ip=203.0.113.10", "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nallow-loopback-peers"),
            ("static-auth-secret=THE-SECRET", f"static-auth-secret={self.SECRET}"),
            ("denied-peer-ip=127.0.0.0-127.255.255.255\n", ""),
        )  # fmt: skip
        file = self.folder / "turnserver.conf"
        more = f"\nlog-file=stdout\nsimple-log\npidfile={self.folder}/pid\nuserdb={self.folder}/db\n"
        file.write_text(text + more)
        return [coturn.ensure(), "-c", str(file)]

    def answers(self) -> bool:
        """Whether it takes a connection."""
        import socket

        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def test_coturn_relays_for_who_has_our_credentials_and_for_nobody_else(tmp_path: Path) -> None:
    """With Debian's own client of it."""
    try:
        coturn.ensure()
    except Missing as error:
        pytest.skip(str(error))
    client = shutil.which("turnutils_uclient")
    if client is None:
        pytest.skip("coturn's client is not here")
    with Relayed("turnserver", tmp_path) as turn:
        assert "Bad configuration" not in turn.text()

        def relays(secret: str) -> bool:
            known = Turn((f"turn:127.0.0.1:{turn.port}",), secret, ttl_s=600).config("ann", time.time())
            words = ["-y", "-n", "5", "-m", "1", "-u", known["username"], "-w", known["credential"]]
            done = subprocess.run(
                [client, *words, "-p", str(turn.port), "127.0.0.1"], capture_output=True, text=True, timeout=60,
                check=False,
            )  # fmt: skip
            # On a busy machine some of them are late, and count as lost.
            return any(int(count) > 0 for count in re.findall(r"tot_recv_msgs=(\d+)", done.stdout))

        assert relays(Relayed.SECRET)
        assert not relays("another one")


def test_a_server_that_is_installed_for_tests_is_not_started_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's packages start what they install."""
    seen: list[Any] = []
    monkeypatch.setattr(debian, "run", lambda command, **more: seen.append((command, more["env"])))
    monkeypatch.setattr(debian.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    assert debian.install("nginx")
    assert [env["RUNLEVEL"] for _, env in seen] == ["1", "1"]
