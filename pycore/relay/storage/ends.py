"""Which ends of sessions count, by what is stored: of each player that of the newest load of its page.

A page stores the metrics of its whole session, with why that ended, when it is over. One that was dropped may come back
as another load of itself, and plays on: what the load before had said is then the end of nothing, also where the new
one goes away without a word. Which load is the newest one stands in the seat: `load`, not `loads`, since a number is
written down before a page is given it, and it may never be. Of which load metrics are, they say themselves. What does
not say it counts: pages that never come back have stored it.

What a visit came to may last whatever is loaded then, as `completed` does: its end counts, whichever load stored it.

A room in memory goes by the same law (`Room.finish`).
"""

from __future__ import annotations

import sqlalchemy as sa

from pycore.relay.games.outcomes import LASTING
from pycore.relay.games.uploads import WHOLE
from pycore.relay.storage.store import metrics, seats

_own = seats.alias()
_of = sa.and_(_own.c.game_id == metrics.c.game_id, _own.c.player == metrics.c.player)
_newest = sa.select(_own.c.load).where(_of)
_lasts = sa.exists().where(_of, _own.c.outcome.in_(LASTING)).correlate(metrics)

is_end = sa.and_(
    metrics.c.episode == WHOLE,
    sa.or_(
        metrics.c.load.is_(None),
        metrics.c.load >= sa.func.coalesce(_newest.correlate(metrics).scalar_subquery(), 0),
        _lasts,
    ),
)
"""Of a row of the metrics: that it has the end of its player's session. True of one at most for each."""
