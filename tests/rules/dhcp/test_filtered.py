"""What a capture filter that the file notes does to claims of silence."""

from pathlib import Path

import pytest

from captures.lab.artefacts import noting_filter
from pcapdx.diagnose import analyze
from pcapdx.model import Severity
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, arp_reply, arp_request, discover, plugins

CLIENT, OTHER, FAR = "02:01:00:cc:00:16", "02:01:00:cc:00:17", "02:01:00:cc:00:01"


def codes(folder: Path, expression: str) -> set[str]:
    """Codes at warning or above of a client that asks in vain, noted as recorded with a filter."""
    tape = Tape()
    for n in range(6):
        tape.add(6 * n, discover(CLIENT, xid=7))
        tape.add(6 * n + 1, arp_request(OTHER, "10.1.1.8", "10.1.1.1"))
        tape.add(6 * n + 1.1, arp_reply(FAR, "10.1.1.1", OTHER, "10.1.1.8"))
    tape.analysis(folder)
    path = noting_filter(expression, "breth1-101")(folder / "tape.pcap")
    argument = CaptureArgument(name="tape", role=Role.BRIDGE, path=str(path), named=True)
    found = analyze([argument], plugins(), strict=True).diagnosed.findings
    return {one.finding.code for one in found if one.finding.severity is not Severity.INFO}


@pytest.mark.parametrize("expression", ["arp or port 67 or port 68", "arp or udp portrange 67-68", "not port 22"])
def test_answers_would_be_there(tmp_path: Path, expression: str) -> None:
    assert "DHCP001" in codes(tmp_path, expression)


@pytest.mark.parametrize("expression", ["arp or udp dst port 67", "arp or (udp and src port 68)", "not src port 67"])
def test_answers_would_not_be_there(tmp_path: Path, expression: str) -> None:
    assert not codes(tmp_path, expression)
