"""What `pycore relay` and `pycore serve` have in common: the options of the relay, and its running."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
from rich.console import Console

from pycore.cli.config import config_option, effective, given_limits, given_matcher
from pycore.cli.numbers import Finite
from pycore.cli.spelled import SpelledFormatter, say
from pycore.cli.told import DATABASE
from pycore.errors import UsageError
from pycore.relay import Limits, create_app
from pycore.relay.bus.calls import Bus

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all."),
    click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."),
    click.option(
        "--database", default=DATABASE, show_default=True, help="SQLAlchemy URL: SQLite or PostgreSQL.", metavar="URL"
    ),
    click.option(
        "--bus", envvar="PYCORE_BUS", show_envvar=True, metavar="URL",
        help="NATS, by which several servers with one PostgreSQL are one: nats://host:4222.",
    ),
    click.option(
        "--matcher", metavar="NAME|MODULE:CLASS",
        help="Who plays with whom: first_come, latency, groups, or a class of yours; default: as the settings say.",
    ),
    click.option(
        "--subjects", type=click.Path(path_type=Path), metavar="FILE",
        help="Who may come: one subject id a line, perhaps with a group behind a comma; default: everybody.",
    ),
    click.option(
        "--join-secret", envvar="PYCORE_JOIN_SECRET", show_envvar=True, metavar="TEXT",
        help="Only addresses that `pycore tokens` signed with it may come.",
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Game seed of every game; default: random ones."),
    click.option(
        "--origin", "origins", multiple=True, help="Another site whose pages may connect; repeatable.", metavar="URL"
    ),
    click.option(
        "--turn-url", "turn_urls", multiple=True, help="TURN server, as turn:host:3478; repeatable.", metavar="URL"
    ),
    click.option(
        "--turn-secret", envvar="PYCORE_TURN_SECRET", show_envvar=True, metavar="TEXT",
        help="coturn's static-auth-secret; better given by the environment than on the command line.",
    ),
    click.option("--turn-ttl", default=86_400.0, show_default=True, help="Lifetime of TURN credentials, s."),
    click.option("--force-relay", is_flag=True, help="Pages use TURN only, so that players never see addresses."),
    click.option(
        "--operator-token", envvar="PYCORE_OPERATOR_TOKEN", show_envvar=True, metavar="TEXT",
        help="Who has it sees the games and the server's state; default: a new one, which is printed.",
    ),
    click.option(
        "--metrics-address", metavar="HOST:PORT",
        help="Prometheus's metrics there as well, without a token: an address that strangers do not reach.",
    ),
    click.option(
        "--alarm-url", envvar="PYCORE_ALARM_URL", show_envvar=True, metavar="URL",
        help="Where a message is sent when something is wrong: a webhook, which gets a JSON object with a text.",
    ),
    click.option(
        "--log", "log_format", type=click.Choice(["text", "json"]), default="text", show_default=True,
        help="How lines of the log are written; json: an object a line.",
    ),
    click.option(
        "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True,
        help="What is logged; info: who waits, what begins, ends and is refused.",
    ),
    click.option("--log-subjects", is_flag=True, help="Log subject ids, and not names for them that mean nothing."),
    click.option("-v", "--verbose", is_flag=True, help="As --log-level info."),
    click.option(
        "--limit", "limits", multiple=True, metavar="NAME=NUMBER",
        help="One of the server's limits, as rooms=400; repeatable. --print-config shows all of them.",
    ),
    click.option(
        "--drain-s", default=5.0, show_default=True, type=Finite(min=0),
        help="How long SIGTERM waits for running games, s. Those that still run then go on with the next server.",
    ),
    click.option("--check", is_flag=True, help="Try everything that the server needs, start nothing; status 0 or 1."),
    click.option("--print-config", is_flag=True, help="Show what this call means, as a file for --config, and end."),
)  # fmt: skip


class Options(NamedTuple):
    """What the options above say."""

    host: str
    port: int
    database: str
    bus: str | None
    matcher: str | dict[str, Any] | None
    subjects: Path | None
    join_secret: str | None
    seed: int | None
    origins: tuple[str, ...]
    turn_urls: tuple[str, ...]
    turn_secret: str | None
    turn_ttl: float
    force_relay: bool
    operator_token: str | None
    token_is_new: bool
    """Nobody knows it yet."""
    metrics_address: str | None
    alarm_url: str | None
    log_format: str
    log_level: str
    log_subjects: bool
    verbose: bool
    limits: Limits
    set_limits: dict[str, Any]
    """The limits that the call sets; the others are the study's, or the usual ones."""
    drain_s: float
    check: bool
    print_config: bool

    @classmethod
    def given(cls, **options: Any) -> Options:
        """The options of a call, with an operator's token in any case. Raises UsageError."""
        from pycore.relay.operating.operator import check_token

        named = options.pop("operator_token")
        token = check_token(named or secrets.token_urlsafe(18))
        limits = given_limits(options.pop("limits"))
        matcher = given_matcher(options.pop("matcher"))
        return cls(
            **options, matcher=matcher, operator_token=token, token_is_new=not named, limits=Limits(**limits),
            set_limits=limits,
        )  # fmt: skip

    def of_study(self, limits: Mapping[str, Any]) -> Options:
        """The same with the limits of a study's settings, where the call sets none."""
        return self._replace(limits=Limits(**{**limits, **self.set_limits}))

    def printed(self, settings: Path | None) -> bool:
        """Whether what the call means was asked for, and is shown; then nothing else is to be done. `settings`: the
        study's file, which says limits, too. Raises ConfigError."""
        if self.print_config:
            study = limits_of_study(settings)
            for line in effective(click.get_current_context(), self.of_study(study).limits, study):
                say(line)
        return self.print_config

    @property
    def turn(self) -> dict[str, Any] | None:
        """For `create_app`."""
        if not (self.turn_urls or self.force_relay):
            return None
        return {
            "urls": self.turn_urls,
            "secret": self.turn_secret,
            "ttl_s": self.turn_ttl,
            "force_relay": self.force_relay,
        }


