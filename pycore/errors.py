"""Every error that pycore raises: one base class, and below it whose fault it was.

`UsageError`: the caller did something wrong. `PeerError`: a peer sent what it may not send; only the
decoders and the taking in of messages raise it, and the session turns it into news instead of passing
it on. `EnvironmentUnfit`: an environment cannot do what a rollback needs.

Each class has a stable `code`, which the JavaScript side shows and the server stores.
"""

from __future__ import annotations


def described(error: BaseException) -> str:
    """An exception's type and text in one line, also of one that cannot say its text."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


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
