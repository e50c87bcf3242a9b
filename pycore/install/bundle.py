"""One file with the byte code of all modules of a page's core, and the module that imports from it.

    BLAKE2b of the sources, in hex
    pycore.__init__ 2082          a line for each module: its name, and the bytes of its code as `marshal` has it
    …
                                  an empty line, then the code of all modules in the same order

The digest says which sources it was made of. `pycore.install.bootstrap` reads the rest in the page.

Byte code is twice as large as its source, and participants wait for it. So it has no docstrings and no asserts, which
the core uses for type checkers only, and no columns: nobody could use them without the source, and instructions of one
line share an entry of its table of lines then. Lines stay, for error reports.
"""

from __future__ import annotations

import ast
import marshal
import sys
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from importlib.util import MAGIC_NUMBER, source_hash
from types import CodeType
from typing import Any

from pycore.install.bootstrap import NAME

BOOTSTRAP = "pycore/install/bootstrap.py"
PACKAGE = "pycore/__init__.py"
FILE = f"pycore/{NAME}"
UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Flags of a pyc that carries its source's hash, which no import compares (PEP 552)."""


def bundled(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that take the place of the modules, for the Python that runs this: `BOOTSTRAP` is among the `sources`.

    The same sources give the same bytes.
    """
    names = sorted(set(sources) - {BOOTSTRAP})
    code = {name: compiled(name, sources[name]) for name in names}
    lines = [digest(sources)]
    lines += [f"{name.removesuffix('.py').replace('/', '.')} {len(code[name])}" for name in names]
    starter = sources[BOOTSTRAP]
    return {
        f"{PACKAGE}c": MAGIC_NUMBER + UNCHECKED_HASH + source_hash(starter) + compiled(BOOTSTRAP, starter),
        FILE: "\n".join([*lines, "", ""]).encode() + b"".join(code[name] for name in names),
    }


def compiled(name: str, source: bytes) -> bytes:
    """A module's code as `marshal` has it: without docstrings, asserts and columns."""
    tree = ast.parse(source, name)
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr, ast.excepthandler, ast.arg, ast.keyword, ast.alias, ast.pattern)):
            node.end_lineno = node.lineno
            node.col_offset = node.end_col_offset = -1  # which is to say that there is none
    code = _settled(compile(tree, name, "exec", dont_inherit=True, optimize=2))
    # marshal marks what has a second reference, be it from somewhere else in this process: here everything has one.
    held = list(_parts_of(code))
    text = marshal.dumps(code)
    del held
    return text


def _settled(value: Any) -> Any:
    """The same code object or constant with every text interned: which are, is by chance of what else was compiled."""
    if isinstance(value, CodeType):
        return value.replace(
            co_name=sys.intern(value.co_name), co_qualname=sys.intern(value.co_qualname),
            co_filename=sys.intern(value.co_filename), co_consts=_settled(value.co_consts),
        )  # fmt: skip
    if isinstance(value, str):
        return sys.intern(value)
    return type(value)(map(_settled, value)) if isinstance(value, (tuple, frozenset)) else value


def _parts_of(value: Any) -> Iterator[Any]:
    """A code object, or a constant of one, with the names and constants in it."""
    yield value
    if isinstance(value, CodeType):
        yield from (value.co_name, value.co_qualname, value.co_filename)
        yield from (*value.co_names, *value.co_varnames, *value.co_cellvars, *value.co_freevars)
        for constant in value.co_consts:
            yield from _parts_of(constant)
    elif isinstance(value, (tuple, frozenset)):
        for each in value:
            yield from _parts_of(each)


def digest(sources: Mapping[str, bytes]) -> str:
    """A digest of sources and their names, in hex."""
    found = blake2b(digest_size=16)
    for name in sorted(sources):
        found.update(f"{name} {len(sources[name])}\n".encode() + sources[name])
    return found.hexdigest()


def is_of(files: Mapping[str, bytes], sources: Mapping[str, bytes]) -> bool:
    """Whether the files of a wheel are the bundle of exactly these sources."""
    return files.get(FILE, b"").partition(b"\n")[0] == digest(sources).encode()
