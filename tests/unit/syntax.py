"""Reading sources, for tests about them: every module is parsed once, whoever asks for it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator


@functools.cache
def parsed(source: str, name: str = "<source>") -> ast.Module:
    """The tree of a source. It is everybody's: nobody may change it."""
    return ast.parse(source, filename=name)


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """The node and all statements in it, from the top: imports and definitions are found without the expressions."""
    waiting = [tree]
    for node in waiting:
        yield node
        for name in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                waiting += inner
