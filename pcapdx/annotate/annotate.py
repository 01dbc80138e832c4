"""The whole run: analysed, searched for secrets, copied with comments and without them, and looked through again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import BinaryIO

import numpy as np

from pcapdx.annotate import merge
from pcapdx.annotate.copy import Copy, Wishes
from pcapdx.annotate.extent import frames_around
from pcapdx.annotate.find import Finding
from pcapdx.annotate.ledger import Ledger
from pcapdx.annotate.mask import Masking
from pcapdx.annotate.needles import Needles
from pcapdx.annotate.payload import Blanking, Payload, Read
from pcapdx.annotate.remarks import remarks_of, summary_of, vantage_text
from pcapdx.annotate.seal import UNSEALED, Sum
from pcapdx.capture.records import Block, Reader
from pcapdx.capture.rotated import open_captures
from pcapdx.case import View
from pcapdx.diagnose import Analysis, Progress, analyze
from pcapdx.errors import PcapdxError
from pcapdx.outfile import never_over, replacing
from pcapdx.plugins import Plugins
from pcapdx.sieve.ahead import ahead
from pcapdx.sieve.columns import Array
from pcapdx.sieve.engine import Sieve
from pcapdx.site import Site
from pcapdx.values import dataclass
from pcapdx.vantage import CaptureArgument

CHECKED_BYTES = 4 << 20
AHEAD_BYTES = 4 << 20
"""How far the copy may be ahead of its sum, and that of what is written."""
PAYLOAD = {
    Payload.KEEP: "",
    Payload.HEADERS: " Payload that no dissector reads is blanked.",
    Payload.NONE: " All payload is blanked.",
}
"""What is said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator asked for."""

    mask: bool = True
    keep_secrets: bool = False
    evidence_only: bool = False
    """Only the evidence, with its exchanges and connections."""
    merge: bool = False
    """All captures in one file."""
    payload: Payload = Payload.KEEP
    pseudonyms: bool = False
    """What is read has pseudonyms in it already; told in the file."""

    @property
    def overwrites(self) -> bool:
        """Some bytes are written over."""
        return self.mask or self.payload is not Payload.KEEP

    @property
    def sealed(self) -> bool:
        """Whether what is written may say that its secrets are masked."""
        return self.mask and not self.keep_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One annotated capture."""

    path: Path
    frames: int
    commented: int
    """Frames with comments of ours."""
    masked: str
    """What was masked, as a sentence."""


class LeakError(PcapdxError):
    """A secret was found in what was written; the file was not left."""


@contextmanager
def on_disk(arguments: Sequence[CaptureArgument], stdin: BinaryIO) -> Iterator[list[CaptureArgument]]:
    """The same arguments with standard input in a file of its own, since captures are read three times."""
    if all(one.path != "-" for one in arguments):
        yield list(arguments)
        return
    with NamedTemporaryFile(prefix="pcapdx-", suffix=".pcap") as kept:
        copyfileobj(stdin, kept)
        kept.flush()
        yield [
            CaptureArgument(name=one.name, role=one.role, path=kept.name, named=True) if one.path == "-" else one
            for one in arguments
        ]


def annotate(
    arguments: Sequence[CaptureArgument],
    plugins: Plugins,
    output: Path,
    settings: Settings,
    *,
    site: Site | None = None,
    progress: Progress | None = None,
    spare: Sequence[str] = (),
    whole: bool = False,
) -> tuple[Analysis, list[Written]]:
    """Writes ``output``, of several captures one file each into the folder ``output``; never over those to ``spare``.

    The analysis comes back without its messages and tables unless ``whole``. Raises CaptureError, and LeakError where a
    secret would have been left.
    """
    findings: dict[str, Finding] = {}

    def beside(name: str, sieve: Sieve) -> Callable[[Block, Array], None]:
        findings[name] = Finding(sieve)
        return findings[name].take

    analysis = analyze(arguments, plugins, site=site, progress=progress, beside=beside if settings.mask else None)
    views = analysis.case.views
    ledgers = {view.name: findings.pop(view.name).end() if settings.mask else Ledger() for view in views}
    needles = Needles(value for ledger in ledgers.values() for value in ledger.values)
    keep = {view.name: _kept(view, analysis) if settings.evidence_only else None for view in views}
    blanking = blankings(views, plugins, settings.payload)
    for view in () if whole else views:
        view.let_go()
    if settings.merge:
        target = _targets(views[:1], output, views, spare)[views[0].name]
        return analysis, [_merge(analysis, ledgers, needles, target, settings, keep, blanking)]
    targets = _targets(views, output, views, spare)
    return analysis, [
        _write(
            view,
            analysis,
            ledgers[view.name],
            needles,
            targets[view.name],
            settings,
            keep[view.name],
            blanking[view.name],
        )
        for view in views
    ]


