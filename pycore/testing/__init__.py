"""Whole meshes in virtual time, with an oracle: for pycore's own tests and for those of its users."""

from pycore.testing.games import Walk
from pycore.testing.mesh import Conditions, Mesh, Peer
from pycore.testing.oracle import Truth, ground_truth, wrong_with

__all__ = ["Conditions", "Mesh", "Peer", "Truth", "Walk", "ground_truth", "wrong_with"]
