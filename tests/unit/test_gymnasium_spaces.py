"""Against gymnasium itself: whatever `space.sample()` gives is played, and an environment is given what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_action_spaces import same

from pycore import Settings, action_codec, space_of
from pycore.actions.codec import default_of
from pycore.errors import ConfigError
from pycore.relay.settings import check_settings

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed: nothing is compared with its spaces")
numpy = pytest.importorskip("numpy")
of = gymnasium.spaces

SPACES = {
    "discrete": lambda: of.Discrete(6),
    "discrete, start": lambda: of.Discrete(3, start=-1),
    "discrete, large": lambda: of.Discrete(100_000),
    "multi_discrete": lambda: of.MultiDiscrete([3, 5]),
    "multi_discrete, shape": lambda: of.MultiDiscrete(numpy.array([[2, 3], [4, 1]]), start=[[0, 1], [-2, 7]]),
    "multi_discrete, dtype": lambda: of.MultiDiscrete([3, 5], dtype=numpy.int16),
    "multi_binary": lambda: of.MultiBinary(5),
    "multi_binary, shape": lambda: of.MultiBinary([2, 3]),
    "box": lambda: of.Box(-1, 1, (3,)),
    "box, double": lambda: of.Box(-0.1, 0.1, (2, 2), numpy.float64),
    "box, half": lambda: of.Box(-3, 3, (2,), numpy.float16),
    "box, by element": lambda: of.Box(numpy.array([-0.1, 0.0], "f4"), numpy.array([0.3, 5.0], "f4")),
    "box, unbounded": lambda: of.Box(-numpy.inf, numpy.inf, (4,)),
    "box, half bounded": lambda: of.Box(numpy.array([-numpy.inf, 1.5], "f4"), numpy.array([2.5, numpy.inf], "f4")),
    "box, widest": lambda: of.Box(numpy.finfo("f4").min, numpy.finfo("f4").max, (2,)),
    "box, bytes": lambda: of.Box(0, 255, (3, 3), numpy.uint8),
    "box, integers": lambda: of.Box(-5, 7, (2,), numpy.int32),
    "box, wide integers": lambda: of.Box(-(2**63), 2**63 - 2, (2,), numpy.int64),
    "box, no shape": lambda: of.Box(-1, 1, ()),
    "text": lambda: of.Text(8),
    "text, charset": lambda: of.Text(5, min_length=0, charset=frozenset("ñ\"\\🙂a")),
    "tuple": lambda: of.Tuple((of.Discrete(3), of.Box(0, 1, (2,)))),
    "dict": lambda: of.Dict({"move": of.Box(-1, 1, (2,)), "jump": of.Discrete(2), "b": of.MultiBinary(2)}),
    "dict, integers as keys": lambda: of.Dict({3: of.Discrete(2), 1: of.Discrete(3)}),
    "dict, in order": lambda: of.Dict([("z", of.Discrete(2)), ("a", of.Box(0, 1, (1,)))]),
    "nested": lambda: of.Tuple(
        (of.Text(3), of.Dict(x=of.Box(-9, 9, (1, 2)), y=of.Tuple((of.MultiDiscrete([2, 2]), of.Discrete(9)))))
    ),
}


def as_sample(value: Any) -> Any:
    """A sample, with the ints that pycore gives for numpy's, and with its one zero."""
    if isinstance(value, numpy.ndarray):
        return numpy.asarray(value + 0) if value.dtype.kind == "f" else value
    if isinstance(value, numpy.integer):
        return int(value)
    if isinstance(value, tuple):
        return tuple(as_sample(part) for part in value)
    if isinstance(value, dict):
        return {key: as_sample(part) for key, part in value.items()}
    return str(value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_sample_is_played_as_it_is(name: str, seed: int) -> None:
    """With its types, dtypes, shapes and the order of its keys; as JSON it comes back to the same bytes."""
    space = SPACES[name]()
    codec = action_codec(space)
    space.seed(seed)
    sample = space.sample()
    encoded = codec.encode(sample)
    decoded = codec.decode(encoded)
    assert same(decoded, as_sample(sample))
    assert space.contains(decoded)
    assert codec.size in (None, len(encoded))
    assert codec.encode(json.loads(json.dumps(codec.to_json(decoded)))) == encoded


@pytest.mark.parametrize("name", SPACES)
def test_the_plain_form_has_the_same_actions(name: str) -> None:
    """Which is what a page has of it; its default action is in the space."""
    space = SPACES[name]()
    carried = check_settings({"action_space": space, "seats": [{"action_space": space}]})
    plain = space_of(space)
    assert json.loads(json.dumps(plain)) == plain == carried["action_space"] == carried["seats"][0]["action_space"]
    codec, other = action_codec(space), action_codec(Settings.of(carried).action_space)
    space.seed(4)
    for _ in range(20):
        sample = space.sample()
        assert codec.encode(sample) == other.encode(sample)
    assert space.contains(codec.decode(default_of(codec, None)))


def test_a_space_without_a_fixed_form_is_refused_with_a_way_out() -> None:
    """Sequence, Graph and OneOf, wherever they are."""
    sequence = of.Sequence(of.Discrete(3))
    with pytest.raises(ConfigError, match=r"action_space is a Sequence, .* a tuple of as many as there may be"):
        space_of(sequence)
    with pytest.raises(ConfigError, match=r"action_space.a\[1\] is a Sequence"):
        Settings(action_space=of.Dict(a=of.Tuple((of.Discrete(2), sequence))))
    with pytest.raises(ConfigError, match=r"is a Graph, .* boxes of as many nodes"):
        space_of(of.Graph(of.Discrete(2), None))
    if hasattr(of, "OneOf"):
        with pytest.raises(ConfigError, match=r"is a OneOf, .* says which one counts"):
            space_of(of.OneOf((of.Discrete(2), of.Discrete(3))))
    with pytest.raises(ConfigError, match="there are up to 8000 elements"):
        space_of(of.Box(0, 255, (84, 84, 3), numpy.uint8))


def test_numbers_of_numpy_are_settings() -> None:
    """As a notebook has them, where a frame rate is divided out of an array."""
    numbers = {"fps": numpy.int64(20), "dropped_after": numpy.float32(5), "max_steps": numpy.int8(9)}
    settings = Settings(p2p=numpy.bool_(False), **numbers)
    assert settings == Settings(fps=20, dropped_after=5.0, p2p=False, max_steps=9)
    assert json.dumps(settings.as_dict())


def test_a_dictionary_that_says_its_type_is_one_whatever_its_class_is_called() -> None:
    class Box(dict[str, Any]):
        """As python-box has it."""

    assert space_of(Box(type="discrete", n=3)) == {"type": "discrete", "n": 3}
    named = of.Dict({"type": of.Discrete(3)})
    assert space_of(named) == {"type": "dict", "spaces": {"type": {"type": "discrete", "n": 3}}}
