"""What `pycore data` does to a database as a whole: copies it, and forgets a subject."""

from __future__ import annotations

import time
from pathlib import Path

from pycore.cli.spelled import say
from pycore.errors import UsageError


def keep_copy(database: str, target: Path) -> None:
    """Copy a database, and say how large the copy is."""
    from pycore.relay.storage.backup import back_up

    size = back_up(database, target)
    say(f"{target}: {size / 1e6:.1f} MB, whole and checked; it has subject ids as the database has")


def forget_subject(database: str, subject: str, *, whole: bool, stopped: bool, yes: bool) -> None:
    """Say what is stored of a subject, and with `yes` remove it. Raises `UsageError`."""
    from pycore.relay.storage.forgetting import HELD_S, UNENDED_S, forget, traces_of
    from pycore.relay.storage.store import DataStore

    store = DataStore(database, create=False)
    try:
        found = traces_of(store, subject, time.time(), whole=whole)
        for trace in found.traces:
            began = time.strftime("%Y-%m-%d %H:%M", time.gmtime(trace.started))
            rows = ", ".join(f"{count} of {name}" for name, count in trace.rows.items()) or "nothing stored"
            say(f"{trace.game_id}  {began} UTC  player {trace.player}: {rows}")
        for name, count in found.others.items():
            say(f"{name}: {count}")
        held = [trace for trace in found.traces if trace.held]
        if not yes:
            what = "these games with all that anybody stored" if whole else "these, and who the player was,"
            say(f"nothing was changed; with --yes {what} would be removed")
            return
        if held and not stopped:
            raise UsageError(
                f"game {held[-1].game_id} goes on, or did within the last {HELD_S / 60:.0f} minutes, as far as the "
                f"database knows (nobody has written down its end: {UNENDED_S / 3600:.0f} hours), so a server may "
                "have it in its memory and write it down again; nothing was changed. Do it later, or stop the server "
                "and add --stopped"
            )
        forget(store, subject, found, whole=whole)
        say(f"removed, of {len({trace.game_id for trace in found.traces})} games; copies and exports still have it")
    finally:
        store.close()
