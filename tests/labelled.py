"""The shipped captures, each analysed once a process; texts of their reports."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from captures import accuracy
from pcapdx.diagnose import Analysis, analyze
from pcapdx.plugins import Plugins, load
from pcapdx.report.document import Document, document_of
from pcapdx.site import load_site

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


@cache
def document(name: str) -> Document:
    """Its report, of every machine and version the same: paths reduced to file names, no version."""
    full = document_of(analysis(name))
    captures = tuple(replace(one, file=Path(one.file).name) for one in full.captures)
    return replace(full, captures=captures, tool=replace(full.tool, version="", packs=()))
