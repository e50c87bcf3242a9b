"""Environments as simulations, and whether they can be rolled back."""

from pycore.envs.adapter import ParallelEnvAdapter
from pycore.envs.generators import RNGS

__all__ = ["RNGS", "ParallelEnvAdapter"]
