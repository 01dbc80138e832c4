"""Every display filter that a report of a shipped capture prints: tshark takes it, and it shows evidence."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from pcapdx.model import Finding, Proof
from pcapdx.report.decoded import for_tshark
from tests import labelled

SHAPES = (
    (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", "IPV4"),
    (r"(?<![\w.])[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*", "IPV6"),
    (r'"[^"]*"', "TEXT"),
    (r"\{[\d, ]+\}", "{NUMBERS}"),
    (r"\b(0x[0-9a-f]+|\d+)\b", "NUMBER"),
)


@dataclass(frozen=True)
class Printed:
    """A filter, the file it was printed for, and the frames it should show some of."""

    code: str
    filter: str
    path: str
    frames: frozenset[int]


def printed() -> Iterator[Printed]:
    """One of each shape and rule: what differs in an address or number only is the same to tshark's parser."""
    seen = set()
    for name in sorted(labelled.CASES):
        paths = {one.name: one.path for one in labelled.CASES[name].arguments}
        diagnosed = labelled.analysis(name).diagnosed
        verdicts: list[Finding | Proof] = [*(linked.finding for linked in diagnosed.findings), *diagnosed.proofs]
        for one in verdicts:
            cited: dict[str, set[int]] = {}
            for piece in one.evidence:
                cited.setdefault(piece.capture, set()).update(piece.frames)
            capture = next((capture for capture, frames in cited.items() if frames), next(iter(cited)))
            shape = one.filter
            for pattern, word in SHAPES:
                shape = re.sub(pattern, word, shape)
            if one.filter and (one.code, shape) not in seen:
                seen.add((one.code, shape))
                yield Printed(one.code, one.filter, paths[capture], frozenset(cited[capture]))


def what_is_wrong(one: Printed) -> str | None:
    with for_tshark(one.path) as readable:
        command = ["tshark", "-n", "-r", readable, "-Y", one.filter, "-T", "fields", "-e", "frame.number"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if run.returncode and "cut short" not in run.stderr:
        return f"{one.code}: tshark does not take {one.filter!r}: {run.stderr.strip()}"
    shown = {int(number) for number in run.stdout.split()}
    if one.frames and not shown & one.frames:
        return f"{one.code}: {one.filter!r} shows {sorted(shown)[:9]} of {one.path}, not {sorted(one.frames)[:9]}"
    return None


def test_every_filter_shows_evidence() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    filters = list(printed())
    assert len({one.code for one in filters}) > 30
    with ThreadPoolExecutor(2) as pool:
        wrong = [problem for problem in pool.map(what_is_wrong, filters) if problem]
    assert not wrong, "\n".join(wrong)


def test_a_wrong_filter_would_be_found() -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    path = labelled.CASES["password-refused"].arguments[0].path
    assert "does not take" in (what_is_wrong(Printed("X", "dhcp.no_such_field == 1", path, frozenset({1}))) or "")
    assert "not [1]" in (what_is_wrong(Printed("X", "frame.number == 2", path, frozenset({1}))) or "")
    assert what_is_wrong(Printed("X", "frame.number == 1", path, frozenset({1}))) is None
