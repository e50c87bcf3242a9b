"""Every error that pycore raises: one base class, and below it whose fault it was.

`UsageError`: the caller did something wrong. `PeerError`: a peer sent what it may not send; only the
decoders and the taking in of messages raise it, and the session turns it into news instead of passing
it on. `EnvironmentUnfit`: an environment cannot do what a rollback needs.

Each class has a stable `code`, which the JavaScript side shows and the server stores.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


def described(error: BaseException) -> str:
    """An exception's type and text in one line, also of one that cannot say its text."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def in_words(error: BaseException) -> str:
    """What an exception says, or what it is called where it says nothing, as a time that is over."""
    return str(error) or type(error).__name__


def nearest(name: object, known: Iterable[str]) -> str:
    """What to say after an unknown name: the one that was probably meant, or all."""
    import difflib  # seldom needed, and a page should not wait for it

    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"


def where_raised(error: BaseException, *, own: bool = False) -> str:
    """The line that an exception comes from, as ``environment.py:19``: the innermost one of the user's own files.

    Where it went through none, the innermost one of an installed package that is not pycore, as an environment may be,
    but with `own` none. Empty if there is no such line.
    """
    pycore, library = (os.path.dirname(os.path.abspath(str(of.__file__))) for of in (sys.modules[__name__], os))
    users = installed = ""
    at = error.__traceback__
    while at is not None:
        path = os.path.abspath(at.tb_frame.f_code.co_filename)
        line = f"{os.path.basename(path)}:{at.tb_lineno}"
        if path.startswith(pycore + os.sep) or line.startswith("<"):
            pass
        elif "site-packages" in path:
            installed = line
        elif not path.startswith(library + os.sep):
            users = line
        at = at.tb_next
    return users if own else users or installed


class PycoreError(Exception):
    """Base of all errors of this package."""

    code = "pycore"


class UsageError(PycoreError):
    """The caller broke a rule of the interface: the message says which, and what to do."""

    code = "usage"


class ConfigError(UsageError):
    """A setting is out of its range or does not fit the others."""

    code = "config"


class ActionError(UsageError):
    """An action is not in the action space of the session."""

    code = "action"


class ActionTooLarge(ActionError):
    """An action is longer than a datagram has room for."""

    code = "action-too-large"


class CanonicalError(UsageError):
    """A value has no canonical form. `path` names the place, as in ``$.players[2].pos``."""

    code = "canonical"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class PeerError(PycoreError):
    """A peer sent something that the protocol does not allow."""

    code = "peer"


class DecodeError(PeerError):
    """Bytes from outside are not what they should be. The only error that decoders raise."""

    code = "decode"


class PolicyError(PycoreError):
    """A policy that plays a seat raised, or gave what is no action; the message says whose, and in which frame."""

    code = "policy"


class EnvironmentUnfit(PycoreError):
    """An environment lacks what a rollback needs; the message says what, and the way out."""

    code = "environment"
