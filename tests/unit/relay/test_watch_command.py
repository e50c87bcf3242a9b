"""`pycore watch` shows what the server knows of the running games, as a table or as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from relay_support import Relay, running
from test_relay_watching import TOKEN, metrics

from pycore.cli import cli
from pycore.cli.watch import table, table_over


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay whose games can be watched."""
    with running(tmp_path_factory.mktemp("watched"), settings={"environment": "walk"}, operator_token=TOKEN) as relay:
        yield relay


def run(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["watch", *words], env={"COLUMNS": "160", **environment})


def test_the_table_has_a_row_for_each_player_with_path_and_counts(watched: Relay) -> None:
    """And nothing of what a page says reaches the terminal as control characters or markup."""
    async def go() -> tuple[str, str]:
        async with watched.pair() as ((one, _), game):
            strange = metrics(game)
            strange["metrics"]["now"] = {**strange["metrics"]["now"], "phase": "[red]\x1b[31mplaying"}
            await one.call("p2p_session_metrics", strange)
            done = await asyncio.to_thread(run, watched.url, "--token", TOKEN, "--once")
            assert done.exit_code == 0, done.output
            return game, done.output

    game, said = asyncio.run(go())
    assert " running, 0 waiting, 2 connected" in said
    (first,) = [line for line in said.splitlines() if game[:8] in line and "p2p" in line]
    cells = [cell.strip() for cell in first.replace("│", "|").split("|")]
    assert cells[1:11] == [
        f"walk {game[:8]}", "0", "[red]?[31mplaying", "2", "77", "1", "p2p", "41.5 ms", "12", "3",
    ]  # fmt: skip
    assert "connecting" in said


def test_json_is_what_the_server_gives_and_the_printed_address_is_enough(watched: Relay) -> None:
    """The token stands in it behind the #; it may come from the environment as well."""
    async def go() -> list[Result]:
        async with watched.pair() as (_, game):
            address = f"{watched.url}watch/#token={TOKEN}"
            found = [
                await asyncio.to_thread(run, address, "--once", "--json"),
                await asyncio.to_thread(lambda: run(watched.url, "--once", "--json", PYCORE_OPERATOR_TOKEN=TOKEN)),
            ]
            for each in found:
                assert each.exit_code == 0, each.output
                assert game in [of["game_id"] for of in json.loads(each.output)["games"]]
            return found

    assert len(asyncio.run(go())) == 2


def test_a_process_of_the_server_that_is_silent_is_named() -> None:
    """Its games are missing from the list; where all answer, or there is one, nothing is said."""
    listed = {"games": [], "waiting": 0, "sockets": 0}
    a, b = {"process": "aa[b]11", "answers": False}, {"process": "bb22", "answers": True}
    assert table({**listed, "processes": [a, b]}).title.endswith("; of 2 processes aa\\[b]11 did not answer")
    assert table({**listed, "processes": [b, b]}).title == table(listed).title == "0 running, 0 waiting, 0 connected"


def test_of_pages_that_store_nothing_on_the_way_no_state_is_made_up() -> None:
    """They play perhaps: the table says why nothing is known of them."""
    player = {"player": 0, "connected": True, "phase": None}
    listed = {"games": [{"game_id": "a" * 8, "players": [player]}], "waiting": 0, "sockets": 2}
    told = table({**listed, "store_every": 0})
    assert "store_every is 0, so pages tell no state, frame or path before an episode is over" in told.title
    assert list(told.columns[2].cells) == ["connected"]
    other = table({**listed, "store_every": 5.0})
    assert (list(other.columns[2].cells), "store_every" in other.title) == (["connecting"], False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{url}"], "give the token that the server printed"),
        (["{url}", "--token", "wrong-wrong-wrong"], "the server does not know this token"),
        (["{url}api/", "--token", TOKEN], "answered 404"),
        (["ftp://x", "--token", TOKEN], "is no address of a server"),
        (["http://127.0.0.1:9/", "--token", TOKEN, "--once"], "does not answer as a relay does"),
        (["http://127.0.0.1:9/", "--token", TOKEN], "does not answer as a relay does"),
        (["http://127.0.0.1:9/", "--token", TOKEN, "--json"], "does not answer as a relay does"),
        (["http://[::1/", "--token", TOKEN], "is no address of a server"),
        (["http://:8000/", "--token", TOKEN], "is no address of a server"),
        (["http://127.0.0.1:eight/", "--token", TOKEN], "is no address of a server"),
        (["http://127.0.0.1/a b", "--token", TOKEN], "does not answer as a relay does"),
        (["{url}", "--token", TOKEN, "--every", "nan"], "--every is nan"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_status_2(watched: Relay, words: list[str], said: str) -> None:
    """With what to do."""
    done = run(*[word.format(url=watched.url) for word in words])
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_when_a_game_began_is_told_as_pycore_data_tells_it_and_no_game_lasts_less_than_nothing() -> None:
    """Whatever the time zone of the terminal is, and though the server's clock was set back."""
    game = {"game_id": "0123456789", "started": 1.7e9, "ended": 1.7e9 - 60, "players": [], "episodes": 0}
    rows = table_over({"games": [game], "next": None})
    cells = {str(column.header): next(iter(column.cells)) for column in rows.columns}
    assert cells["began (UTC)"] == "2023-11-14 22:13"
    assert cells["lasted"] == "0 s"