def blankings(views: Sequence[View], plugins: Plugins, payload: Payload) -> dict[str, Blanking | None]:
    """By view, what of its payload is blanked."""
    if payload is Payload.KEEP:
        return dict.fromkeys((view.name for view in views), None)
    reads = {view.name: Read() for view in views}
    if payload is Payload.HEADERS:
        for view in views:
            reads[view.name].pass_over(opened(view), plugins.dissectors)
    elsewhere = frozenset(one for read in reads.values() for one in read.fingerprints)
    return {name: Blanking(payload, plugins.dissectors, read, elsewhere) for name, read in reads.items()}


def opened(view: View) -> Reader:
    """A reader of a view's capture, once more."""
    return open_captures([piece.path for piece in view.capture.pieces], name=view.name)


def _kept(view: View, analysis: Analysis) -> frozenset[int]:
    return frames_around(view, remarks_of(analysis)[view.name], opened(view), opened(view))


def _targets(views: Sequence[View], output: Path, read: Sequence[View], spare: Sequence[str]) -> dict[str, Path]:
    """Where each goes; never over a capture of ``read`` or a file to ``spare``."""
    sources = [*(piece.path for view in read for piece in view.capture.pieces), *spare]
    if len(views) == 1 and not output.is_dir():
        targets = {views[0].name: output}
    else:
        if not output.is_dir():
            try:
                output.mkdir(parents=True)
            except OSError as error:
                raise PcapdxError(f"{output}: {error.strerror or error}; several captures go into a folder") from None
        targets = {view.name: output / f"{view.name.replace('/', '_')}.pcapng" for view in views}
    for target in targets.values():
        never_over(target, sources)
    return targets


def _merge(
    analysis: Analysis,
    ledgers: Mapping[str, Ledger],
    needles: Needles,
    target: Path,
    settings: Settings,
    keep: Mapping[str, frozenset[int] | None],
    blanking: Mapping[str, Blanking | None],
) -> Written:
    views, route = analysis.case.views, analysis.case.route
    clocks = route.clocks if route is not None else (None,) * len(views)
    remarks = remarks_of(analysis)
    told = masked_text(_joined(ledgers.values()), settings) + _told(settings)
    with replacing(target) as file, ExitStack() as stack:
        points = []
        for place, (view, clock) in enumerate(zip(views, clocks, strict=True)):
            reader = stack.enter_context(closing(opened(view)))
            masking = (
                Masking(ledgers[view.name], needles, fast=reader.fast, blanking=blanking[view.name])
                if settings.overwrites
                else None
            )
            points.append(
                merge.Merged(
                    view=view,
                    reader=reader,
                    masking=masking,
                    offset_ns=clock.offset_ns if clock is not None else None if place else 0,
                    remarks=remarks[view.name],
                    keep=keep[view.name],
                )
            )
        about = summary_of(analysis, told)
        total, pieces = Sum(), merge.merged(points, [about, UNSEALED] if settings.sealed else [about])
        for piece in checked(total.of(gathered(pieces)), needles):
            file.write(piece)
        if settings.sealed:
            total.seal(file)
    kept = [view.frames if keep[view.name] is None else len(keep[view.name] or ()) for view in views]
    again = sum(one.again for one in ledgers.values())
    commented = sum(map(len, remarks.values()))
    return Written(path=target, frames=sum(kept), commented=commented, masked=told + _elsewhere(again))


