"""The meshes of the bench, and what they hold the choice of copies to."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from bench import mesh
from bench.rows import met
from pycore import action_codec


def packed(player: int, frame: int) -> bytes:
    """The eight words as the published mesh packs them, spelled in another way: by bits of a text."""
    word = frame * 31 + player * 7 + 1 & 0xFFFFFFFF
    bits = f"{word:032b}"
    words = [word]
    for by in range(1, 8):
        turned = int(bits[by:] + bits[:by], 2)
        words.append(turned + 17 * frame + 97 * player + 0x9E37 * by & 0xFFFFFFFF)
    return struct.pack("<8I", *words)


@pytest.mark.parametrize(("player", "frame"), [(0, 0), (1, 999), (3, 2**27), (2, 138_547_332)])
def test_inputs_are_the_published_ones_and_take_as_many_bytes(player: int, frame: int) -> None:
    """Four bytes or 32, none of them predictable by repeating the last."""
    wide = mesh.action(player, frame, 32)
    assert struct.pack("<8I", *wide) == packed(player, frame)
    assert mesh.action(player, frame, 4) == wide[0]
    for size in (4, 32):
        action: Any = mesh.action(player, frame, size)
        assert len(action_codec(mesh.space(size)).encode(action)) == size
        assert action != mesh.action(player, frame + 1, size)


def test_each_figure_has_the_published_one_beside_it_and_some_are_judged() -> None:
    """Of ten cells, by name; what says little by itself is shown and not judged."""
    nothing = dict.fromkeys(mesh.UNITS, 0.0)
    for cell in mesh.CELLS:
        rows = {found["name"]: found for found in mesh.rows_of(cell, [nothing])}
        prefix = mesh.name_of(cell)
        assert set(rows) == {f"{prefix}.{name}" for name in mesh.UNITS}
        assert [name for name in mesh.UNITS if rows[f"{prefix}.{name}"]["goal"] is None] == ["resimulated_per_100"]
        judged = {name for name in mesh.UNITS if met(rows[f"{prefix}.{name}"]) is not None}
        assert judged - {"lag_mean"} == {"bytes", "messages", "confirmed", "stalls_per_min"}
    text = mesh.markdown([row for cell in mesh.CELLS for row in mesh.rows_of(cell, [nothing])])
    assert text.count("| 4p-severe, 32 B | **0") == 2
    assert "| **0.0** | 119.5 | **0 0 0** | 2 6 7 | **0** | 8 |" in text


def test_every_cell_was_published_once() -> None:
    """Five networks, with small and with large inputs."""
    names = [mesh.name_of(cell) for cell in mesh.CELLS]
    assert len(set(names)) == len(names) == 10
    assert {cell.size for cell in mesh.CELLS} == {4, 32}


@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in mesh.CELLS if cell.players == 2], ids=mesh.name_of)
def test_half_of_the_published_bytes_stall_no_more_often_than_the_published_ones(cell: mesh.Cell) -> None:
    """Sixteen seconds, two seeds: bytes, packets, confirmed frames, lag and stalls all reach what is wanted."""
    rows = mesh.rows_of(cell, [mesh.played(cell, seed) for seed in (11, 12)])
    judged = {found["name"].rpartition(".")[2]: met(found) for found in rows if met(found) is not None}
    assert {"bytes", "messages", "confirmed", "stalls_per_min"} <= set(judged)
    assert all(judged.values()), [found for found in rows if met(found) is False]
    values = {found["name"].rpartition(".")[2]: found["value"] for found in rows}
    # The run says something: guesses were wrong wherever inputs come late.
    assert values["rollbacks_per_100"] > 50 or cell.round_trip < mesh.STEP
