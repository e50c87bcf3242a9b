"""Whole games of the page, in CPython: two players' data are equal, and equal to the ground truth."""

from __future__ import annotations

import pytest
from page_support import Table, check_against_truth, metadata


def test_smoke() -> None:
    """x"""
    table = Table().play()
    check_against_truth(table)
    assert table[0].finished is False


@pytest.mark.parametrize("players", [(0, 1), ("left", "right")], ids=["numbers", "names"])
def test_loss(players) -> None:
    scene = metadata(policy_mapping={str(p): "human" for p in players})
    table = Table(scene, players, loss=0.15, delay=0.05, jitter=0.03).play()
    check_against_truth(table)
