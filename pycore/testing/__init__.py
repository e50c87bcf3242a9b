"""Whole meshes in virtual time, with an oracle: for pycore's own tests and for those of its users."""

from pycore.costs import Costs
from pycore.testing.games import Walk
from pycore.testing.mesh import Mesh
from pycore.testing.network import Network
from pycore.testing.oracle import Truth, ground_truth, wrong_with
from pycore.testing.pages import Page, Watcher
from pycore.testing.scenario import Happening, Scenario
from pycore.testing.server import Server
from pycore.testing.standing import Judge, Standing
from pycore.testing.ways import Conditions, Way

__all__ = [
    "Conditions", "Costs", "Happening", "Judge", "Mesh", "Network", "Page", "Scenario", "Server", "Standing", "Truth",
    "Walk", "Watcher", "Way", "ground_truth", "wrong_with",
]  # fmt: skip
