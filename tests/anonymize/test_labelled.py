"""Labelled captures under pseudonyms: nothing of the originals in them, and the same diagnosis in other names."""

from pathlib import Path

import pytest

from pcapdx.annotate.annotate import LeakError
from pcapdx.annotate.payload import Payload
from pcapdx.anonymize.leftover import Originals
from pcapdx.report import html, json, markdown, sarif, text
from pcapdx.report.document import document_of
from tests import labelled
from tests.annotate.annotating import tshark
from tests.anonymize.disguising import case, pseudonyms, reported, said

TELLING = (
    "console-dashed-name-of-another-address", "console-realhostip", "console-self-signed", "console-chain-incomplete",
    "dhcp-relayed-in-fragments", "dns-answers-in-fragments", "overlay-in-fragments", "nic-cables-swapped",
    "held-out-labels-crossed", "host-iscsi-wrong-secret", "template-shared-duid", "metadata-crawl-complete",
    "password-delivered-g4", "dhcp6-slaac-works", "path-vlan-not-on-near-port", "capture-mirror-duplicates",
    "vxlan-multicast-works", "vrrp-both-masters", "lldp-vlan-not-on-port-arp", "dhcp-lease-snap-length-96",
)  # fmt: skip
"""Those that lean most on what is replaced."""
CASES = sorted({*sorted(labelled.CASES)[::7], *TELLING})
NUMBERED = {"vlan-bridged-by-instance"}
"""What is said of them has numbers that are made of addresses."""


@pytest.mark.parametrize("name", CASES)
def test_the_diagnosis_stays(name: str, tmp_path: Path) -> None:
    with case(name, tmp_path) as (disguise, found):
        assert disguise.lost == ()
        before, after = said(labelled.document(name)), said(disguise.shown(reported(found)), disguise.told)
        if name in NUMBERED:
            before, after = ({**one, "findings": len(one["findings"])} for one in (before, after))
        assert after == before


@pytest.mark.parametrize("name", TELLING)
def test_no_report_knows_an_original(name: str, tmp_path: Path) -> None:
    """Addresses and names of the case are in the reports of the original, and in none of its disguise."""
    with case(name, tmp_path) as (disguise, found):
        document = disguise.shown(document_of(found))
        written = "".join(
            (text.render(document), json.render(document), html.render(document), markdown.render(document),
             sarif.render(document))
        )  # fmt: skip
        plain = text.render(labelled.document(name))
        view = labelled.analysis(name).case.views[0]
        originals = {one.mac for one in view.talkers} | {one.ip for one in view.bindings}
        hidden = {disguise.told.text_address(one) for one in originals}
        secrets = {one for one in originals - hidden if one in plain}
        secrets |= {name for name in disguise.told.known if "." in name and name in plain} - hidden
        words = set(written.replace("/", " ").replace(",", " ").replace(";", " ").split())
        assert not secrets & words


def test_a_key_decides(tmp_path: Path) -> None:
    name = "dhcp-unknown-mac-bridge"
    seen = []
    for key in (bytes(32), bytes(32), bytes(range(32))):
        with case(name, tmp_path, key) as (disguise, _):
            seen.append(Path(disguise.arguments[0].path).read_bytes())
    assert seen[0] == seen[1] != seen[2]


def test_what_is_left_is_refused(tmp_path: Path) -> None:
    """The look through what was written finds addresses and names in any place."""
    told = pseudonyms()
    told.domain("web-17.customer.example.com")
    originals = Originals(told)
    originals.learn(labelled.analysis("dhcp6-slaac-works").case.views[0])
    view = labelled.analysis("dhcp6-slaac-works").case.views[0]
    six = next(one.ip for one in view.bindings if ":" in one.ip and told.text_address(one.ip) != one.ip)
    mac = view.talkers[0].mac
    file = tmp_path / "x"
    for form in (
        six.encode(), mac.encode(), bytes.fromhex(mac.replace(":", "")), b"web-17.customer.example.com",
        b"\x06web-17\x08customer\x07example\x03com",
    ):  # fmt: skip
        file.write_bytes(b"\0" * 5_000_000 + form + b"\0")
        with file.open("rb") as opened, pytest.raises(LeakError):
            originals.check(opened)
    file.write_bytes(bytes(1000) + b"somebody.else.example.org")
    with file.open("rb") as opened:
        originals.check(opened)


@pytest.mark.parametrize("name", ["dhcp-lease-trunk", "console-works", "dhcp-bad-checksum", "host-agent-works"])
def test_tshark_finds_sums_as_they_were(name: str, tmp_path: Path) -> None:
    """Lengths, numbers, times, and whether checksums are right."""
    fields = ("frame.number", "frame.time_epoch", "frame.len", "tcp.seq_raw", "ip.checksum.status",
              "tcp.checksum.status", "udp.checksum.status")  # fmt: skip
    options = tuple(f"-o{one}.check_checksum:TRUE" for one in ("ip", "tcp", "udp"))
    (view,) = labelled.analysis(name).case.views
    with case(name, tmp_path) as (disguise, _):
        after = tshark(Path(disguise.arguments[0].path), *fields, options=options)
    assert after == tshark(Path(view.capture.path), *fields, options=options)


def test_payload_can_be_kept(tmp_path: Path) -> None:
    from pcapdx.anonymize.disguise import disguised
    from pcapdx.anonymize.keyfile import KeyFile

    one = labelled.CASES["host-agent-works"]
    sizes = []
    for payload in (Payload.KEEP, Payload.HEADERS):
        key = KeyFile(tmp_path / "key", bytes(32), {})
        with disguised(one.arguments, labelled.plugins(), key, payload=payload) as disguise:
            sizes.append(Path(disguise.arguments[0].path).read_bytes().count(b"\0"))
    assert sizes[0] <= sizes[1]
