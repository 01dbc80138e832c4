"""The thread that works ahead: order, memory, errors, and that it ends."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pcapdx.sieve.ahead import ahead


@dataclass
class Item:
    number: int
    nbytes: int = 10


def test_all_items_in_order() -> None:
    assert [one.number for one in ahead(iter([Item(n) for n in range(500)]), most_bytes=35)] == list(range(500))


def test_nothing() -> None:
    assert list(ahead(iter([]), most_bytes=1)) == []


def test_it_waits_while_too_much_is_held() -> None:
    made: list[int] = []

    def items() -> Iterator[Item]:
        for n in range(50):
            made.append(n)
            yield Item(n)

    taken = ahead(items(), most_bytes=30)
    assert next(taken).number == 0
    time.sleep(0.05)
    # one taken, three held, and one made meanwhile at most
    assert len(made) <= 5
    assert [one.number for one in taken] == list(range(1, 50))


def test_an_error_comes_after_what_was_before_it() -> None:
    def items() -> Iterator[Item]:
        yield Item(1)
        yield Item(2)
        raise OSError("the disk is gone")

    seen: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(one.number for one in ahead(items(), most_bytes=1000))
    assert seen == [1, 2]


def test_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    taken = ahead(iter([Item(n) for n in range(1000)]), most_bytes=20)
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
