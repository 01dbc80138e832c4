"""Makes files fit a tracker: cut down to the evidence where that was asked for, else split into parts that are said.

The mark is the short form of the SHA-256 of what is sent (of several files, of their sums); it is in every name.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from pcapdx.annotate.trim import trimmed
from pcapdx.attach.masked import Known
from pcapdx.attach.tracker import AttachError, Limits, Upload
from pcapdx.bundle import packed
from pcapdx.values import dataclass

MARK_DIGITS = 12
MOST_PARTS = 50
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file to attach."""

    name: str
    data: bytes
    known: Known | None
    """None for one of which nobody can say that it is masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What goes to the ticket."""

    mark: str
    groups: Sequence[Sequence[Upload]]
    """Files of each comment."""
    said: Sequence[str]
    """What was cut or split, for the comment."""


def packing(given: Sequence[Given], limits: Limits, *, evidence_only: bool) -> Packing:
    """Files for the ticket; raises AttachError where even parts would be too many."""
    said: list[str] = []
    sent = []
    for one in given:
        data = one.data
        if evidence_only and len(data) > limits.file and (cut := _evidence(one)) is not None:
            data = cut
            said.append(
                f"{one.name}: cut from {len(one.data):,} to {len(cut):,} bytes, frames without a proof left out."
            )
        sent.append((one.name, data))
    mark = mark_of([data for _, data in sent])
    uploads: list[Upload] = []
    for name, (_, data) in zip(_names(sent, mark), sent, strict=True):
        if len(data) <= limits.file:
            uploads.append(Upload(name=name, data=data))
            continue
        parts = list(_split(name, data, limits.file))
        if len(parts) > MOST_PARTS:
            raise AttachError(f"{name} has {len(data):,} bytes, more than {MOST_PARTS} parts of {limits.file:,}")
        whole = hashlib.sha256(data).hexdigest()
        said.append(f"{name}: in {len(parts)} parts, put together by: cat {name}.0* > {name} (sha256 {whole}).")
        uploads += parts
    return Packing(mark=mark, groups=list(_groups(uploads, limits.note)), said=said)


def mark_of(files: Sequence[bytes]) -> str:
    """The short form of the sum over all of them; of one file of its own SHA-256."""
    sums = [hashlib.sha256(data).hexdigest() for data in files]
    whole = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sorted(sums)).encode()).hexdigest()
    return whole[:MARK_DIGITS]


def _names(sent: Sequence[tuple[str, bytes]], mark: str) -> Iterator[str]:
    """``OPS-812-4f1c9a3e2b71.zip``: harmless, with the mark, each once."""
    used: set[str] = set()
    for path, _ in sent:
        pure = PurePath(path)
        stem = _NOT_IN_NAMES.sub("_", pure.stem).strip(".")[:_LONGEST_NAME] or "file"
        suffix = _NOT_IN_NAMES.sub("_", pure.suffix)[:12]
        name, count = f"{stem}-{mark}{suffix}", 1
        while name in used:
            count += 1
            name = f"{stem}-{count}-{mark}{suffix}"
        used.add(name)
        yield name


def _split(name: str, data: bytes, most: int) -> Iterator[Upload]:
    """Parts of equal size, so that the last one is no crumb."""
    count = -(-len(data) // most)
    size = -(-len(data) // count)
    for part in range(count):
        yield Upload(name=f"{name}.{part + 1:03d}", data=data[part * size : (part + 1) * size])


def _groups(uploads: Sequence[Upload], most: int | None) -> Iterator[list[Upload]]:
    """In order, as many in a comment as it takes."""
    group: list[Upload] = []
    for one in uploads:
        if most is not None and group and sum(len(other.data) for other in group) + len(one.data) > most:
            yield group
            group = []
        group.append(one)
    yield group


def _evidence(one: Given) -> bytes | None:
    """The file with the proving frames only; None where it holds no capture that was annotated."""
    if one.known is None:
        return None
    if one.known.capture:
        return trimmed(one.data, PurePath(one.name).stem)
    if one.known.bundle is None:
        return None
    bundle = one.known.bundle
    return packed(
        bundle.about,
        [
            (name, trimmed(data, PurePath(name).stem) if name.endswith(".pcapng") else data)
            for name, data in bundle.files
        ],
    )
