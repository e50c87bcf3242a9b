"""Values with named fields: what a frozen dataclass does, without a compiler."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any, NamedTuple

import pytest

from pycore.frozen import Frozen, Named


class Point(Frozen):
    name = "point"
    x: int
    y: int = 2

    def check(self) -> None:
        if self.x == 13:
            raise ValueError("13 is no place")


class Other(Frozen):
    x: int
    y: int = 2


def test_fields_are_what_the_body_annotates_with_their_defaults() -> None:
    assert Point.fields == ("x", "y")
    assert Point(x=1).as_dict() == {"x": 1, "y": 2}
    assert Point(y=3, x=1).as_dict() == {"x": 1, "y": 3}
    assert repr(Point(x="a")) == "Point(x='a', y=2)"  # type: ignore[arg-type]


def test_equal_are_values_of_one_class_with_equal_fields() -> None:
    assert Point(x=1) == Point(x=1, y=2)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Point(x=1, y=3)
    assert Point(x=1) != Other(x=1)
    assert len({Point(x=1), Point(x=1, y=2), Point(x=2)}) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Point needs x"),
        ({"x": 1, "z": 2, "q": 3}, "Point has no z, q; it has x, y"),
        ({"x": 1, "name": 2}, "Point has no name"),
    ],
)
def test_a_field_that_is_missing_or_unknown_is_an_error_that_names_it(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Point(**given)


def test_nothing_changes_and_a_changed_copy_is_checked_as_well() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError, match=r"Point\.x cannot be set.*replace"):
        point.x = 5  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"Point\.x cannot be deleted"):
        del point.x
    assert point.replace(x=5, y=6) == Point(x=5, y=6)
    assert point == Point(x=1)
    for make in (lambda: Point(x=13), lambda: point.replace(x=13)):
        with pytest.raises(ValueError, match="13 is no place"):
            make()
    if sys.version_info >= (3, 13):
        assert copy.replace(point, y=7) == Point(x=1, y=7)


class Spot(Named):
    """A place."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y


class Model(NamedTuple):
    """The same by the standard library."""

    x: int
    y: int = 2


def test_a_named_tuple_is_what_the_standard_librarys_is() -> None:
    ways: list[Any] = [(1,), (1, 3), (1, "a")]
    for given in ways:
        spot, model = Spot(*given), Model(*given)
        assert spot == model == tuple(spot)
        assert (spot.x, spot.y, hash(spot)) == (model.x, model.y, hash(model))
        assert spot._asdict() == model._asdict()
        assert repr(spot) == repr(model).replace("Model", "Spot")
    assert Spot(y=5, x=1) == Model(y=5, x=1)
    assert Spot(1, y=5) == Model(1, y=5)
    assert Spot(1)._replace(y=7) == Model(1)._replace(y=7)
    assert (Spot._fields, Spot._field_defaults) == (Model._fields, Model._field_defaults)
    assert Spot._make([4, 5]) == Model._make([4, 5])
    assert Spot(1).sum == 3
    match Spot(8, 9):
        case Spot(x, y):
            assert (x, y) == (8, 9)


@pytest.mark.parametrize("given", [((), {}), ((1, 2, 3), {}), ((1,), {"x": 2}), ((1,), {"z": 2}), ((), {"y": 2})])
def test_what_a_named_tuple_of_the_standard_library_does_not_take_is_refused(given: Any) -> None:
    values, named = given
    with pytest.raises(TypeError):
        Model(*values, **named)
    with pytest.raises(TypeError, match="Spot"):
        Spot(*values, **named)


def test_a_named_tuple_is_copied_and_pickled_as_what_it_is_and_never_changes() -> None:
    spot = Spot(1, [2])  # type: ignore[arg-type]
    for again in (copy.copy(spot), copy.deepcopy(spot), pickle.loads(pickle.dumps(spot))):
        assert type(again) is Spot
        assert again == spot
    with pytest.raises(AttributeError):
        spot.x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        spot.z = 3  # type: ignore[attr-defined]
