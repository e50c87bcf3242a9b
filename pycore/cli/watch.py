"""`pycore watch`: the games of a server, those that run and those that are over, in the terminal."""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

import click

from pycore.cli.told import told
from pycore.errors import PycoreError, UsageError

PATIENCE_S: Final = 10.0
LARGEST: Final = 1 << 24
"""Bytes of an answer."""
ENDS: Final = {"ended": "by itself", "stopped": "with the server", "unknown": "not written down"}
"""How a game ended."""


class NotReached(PycoreError):
    """The server does not answer, or not as a relay does."""

    code = "not_reached"


@click.command(short_help="Show the games of a server: those that run, or those that are over.")
@click.argument("address", default="http://127.0.0.1:8000/", metavar="[URL]")
@click.option(
    "--token", envvar="PYCORE_OPERATOR_TOKEN", show_envvar=True, metavar="TEXT",
    help="The token that the server printed when it started, unless it stands in the URL.",
)  # fmt: skip
@click.option(
    "--every", default=2.0, show_default=True, type=click.FloatRange(0.5, 3600), help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.option("--over", is_flag=True, help="The games that are over, the newest first, and end.")
@click.option(
    "--most", default=20, show_default=True, type=click.IntRange(1, 100_000), help="So many games that are over."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each look, as the server gives it.")
@told
def watch(
    address: str, token: str | None, every: float, once: bool, over: bool, most: int, as_json: bool
) -> None:
    """Show who plays with whom: path and round trip to each other, rollbacks, stalls, and when each page was heard.
    With --over: how each game ended, and how many episodes and frames of it are stored.

    URL is the server's, or the address behind "watch" that it printed, which has the token. The same with pictures is
    that address in a browser. Runs until Ctrl-C. Exit status 2: the server is not reached, or does not know the token.
    """
    if math.isnan(every):
        raise UsageError("--every is nan; it must be from 0.5 to 3600 seconds")
    where, in_address = _place(address)
    given = token or in_address
    if not given:
        raise UsageError(
            "give the token that the server printed when it started: --token TEXT, PYCORE_OPERATOR_TOKEN, or the whole "
            "address behind the word watch"
        )
    if over:
        found = ask_over(where, given, most)
        if as_json:
            click.echo(json.dumps(found))
        else:
            _console().print(table_over(found))
        return
    if as_json:
        _repeat(lambda listed: click.echo(json.dumps(listed)), where, given, every, once)
        return
    from rich.live import Live

    console = _console()
    if once:
        console.print(table(ask(where, given)))
        return
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        _repeat(lambda listed: live.update(table(listed), refresh=True), where, given, every, False)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _repeat(show: Any, where: str, token: str, every: float, once: bool) -> None:
    reached = False
    lost_at: float | None = None
    while True:
        try:
            show(ask(where, token))
            reached, lost_at = True, None
        except NotReached:
            # A server that is started again comes back; one that never answered is a mistake in the call.
            now = time.monotonic()
            lost_at = now if lost_at is None else lost_at
            if once or not reached or now - lost_at > 30 * every:
                raise
        if once:
            return
        time.sleep(every)


def _place(address: str) -> tuple[str, str]:
    """Where the list is, and the token that stands in the address."""
    wrong = UsageError(f"{address!r} is no address of a server; one is http://127.0.0.1:8000/")
    try:
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        named = parts.hostname
        parts.port  # noqa: B018 - it raises for one that is no number
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("http", "https") or not named:
        raise wrong
    path = parts.path.rstrip("/").removesuffix("/watch")
    token = urllib.parse.parse_qs(parts.fragment).get("token", [""])[0]
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, f"{path}/api/watch", "", "")), token