def limits_of_study(settings: Path | None) -> dict[str, Any]:
    """The limits that a file of settings says, if it is there. Raises ConfigError."""
    from pycore.site.study import Study

    return Study.read(settings).limits if settings is not None and settings.is_file() else {}


def relay_options(command: Command) -> Command:
    """Give a command the options; it takes them as keywords, for `Options`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return config_option(command)


def watched(options: Options, address: str) -> str:
    """The line that says where the running games are seen; the token is behind the #, which no server is sent. One that
    was named is not repeated: what a server prints lies in a log."""
    token = options.operator_token if options.token_is_new else "TOKEN  (the one that you named)"
    return f"  watch     {address}watch/#token={token}"


def shown(database: str) -> str:
    """A database's URL without its password."""
    from pycore.relay.storage.databases import shown

    return shown(database)


def log_to_terminal(options: Options) -> None:
    """Have what is logged written as the options say."""
    from pycore.relay.operating.says import JsonFormatter

    handler = logging.StreamHandler()
    text = SpelledFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if options.log_format == "json" else text)
    level = "info" if options.verbose and options.log_level == "warning" else options.log_level
    logging.basicConfig(level=level.upper(), handlers=[handler])


def place_of(address: str) -> tuple[str, int]:
    """Host and port. Raises UsageError."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{address!r} is no address to listen on; one is 127.0.0.1:9100")
    return host.strip("[]"), int(port)


def bus_for(options: Options) -> Bus | None:
    """How the server reaches others, if it does. Raises UsageError."""
    if options.bus is None:
        return None
    from pycore.relay.bus import bus_of

    if not options.database.startswith("postgresql"):
        raise UsageError(
            "several servers need a database that all of them reach: give --database postgresql+psycopg://… with --bus"
        )
    if options.token_is_new:
        raise UsageError(
            "several servers need one operator's token, by which each answers for all: give all of them the same by "
            "PYCORE_OPERATOR_TOKEN"
        )
    return bus_of(options.bus)


def serve(
    options: Options,
    settings: Mapping[str, Any],
    site: Path | None,
    seats: int,
    bound: Any,
    ready: Callable[[str], None],
    recruiting: Mapping[str, Any],
) -> None:
    """Run the relay on a bound socket until SIGINT or SIGTERM; `ready` is told its address. `recruiting`: what the
    study says of it."""
    from pycore.relay import serve as serving
    from pycore.relay.people.admission import read_subjects
    from pycore.relay.serve import bind
    from pycore.relay.storage.standing import in_file

    in_file(options.database)
    bus = bus_for(options)
    log_to_terminal(options)
    level = logging.getLevelName(logging.getLogger().level).lower()
    beside = None if options.metrics_address is None else bind(*place_of(options.metrics_address))
    try:
        app = create_app(
            database=options.database,
            settings=settings,
            site=site,
            seats=seats,
            turn=options.turn,
            seed=options.seed,
            limits=options.limits,
            origins=options.origins or None,
            operator_token=options.operator_token,
            log_subjects=options.log_subjects,
            recruiting={**recruiting, **({"matcher": options.matcher} if options.matcher else {})},
            subjects=None if options.subjects is None else read_subjects(options.subjects),
            join_secret=options.join_secret,
            bus=bus,
            alarm_url=options.alarm_url,
        )
        level = "info" if level == "info" else "warning"
        serving.run(app, bound, ready=ready, log_level=level, beside=beside, drain_s=options.drain_s)
        Console(highlight=False).print("pycore relay ended")
    finally:
        bound.close()
        if beside is not None:
            beside.close()
