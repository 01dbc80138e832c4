"""--payload: what is blanked, what stays, and that sums, lengths and the diagnosis do."""

from pathlib import Path

import pytest

from pcapdx.annotate.annotate import Settings
from pcapdx.annotate.payload import Payload
from tests import labelled
from tests.annotate.annotating import again, said, tshark, written_of

CASES = sorted({*sorted(labelled.CASES)[::9], "capture-mirror-duplicates", "path-arp-answers-dropped",
                "dns-answers-in-fragments", "overlay-in-fragments", "console-websocket-dies"})  # fmt: skip
CHECKED = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status")
OPTIONS = tuple(f"-o{one}.check_checksum:TRUE" for one in ("ip", "tcp", "udp"))


@pytest.mark.parametrize("name", CASES)
def test_the_diagnosis_stays_without_what_nobody_reads(name: str, tmp_path: Path) -> None:
    written = written_of(name, tmp_path / "out", Settings(payload=Payload.HEADERS))
    assert said(again(name, written)) == said(labelled.analysis(name))


@pytest.mark.parametrize("payload", [Payload.HEADERS, Payload.NONE])
@pytest.mark.parametrize(
    "name", ["host-agent-works", "dhcp-lease-trunk", "host-nfs-export-denied", "dhcp6-slaac-works"]
)
def test_lengths_and_sums_stay(name: str, payload: Payload, tmp_path: Path) -> None:
    (written,) = written_of(name, tmp_path / "out", Settings(payload=payload))
    (view,) = labelled.analysis(name).case.views
    fields = ("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "tcp.seq_raw", "tcp.len", *CHECKED)
    assert tshark(written.path, *fields, options=OPTIONS) == tshark(Path(view.capture.path), *fields, options=OPTIONS)


def test_none_leaves_headers_alone(tmp_path: Path) -> None:
    name = "console-works"
    (written,) = written_of(name, tmp_path / "out", Settings(payload=Payload.NONE, mask=False))
    assert "All payload is blanked" in written.masked
    for row in tshark(written.path, "tcp.payload", "udp.payload"):
        assert not row.replace("\t", "").strip("0")
    asked = tshark(written.path, "arp.opcode", "ip.src")
    (view,) = labelled.analysis(name).case.views
    assert asked == tshark(Path(view.capture.path), "arp.opcode", "ip.src")


def test_headers_blanks_what_nobody_reads(tmp_path: Path) -> None:
    """Of a connection that no dissector knows all data go, of TLS what follows the handshake."""
    name = "host-agent-works"
    (written,) = written_of(name, tmp_path / "out", Settings(payload=Payload.HEADERS))
    assert "no dissector reads" in written.masked
    (view,) = labelled.analysis(name).case.views
    before = tshark(Path(view.capture.path), "tcp.payload")
    after = tshark(written.path, "tcp.payload")
    blanked = [old for old, new in zip(before, after, strict=True) if old != new]
    assert blanked
    assert [old for old, new in zip(before, after, strict=True) if old == new and old]
