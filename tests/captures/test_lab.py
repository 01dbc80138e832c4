"""The lab records: one scenario from end to end, its steps, and the table it writes."""

import os
import shutil
import struct
import subprocess
import tomllib
from pathlib import Path

import pytest

from captures.lab import post, readme
from captures.lab.scenario import CAPTURES, scenarios

PROGRAMS = ("ip", "tcpdump", "tshark", "ethtool", "dnsmasq", "udhcpc", "xz")
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
LOCAL, REMOTE = "02:01:00:cc:00:16", "02:01:00:cc:00:01"


def frame(source: str, size: int) -> bytes:
    """An Ethernet frame of this size."""
    return (b"\xff" * 6 + bytes.fromhex(source.replace(":", "")) + b"\x08\x06").ljust(size, b"\x01")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture with a short frame from each side and a long one."""
    records = [(1, number, len(data), data) for number, data in enumerate(
        (frame(LOCAL, 42), frame(REMOTE, 42), frame(REMOTE, 200)))]  # fmt: skip
    return post.write(tmp_path / "a.pcap", HEADER, records)


def test_wire_pads_only_what_arrived(capture: Path) -> None:
    """The sender's own NIC pads after the recorder has seen the frame, the other side's before."""
    _, records = post.read(post.wire([LOCAL])(capture))
    assert [(size, len(data)) for _, _, size, data in records] == [(42, 42), (60, 60), (200, 200)]
    assert records[1][3][42:] == bytes(18)


def test_snap_cuts_bytes_and_keeps_the_length_on_the_wire(capture: Path) -> None:
    """As tcpdump -s does, file header included."""
    header, records = post.read(post.snap(64)(capture))
    assert [(size, len(data)) for _, _, size, data in records] == [(42, 42), (42, 42), (200, 64)]
    assert struct.unpack_from("<I", header, 16) == (64,)


def test_between_counts_from_one(capture: Path) -> None:
    """Both ends are included."""
    _, records = post.read(post.between(2, 3)(capture))
    assert [fraction for _, fraction, _, _ in records] == [1, 2]


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_compress_adds_its_suffix(capture: Path, kind: str) -> None:
    """And the original stays beside it for tshark."""
    assert post.compress(kind)(capture).name == f"a.pcap.{kind}"
    assert capture.exists()


def test_readme_table_is_up_to_date() -> None:
    """``python -m captures.lab readme`` has nothing to do."""
    assert readme.table(CAPTURES) in (CAPTURES / "README.md").read_text()


def test_a_scenario_from_end_to_end(tmp_path: Path) -> None:
    """Build, run, record, check and label a network, and leave nothing of it behind."""
    if os.geteuid():
        pytest.skip("namespaces need root")
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if subprocess.run(["ip", "netns", "add", "px0-probe"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces cannot be made here")
    subprocess.run(["ip", "netns", "del", "px0-probe"], check=True)
    scenarios()["dhcp-lost-discover"].record(tmp_path)
    truth = tomllib.loads((tmp_path / "dhcp-lost-discover.toml").read_text())
    assert truth["healthy"]
    assert [proof["code"] for proof in truth["proofs"]] == ["DHCP031"]
    assert (tmp_path / truth["file"]).stat().st_size > 200
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert f"px{os.getpid()}-" not in left