def ask(where: str, token: str) -> dict[str, Any]:
    """The list. Raises `NotReached`, and `UsageError` for a token that the server does not know."""
    request = urllib.request.Request(where, headers={"authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            found = json.loads(reply.read(LARGEST))
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise UsageError("the server does not know this token; it printed the right one when it started") from error
        raise UsageError(f"{where} answered {error.code}: is a pycore relay there, and of this version?") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotReached(f"{where} does not answer as a relay does: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("games"), list):
        raise NotReached(f"{where} does not answer as a relay does")
    return found


def ask_over(where: str, token: str, most: int) -> dict[str, Any]:
    """So many games that are over, the newest ones; `next` is None if there are no others. Raises as `ask` does."""
    found = ask(f"{where}/over", token)
    while found.get("next") is not None and len(found["games"]) < most:
        further = ask(f"{where}/over?{urllib.parse.urlencode({'before': found['next']})}", token)
        if not further["games"]:
            break
        found["games"] += further["games"]
        found["next"] = further.get("next")
    if len(found["games"]) > most:
        found["games"] = found["games"][:most]
        found["next"] = found["games"][-1]["game_id"]
    return found


def table_over(found: dict[str, Any]) -> Any:
    """Games that are over as a table of rich's, a row for each."""
    from rich.table import Table

    rows = Table(title=_many(len(found["games"]), found.get("next")), title_justify="left", expand=False)
    for name in ("game", "began (UTC)", "lasted", "ended", "episodes", "frames", "players"):
        rows.add_column(name, justify="right" if name in ("lasted", "episodes", "frames") else "left")
    for game in found["games"]:
        # The clock may have been set back meanwhile.
        lasted = None if game.get("ended") is None else max(0, round(game["ended"] - game["started"]))
        episodes, complete = game.get("episodes"), game.get("complete")
        stored = "none stored" if episodes == 0 else _shown(episodes)
        players = [f"{_called(each)}: {'policy' if each.get('policy') else each.get('reason') or '–'}"
                   for each in game["players"]]  # fmt: skip
        cells = [
            _name(game), time.strftime("%Y-%m-%d %H:%M", time.gmtime(game["started"])), _shown(lasted, " s"),
            ENDS.get(game.get("how", ""), "–"),
            f"{stored}, {episodes - complete} without an end" if episodes and episodes > complete else stored,
            _shown(game.get("frames")), ", ".join(players),
        ]  # fmt: skip
        rows.add_row(*map(_plain, cells))
    return rows


def _many(count: int, more: Any) -> str:
    return f"{count} over" + ("" if more is None else ", and more before them (--most)")


def _name(game: dict[str, Any]) -> str:
    return f"{game.get('environment') or 'game'} {game['game_id'][:8]}"


def table(listed: dict[str, Any]) -> Any:
    """The list as a table of rich's: a row for each player, and one for each further link."""
    from rich.table import Table

    counted = (
        (len(listed["games"]), "running"), (listed.get("waiting"), "waiting"), (listed.get("sockets"), "connected"),
    )  # fmt: skip
    title = ", ".join(f"{count} {what}" for count, what in counted) + _silent(listed.get("processes") or [])
    stored = listed.get("store_every") != 0
    if not stored:
        title += "; store_every is 0, so pages tell no state, frame or path before an episode is over"
    rows = Table(title=title, title_justify="left", expand=False)
    for name in ("game", "player", "state", "episode", "frame", "to", "path", "RTT", "rollbacks", "stalls", "heard"):
        rows.add_column(name, justify="right" if name in ("episode", "frame", "RTT", "rollbacks", "stalls") else "left")
    for game in listed["games"]:
        name = _name(game)
        for player in game["players"]:
            links = list((player.get("links") or {}).items()) or [("", {})]
            for number, (other, link) in enumerate(links):
                first = number == 0
                place = [_plus_one(player.get("episode")), _shown(player.get("frame"))]
                own = [name, _called(player), _state(player, stored), *place]
                counts = [_shown(player.get("rollbacks")), _shown(player.get("stalls")), _ago(player.get("heard_s"))]
                of = [other, _shown(link.get("path")), _shown(link.get("rtt_ms"), " ms")]
                cells = [*(own if first else [""] * 5), *of, *(counts if first else [""] * 3)]
                rows.add_row(*map(_plain, cells))
                name = ""
        rows.add_section()
    return rows


def _silent(processes: list[dict[str, Any]]) -> str:
    """Which processes of a server did not say what they have."""
    names = [_plain(str(each["process"])) for each in processes if not each["answers"]]
    return f"; of {len(processes)} processes {', '.join(names)} did not answer" if names else ""


def _called(player: dict[str, Any]) -> str:
    return f"{player['player']} ({player['person']})" if player.get("person") else str(player["player"])


def _state(player: dict[str, Any], stored: bool) -> str:
    if player.get("policy"):
        return "policy"
    if player.get("left"):
        return "left"
    if not player.get("connected"):
        return "no connection"
    if player.get("hash_mismatches"):
        return "desync"
    # Where nothing is stored on the way, a page that plays is as silent as one that connects.
    return "hidden" if player.get("hidden") else str(player.get("phase") or ("connecting" if stored else "connected"))


def _plus_one(value: Any) -> str:
    return _shown(value + 1 if isinstance(value, int) else None)


def _shown(value: Any, unit: str = "") -> str:
    return "–" if value is None else f"{value}{unit}"


def _ago(seconds: Any) -> str:
    return "–" if seconds is None else f"{max(0, round(seconds))} s ago"


def _plain(text: str) -> str:
    """Nothing of a page's reaches a terminal as control characters or markup."""
    from rich.markup import escape

    return escape("".join(character if character.isprintable() else "?" for character in text))
