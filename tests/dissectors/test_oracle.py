"""Every fact that tshark also has equals tshark's, over the public corpus and our own captures."""

import json
import shutil
from pathlib import Path

import pytest

from pcapdx.errors import CaptureError
from tests.dissectors.oracle import CORPUS, differences, made, stored

OWN = Path(__file__).resolve().parents[2] / "captures"

EXPECTED: dict[str, tuple[str, frozenset[tuple[int, str]]]] = {
    "PcapPlusPlus/igmplayer": (
        "Kuznetzov's format under the plain magic number: we see its longer record headers, tshark does not",
        frozenset({(1, "icmp6")}),
    ),
    "PcapPlusPlus/pcapng-example.pcapng.zst": (
        "TLS that begins in the middle of a MySQL connection",
        frozenset({(8, "tls"), (10, "tls"), (10, "certificates"), (12, "tls"), (14, "tls")}),
    ),
    "arkime/nflog.pcap": ("link type NFLOG is not read", frozenset({(4, "http")})),
    "arkime/wireshark-lldp.pcap": (
        "a time to live twice more: we take the first one",
        frozenset({(1, "lldp")}),
    ),
    "nDPI/WebattackRCE.pcap": (
        "a space within the target: we take the version from the end of the line, tshark cuts at the first space",
        frozenset({(535, "http")}),
    ),
    "nDPI/fuzz-2006-09-29-28586.pcap": (
        "fuzzed: tshark ends texts at a NUL, and reads a status line that ends in 0x1a as we do not",
        frozenset({(20, "http"), (126, "http")}),
    ),
    "nDPI/tls_invalid_reads.pcap": (
        "fuzzed: tshark takes a handshake message of an unknown type for encrypted",
        frozenset({(6, "tls")}),
    ),
    "suricata-verify/decode-chdlc-01__hdlc-http_1tx.pcap": (
        "link type Cisco HDLC is not read",
        frozenset({(4, "http"), (14, "http")}),
    ),
    "tcpdump/arp-oobr.pcap": ("fuzzed: hardware type 19, which tshark takes for ATM", frozenset({(1166, "arp")})),
    "tcpdump/various_gre.pcap": (
        "Cisco metadata and CDP right within GRE are not followed",
        frozenset({*((frame, "icmp") for frame in range(25, 35)), (49, "cdp"), (63, "cdp")}),
    ),
    "zeek/get-to-ssh-server.pcap": (
        "HTTP sent to port 22: we look at the first byte, tshark at the port",
        frozenset({(4, "http")}),
    ),
    "zeek/pbb.pcap": (
        "what is within 802.1ah (MAC in MAC) is not read",
        frozenset({(2, "arp")} | {(frame, "vlan") for frame in range(5, 13)}),
    ),
    "zeek/tls-fragmented-handshake.pcap.gz": (
        "a handshake message of 340 kB, beyond what is put together",
        frozenset({(411, "tls")}),
    ),
}

OWN_EXPECTED = {
    "host-agent-port-probed.pcap": (
        "TLS alerts to probes that speak no TLS: we look at the port and the bytes, tshark wants a hello first",
        frozenset({(7, "tls"), (16, "tls")}),
    ),
    "held-out-sixth-scanner-in-the-pod.pcap.gz": (
        "as host-agent-port-probed",
        frozenset({(422, "tls")}),
    ),
    "held-out-third-password-closed.pcap.gz": (
        "requests that the snap length cut, recorded twice by -i any: tshark reads both copies, we one",
        frozenset((frame, "http") for frame in (26, 44, 70, 90)),
    ),
    "held-out-fifth-console-and-the-internet.pcap.zst": (
        "TLS sent to port 80: we look at the bytes, tshark at the port",
        frozenset({(108, "tls")}),
    ),
    "held-out-fifth-console-old-name.pcap.zst": (
        "a client's port 34980, which tshark takes for EtherCAT's",
        frozenset({*((frame, "tls") for frame in (24, 26, 28, 29)), (26, "certificates")}),
    ),
    "innocent-console-of-clients-alone.pcap": (
        "TLS sent to port 80: we look at the bytes, tshark at the port",
        frozenset({(18, "tls")}),
    ),
    "innocent-password-at-two-places.pcap": (
        "recorded without and with a tag: tshark takes the later copy for sent again, we read both",
        frozenset({(20, "http"), (44, "http")}),
    ),
    "innocent-payload-blanked.pcap": (
        "options of zeros, the cookie among them: tshark shows the first as padding",
        frozenset({(2, "dhcp"), (4, "dhcp")}),
    ),
}

CUT_LINES = {"held-out-fifth-any-on-a-busy-host.pcap.zst"}
"""The snap length ends within HTTP's first line: tshark reads what is there of it, we read none."""


def _corpus() -> list[str]:
    manifest = CORPUS / "manifest.json"
    return [one["file"] for one in json.loads(manifest.read_text())["files"]] if manifest.exists() else []


def _own() -> list[Path]:
    """Our captures, save those in xz, which tshark does not open."""
    return sorted(path for path in OWN.glob("*.pcap*") if path.suffix != ".xz")


@pytest.mark.skipif(not _corpus(), reason=f"no corpus at {CORPUS}")
@pytest.mark.parametrize("name", _corpus())
def test_equals_tshark_on_the_corpus(name: str) -> None:
    try:
        found = differences(CORPUS / name, stored(name))
    except CaptureError as refused:
        assert "version" in str(refused) or "length" in str(refused)
        return
    reason, expected = EXPECTED.get(name, ("equal", frozenset()))
    assert {(frame, group) for frame, group, _, _ in found} == expected, (reason, found)


@pytest.mark.skipif(not shutil.which("tshark") or not _corpus(), reason=f"no tshark, or no corpus at {CORPUS}")
@pytest.mark.parametrize("path", _own(), ids=lambda path: path.name)
def test_equals_tshark_on_our_captures(path: Path) -> None:
    reason, expected = OWN_EXPECTED.get(path.name, ("equal", frozenset()))
    found = differences(path, made(path))
    if path.name in CUT_LINES:
        found = [one for one in found if one[1] != "http" or one[2] is not None]
    assert {(frame, group) for frame, group, _, _ in found} == expected, (reason, found)
