"""Finds the function that makes a researcher's environment, by the text that a command was given.

`package.module:name` is imported as usual, the working folder included; `path/to/file.py:name` is read from its file,
with the file's own folder in front of the path, as `python file.py` would have it. Without a name it is `make_env`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, NamedTuple, cast

from pycore.errors import ConfigError, described
from pycore.policy import Policy, Predictor

DEFAULT: Final = "make_env"
"""What the function is called unless the text says otherwise."""
POLICY: Final = "make_policy"
"""The same for a policy."""
PREDICTOR: Final = "make_predictor"
"""And for a predictor."""
STUDY: Final = "study.json"
"""A study's settings, which are taken if none are named and this lies beside the environment."""
OURS: Final = "__pycore_factory__"
"""Marks a module that was read from a file here: reading the file again may replace it."""


class _Fresh(SourceFileLoader):
    """Reads the source itself: byte code of a file of the same size and second would be taken for it. None is left
    behind, either."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


class Found(NamedTuple):
    """The function, and the module that it was asked of, which may have `SETTINGS` beside it."""

    make: Callable[[], Any]
    module: ModuleType
    name: str

    @property
    def folder(self) -> Path | None:
        """The folder of its file, where it was read from one: a study's policies lie beside it."""
        file = getattr(self.module, "__file__", None) if hasattr(self.module, OURS) else None
        return None if file is None else Path(file).parent


def load_factory(text: str) -> Callable[[], Any]:
    """The function that `package.module:name`, `file.py` or `file.py:name` means; ConfigError if there is none."""
    return find_factory(text).make


def find_factory(text: str) -> Found:
    """The same, with the module that it is in."""
    place, name = parts_of(text)
    if place.endswith(".py") or os.sep in place or "/" in place:
        module = _read(Path(place))
    else:
        module = _imported(place)
    if not hasattr(module, name):
        raise ConfigError(f"{place} has no {name}; {_instead(module, name, place)}")
    make = getattr(module, name)
    if not callable(make):
        raise ConfigError(
            f"{name} in {place} is a {type(make).__name__}; give a function without arguments that returns a new "
            "environment"
        )
    return Found(make, module, name)


def load_policy(text: str, folder: Path | None = None) -> Policy:
    """A new policy of the function that a study's settings name, `file.py:function` or `package.module:function`; files
    lie in the folder of the environment. Without a name it is `make_policy`. Raises ConfigError."""
    return cast("Policy", _load(text, folder, POLICY, "policy", "act(outlook, frame, random)"))


def load_predictor(text: str, folder: Path | None = None) -> Predictor:
    """The same for a predictor; without a name it is `make_predictor`. Raises ConfigError."""
    return cast("Predictor", _load(text, folder, PREDICTOR, "predictor", "predict(outlook, last, since, frame)"))


def _load(text: str, folder: Path | None, default: str, what: str, method: str) -> Any:
    place, name = parts_of(text, default)
    if folder is not None and place.endswith(".py"):
        place = str(folder / place)
    made = make_with(find_factory(f"{place}:{name}").make, text, what)
    if not callable(getattr(made, method.partition("(")[0], None)):
        raise ConfigError(f"{text} returned a {type(made).__name__} without {method}; it must return a {what}")
    return made


def make_with(factory: Callable[[], Any], text: str, what: str = "environment") -> Any:
    """A new environment of a function that was found; ConfigError with what it raised."""
    try:
        env = factory()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{text} raised {described(error)}; it must be a function without arguments that returns a new {what}"
        ) from error
    if env is None:
        raise ConfigError(f"{text} returned None; it must return a new {what}")
    return env


def parts_of(text: str, default: str = DEFAULT) -> tuple[str, str]:
    """File or module, and name of the function, of such a text. Raises ConfigError for an empty one."""
    place, colon, name = text.rpartition(":")
    # The colon of a Windows drive has no name behind it.
    if not colon or not name.isidentifier():
        place, name = (text, default) if not (colon and place and not name) else (place, default)
    if not place:
        raise ConfigError(
            f"{text!r} names no environment; give package.module:function, or file.py:function "
            f"(the function is {DEFAULT} unless you say otherwise)"
        )
    return place, name


def _imported(place: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        # At the end, so that no file of the working folder stands in for an installed module.
        sys.path.append(here)
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(error.name + ".")):
            file = Path(f"{place}.py")
            hint = f"; {file} is here, give that" if file.is_file() else "; is it installed in this Python?"
            raise ConfigError(f"there is no module {error.name}{hint}") from error
        raise _raised(place, error) from error
    except (Exception, SystemExit) as error:
        raise _raised(place, error) from error


def _read(path: Path) -> ModuleType:
    if not path.is_file():
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; give the Python file that has the function, as file.py:function")
        raise ConfigError(f"there is no file {path}")
    if path.suffix != ".py":
        raise ConfigError(f"{path} is no Python file; give the one that has the function, as file.py:function")
    path = path.resolve()
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = path.stem
    taken = sys.modules.get(name)
    if taken is not None and not hasattr(taken, OURS):
        # A file called json.py must not replace the module json for everybody else.
        name = f"pycore_factory_{name}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    setattr(module, OURS, True)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _raised(str(path), error) from error
    return module


def _raised(place: str, error: BaseException) -> ConfigError:
    return ConfigError(f"importing {place} raised {described(error)}")


def _instead(module: ModuleType, name: str, place: str) -> str:
    """What could have been meant."""
    there = [
        each for each, value in vars(module).items()
        if not each.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
    ]  # fmt: skip
    near = difflib.get_close_matches(name, there, 1)
    if near:
        return f"did you mean {place}:{near[0]}?"
    if there:
        return f"it has {', '.join(sorted(there)[:8])}; give one as {place}:NAME"
    return "write a function without arguments that returns a new environment"
