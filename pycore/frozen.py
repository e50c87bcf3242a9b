"""Immutable values with named fields, made without a compiler.

A dataclass writes its methods as text and compiles them when its module is imported: five milliseconds a class in a
browser, where every participant waits for it, and half a millisecond for a named tuple. The methods here are written
once, for whatever fields a subclass has: `Frozen` in the place of a dataclass, `Named` in that of `typing.NamedTuple`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

__all__ = ["Frozen", "Named"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Frozen:
    """Base of classes that are their fields: what the class body annotates, with its default if it has one.

    Fields are given by name, and never change; two values of one class with equal fields are equal.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields, in order."""

    def __init_subclass__(cls) -> None:
        cls.fields = tuple(cls.__annotations__)

    def __init__(self, **given: Any) -> None:
        kind = type(self)
        own = self.__dict__
        for name in kind.fields:
            if name in given:
                own[name] = given.pop(name)
            elif not hasattr(kind, name):
                raise TypeError(f"{kind.__name__} needs {name}")
        if given:
            raise TypeError(f"{kind.__name__} has no {', '.join(given)}; it has {', '.join(kind.fields)}")
        self.check()

    def check(self) -> None:
        """Called when the fields are set: raises if they do not fit together. As it is here, everything fits."""

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as they are."""
        return {name: getattr(self, name) for name in self.fields}

    def replace(self, **changes: Any) -> Self:
        """The same value but for these fields."""
        return type(self)(**{**self.as_dict(), **changes})

    __replace__ = replace
    """For `copy.replace`."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: the value never changes; see replace()")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted: the value never changes")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.fields)

    def __hash__(self) -> int:
        return hash(tuple(self.as_dict().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.as_dict().items())})"


if TYPE_CHECKING:
    from typing import NamedTuple as Named
else:
    from collections import _tuplegetter as getter  # what named tuples read a field with

    class Naming(type):
        """Makes the classes of named tuples."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            """A class whose fields are what its body annotates."""
            made = super().__new__(cls, name, bases, {**body, "__slots__": ()})
            made._fields = made.__match_args__ = fields = tuple(made.__annotations__)
            made._field_defaults = {field: body[field] for field in fields if field in body}
            for at, field in enumerate(fields):
                setattr(made, field, getter(at, ""))
            return made

    class Named(tuple, metaclass=Naming):
        """Base of tuples whose items have names: what the class body annotates, with a default if it has one."""

        def __new__(cls, *values: Any, **named: Any) -> Self:
            """By place or by name."""
            fields = cls._fields
            if named or len(values) != len(fields):
                values = cls._filled(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _filled(cls, values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
            fields = cls._fields
            rest = fields[len(values) :]
            known = {**cls._field_defaults, **named}
            missing = [field for field in rest if field not in known]
            if missing:
                raise TypeError(f"{cls.__name__} needs {', '.join(missing)}")
            surplus = [field for field in named if field not in rest]
            if surplus or len(values) > len(fields):
                given = ", ".join(surplus) or f"{len(values)} values"
                raise TypeError(f"{cls.__name__} cannot take {given}; it has {', '.join(fields)}")
            return [*values, *[known[field] for field in rest]]

        _make = classmethod(tuple.__new__)

        def _asdict(self) -> dict[str, Any]:
            """The fields by name."""
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes: Any) -> Self:
            """The same value but for these fields."""
            return type(self)(**{**self._asdict(), **changes})

        __replace__ = _replace

        def __getnewargs__(self) -> tuple[Any, ...]:
            """For pickle and copy."""
            return tuple(self)

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"
