"""The shipped captures, each analysed once a process; texts of their reports."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from captures import accuracy
from pcapdx.diagnose import Analysis, analyze
from pcapdx.model import Severity
from pcapdx.plugins import Plugins, load
from pcapdx.report.document import Document, document_of
from pcapdx.site import load_site
from pcapdx.vantage import CaptureArgument

CASES = {case.name: case for case in accuracy.cases()}


@cache
def plugins() -> Plugins:
    """Everything that loads."""
    return load()


@cache
def analysis(name: str) -> Analysis:
    """What is found in a case, with the role, names and site of its truth file."""
    case = CASES[name]
    return analyze(case.arguments, plugins(), site=load_site(case.site) if case.site else None, strict=True)


def untrue(name: str, arguments: Sequence[CaptureArgument], allowed: Collection[str]) -> list[str]:
    """What is claimed of other captures of a case at warning or above and is not ``allowed``: code and summary."""
    site = CASES[name].site
    found = analyze(arguments, plugins(), site=load_site(site) if site else None, strict=True).diagnosed.findings
    grave = (one.finding for one in found if one.finding.severity is not Severity.INFO)
    return [f"{one.code} {one.summary}" for one in grave if one.code not in allowed]


@cache
def document(name: str) -> Document:
    """Its report, of every machine and version the same: paths reduced to file names, no version."""
    full = document_of(analysis(name))
    captures = tuple(replace(one, file=Path(one.file).name) for one in full.captures)
    return replace(full, captures=captures, tool=replace(full.tool, version="", packs=()))
