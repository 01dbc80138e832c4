"""The bytes of a capture as they come in: from a file, a pipe or a decompressor, through one reused buffer."""

import os
import select
import stat
from io import BufferedReader
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

FAST_BYTES = 256 * 1024
"""Captures up to this size are read by the plain kernels; larger ones are worth loading the compiled ones."""


class DamageError(Exception):
    """The stream cannot be read on; :class:`Window` keeps it, nobody else sees it."""

    def __init__(self, protocol: str, kind: str, what: str, *, lost: bool = True) -> None:
        super().__init__(what)
        self.protocol = protocol
        self.kind = kind
        self.what = what
        self.lost = lost


class ByteStream(Protocol):
    """What a window reads from."""

    @property
    def interactive(self) -> bool:
        """Bytes may be slow to come, so take what is there rather than wait for more."""
        ...

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view``, which is not empty; the number of bytes, 0 only at the end."""
        ...


class Source:
    """A file or standard input; never seeks, counts what it hands on, and can be peeked at."""

    def __init__(self, file: BinaryIO, *, owned: bool) -> None:
        self.count = 0
        self._owned = owned
        self._file = file
        # A buffered reader waits until it can fill the whole view, so the file below it is read.
        self._raw: Any = file.raw if isinstance(file, BufferedReader) else file
        self._head = b""
        try:
            self._slow = not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        except OSError:  # a file in memory
            self._slow = False

    @property
    def interactive(self) -> bool:
        """It is a pipe or a device."""
        return self._slow

    @property
    def waits(self) -> bool:
        """It is one, and to read on would wait."""
        return self._slow and not self._head and not select.select([self._raw], [], [], 0)[0]

    def peek(self, size: int) -> bytes:
        """The first ``size`` bytes, or all there are; they stay to be read. Raises OSError."""
        if isinstance(self._file, BufferedReader) and not self.count:
            self._head = self._file.peek()
            self.count = len(self._head)
        while len(self._head) < size:
            buffer = bytearray(size - len(self._head))
            got = self._take(memoryview(buffer))
            if not got:
                break
            self._head += buffer[:got]
        return self._head[:size]

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view``; 0 at the end. Raises :class:`DamageError` where the system cannot read."""
        if self._head:
            size = min(len(view), len(self._head))
            view[:size], self._head = self._head[:size], self._head[size:]
            return size
        try:
            return self._take(view)
        except OSError as error:
            raise DamageError(
                "file", "read-error", f"The file cannot be read on: {error.strerror or error}."
            ) from error

    def _take(self, view: memoryview) -> int:
        got = self._raw.readinto(view)
        if got is None:
            raise BlockingIOError("it is not ready (a non-blocking pipe)")
        self.count += got
        return int(got)

    def close(self) -> None:
        """Close the file, unless it is standard input, which belongs to the process."""
        if self._owned:
            self._file.close()


class Window:
    """One reused buffer over a stream: ``array[start:end]`` are the bytes at hand, ``view`` is the same memory."""

    def __init__(self, stream: ByteStream, size: int) -> None:
        self.start = 0
        self.end = 0
        self.damage: DamageError | None = None
        self._stream = stream
        self._before = 0
        self._ended = False
        self._allocate(size)

    def _allocate(self, size: int) -> None:
        self.array: npt.NDArray[np.uint8] = np.empty(size, np.uint8)
        self.view: memoryview = self.array.data

    @property
    def offset(self) -> int:
        """Where ``start`` lies in the stream."""
        return self._before + self.start

    @property
    def moved(self) -> int:
        """How many bytes of the stream have left the buffer; changes whenever the bytes at hand are moved."""
        return self._before

    @property
    def fast(self) -> bool:
        """Whether so much has come in that the compiled kernels pay."""
        return self._before + self.end > FAST_BYTES

    def fill(self, need: int) -> bool:
        """Read on, so that at least ``need`` bytes are at hand, and move those at hand to the front.

        False when the stream ends before, with what is left at hand; ``damage`` says when it did not end well. The
        buffer grows where ``need`` asks for it: callers bound that.
        """
        carried = self.end - self.start
        kept = self.view[self.start : self.end]
        if need > len(self.view):
            self._allocate(need)
        self.view[:carried] = kept  # overlapping memory is moved rightly
        self._before += self.start
        self.start, self.end = 0, carried
        while not self._ended and self.end < len(self.view):
            if self._stream.interactive and self.end >= need:
                break
            self.end += self._read()
        return self.end >= need

    def skip(self, size: int) -> bool:
        """Pass over ``size`` bytes, which may be more than fit the buffer; False when the stream ends before."""
        while size > self.end - self.start:
            size -= self.end - self.start
            self.start = self.end
            if not self.fill(1):
                return False
        self.start += size
        return True

    def _read(self) -> int:
        try:
            got = self._stream.readinto(self.view[self.end :])
        except DamageError as damage:
            self.damage = damage
            got = 0
        self._ended = got == 0
        return got
