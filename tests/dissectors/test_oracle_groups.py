"""VRRP, IGMP and MLD held against tshark, field by field, over our own captures and two of the corpus."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dissectors.igmp import IgmpQuery, IgmpReport
from dissectors.mld import MldQuery, MldReport
from dissectors.vrrp import Vrrp
from tests.dissectors.oracle import CORPUS, dissect

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
FIELDS = (
    "vrrp.version",
    "vrrp.virt_rtr_id",
    "vrrp.prio",
    "vrrp.auth_type",
    "vrrp.ip_addr",
    "vrrp.ipv6_addr",
    "igmp.version",
    "igmp.maddr",
    "igmp.record_type",
    "igmp.saddr",
    "icmpv6.mld.multicast_address",
    "icmpv6.mldr.mar.multicast_address",
    "icmpv6.mldr.mar.record_type",
)
SHOWN = "vrrp || igmp || (icmpv6.type >= 130 && icmpv6.type <= 132) || icmpv6.type == 143"
NAMES = (
    "dhcp-router-failover.pcap",
    "dhcp6-slaac-works.pcap",
    "vrrp-both-masters.pcap.gz",
    "vrrp-unicast-works.pcapng",
    "vrrp-versions-differ.pcap",
    "vxlan-group-without-report.pcapng.gz",
    "vxlan-multicast-works.pcap",
)


def theirs(capture: Path) -> dict[int, tuple[tuple[str, ...], ...]]:
    """By frame, the values of each field."""
    columns = [word for name in ("frame.number", *FIELDS) for word in ("-e", name)]
    words = ["tshark", "-n", "-r", str(capture), "-Y", SHOWN, "-T", "fields", "-E", "occurrence=a", *columns]
    out = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    rows = (line.split("\t") for line in out.splitlines())
    return {int(row[0]): tuple(tuple(one.split(",")) if one else () for one in row[1:]) for row in rows}


def told(message: Any) -> tuple[tuple[str, ...], ...]:
    """What a message says, in the same order."""
    empty: tuple[str, ...] = ()
    match message:
        case Vrrp():
            kind = empty if message.authentication is None else (str(message.authentication),)
            head = ((str(message.version),), (str(message.vrid),), (str(message.priority),), kind)
            addresses = (message.addresses, empty) if message.ip_version == 4 else (empty, message.addresses)
            return (*head, *addresses, *(empty,) * 7)
        case IgmpQuery():
            return (*(empty,) * 6, (str(message.version),), (message.group,), empty, message.sources, *(empty,) * 3)
        case IgmpReport():
            kinds = tuple(str(one.type) for one in message.records) if message.version == 3 else empty
            sources = tuple(source for one in message.records for source in one.sources)
            groups = tuple(one.group for one in message.records)
            return (*(empty,) * 6, (str(message.version),), groups, kinds, sources, *(empty,) * 3)
        case MldQuery():
            return (*(empty,) * 10, (message.group,), empty, empty)
        case MldReport():
            groups = tuple(one.group for one in message.records)
            if message.version == 1:
                return (*(empty,) * 10, groups, empty, empty)
            return (*(empty,) * 11, groups, tuple(str(one.type) for one in message.records))
    raise TypeError(type(message).__name__)


@pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark")
@pytest.mark.parametrize("capture", [*(CAPTURES / name for name in NAMES), CORPUS / "arkime/ospf.pcap"], ids=str)
def test_equals_tshark(capture: Path) -> None:
    if not capture.exists():
        pytest.skip("no corpus")
    dissected = dissect(capture)
    mine = {
        one.number: told(one.message)
        for kind in (Vrrp, IgmpQuery, IgmpReport, MldQuery, MldReport)
        for one in dissected.view.messages(kind)
    }
    expected = {number: said for number, said in theirs(capture).items() if number not in dissected.twins}
    assert mine == expected
    assert mine
