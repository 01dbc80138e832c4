"""Several points of capture in one file: the clock of the far one is brought to that of the near one."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from scapy.utils import wrpcap

from pcapdx.annotate.annotate import Settings, annotate
from pcapdx.vantage import CaptureArgument, Role
from tests import labelled
from tests.annotate.annotating import tshark
from tests.rules.build import Tape, echo

GUEST, SERVER = ("02:00:00:00:00:01", "10.1.1.1"), ("02:00:00:00:00:02", "10.1.1.2")
TRANSIT_S = 0.001
PINGS = 40


def points(folder: Path, ahead_s: float) -> list[CaptureArgument]:
    """Pings seen at both ends of a leg of a millisecond, the far recorder's clock ahead by so much."""
    near, far = Tape(), Tape()
    for number in range(1, PINGS + 1):
        asked, answered = echo(*GUEST, *SERVER, number=number), echo(*SERVER, *GUEST, number=number, reply=True)
        at = number * 0.2
        near.add(at, asked)
        far.add(at + TRANSIT_S + ahead_s, asked)
        far.add(at + TRANSIT_S + 0.0005 + ahead_s, answered)
        near.add(at + 2 * TRANSIT_S + 0.0005, answered)
    found = []
    for name, tape in (("hostA", near), ("hostB", far)):
        path = folder / f"{name}.pcap"
        wrpcap(str(path), sorted(tape.packets, key=lambda one: float(one.time)), linktype=1)
        found.append(CaptureArgument(name=name, role=Role.NIC, path=str(path), named=True))
    return found


@pytest.mark.parametrize("ahead_s", [0.0, 2.5, -90.0, 0.04])
def test_each_packet_follows_itself(ahead_s: float, tmp_path: Path) -> None:
    """After correction every request is at the far point after it was at the near one, and its answer before."""
    target = tmp_path / "all.pcapng"
    annotate(points(tmp_path, ahead_s), labelled.plugins(), target, Settings(merge=True))
    rows = [
        row.split("\t") for row in tshark(target, "frame.time_epoch", "frame.interface_id", "icmp.type", "icmp.seq")
    ]
    assert len(rows) == 4 * PINGS
    for number in range(PINGS):
        order = [(kind, interface) for _, interface, kind, _ in rows[4 * number : 4 * number + 4]]
        assert order == [("8", "0"), ("8", "1"), ("0", "1"), ("0", "0")]
        times = [Decimal(time) for time, *_ in rows[4 * number : 4 * number + 4]]
        assert times == sorted(times)
        assert times[-1] - times[0] < Decimal("0.01")


def test_the_correction_is_told_and_exact(tmp_path: Path) -> None:
    """What the interface says was taken off is what was taken off, to the nanosecond."""
    target, arguments = tmp_path / "all.pcapng", points(tmp_path, 2.5)
    annotate(arguments, labelled.plugins(), target, Settings(merge=True))
    told = re.search(rb"times are ([+-][0-9.]+) s from those captured", target.read_bytes())
    assert told is not None
    before = [Decimal(time) for time in tshark(Path(arguments[1].path), "frame.time_epoch")]
    rows = [row.split("\t") for row in tshark(target, "frame.time_epoch", "frame.interface_id")]
    after = [Decimal(time) for time, interface in rows if interface == "1"]
    assert [new - old for new, old in zip(after, before, strict=True)] == [Decimal(told[1].decode())] * len(before)
