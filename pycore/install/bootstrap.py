"""How a page imports a bundled core: compiled, this module stands as `pycore/__init__` in a byte-compiled wheel.

Beside it lies one file with the byte code of all modules (`pycore.install.bundle`). A page's files are slow to look for
and to read, ninety of them took a third of the import; and in one file they are compressed as one.

The front of the package is run in this module's namespace, so the package is itself when that is done.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NAME = "modules"
"""The file, in the package's folder."""


class Bundle:
    """Finds and runs the modules of one bundle: `file` is where it lies, `data` what is in it.

    Only what looks for a module in `file`, because that stands in a package's `__path__`, finds it here: another pycore
    that is imported later has nothing to do with this one.
    """

    def __init__(self, file: str, data: bytes) -> None:
        self.file = file
        self.modules: dict[str, bytes] = {}
        """The code of each module, as `marshal` has it, by name."""
        self._packages: set[str] = set()
        head, _, body = data.partition(b"\n\n")
        start = 0
        for line in head.decode().splitlines()[1:]:
            name, size = line.split()
            module = name.removesuffix(".__init__")
            if module != name:
                self._packages.add(module)
            self.modules[module] = body[start : start + int(size)]
            start += int(size)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of this name, if it is looked for here and is here (`importlib.abc.MetaPathFinder`)."""
        if path is None or self.file not in path or name not in self.modules:
            return None
        package = name in self._packages
        spec = ModuleSpec(name, self, origin=f"{self.file}/{name}", is_package=package)  # type: ignore[arg-type]
        if package:
            spec.submodule_search_locations = [self.file]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual kind of module (`importlib.abc.Loader`)."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module (`importlib.abc.Loader`)."""
        self.run(module.__name__, vars(module))

    def run(self, name: str, namespace: dict[str, Any]) -> None:
        """Run a module's code in a namespace."""
        exec(marshal.loads(self.modules[name]), namespace)


def start(namespace: dict[str, Any]) -> None:
    """Make the package in whose namespace this runs the one that is in the bundle beside it."""
    spec = namespace["__spec__"]
    file = spec.origin.removesuffix("__init__.pyc") + NAME
    bundle = Bundle(file, spec.loader.get_data(file))
    sys.meta_path.insert(0, bundle)
    # Whatever is not in the bundle may lie in the folder.
    namespace["__path__"] = [file, *namespace["__path__"]]
    bundle.run(namespace["__name__"], namespace)


if __name__ == "pycore":
    start(globals())
