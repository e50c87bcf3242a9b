"""Environments as simulations, and whether they can be rolled back."""

from pycore.envs.adapter import RNGS, ParallelEnvAdapter

__all__ = ["RNGS", "ParallelEnvAdapter"]
