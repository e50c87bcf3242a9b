"""`pycore tokens`, and a server that lets in who has such an address."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from relay_support import Relay, running

from pycore.cli import cli

SECRET = "the secret of this study"


def made(folder: Path, *words: str, secret: str = SECRET) -> tuple[int, str, str]:
    """Exit status, what was printed, and the errors."""
    done = CliRunner().invoke(cli, ["tokens", str(folder / "subjects.txt"), *words], env={"PYCORE_JOIN_SECRET": secret})
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.slow
def test_an_address_that_was_made_opens_the_study_and_no_other_does(tmp_path: Path) -> None:
    """By the name that the study's settings have for the subject id."""
    (tmp_path / "subjects.txt").write_text("ann a,north\nbert\n")
    (tmp_path / "study.json").write_text(json.dumps({"subject_from": ["who"], "ready_check": 20}))
    status, printed, _ = made(
        tmp_path, "--address", "https://study.example.org/x/?lang=de", "--settings", str(tmp_path / "study.json")
    )
    assert status == 0
    rows = list(csv.DictReader(printed.splitlines()))
    assert [(row["subject"], row["group"]) for row in rows] == [("ann a", "north"), ("bert", "")]
    first, second = (urlsplit(row["address"]) for row in rows)
    assert first._replace(query="").geturl() == "https://study.example.org/x/"
    assert first.query.startswith("lang=de&who=ann+a&group=north&token=")

    async def go(relay: Relay) -> None:
        async with relay.clients(3) as (one, two, stranger):
            assert (await stranger.call("join_game", {"query": "?who=bert"}))["code"] == "not_invited"
            assert (await stranger.get("pycore_error"))["code"] == "not_invited"
            assert (await one.call("join_game", {"query": f"?{first.query}"}))["state"] == "waiting"
            assert (await two.call("join_game", {"query": f"?{second.query}"}))["state"] == "playing"
            assert (await one.get("pyodide_game_ready"))["player_subjects"]["0"] == "ann a"

    with running(tmp_path, settings={"subject_from": ["who"]}, join_secret=SECRET) as relay:
        asyncio.run(go(relay))


@pytest.mark.parametrize(
    ("words", "secret", "why"),
    [
        (["--address", "https://x.org/"], "", "secrets.token_urlsafe"),
        (["--address", "https://x.org/"], "short", "16 or more"),
        (["--address", "x.org"], SECRET, "no address of a page"),
        (["--address", "https://"], SECRET, "no address of a page"),
        (["--address", "https://[x/"], SECRET, "no address of a page"),
        (["--address", "https://x.org/", "--settings", "nameless.json"], SECRET, "no name for subject ids"),
    ],
)
def test_what_would_make_useless_addresses_is_refused(tmp_path: Path, words: list[str], secret: str, why: str) -> None:
    """With the way out."""
    (tmp_path / "subjects.txt").write_text("anna\n")
    (tmp_path / "nameless.json").write_text('{"subject_from": []}')
    words = [str(tmp_path / word) if word.endswith(".json") else word for word in words]
    status, printed, said = made(tmp_path, *words, secret=secret)
    assert (status, printed) == (2, "")
    assert why in said


def test_no_name_is_a_formula_for_a_spreadsheet(tmp_path: Path) -> None:
    """The address has it as it is."""
    (tmp_path / "subjects.txt").write_text("=HYPERLINK(1)\n+49,@north\n")
    status, printed, _ = made(tmp_path, "--address", "https://study.example.org/")
    assert status == 0
    rows = list(csv.DictReader(printed.splitlines()))
    assert [(row["subject"], row["group"]) for row in rows] == [("'=HYPERLINK(1)", ""), ("'+49", "'@north")]
    assert "PROLIFIC_PID=%3DHYPERLINK%281%29&" in rows[0]["address"]