def _joined(ledgers: Iterable[Ledger]) -> Ledger:
    """The counts of several."""
    return Ledger(kinds=sum((one.kinds for one in ledgers), Counter()))


def _told(settings: Settings) -> str:
    """What else was done to what is written."""
    return PAYLOAD[settings.payload] + (" Addresses and names are pseudonyms." if settings.pseudonyms else "")


def _elsewhere(count: int) -> str:
    return f" Values found again elsewhere and masked: {count:,}." if count else ""


def _write(
    view: View,
    analysis: Analysis,
    ledger: Ledger,
    needles: Needles,
    target: Path,
    settings: Settings,
    keep: frozenset[int] | None,
    blanking: Blanking | None,
) -> Written:
    remarks = remarks_of(analysis)[view.name]
    commented = len(remarks)
    told = masked_text(ledger, settings) + _told(settings)
    about = ""
    if keep is not None:
        about = f"\n{len(keep)} of {view.frames} frames are kept; the comment on each tells its number in {view.name}."
        remarks = {number: (*remarks.get(number, ()), f"frame {number} of {view.name}") for number in keep}
    wishes = Wishes(
        remarks=remarks,
        keep=keep,
        section=summary_of(analysis, told) + about,
        vantage=vantage_text(view.vantage),
        keep_secrets=settings.keep_secrets,
        blank=settings.mask,
        seal=settings.sealed,
    )
    with replacing(target) as file:
        total, copy = Sum(), Copy(wishes)
        with closing(opened(view)) as reader:
            masking = Masking(ledger, needles, fast=reader.fast, blanking=blanking) if settings.overwrites else None
            # three things at once, each outside Python's lock
            pieces = total.of(ahead(_copied(reader, masking, copy), most_bytes=AHEAD_BYTES))
            for piece in checked(ahead(pieces, most_bytes=AHEAD_BYTES), needles):
                file.write(piece)
        if settings.sealed:
            total.seal(file)
    told += _elsewhere(ledger.again)
    if copy.dropped_secrets:
        told += f" Decryption secrets left out: {copy.dropped_secrets}."
    if copy.homeless:
        told += f" Comments without a place (simple packet blocks): {len(copy.homeless)}."
    frames = reader.facts.frames if keep is None else len(keep)
    return Written(path=target, frames=frames, commented=commented, masked=told)


def _copied(reader: Reader, masking: Masking | None, copy: Copy) -> Iterator[memoryview]:
    """A capture as it is written, stretch by stretch."""
    for stretch in reader.stretches():
        if masking is not None:
            masking.apply(stretch, fast=reader.fast)
        yield from copy.of(stretch)


def masked_text(ledger: Ledger, settings: Settings) -> str:
    """What was masked, counted by kind."""
    if not settings.mask:
        return "Nothing is masked: this capture holds whatever secrets were on the wire."
    kinds: Counter[str] = ledger.kinds
    if not kinds:
        return "Masked: nothing was found that had to be."
    counted = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(kinds.items()))
    return f"Masked: {counted}."


def checked(pieces: Iterable[memoryview], needles: Needles) -> Iterator[memoryview]:
    """All that is written, looked through; raises LeakError when a secret is left in it."""
    tail, longest = b"", needles.longest
    for piece in pieces:
        seam = tail + bytes(piece[:longest])
        for part in (seam, piece) if needles else ():
            if next(needles.find(np.frombuffer(part, np.uint8)), None) is not None:
                raise LeakError("a secret that was masked was found in what was written again; nothing was written")
        tail = (tail + bytes(piece[-longest:]))[-longest:] if longest else b""
        yield piece


def gathered(parts: Iterable[bytes]) -> Iterator[memoryview]:
    """The same bytes in large pieces."""
    kept, size = list[bytes](), 0
    for part in parts:
        kept.append(part)
        size += len(part)
        if size >= CHECKED_BYTES:
            yield memoryview(b"".join(kept))
            kept, size = [], 0
    yield memoryview(b"".join(kept))


def pieces_of(file: BinaryIO) -> Iterator[memoryview]:
    """A file from its beginning."""
    file.seek(0)
    while piece := file.read(CHECKED_BYTES):
        yield memoryview(piece)
