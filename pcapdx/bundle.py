"""One zip for a ticket: reports, the evidence as annotated captures with secrets masked, and a manifest.

Equal input gives equal bytes: a fixed order, no times of day, no paths of this machine.
"""

import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from pcapdx.annotate.annotate import Settings, Written, annotate
from pcapdx.annotate.payload import Payload
from pcapdx.anonymize.plain import Plain
from pcapdx.diagnose import Analysis, Progress
from pcapdx.digest import digests_of
from pcapdx.errors import PcapdxError
from pcapdx.plugins import Plugins
from pcapdx.report import html, markdown, text
from pcapdx.report import json as as_json
from pcapdx.report.decoded import decoded
from pcapdx.report.document import Document, document_of
from pcapdx.report.pictures import pictures_of
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument

MANIFEST = "manifest.json"
SCHEMA = "pcapdx.bundle/1"
_TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can tell."""
_READABLE = 0o100644 << 16


def bundle(
    ticket: str,
    arguments: Sequence[CaptureArgument],
    plugins: Plugins,
    output: Path,
    *,
    site: Site | None = None,
    progress: Progress | None = None,
    payload: Payload = Payload.KEEP,
    disguise: Plain | None = None,
) -> tuple[Analysis, list[Written]]:
    """Writes the zip ``output``; secrets are always masked. ``disguise`` made the arguments, where there is one.

    Raises PcapdxError for a ticket that cannot name a folder, CaptureError, and LeakError where a secret would be left.
    """
    if not _TICKET.fullmatch(ticket):
        raise PcapdxError(f"{ticket!r}: a ticket's name has letters, digits, dots and dashes, 64 at most")
    with tempfile.TemporaryDirectory() as folder:
        # one capture makes one file, several make a folder of them
        target = Path(folder) / ("evidence.pcapng" if len({one.name for one in arguments}) == 1 else "evidence")
        disguise = disguise or Plain(arguments=tuple(arguments), site=site)
        settings = Settings(evidence_only=True, payload=payload, pseudonyms=disguise.hides)
        analysis, written = annotate(arguments, plugins, target, settings, site=site, progress=progress, whole=True)
        disguise.like_original(analysis)
        digests = disguise.renamed(digests_of(disguise.originals if disguise.hides else arguments))
        document = _nameless(disguise.shown(document_of(analysis, digests)))
        files = [
            *_reports(analysis, document),
            *((f"evidence/{one.path.name}", one.path.read_bytes()) for one in written),
        ]
    try:
        output.write_bytes(_zipped(ticket, document, files))
    except OSError as error:
        raise PcapdxError(f"{output}: {error.strerror or error}") from None
    return analysis, written


def _nameless(document: Document) -> Document:
    """Without the folders of this machine."""
    return replace(document, captures=tuple(replace(one, file=PurePath(one.file).name) for one in document.captures))


def _reports(analysis: Analysis, document: Document) -> Iterator[tuple[str, bytes]]:
    yield (
        "report.html",
        html.render(
            document, pictures_of(analysis, document), decoded=decoded(document, analysis.case, by_tshark=False)
        ).encode(),
    )
    yield "report.txt", text.render(document).encode()
    yield "report.md", markdown.render(document).encode()
    yield "report.json", as_json.render(document).encode()


def _zipped(ticket: str, document: Document, files: Sequence[tuple[str, bytes]]) -> bytes:
    about = {
        "schema": SCHEMA,
        "ticket": ticket,
        "tool": {"name": document.tool.name, "version": document.tool.version},
        "masked": True,
        "captures": [{"name": one.name, "file": one.file, "sha256": one.sha256} for one in document.captures],
    }
    return packed(about, files)


def packed(about: Mapping[str, Any], files: Sequence[tuple[str, bytes]]) -> bytes:
    """A bundle of these files; ``about`` is the head of its manifest, whose list of files is made here."""
    manifest = {
        **about,
        "files": [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files
        ],
    }
    whole = [*files, (MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in whole:
            entry = zipfile.ZipInfo(f"{about['ticket']}/{name}", _LONG_AGO)
            entry.external_attr, entry.create_system = _READABLE, 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    return target.getvalue()
