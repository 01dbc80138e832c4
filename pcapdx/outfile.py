"""Files that are written: in place of what was there only when they are whole, and never over what is read."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from pcapdx.errors import PcapdxError


def never_over(target: str | Path, read: Iterable[str]) -> None:
    """Raises PcapdxError where ``target`` is a capture that is read: a slip of the pen would destroy the evidence."""
    if not Path(target).exists():
        return
    for source in read:
        if Path(source).exists() and Path(target).samefile(source):
            raise PcapdxError(f"{target} is a capture that is read; write to another file")


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside ``target`` that takes its place at the end, and is deleted where anything goes wrong."""
    if target.exists() and not target.is_file():
        raise PcapdxError(f"{target} is no file that could be replaced; write to a file")  # root could, even a device
    try:
        file = NamedTemporaryFile(  # noqa: SIM115
            mode="w+b", dir=target.parent, prefix=f".{target.name}.", delete=False
        )
    except OSError as error:
        raise PcapdxError(f"{target}: {error.strerror or error}") from None
    try:
        with file:
            yield file  # type: ignore[misc]  # a wrapper with all methods of a BinaryIO
            file.flush()
        umask = os.umask(0)
        os.umask(umask)
        Path(file.name).chmod(0o666 & ~umask)
        Path(file.name).replace(target)
    except BaseException as error:
        with suppress(OSError):
            Path(file.name).unlink()
        if isinstance(error, OSError):
            raise PcapdxError(f"{target}: {error.strerror or error}") from None
        raise
