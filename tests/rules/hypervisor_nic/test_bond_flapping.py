"""HYP012: all that a host sends moves from one member to the other, again and again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pcapdx.vantage import Role
from tests.rules.build import Tape, along, arp_reply, arp_request, codes, echo

ONE, TWO, FAR = "02:01:00:cc:00:31", "02:01:00:cc:00:32", "02:01:00:cc:00:33"


def members(stays: Sequence[tuple[float, int]], *, macs: Sequence[str] = (ONE, TWO), until_s: float = 60) -> list[Tape]:
    """Pings of this host's machines by the member that is in use: (since, member) of each stay."""
    tapes = [Tape(), Tape()]
    for tape in tapes:
        for n in range(3):  # small frames tell which way they go
            for k, mac in enumerate((ONE, TWO)):
                tape.add(-3 + n + k / 10, arp_request(mac, f"10.1.0.{7 + k}", "10.1.0.9"))
            tape.add(-2.5 + n, arp_reply(FAR, "10.1.0.9", ONE, "10.1.0.7"), wire=True)
    ends = [*(since for since, _ in stays[1:]), until_s]
    for (since, member), end in zip(stays, ends, strict=True):
        moment, number = since, 0
        while moment < end:
            for k, mac in enumerate(macs):
                tapes[member].add(moment + k / 100, echo(mac, f"10.1.0.{7 + k}", FAR, "10.1.0.9", number=number))
            moment, number = moment + 0.5, number + 1
    return tapes


def found(folder: Path, tapes: list[Tape], names: Sequence[str] = ("kvm1-eth0", "kvm1-eth1")) -> bool:
    points = [(name, Role.BOND, tape) for name, tape in zip(names, tapes, strict=True)]
    return "HYP012" in codes(along(folder, *points))


FLAPS = [(0.0, 0), (10.0, 1), (20.0, 0), (30.0, 1), (40.0, 0)]


def test_four_moves(tmp_path: Path) -> None:
    assert found(tmp_path, members(FLAPS))


def test_three_moves_are_not_enough(tmp_path: Path) -> None:
    assert not found(tmp_path, members(FLAPS[:4]))


def test_a_stay_of_less_than_a_second_is_no_backup(tmp_path: Path) -> None:
    assert not found(tmp_path, members([*FLAPS, (50.0, 1), (50.5, 0)]))


def test_one_machine_may_be_balanced(tmp_path: Path) -> None:
    assert not found(tmp_path, members(FLAPS, macs=(ONE,)))


def test_both_members_at_the_same_time(tmp_path: Path) -> None:
    tapes = members(FLAPS)
    for n in range(120):
        tapes[n % 2].add(n / 2 + 0.2, echo(TWO, "10.1.0.8", FAR, "10.1.0.9", number=1000 + n))
    assert not found(tmp_path, tapes)


@pytest.mark.parametrize("names", [("kvm1-eth0", "kvm2-eth0"), ("near", "far")])
def test_two_hosts(tmp_path: Path, names: tuple[str, str]) -> None:
    assert not found(tmp_path, members(FLAPS), names)


def test_over_hours(tmp_path: Path) -> None:
    slow = [(since * 30, member) for since, member in FLAPS]
    assert not found(tmp_path, members(slow, until_s=1300))
