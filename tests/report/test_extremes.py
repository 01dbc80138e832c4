"""Reports of extreme captures: very many findings, a year of nothing, clocks that jump; none outgrows its bounds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers.l2 import ARP, Ether
from scapy.utils import wrpcap

from pcapdx.diagnose import analyze
from pcapdx.report import html, markdown, text
from pcapdx.report.document import Document, document_of
from pcapdx.report.pictures import pictures_of
from pcapdx.vantage import parse_argument
from tests import labelled

MOST_BYTES = 2_000_000
MANY = 100_000
YEAR_S = 365 * 86_400
NAME = "dhcp-unknown-mac-bridge"


def many_roots(document: Document) -> Document:
    """Every one its own diagnosis."""
    finding, diagnosis = document.findings[0], document.diagnoses[0]
    many = range(MANY)
    return replace(
        document,
        findings=tuple(replace(finding, id=f"F{number}") for number in many),
        diagnoses=tuple(replace(diagnosis, finding=f"F{number}", consequences=()) for number in many),
    )


def many_consequences(document: Document) -> Document:
    """All of them explained by one."""
    finding, diagnosis = document.findings[0], document.diagnoses[0]
    identities = tuple(f"F{number}" for number in range(MANY))
    return replace(
        document,
        findings=tuple(replace(finding, id=identity) for identity in identities),
        diagnoses=(replace(diagnosis, finding="F0", consequences=identities[1:]),),
    )


def many_frames(document: Document) -> Document:
    """One finding with as many frames, every other of the capture."""
    finding = document.findings[0]
    evidence = replace(finding.evidence[0], frames=tuple(range(1, 2 * MANY, 2)))
    findings = (replace(finding, evidence=(evidence,)), *document.findings[1:])
    return replace(document, findings=findings)


def many_proofs(document: Document) -> Document:
    proof = labelled.document("vlan-healthy-trunk").proofs[0]
    proofs = tuple(replace(proof, id=f"P{number}", code=f"ABC{number % 50:03}") for number in range(100_000))
    return replace(document, proofs=proofs)


@pytest.mark.parametrize("grown", [many_roots, many_consequences, many_frames, many_proofs])
def test_reports_stay_small(grown: Callable[[Document], Document]) -> None:
    document = grown(labelled.document(NAME))
    for written in (html.render(document), text.render(document), markdown.render(document)):
        assert 1_000 < len(written.encode()) < MOST_BYTES


def arp(second: float, target: int) -> Ether:
    packet = Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / ARP(
        hwsrc="02:00:00:00:00:01", psrc="10.0.0.1", pdst=f"10.0.0.{target}"
    )
    packet.time = second
    return packet


@pytest.mark.parametrize(
    "moments",
    [(0.0, YEAR_S), (0.0, 1.0), (0.0, 0.0), (YEAR_S, 0.0, YEAR_S), (0.0, 1.0, 40 * YEAR_S, 2.0), (5.0,)],
    ids=["a year", "the epoch", "no time", "back and forth", "a jump", "alone"],
)
def test_any_times(moments: tuple[float, ...], tmp_path: Path) -> None:
    path = tmp_path / "times.pcap"
    wrpcap(str(path), [arp(moment, 2 + place) for place, moment in enumerate(moments)])
    analysis = analyze([parse_argument(str(path))], labelled.plugins(), strict=True)
    document = document_of(analysis)
    page = html.render(document, pictures_of(analysis, document))
    assert f"{len(moments)} frame" in page
    assert len(page) < MOST_BYTES
