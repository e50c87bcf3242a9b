"""pycore: a rollback core for Python environments in the browser.

The public interface: a `Session` of a `Simulation` under `Settings`, what its two calls hand out, its news and its
errors. Beside it are `pycore.envs` (environments as simulations), `pycore.records` (what a session leaves behind),
`pycore.testing` (whole meshes in virtual time), `pycore.values` (the canonical form) and `pycore.relay` (the server).
"""

from pycore.actions.codec import action_codec
from pycore.duties import (
    CHANNEL_CLOSED,
    CHANNEL_FAILED,
    CHANNEL_NEVER,
    EMIT,
    P2P,
    SEND,
    SEND_CHUNK,
    SOCKETIO,
    Output,
)
from pycore.errors import (
    ActionError,
    ActionTooLarge,
    CanonicalError,
    ConfigError,
    DecodeError,
    EnvironmentUnfit,
    PeerError,
    PolicyError,
    PycoreError,
    UsageError,
)
from pycore.events import (
    CaughtUp,
    Desync,
    DesyncReported,
    EpisodeEnded,
    Event,
    Log,
    PathChanged,
    PeerStatus,
    PhaseChanged,
    PlayerGone,
    Returned,
    SessionEnded,
)
from pycore.policy import Outlook, Policy, Predictor
from pycore.session.phases import BETWEEN, CONNECTING, DONE, FAILED, HOLDING, PHASE_NAMES, PLAYING, READYING
from pycore.session.session import Session
from pycore.session.tick import ON_HOLD, OVER, RESIMULATED, STALLED, STEPPED
from pycore.settings import MAX_SEATS, Settings
from pycore.simulation import Contents, Observing, Renderable, Resumable, Simulation, StepResult
from pycore.spaces import space_of
from pycore.version import __version__

__all__ = [
    "__version__",
    "Session", "Settings", "Predictor", "Policy", "Outlook", "MAX_SEATS", "space_of", "action_codec",
    "Simulation", "StepResult", "Renderable", "Resumable", "Observing", "Contents",
    "SEND", "SEND_CHUNK", "EMIT", "Output", "P2P", "SOCKETIO", "CHANNEL_NEVER", "CHANNEL_CLOSED", "CHANNEL_FAILED",
    "STEPPED", "RESIMULATED", "STALLED", "ON_HOLD", "OVER",
    "CONNECTING", "READYING", "PLAYING", "HOLDING", "BETWEEN", "DONE", "FAILED", "PHASE_NAMES",
    "Event", "Log", "PhaseChanged", "PathChanged", "EpisodeEnded", "SessionEnded", "Desync",
    "DesyncReported", "PeerStatus", "PlayerGone", "Returned", "CaughtUp",
    "PycoreError", "UsageError", "ConfigError", "ActionError", "ActionTooLarge", "CanonicalError", "PeerError",
    "DecodeError", "PolicyError", "EnvironmentUnfit",
]  # fmt: skip
