"""Published environments as they are, over a bad network; `python -m tests.trial` tries them all."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.trial.played import played
from tests.trial.published import PUBLISHED, identifier, make

pytestmark = pytest.mark.slow

NAMES = (
    "pettingzoo rps_v2", "pettingzoo connect_four_v3", "pettingzoo leduc_holdem_v4", "lbforaging 8x8-2p-1f",
    "rware tiny-2ag", "gymnasium CartPole-v1",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_every_peers_record_is_the_ground_truth(name: str) -> None:
    """Without a line changed: by capture, with legal moves, lists of results and several episodes."""
    package = name.split()[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    came = played(name, 60)
    assert came["equal"], came
    assert came["frames"] >= 60
    assert came["seats"] == 1 or came["stepped again"] > 20
    assert came["hashes differed"] == 0


def test_every_published_environment_has_a_name_that_a_command_can_spell() -> None:
    assert len(PUBLISHED) >= 40
    assert len({identifier(name) for name in PUBLISHED}) == len(PUBLISHED)
    assert all(re.fullmatch(r"[A-Za-z]\w*", identifier(name)) for name in PUBLISHED)
    with pytest.raises(KeyError):
        make("nothing")
