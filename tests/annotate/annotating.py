"""Annotates labelled captures, and tells what must be the same before and after."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pcapdx.annotate.annotate import Settings, Written, annotate
from pcapdx.diagnose import Analysis, analyze
from pcapdx.report.document import Document, as_json, document_of
from pcapdx.site import load_site
from pcapdx.vantage import CaptureArgument, parse_argument
from tests import labelled


def written_of(name: str, folder: Path, settings: Settings) -> list[Written]:
    """A labelled case annotated into a folder."""
    case = labelled.CASES[name]
    site = load_site(case.site) if case.site else None
    folder.mkdir(exist_ok=True)
    return annotate(case.arguments, labelled.plugins(), folder, settings, site=site)[1]


def again(name: str, written: list[Written]) -> Analysis:
    """The case as it is found in what was written: same names, roles and site."""
    case = labelled.CASES[name]
    views = labelled.analysis(name).case.views
    roles = {one.name: one.role for one in case.arguments}
    named = all(one.named for one in case.arguments)
    arguments = [
        CaptureArgument(name=view.name, role=roles.get(view.name), path=str(one.path), named=named or len(views) > 1)
        for view, one in zip(views, written, strict=True)
    ]
    return analyze(arguments, labelled.plugins(), site=load_site(case.site) if case.site else None, strict=True)


def said(analysis: Analysis) -> dict[str, Any]:
    """What is said of a case, without files and containers."""
    document: Document = document_of(analysis)
    return {
        "findings": as_json(document.findings),
        "proofs": as_json(document.proofs),
        "topics": as_json(document.topics),
        "limits": [sorted(one.limits) for one in document.captures],
        "anomalies": [as_json(one) for one in document.anomalies if one.frame is not None],
    }


def tshark(path: Path, *fields: str, options: tuple[str, ...] = ()) -> list[str]:
    """Fields of every frame, one line a frame."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    asked = [part for one in fields for part in ("-e", one)]
    run = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", *asked, *options], capture_output=True, check=True, text=True
    )
    return run.stdout.splitlines()


def annotated(data: bytes, folder: Path, settings: Settings | None = None, suffix: str = ".pcap") -> Path:
    """A capture in memory, annotated."""
    source, target = folder / f"in{suffix}", folder / "out.pcapng"
    source.write_bytes(data)
    annotate([parse_argument(str(source))], labelled.plugins(), target, settings or Settings())
    return target
