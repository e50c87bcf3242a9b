"""Environments as simulations, and whether they can be rolled back."""

from pycore.envs.adapter import ParallelEnvAdapter
from pycore.envs.generators import RNGS
from pycore.envs.interfaces import Interface, as_parallel, interface_of

__all__ = ["RNGS", "Interface", "ParallelEnvAdapter", "as_parallel", "interface_of"]
