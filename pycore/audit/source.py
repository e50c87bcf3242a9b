"""What an environment's source says: calls whose results differ between two machines, two runs, or two Pythons."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pycore.audit.findings import Finding

__all__ = ["findings_of_source", "sources_of"]

CLOCKS: Final = frozenset(
    {"time.time", "time.perf_counter", "time.monotonic", "time.time_ns", "time.perf_counter_ns", "time.monotonic_ns",
     "time.process_time", "time.process_time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime",
     "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
     "pygame.time.get_ticks"}
)  # fmt: skip
CHANCE: Final = frozenset(
    {"os.urandom", "os.getpid", "uuid.uuid4", "uuid.uuid1", "random.SystemRandom", "secrets.SystemRandom",
     "secrets.token_bytes", "secrets.token_hex", "secrets.randbits", "secrets.randbelow", "secrets.choice",
     "random.seed", "numpy.random.seed"}
)  # fmt: skip
UNSEEDED: Final = frozenset(
    {"random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.SeedSequence",
     "numpy.random.PCG64", "numpy.random.PCG64DXSM", "numpy.random.MT19937", "numpy.random.Philox",
     "numpy.random.SFC64"}
)  # fmt: skip
"""Without an argument they are seeded by the operating system."""
DIFFERENT: Final = frozenset(
    f"{module}.{name}"
    for module in ("math", "numpy")
    for name in ("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "arcsin", "arccos", "arctan", "arctan2", "sinh",
                 "cosh", "tanh", "exp", "expm1", "log", "log2", "log10", "log1p", "pow", "power", "hypot", "cbrt",
                 "gamma")
) | frozenset({"random.gauss", "random.normalvariate", "random.betavariate", "random.lognormvariate"})  # fmt: skip
"""Not the same, bit by bit, in CPython and in Pyodide."""
PLATFORM: Final = frozenset({"numpy.array", "numpy.asarray", "numpy.arange", "numpy.full"})
USUAL: Final = {"np": "numpy"}
"""What modules are called where it is not seen how they came in."""
OF_SETS: Final = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
MOST: Final = 8
"""Lines that one finding names."""


def sources_of(env: Any) -> list[Path]:
    """The files in which the classes of an environment, and of what it wraps, are written, but for libraries of
    wrappers."""
    found: list[Path] = []
    seen: set[int] = set()
    layer = env
    while layer is not None and id(layer) not in seen:
        seen.add(id(layer))
        for kind in type(layer).__mro__:
            package = kind.__module__.partition(".")[0]
            if package in ("builtins", "typing", "abc", "gymnasium", "gym", "pycore") or kind.__module__.startswith(
                "pettingzoo.utils"
            ):
                continue
            try:
                path = Path(inspect.getfile(kind))
            except (TypeError, OSError):
                continue
            if path.suffix == ".py" and path not in found:
                found.append(path)
        own = getattr(layer, "__dict__", {})
        layer = next((own[name] for name in ("env", "_env", "aec_env", "par_env") if name in own), None)
    return found


def findings_of_source(paths: list[Path]) -> list[Finding]:
    """What the files say that may differ between players."""
    places: dict[str, list[str]] = {}
    for path in paths:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for code, line in _calls(tree):
            place, listed = f"{path.name}:{line}", places.setdefault(code, [])
            if place not in listed:
                listed.append(place)
    return [_finding(code, _listed(where)) for code, where in places.items()]


def _listed(where: list[str]) -> str:
    more = f" and {len(where) - MOST} more" if len(where) > MOST else ""
    return ", ".join(where[:MOST]) + more


def _finding(code: str, where: str) -> Finding:
    harm, what, do = _SAID[code]
    return Finding(f"source_{code}", harm, f"{what} ({where})", do)


_SAID: Final = {
    "clock": (
        "risk",
        "a clock is read",
        "count frames instead: each player's clock says something else, and a frame is stepped more than once",
    ),
    "chance": (
        "risk",
        "chance comes from outside of seeded generators, or a generator of the process is seeded",
        "draw from a generator that reset(seed) seeds",
    ),
    "unseeded": (
        "risk",
        "a generator is made without a seed",
        "seed it in reset(seed), from that seed alone",
    ),
    "identity": (
        "risk",
        "id() or hash() is used, which differ between processes",
        "use an index or a name of your own",
    ),
    "set": (
        "risk",
        "a set is walked or drawn from: its order may differ between players, and after a rollback",
        "walk sorted(…), or keep a list or a dict",
    ),
    "float": (
        "note",
        "functions are used whose last bits differ between CPython and Pyodide",
        "players in browsers agree; replay a record in Pyodide (--pyodide), not in CPython, if hashes matter",
    ),
    "platform": (
        "note",
        "arrays of integers are made without a dtype: 32 bits in Pyodide up to 0.29, 64 in CPython",
        "give a dtype, np.int64 for instance",
    ),
}


def _calls(tree: ast.Module) -> Iterator[tuple[str, int]]:
    sets, names = _names_of_sets(tree), _imported(tree)
    own = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name == "__hash__"
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _called(node, names)
            tail = name.removeprefix("self.")
            if name in CLOCKS:
                yield "clock", node.lineno
            elif name in CHANCE:
                yield "chance", node.lineno
            elif name in UNSEEDED and not node.args and not node.keywords:
                yield "unseeded", node.lineno
            elif name in ("id", "hash") and not (name == "hash" and id(node) in own):
                yield "identity", node.lineno
            elif name in DIFFERENT:
                yield "float", node.lineno
            elif name in PLATFORM and _ints_without_dtype(node):
                yield "platform", node.lineno
            elif name in ("next", "iter", "list", "tuple", "enumerate", "random.choice") and node.args:
                if _is_set(node.args[0], sets):
                    yield "set", node.lineno
            elif tail.endswith(".pop") and not node.args and tail.removesuffix(".pop") in sets:
                yield "set", node.lineno
        elif isinstance(node, (ast.For, ast.comprehension)):
            if _is_set(node.iter, sets):
                yield "set", node.iter.lineno
        elif isinstance(node, ast.Starred) and _is_set(node.value, sets):
            yield "set", node.lineno
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _is_fractional(node.right):
            yield "float", node.lineno


def _imported(tree: ast.Module) -> dict[str, str]:
    """What a file calls its modules, and what it took from them, by the full names."""
    names = dict(USUAL)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _called(node: ast.Call, names: dict[str, str]) -> str:
    """The full name of what is called; empty where it has none."""
    if not isinstance(node.func, (ast.Name, ast.Attribute)):
        return ""
    first, dot, rest = ast.unparse(node.func).partition(".")
    return f"{names.get(first, first)}{dot}{rest}"


def _names_of_sets(tree: ast.Module) -> set[str]:
    """Names and attributes that are given a set somewhere, without `self.`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            if _says_set(kind) or (node.value is not None and _is_set(node.value, set())):
                found |= {ast.unparse(target).removeprefix("self.") for target in targets}
        elif isinstance(node, ast.arg) and node.annotation is not None and _says_set(ast.unparse(node.annotation)):
            found.add(node.arg)
    return found


def _says_set(annotation: str) -> bool:
    return annotation.rpartition(".")[2].startswith(("set[", "Set[", "frozenset[", "FrozenSet[", "AbstractSet[")) or (
        annotation.rpartition(".")[2] in ("set", "Set", "frozenset", "FrozenSet", "AbstractSet")
    )


def _is_set(node: ast.expr, names: set[str]) -> bool:
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)):
        return _is_set(node.left, names) or _is_set(node.right, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OF_SETS:
        return _is_set(node.func.value, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ("set", "frozenset"):
            return True
        return node.func.id in ("iter", "list", "tuple") and bool(node.args) and _is_set(node.args[0], names)
    return isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node).removeprefix("self.") in names


def _ints_without_dtype(node: ast.Call) -> bool:
    if any(keyword.arg == "dtype" for keyword in node.keywords) or not node.args:
        return False
    is_full = ast.unparse(node.func).endswith("full")
    if len(node.args) != (2 if is_full else 1):
        return False
    inner = [part for part in ast.walk(node.args[-1]) if isinstance(part, ast.Constant)]
    return bool(inner) and all(type(part.value) is int for part in inner)


def _is_fractional(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
