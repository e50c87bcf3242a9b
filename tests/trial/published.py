"""Environments that others have published, by name: each is made by a function without arguments."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from typing import Any


def parallel(module: str, **given: Any) -> Any:
    return importlib.import_module(module).parallel_env(**given)


def turns(module: str, **given: Any) -> Any:
    return importlib.import_module(module).env(**given)


def gym(name: str, *modules: str) -> Any:
    gymnasium = importlib.import_module("gymnasium")
    for module in modules:
        importlib.import_module(module)
    return gymnasium.make(name)


def cogrid(name: str) -> Any:
    importlib.import_module("cogrid.envs")
    return importlib.import_module("cogrid.envs.registry").make(name)


def overcooked() -> Any:
    package = "overcooked_ai_py.mdp"
    world = importlib.import_module(f"{package}.overcooked_mdp").OvercookedGridworld.from_layout_name("cramped_room")
    module = importlib.import_module(f"{package}.overcooked_env")
    game = module.OvercookedEnv.from_mdp(world, horizon=400)
    return module.Overcooked(game, game.featurize_state_mdp)


MPE = (
    "simple_v3", "simple_adversary_v3", "simple_crypto_v3", "simple_push_v3", "simple_reference_v3",
    "simple_speaker_listener_v4", "simple_spread_v3", "simple_tag_v3", "simple_world_comm_v3",
)  # fmt: skip
CLASSIC = (
    "tictactoe_v3", "connect_four_v3", "chess_v6", "go_v5", "leduc_holdem_v4", "texas_holdem_v4",
    "texas_holdem_no_limit_v6", "hanabi_v5",
)  # fmt: skip
BUTTERFLY = ("knights_archers_zombies_v11", "cooperative_pong_v6", "pistonball_v6")
SISL = ("multiwalker_v9", "pursuit_v5")
GYM = (
    "CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Blackjack-v1",
    "FrozenLake-v1", "CliffWalking-v1", "Taxi-v4", "LunarLander-v3", "BipedalWalker-v3",
)  # fmt: skip
MINIGRID = (
    "MiniGrid-Empty-5x5-v0", "MiniGrid-DoorKey-5x5-v0", "MiniGrid-Dynamic-Obstacles-5x5-v0", "BabyAI-GoToObj-v0",
)  # fmt: skip
COGRID = ("Overcooked-CrampedRoom-V0", "SearchRescue-Test-V0")

PUBLISHED: dict[str, Callable[[], Any]] = {
    **{f"mpe2 {name}": functools.partial(parallel, f"mpe2.{name}") for name in MPE},
    **{
        f"mpe2 {name} continuous": functools.partial(parallel, f"mpe2.{name}", continuous_actions=True) for name in MPE
    },
    **{f"pettingzoo {name}": functools.partial(turns, f"pettingzoo.classic.{name}") for name in CLASSIC},
    "pettingzoo rps_v2": functools.partial(parallel, "pettingzoo.classic.rps_v2"),
    **{f"pettingzoo {name}": functools.partial(parallel, f"pettingzoo.butterfly.{name}") for name in BUTTERFLY},
    **{f"pettingzoo {name}": functools.partial(parallel, f"pettingzoo.sisl.{name}") for name in SISL},
    **{f"gymnasium {name}": functools.partial(gym, name) for name in GYM},
    **{f"minigrid {name}": functools.partial(gym, name, "minigrid") for name in MINIGRID},
    "lbforaging 8x8-2p-1f": functools.partial(gym, "Foraging-8x8-2p-1f-v3", "lbforaging"),
    "rware tiny-2ag": functools.partial(gym, "rware-tiny-2ag-v2", "rware"),
    **{f"cogrid {name}": functools.partial(cogrid, name) for name in COGRID},
    "overcooked-ai cramped_room": overcooked,
}
PACKAGES = (
    "gymnasium[classic-control]==1.4.0", "box2d==2.3.10", "pygame-ce==2.5.8", "pettingzoo==1.27.0", "mpe2==1.1.1",
    "pymunk==7.3.1", "scipy==1.18.1", "chess==1.11.2", "rlcard==1.2.0", "minigrid==3.2.0", "cogrid==0.3.2",
    "lbforaging==2.0.0", "rware==2.0.0", "overcooked-ai==1.1.0",
)  # fmt: skip
"""What they are in, for Python 3.12."""


_BY_IDENTIFIER = {re.sub(r"\W", "_", name): name for name in PUBLISHED}


def identifier(name: str) -> str:
    """The name as a command can spell it."""
    return re.sub(r"\W", "_", name)


def make(name: str) -> Any:
    """One of them, new."""
    return PUBLISHED[name]()


def __getattr__(name: str) -> Callable[[], Any]:
    if name not in _BY_IDENTIFIER:
        raise AttributeError(name)
    return PUBLISHED[_BY_IDENTIFIER[name]]
