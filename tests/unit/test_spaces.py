"""The plain form of action spaces: the same for the same space, whoever spelled it, and carried by JSON."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import action_spaces
import pytest
from hypothesis import given

from pycore import Settings, space_of
from pycore.errors import ConfigError
from pycore.spaces import DEEPEST, integer
from pycore.values import canonical


def through_javascript(value: Any) -> Any:
    """As `JSON.stringify(JSON.parse(…))` leaves it: one kind of number, and keys that are integers first."""
    if type(value) is float and value % 1 == 0 and abs(value) < 1e21:
        return int(value)
    if isinstance(value, list):
        return [through_javascript(part) for part in value]
    if isinstance(value, dict):
        first = sorted((key for key in value if key.isdecimal() and str(int(key)) == key), key=int)
        order = [*first, *(key for key in value if key not in first)]
        return {key: through_javascript(value[key]) for key in order}
    return value


@given(space=action_spaces.spaces)
def test_the_plain_form_is_its_own_and_survives_javascript(space: dict[str, Any]) -> None:
    """Whoever reads it back has the same one, to the byte of what peers compare."""
    assert canonical.encode(space_of(space)) == canonical.encode(space)
    carried = through_javascript(json.loads(json.dumps(space, allow_nan=False)))
    assert canonical.encode(space_of(carried)) == canonical.encode(space)


PLAIN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "discrete", "n": 6, "start": 0}, {"type": "discrete", "n": 6}),
    ({"type": "multi_discrete", "nvec": (2, 3), "start": [0, 0]}, {"type": "multi_discrete", "nvec": [2, 3]}),
    ({"type": "multi_binary", "n": (4,)}, {"type": "multi_binary", "n": 4}),
    (
        {"type": "box", "low": [-1.0, -math.inf], "high": math.inf},
        {"type": "box", "shape": [2], "dtype": "float32", "low": [-1, None]},
    ),
    (
        {"type": "box", "low": 0.1, "high": 1, "shape": (1,)},
        {"type": "box", "shape": [1], "dtype": "float32", "low": 0.10000000149011612, "high": 1},
    ),
    (
        {"type": "box", "low": 0, "high": 255, "shape": [2], "dtype": "uint8"},
        {"type": "box", "shape": [2], "dtype": "uint8"},
    ),
    (
        {"type": "box", "low": [-(2**63), -(2**60)], "high": "9223372036854775806", "dtype": "int64"},
        {"type": "box", "shape": [2], "dtype": "int64", "low": [None, str(-(2**60))], "high": "9223372036854775806"},
    ),
    ({"type": "text", "max_length": 3, "charset": "baab"}, {"type": "text", "max_length": 3, "charset": "ab"}),
    (
        {"type": "dict", "spaces": {"b": {"type": "discrete", "n": 2}, "a": {"type": "discrete", "n": 3}}},
        {"type": "dict", "spaces": {"a": {"type": "discrete", "n": 3}, "b": {"type": "discrete", "n": 2}}},
    ),
    (
        {"type": "dict", "spaces": [["b", {"type": "discrete", "n": 2}], [1, {"type": "discrete", "n": 3}]]},
        {"type": "dict", "spaces": [["b", {"type": "discrete", "n": 2}], [1, {"type": "discrete", "n": 3}]]},
    ),
]


@pytest.mark.parametrize(("space", "plain"), PLAIN)
def test_what_says_nothing_is_left_out(space: dict[str, Any], plain: dict[str, Any]) -> None:
    """Limits are rounded to the dtype, as the environment has them; keys are sorted, as gymnasium sorts them."""
    assert json.dumps(space_of(space)) == json.dumps(plain)


REFUSED: list[tuple[Any, str]] = [
    (6, "action_space is 6; give a space of gymnasium, or a dictionary"),
    ({"n": 6}, "action_space has no type; known are 'discrete'"),
    ({"type": "Discrete", "n": 6}, "the type is 'Discrete'; did you mean 'discrete'"),
    ({"type": "MultiBinary", "n": 6}, "did you mean 'multi_binary'"),
    ({"type": "Sequence"}, "a sequence space, whose actions have no fixed form; give a tuple"),
    ({"type": "OneOf"}, "a one_of space, .* give a dict of all"),
    ({"type": "tuple", "spaces": [{"type": "graph"}]}, r"action_space\[0\] is a graph space"),
    ({"type": "discrete"}, "a discrete space needs n"),
    ({"type": "discrete", "n": 0}, "action_space.n is 0; it must be an int from 1"),
    ({"type": "discrete", "n": True}, "action_space.n is True"),
    ({"type": "discrete", "n": 6.0}, "action_space.n is 6.0"),
    ({"type": "discrete", "n": 6, "strat": 1}, "a space of type discrete has no 'strat'; it has n, start"),
    ({"type": "discrete", "n": 6, "start": 2**53}, "action_space.start"),
    ({"type": "any", "n": 6}, "a space of type any has no 'n'"),
    ({"type": "multi_discrete"}, "needs nvec"),
    ({"type": "multi_discrete", "nvec": [2, [3]]}, "nvec"),
    ({"type": "multi_discrete", "nvec": [2, 0]}, "nvec is 0"),
    ({"type": "multi_discrete", "nvec": [2, 2], "start": [1]}, "start has .* where a list of 2"),
    ({"type": "multi_discrete", "nvec": [200], "dtype": "int8"}, "200 actions from 0 on do not fit int8"),
    ({"type": "multi_discrete", "nvec": [2], "dtype": "float32"}, "dtype is float32"),
    ({"type": "multi_binary"}, "action_space.n is None"),
    ({"type": "multi_binary", "n": [100, 100]}, "up to 8000 elements"),
    ({"type": "box"}, "needs its shape"),
    ({"type": "box", "shape": 3}, r"it must be a list, \[3\]"),
    ({"type": "box", "shape": [10**9, 10**9]}, "shape"),
    ({"type": "box", "shape": [2], "dtype": "complex64"}, "dtype is 'complex64'; known are float16"),
    ({"type": "box", "shape": [2], "low": "a"}, "low is 'a'; it must be a number, or null"),
    ({"type": "box", "shape": [2], "low": math.nan}, "low is nan"),
    ({"type": "box", "shape": [2], "low": math.inf}, "low is inf"),
    ({"type": "box", "shape": [2], "low": 2, "high": 1}, "low is 2 where high is 1"),
    ({"type": "box", "shape": [2], "high": 1e39}, "does not fit float32"),
    ({"type": "box", "shape": [2], "high": 1.5, "dtype": "int8"}, "integers as limits"),
    ({"type": "box", "shape": [2], "high": 300, "dtype": "uint8"}, "does not fit uint8"),
    ({"type": "box", "shape": [2], "high": 2**63, "dtype": "int64"}, "does not fit int64"),
    ({"type": "text"}, "needs max_length"),
    ({"type": "text", "max_length": 2, "min_length": 3}, "min_length is 3"),
    ({"type": "text", "max_length": 2, "charset": ""}, "charset has no character"),
    ({"type": "text", "max_length": 2, "charset": ["ab"]}, "'ab', which is no character"),
    ({"type": "text", "max_length": 2, "charset": "\ud800"}, "which is no character"),
    ({"type": "text", "max_length": 2, "charset": 5}, "charset is 5"),
    ({"type": "tuple", "spaces": {}}, "must be a list of spaces"),
    ({"type": "dict", "spaces": {"a": 5}}, "action_space.a is 5"),
    ({"type": "dict", "spaces": {"a b": 5}}, r"action_space\['a b'\] is 5"),
    ({"type": "dict", "spaces": {(1, 2): {"type": "any"}}}, "keys are texts or integers"),
    ({"type": "dict", "spaces": {True: {"type": "any"}}}, "keys are texts or integers"),
    ({"type": "dict", "spaces": [["1", {"type": "multi_binary", "n": 1}], [1, 5]]}, "two keys that are '1' in JSON"),
    ({"type": "dict", "spaces": [["a"]]}, "a list of pairs"),
    ({"type": "dict", "spaces": {"a": {"type": "any"}}}, "action_space.a is of type 'any', which stands alone"),
]


@pytest.mark.parametrize(("space", "message"), REFUSED)
def test_what_is_no_space_is_refused_with_its_place_and_the_way_out(space: Any, message: str) -> None:
    """When the study starts, not in front of a participant."""
    with pytest.raises(ConfigError, match=message):
        space_of(space)
    with pytest.raises(ConfigError, match=message):
        Settings(action_space=space)
    with pytest.raises(ConfigError, match=message.replace("action_space", r"seats\[1\].action_space")):
        Settings(seats=[{}, {"action_space": space}])


def test_spaces_are_nested_up_to_a_depth() -> None:
    """One that holds itself ends in the same error."""
    space: dict[str, Any] = {"type": "discrete", "n": 2}
    for _ in range(DEEPEST):
        space = {"type": "tuple", "spaces": [space]}
    assert space_of(space) == space
    with pytest.raises(ConfigError, match=f"more than {DEEPEST} deep"):
        space_of({"type": "tuple", "spaces": [space]})
    space["spaces"].append(space)
    with pytest.raises(ConfigError, match="deep"):
        space_of(space)


class Discrete:
    """As gymnasium's: what is looked at are names."""

    def __init__(self, n: Any, start: Any = 0) -> None:
        self.n, self.start = n, start

    def sample(self) -> int:
        return int(self.start)


