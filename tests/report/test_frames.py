"""Evidence frames as pcapdx reads them."""

from dataclasses import replace

import pytest

from pcapdx.report.decoded import decoded
from pcapdx.report.frames import MOST_FRAMES, MOST_LINES, read_frames
from tests import labelled


def read(name: str) -> list[str]:
    return read_frames(labelled.analysis(name).case, labelled.document(name)).splitlines()


def heads(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith(" ")]


def test_a_discover() -> None:
    lines = read("dhcp-unknown-mac-bridge")
    assert heads(lines)[0].startswith("frame 1  ")
    assert "  dhcp: DHCP DISCOVER" in "\n".join(lines)
    assert "    chaddr: 02:01:00:cc:00:16" in lines
    assert "  IPv4 0.0.0.0 port 68 to 255.255.255.255 port 67, TTL 128" in lines


def test_a_certificate() -> None:
    lines = [line.strip() for line in read("console-name-mismatch")]
    assert any(line.startswith("tls: Server Hello") for line in lines)
    assert any("*.oldname.example.net" in line for line in lines)
    assert "tls: Alert (bad_certificate)" in lines


def test_tags_and_several_captures() -> None:
    name = next(name for name, case in labelled.CASES.items() if len(case.arguments) > 2)
    views = {view.name for view in labelled.analysis(name).case.views}
    found = heads(read(name))
    assert {line.split(" frame ")[0] for line in found} <= views
    assert any(", VLAN " in line for line in read("vlan-healthy-trunk"))


@pytest.mark.parametrize("name", sorted(labelled.CASES)[::5])
def test_bounded(name: str) -> None:
    lines = read(name)
    assert len(heads(lines)) <= MOST_FRAMES
    assert len(lines) < MOST_FRAMES * 20 * MOST_LINES
    assert all(line.isprintable() for line in lines)


def test_no_evidence() -> None:
    name = "dhcp-unknown-mac-bridge"
    case, document = labelled.analysis(name).case, labelled.document(name)
    assert decoded(replace(document, findings=(), proofs=()), case, by_tshark=False) == ""
