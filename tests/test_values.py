"""Value classes behave as the standard library's, which the type checker takes them for."""

import dataclasses
from typing import Any

import pytest

from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A value."""

    name: str
    numbers: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """The same."""

    name: str
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """One field."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """None."""


@dataclass(slots=True)
class Changing:
    """Not frozen."""

    count: int = 0
    seen: list[int] = dataclasses.field(default_factory=list)


def test_equal_by_class_and_fields() -> None:
    assert Ours(name="a", numbers=(1,)) == Ours(name="a", numbers=(1,))
    assert Ours(name="a") != Ours(name="b")
    assert Single(name="a") == Single(name="a") != Single(name="b")
    assert Empty() == Empty()
    other: Any = Theirs(name="a")
    assert Ours(name="a") != other


def test_hashed_when_frozen() -> None:
    assert len({Ours(name="a"), Ours(name="a"), Ours(name="b")}) == 2
    assert hash(Single(name="a")) == hash(Single(name="a"))
    with pytest.raises(TypeError):
        hash(Changing())


def test_told_as_the_standard_one_tells() -> None:
    ours, theirs = Ours(name="a", numbers=(1, 2)), Theirs(name="a", numbers=(1, 2))
    assert repr(ours).replace("Ours", "") == repr(theirs).replace("Theirs", "")


def test_replaced_listed_and_slotted() -> None:
    one = dataclasses.replace(Ours(name="a"), numbers=(3,))
    assert (one.name, one.numbers) == ("a", (3,))
    assert dataclasses.asdict(one) == {"name": "a", "numbers": (3,)}
    assert dataclasses.is_dataclass(Ours)
    assert not hasattr(one, "__dict__")


def test_each_instance_has_its_own_defaults() -> None:
    first, second = Changing(), Changing()
    first.seen.append(1)
    first.count += 1
    assert (second.seen, second.count) == ([], 0)
    assert first == Changing(1, [1])


def test_arguments_are_checked() -> None:
    wrong: Any = Ours
    with pytest.raises(TypeError):
        wrong("a")
    with pytest.raises(TypeError):
        wrong()


@dataclass(slots=True)
class Mixed:
    """Of every kind: by place, with a default, made anew, by name only, worked out afterwards."""

    first: int
    second: str = "b"
    third: list[int] = dataclasses.field(default_factory=list)
    fourth: int = dataclasses.field(default=4, kw_only=True)
    fifth: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.fifth = self.first + self.fourth


@dataclass(frozen=True, slots=True, kw_only=True)
class Below(Single):
    """Fields of its own and of the class above."""

    size: int = 1


def test_made_as_the_standard_library_makes_it() -> None:
    one = Mixed(1, "x", fourth=5)
    assert (one.first, one.second, one.third, one.fourth, one.fifth) == (1, "x", [], 5, 6)
    assert one.third is not Mixed(1).third
    assert Below(name="a") == Below(name="a", size=1) != Single(name="a")
    wrong: Any = Mixed
    for values, named in (((), {}), ((1, "b", [], 4), {}), ((1,), {"sixth": 6}), ((1,), {"first": 1})):
        with pytest.raises(TypeError):
            wrong(*values, **named)
    replaced = dataclasses.replace(Below(name="a"), size=2)
    assert (replaced.name, replaced.size) == ("a", 2)
