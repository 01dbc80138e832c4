"""Tells from a file's content whether pcapdx made it and masked what is secret; its name proves nothing.

Known are: bundles (the manifest says that all is masked, and every member is as it says), annotated captures (by their
seal), reports as JSON, SARIF and HTML. Reports as text have nothing to be known by.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from pcapdx.annotate.seal import has_seal, is_unbroken
from pcapdx.bundle import MANIFEST
from pcapdx.bundle import SCHEMA as BUNDLE
from pcapdx.errors import PcapdxError
from pcapdx.report.document import SCHEMA as REPORT
from pcapdx.report.html import MARK
from pcapdx.values import dataclass

MOST_MEMBERS = 1000
MOST_UNPACKED_BYTES = 1 << 30
_CAPTURES = {
    b"\xa1\xb2\xc3\xd4": "pcap", b"\xd4\xc3\xb2\xa1": "pcap", b"\xa1\xb2\x3c\x4d": "pcap", b"\x4d\x3c\xb2\xa1": "pcap",
    b"\xa1\xb2\xcd\x34": "pcap", b"\x34\xcd\xb2\xa1": "pcap", b"\x0a\x0d\x0d\x0a": "pcapng",
}  # fmt: skip
_PAGE = f'<meta name="generator" content="{MARK}">'.encode()
_HEAD_BYTES = 2000


class NotMaskedError(PcapdxError):
    """A file that nobody can say is masked; the message says why, and what would be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle holds."""

    about: Mapping[str, Any]
    """The manifest without its list of files."""
    files: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a file is."""

    what: str
    bundle: Bundle | None = None
    report: Mapping[str, Any] | None = None
    """A report as data, of a bundle or by itself."""
    capture: bool = False


def known(name: str, data: bytes) -> Known:
    """What the file is; raises NotMaskedError for all that pcapdx did not make and mask, as it is now."""
    if data[:4] == b"PK\x03\x04":
        return _bundle(name, data)
    if data[:4] in _CAPTURES:
        _sealed(name, data)
        return Known(what="annotated capture", capture=True)
    begin = data[:_HEAD_BYTES].lstrip()
    if begin.startswith(b"{"):
        return _report(name, data)
    if begin[:15].lower() == b"<!doctype html>" and _PAGE in data[:_HEAD_BYTES]:
        return Known(what="report")
    reason = "is nothing that shows to be masked: a bundle, an annotated capture, a report as html, json or sarif"
    raise NotMaskedError(f"{name} {reason} is taken")


def _sealed(name: str, data: bytes) -> None:
    if is_unbroken(data):
        return
    if has_seal(data):
        raise NotMaskedError(f"{name} was changed after pcapdx annotate had masked it; write it again")
    raise NotMaskedError(f"{name} is a capture that was not masked; pcapdx annotate writes a masked one")


def _report(name: str, data: bytes) -> Known:
    try:
        told = json.loads(data)
        if told.get("schema") == REPORT and told["tool"]["name"] == "pcapdx" and isinstance(told["findings"], list):
            return Known(what="report", report=told)
        if told.get("version") == "2.1.0" and told["runs"][0]["tool"]["driver"]["name"] == "pcapdx":
            return Known(what="report")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise NotMaskedError(f"{name} is no report of pcapdx")


def _bundle(name: str, data: bytes) -> Known:
    """A bundle, if nothing is in it but what its manifest tells, as it tells it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _members(name, data, archive)
    except NotMaskedError:
        raise
    except Exception as error:  # zipfile raises what the modules below it raise, zlib's own error among them
        raise NotMaskedError(f"{name} is a damaged zip: {error}") from None
    folders = {member.partition("/")[0] for member in members}
    folder = next(iter(folders), "")
    try:
        manifest = json.loads(members.pop(f"{folder}/{MANIFEST}"))
        told = {f"{folder}/{one['name']}": (one["bytes"], one["sha256"]) for one in manifest["files"]}
        sound = manifest["schema"] == BUNDLE and manifest["ticket"] == folder and len(folders) == 1
        masked = manifest["masked"] is True
    except (ValueError, LookupError, TypeError, RecursionError):
        raise NotMaskedError(f"{name} is a zip, but no bundle of pcapdx") from None
    if not sound or not masked:
        raise NotMaskedError(f"{name} is a zip, but no bundle of pcapdx whose secrets were masked")
    there = {member: (len(content), hashlib.sha256(content).hexdigest()) for member, content in members.items()}
    if there != told:
        odd = sorted({key for key, _ in there.items() ^ told.items()})
        raise NotMaskedError(f"{name} is not as its manifest says: {', '.join(odd[:3])}")
    for member, content in members.items():
        if content[:4] in _CAPTURES:
            _sealed(f"{name}: {member}", content)
    files = [(member.partition("/")[2], content) for member, content in members.items()]
    about = {key: value for key, value in manifest.items() if key != "files"}
    report = next((content for member, content in files if member == "report.json"), None)
    return Known(
        what="bundle",
        bundle=Bundle(about=about, files=files),
        report=_report(f"{name}: report.json", report).report if report is not None else None,
    )


def _members(name: str, data: bytes, archive: zipfile.ZipFile) -> dict[str, bytes]:
    """The members in order; nothing may lie between or around them."""
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS or sum(one.file_size for one in infos) > MOST_UNPACKED_BYTES:
        raise NotMaskedError(f"{name} holds too much for a bundle")
    names = sum(len(one.filename.encode()) for one in infos)
    sizes = sum(one.compress_size + len(one.extra) + len(one.comment) for one in infos)
    if sizes + 2 * names + (30 + 46) * len(infos) + 22 != len(data) or len({one.filename for one in infos}) < len(
        infos
    ):
        raise NotMaskedError(f"{name} has more in it than its members")
    return {one.filename: archive.read(one) for one in infos}
