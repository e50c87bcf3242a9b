"""How a command tells what went wrong."""

from __future__ import annotations

import errno
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import IO, ParamSpec, TypeVar

import click

from pycore.cli.spelled import spelled
from pycore.errors import PycoreError, described, where_raised
from pycore.relay import missing_extra

P = ParamSpec("P")
R = TypeVar("R")

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
"""A disk that is full, or may not be written to."""
NO_PLACE = frozenset(
    (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)
)
"""A path that was given, and where nothing can be, or is."""
DATABASE = "sqlite:///pycore.db"
"""Where the relay stores unless it is told otherwise."""


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Errors of this package, and of what the researcher wrote, become one sentence and exit status 2: no traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with _ending_in_order():
                return command(*args, **kwargs)
        except Terminated as error:
            # Whoever asked for the end sees that it came by that, as if nobody had noticed.
            with suppress(OSError):
                sys.stdout.flush()
            signal.raise_signal(error.number)
            raise SystemExit(128 + error.number) from error
        except PycoreError as error:
            raise Mistake(str(error)) from error
        except KeyboardInterrupt as error:
            # What libraries left half done says so when it is collected, which helps nobody here.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            raise Stopped("stopped by Ctrl-C before it was done") from error
        except Exception as error:
            # What a researcher's own file raises is not a fault of ours, whichever command called it.
            if place := where_raised(error, own=True):
                raise Mistake(f"{described(error)} ({place}); mend it, and try again") from error
            if isinstance(error, ModuleNotFoundError):
                raise Mistake(str(missing_extra(error))) from error
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                # A traceback's status is 1, which is a verdict: that something differs, or does not hold.
                where = f"{error.filename}: " if error.filename else ""
                found = f"cannot write: {where}{error.strerror}"
                raise Mistake(f"{found}; make room or write elsewhere, and try again") from error
            if isinstance(error, OSError) and error.errno in NO_PLACE and error.filename:
                raise Mistake(f"{error.filename}: {error.strerror}; name another place, and try again") from error
            raise

    return run


class Terminated(KeyboardInterrupt):
    """The process was asked to end by a signal. A kind of Ctrl-C, which event loops let pass: of another exception in a
    callback or a task they make a line of the log, and go on."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is done meanwhile as Ctrl-C does: what is half done is removed, and who was started
    for it ends, too. A second one ends the process at once; what was ignored, as `nohup` has it, stays so. Servers
    listen to signals themselves while they run."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

    def end(number: int, frame: object) -> None:
        for each in asked:
            signal.signal(each, signal.SIG_DFL)
        raise Terminated(number)

    main = threading.current_thread() is threading.main_thread()  # signals are its alone
    asked = [number for number in numbers if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in asked:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in asked:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM is as Ctrl-C meanwhile: what has been done so far is told."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Mistake(click.ClickException):
    """A mistake in what was asked."""

    exit_code = 2

    def format_message(self) -> str:
        """What went wrong; names and texts in it may be a stranger's."""
        return spelled(self.message, "\n")


class Stopped(click.ClickException):
    """Ctrl-C: the shell's own status for it, so that no script takes it for a verdict."""

    exit_code = 130

    def show(self, file: IO[str] | None = None) -> None:
        """Without the word Error: nothing is wrong."""
        click.echo(f"\n{self.message}", err=True, file=file)
