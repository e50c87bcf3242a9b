"""What an environment is wrapped in."""

from __future__ import annotations

from collections.abc import Iterator

from pycore.audit.findings import Finding
from pycore.envs import ParallelEnvAdapter
from pycore.envs.chains import chain_of
from pycore.envs.wrappers import why_unfit

__all__ = ["findings_of_wrappers"]


def findings_of_wrappers(adapter: ParallelEnvAdapter) -> Iterator[Finding]:
    """Wrappers of which is known that they do not go with a rollback, by name."""
    for layer in chain_of(adapter.view.env):
        why = why_unfit(layer)
        if why is not None:
            yield Finding("wrapper", "risk", f"it is inside of {type(layer).__name__}: {why}", "leave that wrapper out")
