"""Every labelled capture annotated and masked: nothing secret in it, and the same diagnosis as before."""

from pathlib import Path

import pytest

from pcapdx.annotate.annotate import Settings
from pcapdx.model import Finding, Proof
from tests import labelled
from tests.annotate.annotating import again, said, tshark, written_of
from tests.test_secrets import SECRETIVE, disguises

PLAIN = ("dhcp-unknown-mac-bridge", "console-works", "dhcp-lease-dhcpcd", "nic-duplicate-mac-on-trunk")


@pytest.mark.parametrize("name", sorted(labelled.CASES))
def test_the_diagnosis_stays(name: str, tmp_path: Path) -> None:
    written = written_of(name, tmp_path / "out", Settings())
    before, after = said(labelled.analysis(name)), said(again(name, written))
    assert after == before
    for one in written:
        data = one.path.read_bytes().lower()
        for secret in labelled.CASES[name].truth["secrets"]:
            for disguise in disguises(secret):
                assert disguise not in data


@pytest.mark.parametrize("name", SECRETIVE)
def test_secrets_stay_where_it_is_asked_for(name: str, tmp_path: Path) -> None:
    """So the test above is no test of something that was never there."""
    written = written_of(name, tmp_path / "out", Settings(mask=False))
    data = b"".join(one.path.read_bytes() for one in written)
    assert any(secret.encode() in data for secret in labelled.CASES[name].truth["secrets"])
    assert all("Nothing is masked" in one.masked for one in written)


@pytest.mark.parametrize("name", PLAIN)
def test_tshark_reads_the_same_frames(name: str, tmp_path: Path) -> None:
    """Numbers, times to the nanosecond, lengths, and whether checksums are right."""
    (written,) = written_of(name, tmp_path / "out", Settings())
    (view,) = labelled.analysis(name).case.views
    fields = ("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "eth.src", "ip.src", "tcp.seq_raw")
    checked = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status")
    options = tuple(f"-o{one}.check_checksum:TRUE" for one in ("ip", "tcp", "udp"))
    before = tshark(Path(view.capture.path), *fields, *checked, options=options)
    assert tshark(written.path, *fields, *checked, options=options) == before


@pytest.mark.parametrize("name", PLAIN)
def test_every_finding_and_proof_is_on_its_frames(name: str, tmp_path: Path) -> None:
    (written,) = written_of(name, tmp_path / "out", Settings())
    diagnosed = labelled.analysis(name).diagnosed
    comments = tshark(written.path, "frame.comment", options=("-Eoccurrence=a", "-Eaggregator=\x1f"))
    told: list[Finding | Proof] = [*(one.finding for one in diagnosed.findings), *diagnosed.proofs]
    for finding in told:
        for piece in finding.evidence:
            for number in piece.frames:
                assert finding.summary in comments[number - 1]


def test_evidence_only_tells_the_frames_it_was(tmp_path: Path) -> None:
    name = "dhcp-unknown-mac-bridge"
    (written,) = written_of(name, tmp_path / "out", Settings(evidence_only=True))
    (view,) = labelled.analysis(name).case.views
    comments = tshark(written.path, "frame.comment", options=("-Eoccurrence=l",))
    numbers = [int(comment.split()[1]) for comment in comments]
    assert 0 < len(numbers) < view.frames
    assert all(comment == f"frame {number} of {view.name}" for number, comment in zip(numbers, comments, strict=True))
    before = tshark(Path(view.capture.path), "frame.time_epoch", "frame.len")
    assert tshark(written.path, "frame.time_epoch", "frame.len") == [before[number - 1] for number in numbers]
    evidence = {frame for one in labelled.analysis(name).diagnosed.findings for e in one.finding.evidence
                for frame in e.frames}  # fmt: skip
    assert evidence <= set(numbers)


def test_merged_captures_are_one_in_the_order_of_time(tmp_path: Path) -> None:
    from pcapdx.annotate.annotate import annotate

    name = "path-arp-answers-dropped"
    case, target = labelled.CASES[name], tmp_path / "all.pcapng"
    annotate(case.arguments, labelled.plugins(), target, Settings(merge=True))
    views = labelled.analysis(name).case.views
    rows = [row.split("\t") for row in tshark(target, "frame.time_epoch", "frame.interface_id", "frame.comment")]
    assert len(rows) == sum(view.frames for view in views)
    times = [row[0] for row in rows]
    assert times == sorted(times)
    assert len({row[1] for row in rows}) == len(views)
    assert any(f"of {views[1].name}" in row[2] for row in rows)
