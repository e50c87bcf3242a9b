"""A file with what a server is started with, TOML: everything that the options say, and the relay's bounds.

    port = 80
    database = "sqlite:///data/study.db"
    turn-url = ["turn:turn.example.org:3478"]

    [matcher]
    name = "latency"
    bound = 0.15

    [limits]
    rooms = 400

A name is an option's without its dashes. What the command line says comes first, then the environment variables, then
the file. Paths in the file lie relative to it, that of a SQLite database among them.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from pycore.cli.told import Mistake
from pycore.errors import ConfigError, PycoreError, nearest
from pycore.relay.limits import Limits, limit_of, limits_of
from pycore.relay.matching import beside, matcher_of

Command = TypeVar("Command", bound=Callable[..., Any])

LIMITS: Final = "limits"
OTHERS: Final = ("config", "check", "print-config", "help", "limit")
"""Options of the command line alone; a file has a table of limits."""
SECRETS: Final = ("operator-token", "turn-secret", "join-secret", "alarm-url")
PATHS: Final = ("pyodide",)
"""Options that are a path or an address."""
TABLES: Final = ("matcher", LIMITS)
"""What a file may have as a table: a matcher with its settings, and limits."""
_LIMITS: Final = "pycore.config.limits"
_MATCHER: Final = "pycore.config.matcher"


def config_option(command: Command) -> Command:
    """Give a command `--config FILE`."""
    option = click.option(
        "--config", metavar="FILE.toml", is_eager=True, expose_value=False, callback=_read,
        type=click.Path(path_type=Path), envvar="PYCORE_CONFIG", show_envvar=True,
        help="A file with these options by their names, and the server's limits; options come first.",
    )  # fmt: skip
    return option(command)


def _read(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
    if file is None:
        return
    try:
        values, limits, matcher = read_config(file, options_of(context.command))
    except PycoreError as error:
        raise Mistake(str(error)) from error
    context.default_map = {**(context.default_map or {}), **values}
    context.meta[_LIMITS] = limits
    context.meta[_MATCHER] = matcher


def options_of(command: click.Command) -> dict[str, click.Option]:
    """A command's options by what they are called in a file."""
    found = {}
    for option in command.params:
        if isinstance(option, click.Option):
            name = max(option.opts, key=len).lstrip("-")
            if name not in OTHERS:
                found[name] = option
    return found


