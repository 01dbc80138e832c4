"""``dataclass`` as of the standard library, made and filled in a fraction of the time.

The standard one writes and compiles six methods for every class, and a frozen instance is filled through
``object.__setattr__``. With a hundred value classes that is a fifth of a run on a small capture, and a tenth on a large
one with its tens of thousands of messages. Here only ``__init__`` is compiled, and
that when the first value is made, for most classes never have one in a run; the rest is shared. What is declared frozen
is so for the type checker, which sees the standard decorator, and not at run time.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen=False, slots=False, kw_only=False):
        """See :func:`dataclasses.dataclass`. Equal when of one class with equal fields, hashable when frozen."""

        def make(cls):
            made = dataclasses.dataclass(slots=slots, kw_only=kw_only, init=False, repr=False, eq=False)(cls)
            made.__init__, made.__repr__, made.__eq__ = _first_init(made), _repr, _eq
            made.__hash__ = _hash if frozen else None
            return made

        return make


def _first_init(cls: type) -> Callable[..., None]:
    """Puts the true ``__init__`` in its own place when it is first called."""

    def first(self: Any, *values: Any, **named: Any) -> None:
        init = cls.__init__ = _init_of(cls)  # type: ignore[misc]  # that is the point
        init(self, *values, **named)

    return first


def _init_of(cls: type) -> Callable[..., None]:
    """The ``__init__`` that the standard library would write."""
    known: dict[str, Any] = {"_absent": dataclasses.MISSING}
    parameters: dict[bool, list[str]] = {False: [], True: []}
    lines: list[str] = []
    for one in dataclasses.fields(cls):
        name = value = one.name
        default = ""
        if one.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = one.default_factory
            value = f"_make_{name}() if {name} is _absent else {name}"
            default = "=_absent"
        elif one.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = one.default
            default = f"=_default_{name}"
        if one.init:
            parameters[bool(one.kw_only)].append(f"{name}{default}")
            lines.append(f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    named = ["*", *parameters[True]] if parameters[True] else []
    head = ", ".join(["self", *parameters[False], *named])
    exec(f"def __init__({head}):\n {'; '.join(lines) or 'pass'}", known)  # as dataclasses do
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


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
