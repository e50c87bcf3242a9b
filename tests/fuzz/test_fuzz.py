"""The corpus of the fuzzer, a short run of it, and proof that it finds what it looks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycore import Session
from tests.fuzz import fuzz_session, fuzz_stream
from tests.fuzz.fuzz_session import CORPUS, Broken
from tests.fuzz.packets import unreadable
from tests.fuzz.table import GAMES

FILES = sorted(CORPUS.glob("*.bin"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_packet_of_the_corpus_keeps_the_invariant(file: Path) -> None:
    """By either path; real ones can be read."""
    taken = fuzz_session.replay(file)
    assert "-real-" not in file.name or not taken.startswith("refused"), "the format has changed: --write-corpus"


def test_the_corpus_has_every_game_and_every_way_of_being_taken() -> None:
    names = [file.name for file in FILES]
    assert 40 <= len(names) <= 150
    for game in GAMES:
        for how in ("real", "taken", "moved"):
            assert any(name.startswith(f"{game}-{how}-") for name in names), (game, how)
    assert sum("-refused-" in name for name in names) >= 8


@pytest.mark.slow
def test_the_corpus_can_be_made_again_and_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command, one seed."""
    monkeypatch.setattr(fuzz_session, "CORPUS_COUNT", 400)
    for folder in ("one", "two"):
        assert fuzz_session.write_corpus(tmp_path / folder) > 20
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / f).iterdir()} for f in ("one", "two"))
    assert one == two


@pytest.mark.slow
def test_a_short_run_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what it did, in words and for machines."""
    assert fuzz_session.main(["--count", "10000", "--seed", "12", "--json", str(tmp_path / "f.json")]) == 0
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["packets"] == 10_000
    assert min(found["refused"], found["taken"], found["moved"]) > 200
    assert min(found[f"games of {peers}"] for peers in (2, 3, 4, 5)) > 0
    assert "packets 10000" in capsys.readouterr().out


@pytest.mark.slow
def test_chunks_of_streams_that_nobody_sent_are_survived(capsys: pytest.CaptureFixture[str]) -> None:
    """Some with a digest that gives them away, some with a right one."""
    assert fuzz_stream.main(["--count", "900", "--seed", "3"]) == 0
    assert "chunks 900" in capsys.readouterr().out


honest = Session.receive


def raises(session: Session, seat: int, data: bytes, now: float, path: str = "p2p") -> None:
    if len(data) > 30:
        raise IndexError("index out of range")
    honest(session, seat, data, now, path)


def steps(session: Session, seat: int, data: bytes, now: float, path: str = "p2p") -> None:
    honest(session, seat, data, now, path)
    if unreadable(data, session) is None:
        session.advance(now)


def moves(session: Session, seat: int, data: bytes, now: float, path: str = "p2p") -> None:
    honest(session, seat, data, now, path)
    if len(data) < 12:
        session.set_connection_type(session.links[0].seat, "moved", {})


def grows(session: Session, seat: int, data: bytes, now: float, path: str = "p2p") -> None:
    honest(session, seat, data, now, path)
    session.settings.action_space.setdefault("seen", []).append([[] for _ in range(20)])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (raises, "receive raised IndexError"),
        (moves, "cannot be read, and yet moved metrics"),
        (steps, "a packet stepped"),
        (grows, "the session grew"),
    ],
)
def test_a_session_that_breaks_the_invariant_is_found(
    bad: Callable[..., None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of it, within one game."""
    packets = fuzz_session.fuzz(6)
    next(packets)
    monkeypatch.setattr(Session, "receive", bad)
    with pytest.raises(Broken, match=what) as error:
        for _, _packet in zip(range(2 * fuzz_session.PER_TABLE), packets, strict=False):
            pass
    assert error.value.data.hex() in str(error.value)


def test_a_packet_that_broke_it_is_kept_as_a_file_of_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is needed to see it again."""
    monkeypatch.setattr(fuzz_session, "FOUND", tmp_path)
    monkeypatch.setattr(fuzz_session, "give", fail)
    assert fuzz_session.main(["--count", "10", "--seed", "2"]) == 1
    (file,) = tmp_path.iterdir()
    assert file.name.partition("-")[0] in GAMES
    assert file.read_bytes() == b"\x01\xb1\x02"
    assert "seed 2" in capsys.readouterr().err


def fail(table: Any, *_: Any) -> str:
    raise Broken(table.name, 1, b"\xb1\x02", "broken")
