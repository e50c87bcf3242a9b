"""The two generations of the page are one table: whoever treats them differently asks for a capability."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pycore.errors import ConfigError
from pycore.interactive_gym.generations import GENERATIONS, MUG, SEED, generation

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = re.compile(r"""[!=]==?\s*['"](?:seed|mug)['"]|['"](?:seed|mug)['"]\s*[!=]==?|case\s+['"](?:seed|mug)['"]""")


def comparisons(source: str) -> list[int]:
    """Lines that compare with a generation."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if (isinstance(side, ast.Constant) and side.value in GENERATIONS)
        or (isinstance(side, ast.Name) and side.id in {"SEED", "MUG"})
    ]


def test_nobody_compares_generations() -> None:
    for path in (ROOT / "pycore/interactive_gym").rglob("*.py"):
        assert comparisons(path.read_text("utf-8")) == [], path
    for path in (ROOT / "web").glob("*/*.js"):
        assert SCRIPT.findall(path.read_text("utf-8")) == [], path


@pytest.mark.parametrize("source", ["if g == MUG: pass", "x = 'seed' != name", "y = g is SEED"])
def test_a_comparison_is_found(source: str) -> None:
    assert comparisons(source) == [1]
    assert SCRIPT.findall("if (game.generation === 'seed') x();") != []
    assert SCRIPT.findall("const generation = 'mugGlobals' in window ? 'mug' : 'seed';") == []


def test_a_generation_is_known_by_its_name() -> None:
    assert [generation(name) for name in ("seed", "mug")] == [SEED, MUG]
    with pytest.raises(ConfigError, match="'new'; known are seed, mug"):
        generation("new")


def test_every_capability_tells_the_two_apart() -> None:
    """One that both had alike would be a word for nothing."""
    for name in SEED.fields:
        assert getattr(SEED, name) != getattr(MUG, name), name
