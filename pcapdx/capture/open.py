"""Opens a capture: finds out what a file or pipe holds, and says in one sentence when that is no capture."""

from codecs import getincrementaldecoder
from pathlib import Path
from typing import BinaryIO

from pcapdx.capture.decompress import Decompressed, compression_of
from pcapdx.capture.pcap import Pcap, is_pcap
from pcapdx.capture.pcapng import MAGIC as PCAPNG_MAGIC
from pcapdx.capture.pcapng import Pcapng
from pcapdx.capture.reader import FileReader
from pcapdx.capture.records import CaptureFacts, Reader
from pcapdx.capture.source import ByteStream, Source, Window
from pcapdx.errors import CaptureError

BLOCK_BYTES = 4 * 1024 * 1024
PEEK_BYTES = 6
HEAD_BYTES = 512
"""Looked at to name what is no capture."""

OTHERS = (
    (b"snoop\0\0\0", "a snoop capture", "editcap -F pcapng"),
    (b"btsnoop\0", "a btsnoop capture", "editcap -F pcapng"),
    (b"GMBU", "a Microsoft Network Monitor capture", "editcap -F pcapng"),
    (b"RTSS", "a Microsoft Network Monitor capture", "editcap -F pcapng"),
    (b"TRSNIFF data", "a Sniffer capture", "editcap -F pcapng"),
    (b"XCP\0", "a Sniffer capture", "editcap -F pcapng"),
    (b"iptrace ", "an AIX iptrace capture", "editcap -F pcapng"),
    (b"\x05VNF", "a Visual Networks capture", "editcap -F pcapng"),
    (b"\x54\x52\x00\x64\x00", "an HP-UX nettl capture", "editcap -F pcapng"),
    (b"\x54\x52\x00\x00\x00", "an HP-UX nettl capture", "editcap -F pcapng"),
    (b"\xaa\xaa\xaa\xaa", "an Accellent 5Views capture", "editcap -F pcapng"),
    (b"ObserverPktBuffe", "an Observer capture", "editcap -F pcapng"),
    (b"PK\x03\x04", "a zip archive", "unzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x"),
    (b"\x1f\x9d", "compress (.Z) data", "uncompress"),
)
"""How other files begin, what they are, and what makes something of them that can be read."""
TAR_MAGIC_AT, TAR_MAGIC = 257, b"ustar"


def open_capture(path: str, *, name: str, stdin: BinaryIO | None = None, block_bytes: int = BLOCK_BYTES) -> Reader:
    """A reader of the capture at ``path``, or of ``stdin`` where that is ``-``.

    ``name`` is what anomalies and reports call the capture. Of a pipe no more is read here than the file header.
    Raises :class:`pcapdx.errors.CaptureError` when it is no capture that can be read.
    """
    shown = "standard input" if path == "-" else path
    facts = CaptureFacts(name=name, path=path)
    source = Source(_file(path, stdin), owned=path != "-")
    try:
        return _reader(source, facts, shown, block_bytes)
    except OSError as error:
        source.close()
        raise CaptureError(f"{shown} cannot be read: {error.strerror or error}") from None
    except BaseException:
        source.close()
        raise


def _file(path: str, stdin: BinaryIO | None) -> BinaryIO:
    if path == "-":
        if stdin is None:
            raise CaptureError("standard input is not connected")
        return stdin
    try:
        return Path(path).open("rb", buffering=0)
    except FileNotFoundError:
        raise CaptureError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise CaptureError(f"{path} is a directory, not a packet capture") from None
    except PermissionError:
        raise CaptureError(f"{path} may not be read by this user (permission denied)") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise CaptureError(f"{path!r} cannot be opened: {getattr(error, 'strerror', None) or error}") from None


def _reader(source: Source, facts: CaptureFacts, shown: str, block_bytes: int) -> Reader:
    stream: ByteStream = source
    head = source.peek(PEEK_BYTES)
    if not head:
        raise CaptureError(f"{shown} is empty")
    compression = compression_of(head)
    if compression:
        stream = Decompressed(compression, source, shown)
        facts.compression = compression
    window = Window(stream, block_bytes)
    window.fill(4)
    magic = bytes(window.view[window.start : window.end][:4])
    if is_pcap(magic):
        return FileReader(source, window, Pcap(window, facts, shown), facts)
    if magic == PCAPNG_MAGIC:
        return FileReader(source, window, Pcapng(window, facts, shown), facts)
    window.fill(HEAD_BYTES)
    raise CaptureError(_no_capture(bytes(window.view[window.start : window.end][:HEAD_BYTES]), window, facts, shown))


def _no_capture(head: bytes, window: Window, facts: CaptureFacts, shown: str) -> str:
    """One sentence on a file that begins with ``head``, its compression taken off."""
    what = f"{shown} is" if facts.compression == "none" else f"{shown} is {facts.compression} data that hold"
    if not head:
        return f"{what} nothing" + (f": {window.damage.what}" if window.damage else "")
    if (nested := compression_of(head)) is not None:
        return f"{what} {nested} data again; unpack it once, then it can be read"
    if head[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        return f"{what} a tar archive; unpack it with tar xf"
    for magic, other, remedy in OTHERS:
        if head.startswith(magic):
            return f"{what} {other}; {remedy} makes one that can be read"
    if _is_text(head):
        return f"{what} a text file, not a packet capture (tcpdump writes one with -w)"
    return f"{what} not a packet capture of a known format (pcap, pcapng)"


def _is_text(head: bytes) -> bool:
    """Whether the bytes are text in UTF-8, perhaps cut within a character at their end."""
    try:
        text = getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return text != "" and all(char.isprintable() or char in "\t\n\r\f\x1b" for char in text)