def read_config(
    file: Path, options: Mapping[str, click.Option]
) -> tuple[dict[str, Any], dict[str, float], dict[str, Any] | None]:
    """Values by the parameters' names, limits by theirs, and a matcher that has settings. Raises `ConfigError`."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no TOML: {error}") from error
    table = values.pop(LIMITS, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: {LIMITS} is no table; it is written [{LIMITS}], with a line for each limit")
    folder = file.absolute().parent
    matcher = values.pop("matcher") if isinstance(values.get("matcher"), dict) and "matcher" in options else None
    if matcher is not None:
        matcher = beside(folder, matcher)
        matcher_of(matcher)
    found = {}
    for key, value in values.items():
        name = key.replace("_", "-")
        if name not in options:
            raise ConfigError(f"{file}: unknown option {key!r}; {nearest(name, [*options, LIMITS])}")
        option = options[name]
        found[str(option.name)] = _value(f"{file}: {key}", name, option, value, folder)
    return found, limits_of(f"{file}: {LIMITS}.", table), matcher


def _value(where: str, name: str, option: click.Option, value: Any, folder: Path) -> Any:
    if option.multiple:
        return [_one(where, name, option, each, folder) for each in (value if isinstance(value, list) else [value])]
    return _one(where, name, option, value, folder)


def _one(where: str, name: str, option: click.Option, value: Any, folder: Path) -> Any:
    if option.is_flag:
        right, what = isinstance(value, bool), "true or false"
    elif isinstance(option.type, click.IntRange | click.types.IntParamType):
        right, what = type(value) is int, "a whole number"
    elif isinstance(option.type, click.types.FloatParamType | click.FloatRange):
        right, what = type(value) in (int, float), "a number"
    else:
        right, what = isinstance(value, str), "a text"
    if not right:
        raise ConfigError(f"{where} is {_shown(name, value)}; it must be {what}")
    placed = _placed(name, option, value, folder)
    if placed is value:
        try:
            option.type.convert(value, option, None)
        except click.UsageError as error:
            raise ConfigError(f"{where}: {error.message}") from error
    return placed


def _placed(name: str, option: click.Option, value: Any, folder: Path) -> Any:
    """The same value, with what it names of a file relative to the folder."""
    if name == "database":
        return _database(value, folder)
    if name == "matcher":
        return beside(folder, value)
    if name == "packages":
        named = [each.strip() for each in value.split(",")]
        return ",".join(str(folder / each) if each.endswith(".whl") else each for each in named)
    if isinstance(option.type, click.Path) or (name in PATHS and "://" not in value):
        return str(folder / value)
    return value


def _shown(name: str, value: Any) -> str:
    return "a secret" if name in SECRETS else f"{value!r:.80}"


def _database(url: str, folder: Path) -> str:
    backend, slashes, file = url.partition(":///")
    if backend.partition("+")[0] != "sqlite" or file.startswith(("/", ":", "file:")) or not file:
        return url
    return f"{backend}{slashes}{folder / file}"


def given_limits(words: tuple[str, ...]) -> dict[str, Any]:
    """The limits that a call sets: those of its file, and before them `NAME=NUMBER` of its command line. Raises
    `ConfigError`."""
    context = click.get_current_context(silent=True)
    found: dict[str, Any] = dict(context.meta.get(_LIMITS, {})) if context is not None else {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        try:
            value: Any = json.loads(text) if equals else None
        except ValueError:
            value = text
        found[name] = limit_of("--limit ", name, value)
    return found


def given_matcher(said: str | None) -> str | dict[str, Any] | None:
    """The matcher of a call: that of its command line, or that of its file."""
    context = click.get_current_context(silent=True)
    table: dict[str, Any] | None = None if context is None else context.meta.get(_MATCHER)
    return said or table


def effective(context: click.Context, limits: Limits, study: Mapping[str, Any]) -> Iterator[str]:
    """What a call means, as the lines of such a file, wherever it will lie: paths are whole. Secrets are left out, and
    what is not set stands in a comment. `study`: limits that the study's settings say."""
    for name, option in options_of(context.command).items():
        value = context.params.get(str(option.name))
        if isinstance(value, tuple):
            value = [_placed(name, option, each, Path.cwd()) for each in value]
        elif value is not None:
            value = _placed(name, option, value, Path.cwd())
        source = _source(context, option)
        if value is None or value == []:
            yield f"# {name} =  # {source}"
        elif name in SECRETS:
            yield f"# {name} =  # a secret, {source}"
        else:
            yield f"{name} = {_toml(name, value)}  # {source}"
    if (matcher := given_matcher(context.params.get("matcher"))) and not isinstance(matcher, str):
        yield ""
        yield "[matcher]"
        for name, value in matcher.items():
            yield f"{name} = {_toml(name, value)}  # by the file"
    yield ""
    yield f"[{LIMITS}]"
    usual = Limits()
    for each in fields(Limits):
        value = getattr(limits, each.name)
        source = "default" if value == getattr(usual, each.name) else "given"
        source = "by the study" if study.get(each.name) == value != getattr(usual, each.name) else source
        yield f"{each.name} = {_toml(each.name, value)}  # {source}"


def _source(context: click.Context, option: click.Option) -> str:
    source = context.get_parameter_source(str(option.name))
    if source is ParameterSource.ENVIRONMENT:
        return f"by {option.envvar}"
    return {ParameterSource.COMMANDLINE: "given", ParameterSource.DEFAULT_MAP: "by the file"}.get(
        source or ParameterSource.DEFAULT, "default"
    )


def _toml(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(name, each) for each in value)}]"
    if isinstance(value, int | float):
        return str(value)
    if name in ("database", "bus"):
        from pycore.relay.storage.databases import shown

        value = shown(value)
    # TOML's basic strings are written as JSON's are, but for one character.
    return json.dumps(str(value)).replace("\x7f", "\\u007f")
