"""Public captures: frame numbers, times and lengths are those that tshark finds, but for what is listed here."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pcapdx.capture.open import open_capture
from pcapdx.capture.records import NO_TIME
from pcapdx.errors import CaptureError
from tests.capture.writing import Reading, drain

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
MANIFEST = CORPUS / "manifest.json"
FILES: list[dict[str, Any]] = json.loads(MANIFEST.read_text())["files"] if MANIFEST.exists() else []

REFUSED = {
    "libpcap/pcap-invalid-version-1.pcap": "is a pcap of version 1.4",
    "libpcap/pcapng-invalid-vers-1.pcapng": "pcapng version 0.1",
    "libpcap/pcapng-invalid-vers-2.pcapng": "pcapng version 1.1",
    "libpcap/shb-option-too-long.pcapng": "A block of 52 bytes has the length 808464432 at its end",
}
"""As tshark refuses them."""

DAMAGED = {
    "PcapPlusPlus/crash-eec28dafde1f1ac2299674a75a914ae16d4046fa": "oversized-record",
    "PcapPlusPlus/crash-pcapng-epb-unbounded-length": "packet-overrun",
    "PcapPlusPlus/igmplayer": "oversized-record",
    "dpkt/truncated_dns_2.pcap": "cut-short",
    "nDPI/fuzz-2021-10-13.pcap": "cut-short",
    "suricata-verify/bug-6875-01__fuzz.pcap": "oversized-record",
}

OTHER_FRAMES = {
    # The second record claims 1.4 GB. tshark guesses from it that records have the longer headers of a patch of 1999,
    # and so reads one more frame of one byte, from the year 1925.
    "suricata-verify/bug-6875-01__fuzz.pcap": 1,
}

OTHER_TIMES = {
    # tshark holds the fraction of a second in 32 bits with a sign, and it overflows; here the sum is exact.
    "PcapPlusPlus/crash-eec28dafde1f1ac2299674a75a914ae16d4046fa": {1},
    "tcpdump/timestamp_invalid_nano.pcap": {3},
    # Times 150 and 584 million years off do not fit 64 bits of nanoseconds, so the frames have none.
    "nfstream/dhcp_big_endian.pcapng": set(range(1, 5)),
    "PcapPlusPlus/pcapng-example.pcapng.zst": set(range(60, 160)),
}


def oracle_of(entry: dict[str, Any]) -> Any:
    data = (CORPUS / entry["oracle"]).read_bytes()
    return json.loads(gzip.decompress(data) if entry["oracle"].endswith(".gz") else data)


def nanoseconds(text: str | None) -> int:
    """tshark's time; its fraction counts forward from a negative second, and may be more than a second."""
    if text is None:
        return NO_TIME
    seconds, fraction = text.split(".")
    return int(seconds) * 10**9 + int(fraction)


def reading_of(entry: dict[str, Any]) -> Reading:
    return drain(open_capture(str(CORPUS / entry["file"]), name="corpus"))


@pytest.mark.skipif(not FILES, reason="the corpus of public captures is not here")
def test_the_corpus_is_whole() -> None:
    names = {entry["file"] for entry in FILES}
    assert len(names) > 100
    assert names >= REFUSED.keys() | DAMAGED.keys() | OTHER_FRAMES.keys() | OTHER_TIMES.keys()


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["file"])
def test_as_tshark(entry: dict[str, Any]) -> None:
    file, oracle = entry["file"], oracle_of(entry)
    if file in REFUSED:
        with pytest.raises(CaptureError, match=REFUSED[file]):
            reading_of(entry)
        assert oracle["frames"] == 0
        return
    reading = reading_of(entry)
    facts = reading.facts
    damage = [
        anomaly.kind for anomaly in facts.anomalies if anomaly.kind not in ("time-out-of-range", "link-high-bits")
    ]
    assert damage == ([DAMAGED[file]] if file in DAMAGED else [])
    assert facts.complete == (file not in DAMAGED)
    assert facts.frames == OTHER_FRAMES.get(file, oracle["frames"])
    assert facts.format == oracle["container"]["format"].removesuffix("-modified")
    assert facts.bytes == entry["bytes"] or not facts.complete
    if file not in OTHER_FRAMES:
        assert len(reading.frames) == entry["packets"]
    by_number = {frame.number: frame for frame in reading.frames}
    apart = set()
    for record in oracle["records"]:
        if record["n"] > facts.frames and file in OTHER_FRAMES:
            continue
        if record["n"] not in by_number:  # a custom or journal block
            assert record["protocols"] == "data" or record["len"] == 0
            continue
        frame = by_number[record["n"]]
        assert (frame.wire_bytes, len(frame.data)) == (record["len"], record["cap"])
        section = facts.interfaces[frame.interface].section
        first = next(index for index, known in enumerate(facts.interfaces) if known.section == section)
        assert frame.interface - first == record.get("interface", 0)
        if frame.ts_ns != nanoseconds(record.get("t")):
            apart.add(record["n"])
    assert apart == OTHER_TIMES.get(file, set())
