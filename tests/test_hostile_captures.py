"""Every shipped capture, cut anywhere and with flipped bytes: a report or one sentence, in bounded time."""

import random
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from captures.accuracy import Case
from pcapdx.diagnose import Analysis, analyze
from pcapdx.errors import CaptureError
from pcapdx.report import json, markdown, text
from pcapdx.report.document import document_of
from pcapdx.site import load_site
from tests import labelled

WHOLLY = 10
"""So many of the smallest are cut at every byte."""
CUTS, FLIPS = 3000, 1200
"""So often the others are cut, and all of them damaged, taken together: many captures must not make a slow test."""
SLOWEST_S = 10.0
MOST_BYTES = 256 << 20


def smallest_first() -> list[tuple[Case, int]]:
    """Cases with the number of their argument, by size of the file."""
    every = [(case, place) for case in labelled.CASES.values() for place in range(len(case.arguments))]
    return sorted(every, key=lambda one: (Path(one[0].arguments[one[1]].path).stat().st_size, one[0].name))


EVERY = smallest_first()


def run(case: Case, place: int, path: Path) -> Analysis | None:
    """Analyses a case with one of its files damaged; None where that file is refused in a sentence."""
    labelled.analysis(case.name)  # what is compiled once is not held against any run
    arguments = list(case.arguments)
    arguments[place] = replace(arguments[place], path=str(path))
    began = time.monotonic()
    try:
        analysis = analyze(arguments, labelled.plugins(), site=load_site(case.site) if case.site else None, strict=True)
    except CaptureError as error:
        assert str(error)
        return None
    finally:
        assert time.monotonic() - began < SLOWEST_S
    return analysis


def render(analysis: Analysis) -> None:
    """The reports of damaged captures can be written, too."""
    document = document_of(analysis)
    assert text.render(document)
    assert json.render(document)
    assert markdown.render(document)


def named(one: tuple[Case, int]) -> str:
    case, place = one
    return case.name if len(case.arguments) == 1 else f"{case.name}-{case.arguments[place].name}"


def cuts(size: int, *, wholly: bool, seed: str) -> Iterator[int]:
    """Lengths to cut a file to: every one, or some at random and those around its headers."""
    if wholly:
        yield from range(size)
        return
    chosen = random.Random(seed)
    yield from sorted({*range(0, 48, 7), size - 1, *(chosen.randrange(size) for _ in range(CUTS // len(EVERY)))})


@pytest.mark.parametrize(("case", "place"), EVERY, ids=[named(one) for one in EVERY])
def test_cut(case: Case, place: int, tmp_path: Path) -> None:
    data = Path(case.arguments[place].path).read_bytes()
    wholly = (case, place) in EVERY[:WHOLLY]
    path = tmp_path / "cut"
    for size in cuts(len(data), wholly=wholly, seed=named((case, place))):
        path.write_bytes(data[:size])
        analysis = run(case, place, path)
        if analysis is not None and size % 16 == 0:
            render(analysis)


@pytest.mark.parametrize(("case", "place"), EVERY, ids=[named(one) for one in EVERY])
def test_flipped(case: Case, place: int, tmp_path: Path) -> None:
    """Bytes changed at random; of compressed files too, where the decompressor meets them first."""
    data = Path(case.arguments[place].path).read_bytes()
    chosen = random.Random(f"flips of {named((case, place))}")
    path = tmp_path / "flipped"
    for round_ in range(FLIPS // len(EVERY)):
        damaged = bytearray(data)
        for _ in range(1 + round_ * 4):
            damaged[chosen.randrange(len(damaged))] ^= 1 << chosen.randrange(8)
        path.write_bytes(damaged)
        analysis = run(case, place, path)
        if analysis is not None and round_ % 6 == 0:
            render(analysis)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Lengths that claim gigabytes cost no more than the bytes that are there."""
    case = labelled.CASES["dhcp-lease-dhcpcd"]
    data = Path(case.arguments[0].path).read_bytes()
    path = tmp_path / "claims"
    tracemalloc.start()
    try:
        for at in range(0, 200, 4):
            path.write_bytes(data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :])
            run(case, 0, path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
