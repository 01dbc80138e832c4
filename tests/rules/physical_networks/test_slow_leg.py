"""PHYS010 and CAP004: packets that wait, a way that is long, and a clock that was set."""

from collections.abc import Callable
from pathlib import Path

from pcapdx.vantage import Role
from tests.rules.build import Tape, along, codes, echo

NEAR, FAR = ("02:01:00:cc:00:31", "10.1.0.7"), ("02:01:00:cc:00:33", "10.1.0.9")
Delay = Callable[[int], float]


def path(folder: Path, out: Delay, back: Delay, *, clock: Delay = lambda n: 0.0) -> set[str]:
    """Pings through two NICs; what each takes to and fro, and what the far clock is ahead at the n-th."""
    near, far = Tape(), Tape()
    for n in range(80):
        at_s = n * 0.25
        arrived = at_s + out(n)
        near.add(at_s, echo(*NEAR, *FAR, number=n))
        far.add(arrived + clock(n), echo(*NEAR, *FAR, number=n))
        far.add(arrived + 0.001 + clock(n), echo(*FAR, *NEAR, number=n, reply=True))
        near.add(arrived + 0.001 + back(n), echo(*FAR, *NEAR, number=n, reply=True))
    return codes(along(folder, ("hostA", Role.NIC, near), ("hostB", Role.NIC, far)))


def quick(n: int) -> float:
    return 0.0002


def queue(n: int) -> float:
    return 0.07 if n % 3 == 0 else 0.0002


def test_one_way_waits(tmp_path: Path) -> None:
    found = path(tmp_path, queue, quick)
    assert "PHYS010" in found
    assert "CAP004" not in found


def test_a_clock_that_was_set_is_no_queue(tmp_path: Path) -> None:
    found = path(tmp_path, quick, quick, clock=lambda n: 0.07 if n > 40 else 0.0)
    assert "PHYS010" not in found
    assert "CAP004" in found


def test_a_long_way_alone_is_not_told_by_two_points(tmp_path: Path) -> None:
    assert not path(tmp_path, lambda n: 0.04, lambda n: 0.04) & {"PHYS010", "CAP004"}


def test_both_ways_wait(tmp_path: Path) -> None:
    """A clock that goes to and fro would look alike."""
    assert "PHYS010" not in path(tmp_path, queue, queue)


def test_few_wait(tmp_path: Path) -> None:
    assert "PHYS010" not in path(tmp_path, lambda n: 0.07 if n % 30 == 0 else 0.0002, quick)
