"""What the recorder lost is not taken for what was never sent: a FIN tells where its stream ends."""

from pathlib import Path

from pcapdx.dissect import End
from pcapdx.vantage import Role
from tests.rules.build import Tape, tcp

HERE, THERE = ("02:01:00:cc:00:16", "10.1.1.57", 40_000), ("02:01:00:cc:00:01", "10.1.1.1", 8080)


def fetched(*, lost: bool) -> Tape:
    """A request, and an answer of which the recorder may have lost the second segment."""
    tape = Tape().add(0, tcp(*HERE, *THERE, "S", seq=100)).add(0.001, tcp(*THERE, *HERE, "SA", seq=500, ack=101))
    tape.add(0.002, tcp(*HERE, *THERE, "PA", seq=101, ack=501, size=80))
    tape.add(0.003, tcp(*THERE, *HERE, "PA", seq=501, ack=181, size=60))
    if not lost:
        tape.add(0.004, tcp(*THERE, *HERE, "PA", seq=561, ack=181, size=10))
    return tape.add(0.005, tcp(*THERE, *HERE, "FA", seq=571, ack=181)).add(
        0.006, tcp(*HERE, *THERE, "A", seq=181, ack=572)
    )


def test_a_fin_after_a_lost_segment(tmp_path: Path) -> None:
    for lost, end in ((False, End.FIN), (True, End.GAP)):
        [view] = fetched(lost=lost).analysis(tmp_path, role=Role.TAP).case.views
        [flow] = view.flows.where(ports=(8080,))
        assert (flow.responder.stream_bytes, flow.responder.payload_bytes) == (70, 60 if lost else 70)
        ends = {one.responder_end for traffic in view.traffic.values() for one in traffic.conversations}
        assert ends == {end}


def test_who_sends_data_was_answered(tmp_path: Path) -> None:
    """The SYN/ACK is not in the capture; the reset after the data is no refusal of the connection."""
    tape = (
        Tape().add(0, tcp(*HERE, *THERE, "S", seq=100)).add(0.002, tcp(*HERE, *THERE, "PA", seq=101, ack=501, size=80))
    )
    tape.add(0.003, tcp(*THERE, *HERE, "RA", seq=501, ack=181))
    found = tape.analysis(tmp_path, role=Role.TAP).diagnosed.findings
    assert not [one for one in found if "refused" in one.finding.summary]
