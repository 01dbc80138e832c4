"""Fuzzes what writes pseudonyms: ``python tests/fuzz/fuzz_pseudonyms.py [-runs=N] [any libFuzzer option]``.

The first byte of an input chooses between frames, datagrams, streams, certificates and texts. Nothing may come out but
changes within the bytes at hand, a frame keeps its length, and a text comes back.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pcapdx.annotate.logins import Run
from pcapdx.anonymize.certificate import certificate
from pcapdx.anonymize.datagrams import BY_PORT, of_link
from pcapdx.anonymize.packet import MAC, V4, V6, opened, readdressed, rewritten
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.anonymize.streams import read
from tests.anonymize.test_packet import FRAMES
from tests.anonymize.test_streams import made
from tests.fuzz.handover import fuzz

TOLD = Pseudonyms(bytes(range(32)))
LINKS = (0, 1, 12, 101, 108, 113, 276)
PORTS = (22, 53, 80, 443, 2049, 3260, 3306, *sorted(BY_PORT))


def seeds() -> list[bytes]:
    """Frames of every layer as frames and as what they carry, a certificate, a text."""
    frames = [bytes(one) for one in FRAMES.values()]
    found = [b"\0\1" + frame for frame in frames]
    found += [bytes([1, place]) + frame[42:] for frame in frames for place in (7, 10, 13)]
    found += [b"\2\3\x16\3\3\0\x10" + frames[0], b"\2\2GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n"]
    return [*found, b"\3\0" + made(), b"\4\0" + b"web-1 02:01:00:cc:00:16 10.1.1.57/24 fd00::1, a.example.com"]


def check(data: bytes) -> None:
    """Have ``data`` rewritten."""
    kind, which, body = data[:1], data[1] if len(data) > 1 else 0, data[2:]
    if kind == b"\0":
        packet = opened(body, LINKS[which % len(LINKS)])
        new = rewritten(packet, readdressed(packet, {MAC: TOLD.mac, V4: TOLD.ipv4, V6: TOLD.ipv6}))
        assert len(new) == len(body)
        assert all(begin >= 0 for begin, _ in packet.blanks)
        list(of_link(body, which % (len(body) + 1), 0x88CC, TOLD))
    elif kind == b"\1":
        for at, _ in BY_PORT[sorted(BY_PORT)[which % len(BY_PORT)]](body, TOLD):
            assert 0 <= at <= len(body)
    elif kind == b"\2":
        for at, new in read(Run(0, body, bool(which & 64), bool(which & 128)), PORTS[which % len(PORTS)], TOLD):
            assert 0 <= at <= at + len(new) <= len(body)
    elif kind == b"\3":
        for at, new in certificate(body, 0, len(body), TOLD):
            assert 0 <= at <= at + len(new) <= len(body)
    else:
        text = body.decode("utf-8", "replace")
        TOLD.reveal(TOLD.text(text), {})
    TOLD.known.clear()
    TOLD.heads.clear()


if __name__ == "__main__":
    sys.exit(fuzz("pseudonyms", seeds(), check))
