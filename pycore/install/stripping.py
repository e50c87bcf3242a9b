"""What byte code for a page can do without: annotations, which nobody reads there, and a package's description.

Annotations are taken out of the source before it is compiled, so that every compiler can do it; lines stay where they
are, for error reports. Kept are those that make something: the fields of `Frozen` values, named tuples and protocols.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAKERS = ("Frozen", "Named", "NamedTuple", "Protocol", "TypedDict")
"""Bases whose classes are made of their annotations."""

_Cut = tuple[int, int, int, int, bytes]
"""Lines and bytes from and to, as `ast` counts them, and what takes the place."""


def without_annotations(source: str) -> str:
    """The same program, with the same lines."""
    lines = source.encode().split(b"\n")
    cuts = sorted(_cuts(ast.parse(source), lines), reverse=True)
    for first, start, last, stop, instead in cuts:
        head, tail = lines[first - 1][:start], lines[last - 1][stop:]
        # What follows moves up: a signature may go on only within its brackets, which may have been the annotation's.
        lines[first - 1 : last] = [head + instead + tail, *[b""] * (last - first)]
    return b"\n".join(lines).decode()


def _cuts(tree: ast.Module, lines: list[bytes]) -> Iterator[_Cut]:
    for node in _statements(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = node.args
            for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
                if argument is not None and argument.annotation is not None:
                    after = argument.col_offset + len(argument.arg.encode())
                    yield argument.lineno, after, *_end(argument.annotation), b""
            if node.returns is not None:
                yield *_arrow(node.returns, lines), *_end(node.returns), b""
        elif isinstance(node, ast.Module) or (isinstance(node, ast.ClassDef) and not _is_made(node)):
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign):
                    if statement.value is None:
                        yield statement.lineno, statement.col_offset, *_end(statement), b"pass"
                    else:
                        line, start = _end(statement.target)
                        yield line, start, *_end(statement.annotation), b""


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module and every statement in it: no expression has annotations, and most nodes belong to expressions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                waiting += inner


def _is_made(node: ast.ClassDef) -> bool:
    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    return bool(node.decorator_list) or any(base.partition("[")[0] in MAKERS for base in bases)


def _end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def _arrow(returns: ast.expr, lines: list[bytes]) -> tuple[int, int]:
    line, start = returns.lineno, returns.col_offset
    while True:
        found = lines[line - 1].rfind(b"->", 0, start)
        if found >= 0:
            return line, found
        line, start = line - 1, len(lines[line - 2])


def without_description(metadata: bytes) -> bytes:
    """The headers of a METADATA file."""
    return metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n"
