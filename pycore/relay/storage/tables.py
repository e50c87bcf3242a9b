"""The tables of the database, as the newest version has them; scripts in `migrations` make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from pycore.relay.games.outcomes import LASTING

_tables = sa.MetaData()

games = sa.Table(
    "games",
    _tables,
    sa.Column("game_id", sa.String(64), primary_key=True),
    sa.Column("started", sa.Float, nullable=False, comment="Unix time, s"),
    sa.Column("ended", sa.Float, comment="Unix time, s; null: going on, or the relay was stopped"),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("players", sa.Text, nullable=False, comment="JSON: player ids by seat"),
    sa.Column("subjects", sa.Text, nullable=False, comment="JSON: subject id by player id"),
    sa.Column("settings", sa.Text, nullable=False, comment="JSON"),
    sa.Column("counts", sa.Text, comment="JSON: what crossed the relay; written at the end"),
    sa.Column("restarts", sa.Integer, nullable=False, server_default="0", comment="how often a process took it up"),
    sa.Column(
        "number", sa.BigInteger, nullable=False, server_default="0",
        comment="grows from game to game: when it began, ms, or one more than that of the last one, if that is later",
    ),
)

begun = sa.case((games.c.number > 0, games.c.number), else_=games.c.started * 1000)
"""The order in which games began: a process of an earlier version, beside those of this one, gives them no number."""

seats = sa.Table(
    "seats",
    _tables,
    sa.Column("game_id", sa.String(64), primary_key=True),
    sa.Column("player", sa.String(128), primary_key=True),
    sa.Column("session", sa.String(64), nullable=False, comment="SHA-256 of the session id, which is a secret"),
    sa.Column("page", sa.String(64), comment="SHA-256 of what the load of its page is known by"),
    sa.Column("loads", sa.Integer, nullable=False, server_default="0", comment="how often its page was loaded again"),
    sa.Column("gone", sa.Text, comment="JSON: how the others were told that the player is gone; null: it is not"),
    sa.Column("waited_s", sa.Float, comment="for how long the game was waited for, s"),
    sa.Column("outcome", sa.String(32), comment="what the game came to; null: not known"),
    sa.Column("load", sa.Integer, nullable=False, server_default="0", comment="which load of its page has it, from 0"),
    sa.Index("seats_of_a_session", "session"),
)


def outcome_behind(new: str | None) -> Any:
    """What becomes of a seat's outcome when its game is written: one that lasts stays, unless another one that lasts
    comes. The process that has the game need not have heard yet what another one has written down."""
    lasts = seats.c.outcome.in_(LASTING)
    return new if new in LASTING else sa.case((lasts, seats.c.outcome), else_=sa.literal(new, sa.String(32)))


def outcome_of_seat(decided: Mapping[str, Any], stands: Mapping[str, Any]) -> Any:
    """What a game came to for a seat, of rows of the outcomes: with what its person was sent on for it, if that was
    done; otherwise what was decided."""
    of = "game_id", "player"
    return (stands if all(stands[name] == decided[name] for name in of) else decided)["outcome"]


outcomes = sa.Table(
    "outcomes",
    _tables,
    sa.Column("person", sa.String(64), primary_key=True, comment="SHA-256 of the subject id, or of the session id"),
    sa.Column("subject", sa.Text, comment="subject id"),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("waited_s", sa.Float, nullable=False, comment="for how long a game was waited for, s"),
    sa.Column("decided", sa.Float, nullable=False, comment="Unix time, s"),
    sa.Column("game_id", sa.String(64), comment="null: there was none"),
    sa.Column("player", sa.String(128)),
    sa.Column("final", sa.Boolean, nullable=False, comment="it was sent on with it, and gets no other one"),
)

metrics = sa.Table(
    "session_metrics",
    _tables,
    sa.Column("game_id", sa.String(128), primary_key=True),
    sa.Column("player", sa.String(128), primary_key=True),
    sa.Column("episode", sa.Integer, primary_key=True, comment="-1: the whole session"),
    sa.Column("received", sa.Float, nullable=False),
    sa.Column("data", sa.Text, nullable=False, comment="JSON as it came"),
    sa.Column("so_far", sa.Boolean, nullable=False, server_default=sa.false(), comment="the episode went on"),
    sa.Column("load", sa.Integer, comment="which load of its page said it, from 0; null: it does not say"),
)

pieces = sa.Table(
    "pieces",
    _tables,
    sa.Column("game_id", sa.String(128), primary_key=True),
    sa.Column("player", sa.String(128), primary_key=True),
    sa.Column("episode", sa.Integer, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, comment="how often what was stored was taken back before"),
    sa.Column("first", sa.Integer, primary_key=True, comment="the frame of the first row"),
    sa.Column("base", sa.Integer, nullable=False, comment="earlier revisions count up to this frame only"),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("last", sa.Boolean, nullable=False, comment="the end of the episode is behind the rows"),
    sa.Column("received", sa.Float, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False, comment="UTF-8 of lines: the trajectory's first, rows, end"),
)

records = sa.Table(
    "records",
    _tables,
    sa.Column("game_id", sa.String(128), primary_key=True),
    sa.Column("player", sa.String(128), primary_key=True),
    sa.Column("episode", sa.Integer, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("received", sa.Float, nullable=False),
    # Bytes, since text in PostgreSQL cannot hold U+0000 and the lines must come back as they were sent.
    sa.Column("data", sa.LargeBinary, nullable=False, comment="UTF-8 of the canonical trajectory's lines"),
)

experienced = sa.Table(
    "experienced",
    _tables,
    sa.Column("game_id", sa.String(128), primary_key=True),
    sa.Column("player", sa.String(128), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("last", sa.Boolean, nullable=False, comment="there is no part behind it"),
    sa.Column("received", sa.Float, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False, comment="UTF-8 of the experienced record's lines"),
)

connections = sa.Table(
    "connections",
    _tables,
    sa.Column("game_id", sa.String(128), primary_key=True),
    sa.Column("player", sa.String(128), primary_key=True),
    sa.Column("remote", sa.String(128), primary_key=True, comment="'' unless the report names its link"),
    sa.Column("received", sa.Float, nullable=False),
    sa.Column("data", sa.Text, nullable=False, comment="JSON"),
)


processes = sa.Table(
    "processes",
    _tables,
    sa.Column("process", sa.String(64), primary_key=True),
    sa.Column("until", sa.Float, nullable=False, comment="it lives until then: Unix s, the database's clock"),
)

leases = sa.Table(
    "leases",
    _tables,
    sa.Column("name", sa.String(64), primary_key=True, comment="a game's id, or `waiting`"),
    sa.Column("process", sa.String(64), nullable=False, comment="who owns it, as long as it lives"),
    sa.Column("generation", sa.Integer, nullable=False, comment="grows whenever another process takes it"),
)

study = sa.Table(
    "study",
    _tables,
    sa.Column("name", sa.String(64), primary_key=True, comment="`door`: whether new games begin"),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, comment="grows whenever somebody says it anew"),
)

waiting = sa.Table(
    "waiting",
    _tables,
    sa.Column("session", sa.String(64), primary_key=True, comment="SHA-256 of the session id, which is a secret"),
    sa.Column("since", sa.Float, nullable=False, comment="it waits since then: Unix s, the database's clock"),
)
