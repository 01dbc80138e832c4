"""Wireshark's trees of the evidence frames."""

import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from pcapdx.diagnose import analyze
from pcapdx.report.decoded import by_wireshark, decoded
from pcapdx.report.document import Document, document_of
from pcapdx.report.frames import MOST_FRAMES
from pcapdx.vantage import parse_argument
from tests import labelled


@pytest.fixture(autouse=True)
def _tshark() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")


def document(name: str) -> Document:
    return document_of(labelled.analysis(name))


def headings(trees: str) -> list[str]:
    return [line for line in trees.splitlines() if " frame " in line and not line.startswith(" ")]


def test_evidence_frames_are_shown_whole() -> None:
    trees = by_wireshark(document("dhcp-unknown-mac-bridge"))
    assert headings(trees)[:3] == [f"dhcp-unknown-mac-bridge frame {number}" for number in (1, 2, 3)]
    assert "    DHCP: Discover (1)" in trees
    assert "    Client MAC address: 02:01:00:cc:00:16" in trees
    assert "    Source Port: 68" in trees


@pytest.mark.parametrize("name", ["dhcp-lost-discover", "password-delivered-router", "console-websocket-dies"])
def test_compressed_captures(name: str) -> None:
    """Also such as tshark cannot unpack itself."""
    if not document(name).proofs and not document(name).findings:
        pytest.skip("nothing is cited in it")
    assert headings(by_wireshark(document(name)))


def test_not_too_many() -> None:
    assert len(headings(by_wireshark(document("password-retry-storm")))) == MOST_FRAMES


def test_http_shows_headers_and_no_body() -> None:
    trees = by_wireshark(document("password-delivered-g1"))
    assert "    Request Method: GET" in trees
    assert "    User-Agent: Wget" in trees
    assert "DomU_Request" not in trees


def test_a_capture_in_pieces_is_cited_by_file(tmp_path: Path) -> None:
    data = Path(labelled.CASES["password-refused"].arguments[0].path).read_bytes()
    at, ends = 24, []
    while at < len(data):
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
        ends.append(at)
    middle = ends[len(ends) // 2]
    (tmp_path / "x.pcap").write_bytes(data[:middle])
    (tmp_path / "x.pcap1").write_bytes(data[:24] + data[middle:])
    arguments = [parse_argument(str(tmp_path / name)) for name in ("x.pcap", "x.pcap1")]
    trees = by_wireshark(document_of(analyze(arguments, labelled.plugins())))
    assert {heading.split()[0] for heading in headings(trees)} == {"x.pcap", "x.pcap1"}
    assert "Flags: 0x014 (RST, ACK)" in trees


def test_damage_is_told(tmp_path: Path) -> None:
    """tshark stops at the end of a cut file; what it showed before stays."""
    path = tmp_path / "cut.pcap"
    path.write_bytes(Path(labelled.CASES["password-refused"].arguments[0].path).read_bytes()[:-3])
    trees = by_wireshark(document_of(analyze([parse_argument(str(path))], labelled.plugins())))
    assert headings(trees)


def test_of_a_pipe_nothing_is_left_for_tshark() -> None:
    full = document("password-refused")
    piped = replace(full, captures=(replace(full.captures[0], file="-"),))
    assert by_wireshark(piped) == ""
    assert decoded(piped, labelled.analysis("password-refused").case).startswith("by pcapdx\n")
