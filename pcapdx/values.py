"""``dataclass`` as of the standard library, made and filled in a fraction of the time.

The standard one writes and compiles six methods for every class, and a frozen instance is filled through
``object.__setattr__``. With a hundred value classes that is a fifth of a run on a small capture, and a tenth on a large
one with its tens of thousands of messages. Here only ``__init__`` is compiled; the rest is shared. What is declared
frozen is so for the type checker, which sees the standard decorator, and not at run time.
"""

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen=False, slots=False, kw_only=False):
        """See :func:`dataclasses.dataclass`. Equal when of one class with equal fields, hashable when frozen."""

        def make(cls):
            made = dataclasses.dataclass(slots=slots, kw_only=kw_only, repr=False, eq=False)(cls)
            made.__repr__, made.__eq__ = _repr, _eq
            made.__hash__ = _hash if frozen else None
            return made

        return make


def _fields(one: Any) -> tuple[Any, ...]:
    """The values of all fields."""
    get = _GETTERS.get(type(one))
    if get is None:
        names = [field.name for field in dataclasses.fields(one)]
        # with one name attrgetter gives the value alone, with none it cannot be made
        get = _GETTERS[type(one)] = attrgetter(*names, "__class__", "__class__")
    values: tuple[Any, ...] = get(one)
    return values


_GETTERS: dict[type, Any] = {}


def _eq(one: Any, other: object) -> bool:
    return _fields(one) == _fields(other) if type(one) is type(other) else NotImplemented


def _hash(one: Any) -> int:
    return hash(_fields(one))


def _repr(one: Any) -> str:
    told = ", ".join(f"{field.name}={getattr(one, field.name)!r}" for field in dataclasses.fields(one))
    return f"{type(one).__qualname__}({told})"
