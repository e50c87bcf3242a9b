"""What `pycore relay` and `pycore serve` have in common: the options of the relay, and its running."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
from rich.console import Console

from pycore.cli.spelled import SpelledFormatter
from pycore.cli.told import DATABASE
from pycore.relay import create_app

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all."),
    click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."),
    click.option(
        "--database", default=DATABASE, show_default=True, help="SQLAlchemy URL: SQLite or PostgreSQL.", metavar="URL"
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
    click.option("-v", "--verbose", is_flag=True, help="Log what the server does."),
)  # fmt: skip


class Options(NamedTuple):
    """What the options above say."""

    host: str
    port: int
    database: str
    seed: int | None
    origins: tuple[str, ...]
    turn_urls: tuple[str, ...]
    turn_secret: str | None
    turn_ttl: float
    force_relay: bool
    operator_token: str | None
    verbose: bool

    @classmethod
    def given(cls, **options: Any) -> Options:
        """The options of a call, with an operator's token in any case. Raises UsageError."""
        from pycore.relay.operator import check_token

        token = check_token(options.pop("operator_token") or secrets.token_urlsafe(18))
        return cls(**options, operator_token=token)

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


def relay_options(command: Command) -> Command:
    """Give a command the options; it takes them as keywords, for `Options`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def watched(options: Options, address: str) -> str:
    """The line that says where the running games are seen; the token is behind the #, which no server is sent."""
    return f"  watch     {address}watch/#token={options.operator_token}"


def shown(database: str) -> str:
    """A database's URL without its password."""
    from sqlalchemy import make_url

    return make_url(database).render_as_string(hide_password=True)


def serve(
    options: Options,
    settings: Mapping[str, Any],
    site: Path | None,
    seats: int,
    bound: Any,
    ready: Callable[[str], None],
) -> None:
    """Run the relay on a bound socket until SIGINT or SIGTERM; `ready` is told its address."""
    from pycore.relay import serve as serving

    handler = logging.StreamHandler()
    handler.setFormatter(SpelledFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, handlers=[handler])
    try:
        app = create_app(
            database=options.database,
            settings=settings,
            site=site,
            seats=seats,
            turn=options.turn,
            seed=options.seed,
            origins=options.origins or None,
            operator_token=options.operator_token,
        )
        serving.run(app, bound, ready=ready, log_level="info" if options.verbose else "warning")
        Console(highlight=False).print("pycore relay ended")
    finally:
        bound.close()
