"""The whole run: captures and profile in, the same with pseudonyms out, in a folder that is gone afterwards.

What pcapdx says of them is then said in pseudonyms, whatever the format, and nothing of it ever knew the originals.
"""

import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from pcapdx.annotate.annotate import blankings, checked, opened, pieces_of
from pcapdx.annotate.find import Finding
from pcapdx.annotate.ledger import Ledger
from pcapdx.annotate.needles import Needles
from pcapdx.annotate.payload import Blanking, Payload, unsampled
from pcapdx.anonymize.container import Nameless
from pcapdx.anonymize.fragments import Fragments
from pcapdx.anonymize.keyfile import KeyFile
from pcapdx.anonymize.leftover import Originals
from pcapdx.anonymize.plain import Plain
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.anonymize.readdress import Readdressing
from pcapdx.anonymize.streams import read
from pcapdx.case import Case, View
from pcapdx.diagnose import Analysis, Progress, analyze
from pcapdx.plugins import Plugins
from pcapdx.report.document import Document
from pcapdx.sieve.engine import Sieve
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument

SUFFIX = ".pcapng"
_NAMING = frozenset({"name", "switch", "domain"})
"""Fields of a profile that name something, beside addresses."""


class Disguised(Plain):
    """What is analysed in place of what was given."""

    hides = True

    def __init__(
        self,
        arguments: tuple[CaptureArgument, ...],
        site: Site,
        originals: Sequence[CaptureArgument],
        original: Analysis,
        told: Pseudonyms,
    ) -> None:
        super().__init__(arguments, site)
        self.originals = tuple(originals)
        self.original = original
        self.told = told

    @property
    def files(self) -> tuple[str, ...]:
        """The originals' files, which nothing may be written over."""
        return tuple(one.path for one in self.originals)

    def as_damaged(self, case: Case) -> None:
        """Tells damage as it was in the originals."""
        for view, before in zip(case.views, self.original.case.views, strict=True):
            facts = before.capture
            view.capture.complete = facts.complete
            view.capture.format, view.capture.detail = facts.format, facts.detail
            view.capture.compression, view.capture.bytes = facts.compression, facts.bytes
            view.anomalies = (
                *(replace(one, capture=view.name) for one in before.anomalies if one.frame is None),
                *(one for one in view.anomalies if one.frame is not None),
            )

    def like_original(self, analysis: Analysis) -> None:
        """Tells damage as it was in the originals, and notes what is found otherwise."""
        self.as_damaged(analysis.case)
        found = [
            {(one.finding.code, one.finding.severity) for one in each.diagnosed.findings}
            for each in (self.original, analysis)
        ]
        self.lost = tuple(sorted({code for code, _ in found[0] ^ found[1]}))

    def shown(self, document: Document) -> Document:
        """A report with the captures' files by pseudonyms, and nothing of the folder they lie in."""
        names = {
            after.path: self.told.name(PurePath(view.capture.path).name)
            for after, view in zip(self.arguments, self.original.case.views, strict=True)
        }
        captures = tuple(replace(one, file=names.get(one.file, PurePath(one.file).name)) for one in document.captures)
        return replace(document, captures=captures)

    def renamed(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Digests of the originals by the names in the report."""
        return {self.told.name(name): digest for name, digest in digests.items()}


@contextmanager
def disguised(
    arguments: Sequence[CaptureArgument],
    plugins: Plugins,
    key: KeyFile,
    *,
    site: Site | None = None,
    payload: Payload = Payload.HEADERS,
    progress: Progress | None = None,
) -> Iterator[Disguised]:
    """Captures with pseudonyms; the key's file learns the names.

    Raises CaptureError, and LeakError where something is left.
    """
    original = analyze(arguments, plugins, site=site, progress=progress)
    told = Pseudonyms(key.key)
    learn(told, original, site or Site())
    with tempfile.TemporaryDirectory(prefix="pcapdx-") as folder:
        written = _written(original, plugins, told, Path(folder), payload)
        key.keep(told)
        named = any(one.named for one in arguments) or len(written) > 1
        given = {one.name: one.role for one in arguments}
        yield Disguised(
            arguments=tuple(
                CaptureArgument(name=told.name(view.name), role=given.get(view.name), path=str(path), named=named)
                for view, path in zip(original.case.views, written, strict=True)
            ),
            site=hidden_site(site or Site(), told),
            originals=arguments,
            original=original,
            told=told,
        )


def _written(original: Analysis, plugins: Plugins, told: Pseudonyms, folder: Path, payload: Payload) -> list[Path]:
    views = original.case.views
    found = {view.name: _searched(view, plugins, told, payload is Payload.KEEP) for view in views}
    needles = Needles(value for ledger, _ in found.values() for value in ledger.values)
    blanking = blankings(views, plugins, payload)
    originals = Originals(told)
    paths = []
    for number, view in enumerate(views):
        path = folder / f"{number}{SUFFIX}"
        _write(view, *found[view.name], needles, told, blanking[view.name], path)
        originals.learn(view)
        paths.append(path)
    for path in paths:
        with path.open("rb") as file:
            deque(checked(pieces_of(file), needles), maxlen=0)
            originals.check(file)
    return paths


def _searched(view: View, plugins: Plugins, told: Pseudonyms, everything: bool) -> tuple[Ledger, Fragments]:
    """The secrets of a capture, what goes over names in its streams, and its fragments."""
    dissectors, fragments = unsampled(plugins.dissectors), Fragments(told)
    with closing(opened(view)) as reader:
        sieve = Sieve(dissectors, fast=reader.fast)
        finding = Finding(sieve, more=lambda run, port: read(run, port, told), everything=everything)
        ledger = finding.run(reader)
    if view.counters["fragments"]:
        with closing(opened(view)) as reader:
            sieve = Sieve((), fast=reader.fast)
            for block in reader.blocks():
                sieve.fast = reader.fast
                fragments.take(block, sieve.sweep(block))
    return ledger, fragments


def _write(
    view: View,
    ledger: Ledger,
    fragments: Fragments,
    needles: Needles,
    told: Pseudonyms,
    blanking: Blanking | None,
    path: Path,
) -> None:
    with path.open("wb") as file, closing(opened(view)) as reader:
        copy = Nameless(told)
        masking = Readdressing(ledger, needles, told, fragments, fast=reader.fast, blanking=blanking)
        for stretch in reader.stretches():
            masking.apply(stretch, fast=reader.fast)
            file.writelines(copy.of(stretch))


def learn(told: Pseudonyms, analysis: Analysis, site: Site) -> None:
    """Meets every name that messages, captures and the profile tell."""
    for view in analysis.case.views:
        told.name(view.name)
        told.name(PurePath(view.capture.path).name)
        for name in view.capture.names.values():
            told.domain(name)
        for dissector in view.dissectors:
            traffic = view.traffic.get(dissector.name)
            for seen in traffic.seen if traffic is not None and dissector.names else ():
                for path in dissector.names:
                    for name in _texts(seen.message, path.split(".")):
                        told.domain(name)
    hidden_site(site, told)


def _texts(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, str):
        if not path:
            yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _texts(one, path)
    elif path and hasattr(value, path[0]):
        yield from _texts(getattr(value, path[0]), path[1:])


def hidden_site(site: Site, told: Pseudonyms) -> Site:
    """A profile with pseudonyms."""
    hidden: Site = _hidden(site, "", told)
    return hidden


def _hidden(value: Any, name: str, told: Pseudonyms) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _hidden(getattr(value, one.name), one.name, told) for one in fields(value)})
    if isinstance(value, Mapping):
        return {_hidden(key, name, told): _hidden(one, name, told) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_hidden(one, name, told) for one in value)
    if not isinstance(value, str) or not value:
        return value
    try:
        return told.text_address(value)
    except ValueError:
        return told.name(value) if name in _NAMING else value