class Twice(Discrete):
    """A study's own."""


class Graph(Discrete):
    """What has no fixed form."""


class Text:
    max_length, min_length, character_set = 4, 0, frozenset("xyz")


class Dict:
    def __init__(self, **spaces: Any) -> None:
        self.spaces = spaces


def test_objects_are_known_by_their_classes_names() -> None:
    """Also those of a class that is derived from one, and those within a dictionary."""
    assert space_of(Twice(4, 2)) == {"type": "discrete", "n": 4, "start": 2}
    plain = {"type": "dict", "spaces": [["t", {"type": "text", "max_length": 4, "min_length": 0, "charset": "xyz"}],
                                        ["d", {"type": "discrete", "n": 3}]]}  # fmt: skip
    assert space_of(Dict(t=Text(), d=Discrete(3))) == plain
    assert space_of({"type": "tuple", "spaces": [Discrete(3)]})["spaces"] == [{"type": "discrete", "n": 3}]
    assert Settings(action_space=Discrete(3)) == Settings(action_space={"type": "discrete", "n": 3})
    assert Settings(seats=[{"action_space": Discrete(3)}]).agreed()["seats"] == [
        {"action_space": {"type": "discrete", "n": 3}}
    ]
    with pytest.raises(ConfigError, match=r"action_space\.g is a Graph, whose actions have no fixed form; give boxes"):
        space_of(Dict(g=Graph(3)))


