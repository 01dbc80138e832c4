"""Compressed captures, known by their magic and unpacked as a stream.

Memory stays flat whatever a hostile file asks for: little goes into a decoder at a time, and no more comes out than was
asked for. What was unpacked before damage is always handed on.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from pcapdx.capture.source import DamageError, Source
from pcapdx.errors import CaptureError

CHUNK_BYTES = 64 * 1024
"""Read from the file at a time."""
FEED_BYTES = 4096
"""Given to a decoder at a time: so much at most is lost where it finds damage."""
ZSTD_FEED_BYTES = 1024
"""zstandard unpacks all it is given at once, and four bytes can unpack to 128 KiB: this bounds it to 32 MiB."""
TRAILER_BYTES, CHECKSUM_BYTES = 8, 4
"""The end of a chunk goes in apart, so that a wrong checksum there does not cost the data before it."""
WINDOW_LIMIT = 128 * 1024 * 1024
"""The largest window a zstd frame may ask for, as that of the zstd program."""
XZ_MEMORY_LIMIT = 256 * 1024 * 1024


class Decoder(Protocol):
    """One compressed member, as the decompressors of ``bz2`` and ``lzma`` are."""

    @property
    def eof(self) -> bool:
        """The member has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """There is nothing more to be had without more data."""
        ...

    @property
    def unused_data(self) -> bytes | None:
        """What was given but lies behind the end of the member."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """The next bytes, at most ``max_length`` of them."""
        ...


class ZlibDecoder:
    """gzip by the standard library, for where ``isal`` is not installed."""

    def __init__(self) -> None:
        self._zlib: Any = import_module("zlib").decompressobj(31)
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See :class:`Decoder`."""
        plain: bytes = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.eof, self.unused_data = self._zlib.eof, self._zlib.unused_data
        self.needs_input = not self._zlib.unconsumed_tail and len(plain) < max_length
        return plain


class ZstdDecoder:
    """One zstd frame; keeps what the library unpacked beyond ``max_length``."""

    def __init__(self) -> None:
        self._zstd: Any = import_module("zstandard").ZstdDecompressor(max_window_size=WINDOW_LIMIT).decompressobj()
        self._plain = memoryview(b"")
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See :class:`Decoder`."""
        if data:
            self._plain = memoryview(self._zstd.decompress(data))
        piece, self._plain = self._plain[:max_length], self._plain[max_length:]
        self.needs_input = not self._plain
        self.eof = self.needs_input and bool(self._zstd.eof)
        self.unused_data = self._zstd.unused_data if self.eof else b""
        return bytes(piece)


def gzip_decoder() -> Decoder:
    """gzip, by ``isal`` where it is installed: 1.7 times as fast as the standard library."""
    try:
        igzip: Any = import_module("isal.igzip_lib")
    except ImportError:
        return ZlibDecoder()
    decoder: Decoder = igzip.IgzipDecompressor(flag=igzip.DECOMP_GZIP)
    return decoder


def bzip2_decoder() -> Decoder:
    """bzip2, by the standard library."""
    decoder: Decoder = import_module("bz2").BZ2Decompressor()
    return decoder


def xz_decoder() -> Decoder:
    """xz, by the standard library; it refuses to take more memory than the strongest preset needs."""
    lzma: Any = import_module("lzma")
    decoder: Decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY_LIMIT)
    return decoder


def lz4_decoder() -> Decoder:
    """One lz4 frame."""
    decoder: Decoder = import_module("lz4.frame").LZ4FrameDecompressor()
    return decoder


DECODERS: dict[str, tuple[Callable[[], Decoder], tuple[bytes, ...]]] = {
    "gzip": (gzip_decoder, (b"\x1f\x8b",)),
    # The second is a skippable frame, with which pzstd begins its files.
    "zstd": (ZstdDecoder, (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")),
    "lz4": (lz4_decoder, (b"\x04\x22\x4d\x18",)),
    "xz": (xz_decoder, (b"\xfd7zXZ\0",)),
    "bzip2": (bzip2_decoder, (b"BZh",)),
}
"""Name of a compression: what unpacks a member of it, and how one may begin."""

MAGIC_BYTES = 6


def compression_of(head: bytes) -> str | None:
    """The compression of a file that begins with ``head``, or None."""
    return next((name for name, (_, magics) in DECODERS.items() if head.startswith(magics)), None)


class Decompressed:
    """The plain bytes of a compressed file: member after member, then perhaps zeros, then the end."""

    def __init__(self, compression: str, source: Source, shown: str) -> None:
        self._compression = compression
        self._make, self._magics = DECODERS[compression]
        self._feed_bytes = ZSTD_FEED_BYTES if compression == "zstd" else FEED_BYTES
        self._source = source
        self._chunk = bytearray(CHUNK_BYTES)
        self._at = self._end = 0
        try:
            self._decoder = self._make()
        except ImportError as error:
            raise CaptureError(f"{shown} is {compression} data, which needs Python package {error.name}") from None
        self._starved = False

    @property
    def interactive(self) -> bool:
        """All that has come so far is unpacked, and more would have to be waited for."""
        held_back = self._end - self._at <= TRAILER_BYTES
        return self._source.interactive and held_back and self._decoder.needs_input and self._source.waits

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view`` with the next plain bytes; 0 at the end. Raises :class:`DamageError`."""
        while True:
            if self._decoder.eof and not self._next_member():
                return 0
            hungry = self._decoder.needs_input or self._starved
            data = self._feed() if hungry else b""
            if hungry and not data:
                raise DamageError(self._compression, "cut-short", f"The {self._compression} data end too early.")
            plain = self._unpack(data, len(view))
            self._starved = not plain
            if plain:
                view[: len(plain)] = plain
                return len(plain)

    def _unpack(self, data: bytes, most: int) -> bytes:
        try:
            return self._decoder.decompress(data, most)
        except Exception as error:  # each library raises its own, RuntimeError among them
            what = f"The {self._compression} data cannot be unpacked any further ({error})."
            raise DamageError(self._compression, "corrupt", what) from error

    def _feed(self) -> bytes:
        if self._at == self._end and not self._read():
            return b""
        left = self._end - self._at
        size = min(self._feed_bytes, left - TRAILER_BYTES if left > TRAILER_BYTES else CHECKSUM_BYTES, left)
        self._at += size
        return bytes(self._chunk[self._at - size : self._at])

    def _read(self) -> int:
        """Read on behind what is left in the chunk."""
        left = self._end - self._at
        self._chunk[:left] = self._chunk[self._at : self._end]
        got = self._source.readinto(memoryview(self._chunk)[left:])
        self._at, self._end = 0, left + got
        return got

    def _next_member(self) -> bool:
        """Begin the next member. False at the end of the file; zeros there are padding (tapes, block devices)."""
        self._at -= len(self._decoder.unused_data or b"")
        while True:
            while self._at < self._end and self._chunk[self._at] == 0:
                self._at += 1
            if self._end - self._at >= MAGIC_BYTES or not self._read():
                break
        rest = bytes(self._chunk[self._at : min(self._end, self._at + MAGIC_BYTES)])
        if not rest:
            return False
        if not rest.startswith(self._magics):
            what = f"Bytes that are no {self._compression} data follow the end of the compressed capture."
            raise DamageError(self._compression, "trailing-bytes", what, lost=False)
        self._decoder = self._make()
        return True
