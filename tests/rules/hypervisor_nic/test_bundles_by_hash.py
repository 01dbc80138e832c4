"""HYP014: conversations that die by their ports, and those that die by the moment."""

from collections.abc import Collection
from pathlib import Path

from scapy.layers.inet import IP

from pcapdx.vantage import Role
from tests.rules.build import Tape, along, codes, tcp

CLIENT, SERVER = ("02:01:00:cc:00:31", "10.1.0.7"), ("02:01:00:cc:00:41", "10.1.0.9")
COUNT = 12


def conversations(folder: Path, dead: Collection[int], tries: int = 3) -> set[str]:
    """Twelve connections, one a second, seen at two NICs; of the dead ones nothing comes to the second."""
    near, far = Tape(), Tape()
    for n in range(COUNT):
        port = 40_000 + n
        for k in range(tries):
            syn = tcp(*CLIENT, port, *SERVER, 80, "S", seq=1000 * n)
            syn[IP].id += k
            answer = tcp(*SERVER, 80, *CLIENT, port, "SA", seq=9000 + n, ack=1000 * n + k)
            at_s = n + k / 10
            near.add(at_s, syn, vlan=101)
            if n not in dead:
                far.add(at_s + 0.0002, syn, vlan=101, wire=True).add(at_s + 0.0004, answer, vlan=101)
                near.add(at_s + 0.0006, answer, vlan=101, wire=True)
        for tape, wire in ((near, False), (far, True)):
            other = tcp("02:01:00:cc:00:32", "10.1.0.8", 50_000 + n, *SERVER, 22, "S", seq=77 + n)
            tape.add(n + 0.5, other, vlan=101, wire=wire)
    return codes(along(folder, ("a", Role.TRUNK, near), ("b", Role.TRUNK, far)))


def test_one_half_of_them_by_port(tmp_path: Path) -> None:
    assert "HYP014" in conversations(tmp_path, range(0, COUNT, 2))


def test_one_packet_each_may_be_lost_at_random(tmp_path: Path) -> None:
    assert "HYP014" not in conversations(tmp_path, range(0, COUNT, 2), tries=1)


def test_all_of_them_from_a_moment_on(tmp_path: Path) -> None:
    assert "HYP014" not in conversations(tmp_path, range(6, COUNT))


def test_all_of_them_for_a_while(tmp_path: Path) -> None:
    assert "HYP014" not in conversations(tmp_path, range(4, 9))
