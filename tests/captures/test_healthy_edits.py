"""Every healthy capture as it might have come from somebody else's hands: filtered, thinned out, cut, only one way.

Nothing was wrong in these networks, so nothing may be claimed at warning or above, whatever is missing. Each case gets
a handful of the edits, chosen by its name, so that every edit meets many captures and the suite stays short; with
``--all-edits`` all meet all.
"""

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from captures.lab import post
from captures.lab.post import Record
from tests import labelled

Edit = Callable[[list[Record]], list[Record]]

FILTERS = (
    "arp", "not arp", "port 67 or port 68", "arp or port 67 or port 68", "tcp", "udp", "icmp or icmp6", "icmp or arp",
    "tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0", "tcp[tcpflags] & tcp-syn == 0",
    "port 80", "port 8080", "port 443", "port 53", "ether multicast", "not ether multicast", "ip6", "vlan", "not vlan",
)  # fmt: skip
EACH = 7
"""Edits a case."""

TRUE_OF_WHAT_IS_LEFT: Mapping[str, tuple[str, ...]] = {
    "held-out-fifth-console-slow-names": ("CPVM001",),  # the answers come later
    "held-out-fifth-layer-two-alone": ("DHCP001", "DHCP022"),  # what shows that it has no router is filtered out
    "held-out-fifth-router-starts-late": ("PWD001",),  # that the server comes up comes later
    "held-out-sixth-agents-change-servers": ("HOST002",),  # so does the other server
    "held-out-third-management-maintenance": ("HOST002",),  # so does the end of the restart
    "host-nfs-granted-after-a-while": ("HOST008",),  # so does the grant
}
NOT_TOLD_APART: Mapping[str, tuple[str, ...]] = {
    # a mirror that takes tags off makes one network of many
    "dhcp-two-nics-two-networks": ("DHCP013",),
    "held-out-sixth-tenants-with-equal-plans": ("DHCP018", "HYP015"),
    "held-out-third-mirror-of-two-plans": ("HYP015",),
    "innocent-broadcasts-of-a-trunk": ("HYP017",),
    "ovs-trunk-nic-by-design": ("HYP017",),
    "vlan-far-host-down-midway": ("VLAN019",),
    # one direction, or broadcasts alone, of a provider's QinQ and of a trunk of quiet networks
    "innocent-units-of-a-customer": ("HYP006",),
    "vlan-qinq-same-addresses": ("HYP006",),
    "held-out-second-quiet-networks": ("VLAN006",),
    # the very frames are lost that showed it
    "vlan-only-peer-stopped-midway": ("VLAN001",),
    "held-out-third-migrated": ("HYP019",),
    "host-edge-zone-agent": ("HOST015",),
    "innocent-recorder-in-the-past": ("CPVM006",),
}
"""What an edit makes of these looks like the fault, and is called so. All edits of all cases were gone through: what is
not here is quiet under every one."""


def lost(share: float) -> Edit:
    """Frames lost at random, always the same ones."""
    return lambda records: [one for one, kept in zip(records, _dice(len(records), share), strict=True) if kept]


def _dice(count: int, share: float) -> list[bool]:
    dice = random.Random(7)
    return [dice.random() >= share for _ in range(count)]


def every(other: int) -> Edit:
    """Without every third, seventh ... frame."""
    return lambda records: [one for place, one in enumerate(records) if place % other]


def one_way(sent: bool) -> Edit:
    """Only what the busiest machine sent, or only what was sent to it; of one capture, for each has its own busiest."""

    def edit(records: list[Record]) -> list[Record]:
        (mac, _), *_ = Counter(one[3][6:12] for one in records).most_common(1)
        return [one for one in records if (one[3][6:12] if sent else one[3][:6]) == mac]

    return edit


def untagged(records: list[Record]) -> list[Record]:
    """Tags taken off, as a NIC with receive offload and an old recorder do."""
    return [
        (sec, frac, wire - 4, data[:12] + data[16:]) if data[12:14] == b"\x81\x00" else (sec, frac, wire, data)
        for sec, frac, wire, data in records
    ]


EDITS: Mapping[str, Edit] = {
    "a frame": lambda records: records[:1],
    "ten frames": lambda records: records[:10],
    "the last ten": lambda records: records[-10:],
    "from the middle": lambda records: records[len(records) // 2 :],
    "to the middle": lambda records: records[: len(records) // 2],
    "a fiftieth lost": lost(0.02),
    "a tenth lost": lost(0.1),
    "without every third": every(3),
    "without every seventh": every(7),
    "sent by one": one_way(True),
    "sent to one": one_way(False),
    "untagged": untagged,
    "twice": lambda records: [again for one in records for again in (one, one)],
}


def _filtered(expression: str, source: Path) -> Path:
    """By tcpdump itself, told to nobody."""
    out = source.with_name("filtered.pcap")
    words = ["tcpdump", "-r", str(source), "--time-stamp-precision=nano", "-w", str(out), expression]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    if done.returncode:  # no VLANs in a cooked capture, no Ethernet in a raw one
        assert "VLAN" in done.stderr or "link" in done.stderr.lower() or "ether" in done.stderr, done.stderr
        out.write_bytes(source.read_bytes()[:24])
    return out


def _edited(edit: Edit, source: Path) -> Path:
    header, records = post.read(source)
    return post.write(source.with_name("edited.pcap"), header, edit(records) if records else [])


STEPS: Mapping[str, Callable[[Path], Path]] = {
    **{f"filter {one}": partial(_filtered, one) for one in FILTERS},
    **{name: partial(_edited, edit) for name, edit in EDITS.items()},
}
HEALTHY = sorted(name for name, case in labelled.CASES.items() if case.truth["healthy"])


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_claimed(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    if missing := [program for program in ("editcap", "tcpdump") if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    case = labelled.CASES[name]
    wholes = []
    for place, one in enumerate(case.arguments):
        (tmp_path / str(place)).mkdir()
        wholes.append(post.plain(one.path, tmp_path / str(place)))
    offered = [one for one in sorted(STEPS) if len(wholes) == 1 or one not in ("sent by one", "sent to one")]
    chosen = offered if pytestconfig.getoption("--all-edits") else random.Random(name).sample(offered, EACH)
    allowed = case.allowed | {*TRUE_OF_WHAT_IS_LEFT.get(name, ()), *NOT_TOLD_APART.get(name, ())}
    untrue = []
    for edit in chosen:
        arguments = [
            replace(one, path=str(STEPS[edit](whole))) for one, whole in zip(case.arguments, wholes, strict=True)
        ]
        untrue += [f"{edit}: {one}" for one in labelled.untrue(name, arguments, allowed)]
    assert not untrue, "\n".join(untrue)
