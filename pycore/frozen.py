"""Immutable values with named fields, made without a compiler.

A dataclass writes its methods as text and compiles them when its module is imported: five milliseconds a class in a
browser, where every participant waits for it. The methods here are written once, for whatever fields a subclass has.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform


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
