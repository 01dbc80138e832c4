"""Labelled captures and captures in memory under pseudonyms."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pcapdx.annotate.payload import Payload
from pcapdx.anonymize.disguise import Disguised, disguised
from pcapdx.anonymize.keyfile import KeyFile
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.diagnose import Analysis, analyze
from pcapdx.report.document import Document, document_of
from pcapdx.site import load_site
from pcapdx.vantage import parse_argument
from tests import labelled
from tests.capture.writing import Packet, pcap, read

KEY = bytes(range(32))


def pseudonyms() -> Pseudonyms:
    return Pseudonyms(KEY)


@contextmanager
def case(name: str, folder: Path, key: bytes = KEY) -> Iterator[tuple[Disguised, Analysis]]:
    """A labelled case under pseudonyms, and what is found in it then."""
    one = labelled.CASES[name]
    site = load_site(one.site) if one.site else None
    file = KeyFile(folder / "key", key, {})
    with disguised(one.arguments, labelled.plugins(), file, site=site) as disguise:
        found = analyze(disguise.arguments, labelled.plugins(), site=disguise.site, strict=True)
        disguise.like_original(found)
        yield disguise, found


def frames_of(frames: list[bytes], folder: Path, payload: Payload = Payload.HEADERS, link: int = 1) -> list[bytes]:
    """Frames as they are under pseudonyms."""
    source = folder / "in.pcap"
    source.write_bytes(pcap([Packet(10**15 + n * 1000, one) for n, one in enumerate(frames)], link=link))
    key = KeyFile(folder / "key", KEY, {})
    with disguised([parse_argument(str(source))], labelled.plugins(), key, payload=payload) as disguise:
        seen = read(Path(disguise.arguments[0].path).read_bytes())
    return [one.data for one in seen.frames]


def said(document: Document, told: Pseudonyms | None = None) -> dict[str, Any]:
    """What is found and proven, by code, grade and frames; words in any order, since lists of names are sorted."""
    names = {hidden: name for name, hidden in told.known.items()} if told else {}

    def words(text: str) -> list[str]:
        return sorted((told.reveal(text, names) if told else text).replace(",", " ").replace(" and ", " ").split())

    return {
        "findings": sorted(
            (one.code, one.severity, one.confidence, str(sorted(piece.frames for piece in one.evidence)),
             words(one.summary))
            for one in document.findings
        ),
        "proofs": sorted(
            (one.code, str([piece.frames for piece in one.evidence]), words(one.summary)) for one in document.proofs
        ),
        "topics": [(one.topic, one.state) for one in document.topics],
        "anomalies": [(one.frame, one.protocol, one.kind) for one in document.anomalies],
        "captures": [(one.format, one.bytes, one.frames, one.complete, len(one.limits)) for one in document.captures],
    }  # fmt: skip


def reported(analysis: Analysis) -> Document:
    return document_of(analysis)
