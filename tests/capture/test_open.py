"""What is no capture is said in one sentence; files and pipes are told apart."""

import io
import os
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pcapdx.capture import linktypes
from pcapdx.capture.open import open_capture
from pcapdx.errors import CaptureError
from tests.capture.writing import Packet, drain, pcap, read, rich_pcapng

TAR = bytes(257) + b"ustar\x0000" + bytes(250)


def refusal(path: str, stdin: BinaryIO | None = None) -> str:
    with pytest.raises(CaptureError) as caught:
        open_capture(path, name="t", stdin=stdin)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"x", "is a text file, not a packet capture (tcpdump writes one with -w)"),
        (b"12:00:00.1 IP 10.0.0.1 > 10.0.0.2: ICMP\n" * 30, "is a text file, not a packet capture"),
        ("Grüße – ".encode() * 99, "is a text file"),
        (b"snoop\0\0\0\0\0\0\2\0\0\0\4", "is a snoop capture; editcap -F pcapng makes one that can be read"),
        (b"GMBU" + bytes(200), "is a Microsoft Network Monitor capture"),
        (b"PK\x03\x04\x14\0\0\0", "is a zip archive; unzip makes one that can be read"),
        (TAR, "is a tar archive; unpack it with tar xf"),
        (b"\0\1\2\3", "is not a packet capture of a known format (pcap, pcapng)"),
        (b"\xd4\xc3\xb2", "is not a packet capture of a known format (pcap, pcapng)"),
        (b"\x7fELF\2\1\1" + bytes(600), "is not a packet capture of a known format (pcap, pcapng)"),
        (b"\x1f\x8b\x08\0", "is gzip data that hold nothing: The gzip data end too early."),
    ],
)
def test_not_a_capture(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert refusal(str(path)).startswith(f"{path} {sentence}")
    assert refusal("-", io.BytesIO(content)).startswith(f"standard input {sentence}")


def test_no_such_file(tmp_path: Path) -> None:
    assert refusal(f"{tmp_path}/x") == f"{tmp_path}/x does not exist"
    assert refusal(str(tmp_path)) == f"{tmp_path} is a directory, not a packet capture"
    assert refusal("a\0b") == r"'a\x00b' cannot be opened: embedded null byte"
    assert refusal("-") == "standard input is not connected"


def test_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal("x.pcap") == "x.pcap may not be read by this user (permission denied)"


class Failing(io.BytesIO):
    """A disk that goes away after so many reads."""

    reads = 2

    def readinto(self, buffer: Any) -> int:
        self.reads -= 1
        if self.reads < 0:
            raise OSError(5, "Input/output error")
        return super().readinto(memoryview(buffer)[:100])


def test_a_disk_that_fails() -> None:
    reading = drain(open_capture("-", name="t", stdin=Failing(pcap([Packet()] * 9))))
    assert (len(reading.frames), reading.kinds, reading.facts.complete) == (2, ["read-error"], False)
    assert reading.facts.anomalies[0].what == "The file cannot be read on: Input/output error."
    broken = Failing(b"\xd4\xc3")
    broken.reads = 0
    assert refusal("-", broken) == "standard input cannot be read: Input/output error"


def test_facts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([Packet()] * 3))
    facts = drain(open_capture(str(path), name="tap")).facts
    assert (facts.name, facts.path, facts.bytes) == ("tap", str(path), 24 + 3 * 30)
    assert [(piece.path, piece.before, piece.frames) for piece in facts.pieces] == [(str(path), 0, 3)]


def test_small_captures_stay_plain_and_large_ones_do_not() -> None:
    for count, fast in ((10, False), (20_000, True)):
        with closing(open_capture("-", name="t", stdin=io.BytesIO(pcap([Packet()] * count)))) as reader:
            assert reader.fast is fast


def test_a_small_capture_does_without_the_compiler() -> None:
    program = "import sys; from pcapdx.capture.open import open_capture as o\n"
    program += "list(o('-', name='t', stdin=sys.stdin.buffer).blocks()); sys.exit('numba' in sys.modules)"
    source, sink = os.pipe()
    os.write(sink, pcap([Packet()] * 100))
    os.close(sink)
    pid = os.posix_spawn(
        sys.executable, [sys.executable, "-c", program], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, source, 0)]
    )
    os.close(source)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_pipe_is_read_as_it_comes() -> None:
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as stdin, os.fdopen(sink, "wb", buffering=0) as live:
        header, frame = pcap(), pcap([Packet()])[24:]
        live.write(header)
        reader = open_capture("-", name="t", stdin=stdin)
        blocks = reader.blocks()
        live.write(frame + frame[:9])
        assert next(blocks).records["number"].tolist() == [1], "a frame waits for no other"
        live.write(frame[9:])
        assert next(blocks).records["number"].tolist() == [2]
        assert reader.facts.frames == 2
        live.close()
        assert list(blocks) == [] and reader.facts.complete


@pytest.mark.parametrize("data", [pcap([Packet(n, bytes(n)) for n in range(1200)]), rich_pcapng() * 90])
def test_a_pipe_of_odd_chunks(data: bytes) -> None:
    source, sink = os.pipe()

    def write() -> None:
        with os.fdopen(sink, "wb", buffering=0) as live:
            for at in range(0, len(data), 4999):
                live.write(data[at : at + 4999])

    writer = threading.Thread(target=write)
    with os.fdopen(source, "rb") as stdin:
        writer.start()
        reading = drain(open_capture("-", name="t", stdin=stdin))
        writer.join()
        assert not stdin.closed, "standard input belongs to the process"
    assert reading.frames == read(data).frames
    assert reading.facts.complete


def test_names_of_link_types() -> None:
    assert [linktypes.link_type_name(number) for number in (1, 276, 60000)] == ["ETHERNET", "LINUX_SLL2", "60000"]
