import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from dissectors.vxlan import VxlanFragment, read
from pcapdx.dissect import Cursor
from tests.dissectors.feeding import CLIENT, SERVER, assert_cuts, frame, mutated, survives
from tests.dissectors.oracle import dissect

HEADER = bytes.fromhex("08000000 001394 00")
FIRST = frame(src=CLIENT, dst=SERVER, ip_protocol=17, sport=51140, dport=8472, more_fragments=1)
CAPTURES = Path(__file__).resolve().parents[2] / "captures"


def test_first_fragment() -> None:
    (message,) = read(Cursor(HEADER, frame=FIRST))
    assert message == VxlanFragment(vni=5012, port=8472)
    assert message.label == "VXLAN 5012, first fragment"


@pytest.mark.parametrize(
    "columns",
    [{"more_fragments": 0}, {"fragment_offset": 1480}, {"dport": 53, "sport": 8472}],
    ids=["whole", "later", "another port"],
)
def test_other_packets_are_left_alone(columns: dict[str, int]) -> None:
    assert list(read(Cursor(HEADER, frame=FIRST.replaced(**columns)))) == []


def test_something_else_on_the_port_is_no_anomaly() -> None:
    assert list(read(Cursor(bytes(8), frame=FIRST))) == []


def test_cut_at_every_byte() -> None:
    assert_cuts(read, HEADER, FIRST)


@given(mutated(HEADER))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data, FIRST)


@pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark")
def test_equals_tshark() -> None:
    """tshark reads the header in the first fragment when it is told not to put fragments together."""
    path = CAPTURES / "overlay-in-fragments.pcap.gz"
    options = ["-o", "vxlan.udp.port:4789,8472", "-o", "ip.defragment:FALSE", "-Y", "vxlan && ip.flags.mf == 1"]
    fields = ["-T", "fields", "-e", "frame.number", "-e", "vxlan.vni"]
    run = subprocess.run(["tshark", "-nr", str(path), *options, *fields], capture_output=True, check=True, text=True)
    theirs = [tuple(map(int, line.split())) for line in run.stdout.splitlines()]
    ours = [(one.number, one.message.vni) for one in dissect(path).view.messages(VxlanFragment)]
    assert ours == theirs
    assert ours