def test_an_integer_is_one_of_ints_or_of_numpys() -> None:
    """And nothing that merely equals one."""
    import numpy

    same = [3, numpy.int64(3), numpy.uint8(3), numpy.array(3)]
    assert [(integer(value), type(integer(value))) for value in same] == [(3, int)] * 4
    none = [True, 3.0, "3", None, [3], numpy.float32(3), numpy.bool_(True), numpy.array([3]), SimpleNamespace(dtype=1)]
    assert [integer(value) for value in none] == [None] * len(none)


def test_settings_are_alike_however_they_are_spelled() -> None:
    """What peers compare: one has them of Python and numpy, the other one of JSON."""
    import numpy

    box = {"type": "box", "shape": [2], "low": -1, "high": 1}
    mine = Settings(max_steps=numpy.int64(90), input_delay=2.0, action_space={**box, "low": numpy.array([-1.0, -1.0])},
                    default_action=numpy.array([0.0, 0.5]), seats=[{"default_action": (1.0, -0.0)}])  # fmt: skip
    theirs = Settings.of(through_javascript(json.loads(json.dumps(
        {"max_steps": 90, "input_delay": 2, "action_space": box, "default_action": [0, 0.5],
         "seats": [{"default_action": [1, 0]}]}
    ))))  # fmt: skip
    assert canonical.encode(mine.agreed()) == canonical.encode(theirs.agreed())
    assert (type(mine.max_steps), type(mine.input_delay)) == (int, int)
