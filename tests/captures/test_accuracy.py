"""Every labelled capture: the injected fault is the first diagnosis, and nothing else is claimed."""

from typing import Any

import pytest

from captures import accuracy
from pcapdx.plugins import Plugins, load

CASES = accuracy.cases()
NOT_RIGHT = {
    "held-out-fifth-storage-by-management": "that this share is primary storage stands in no frame",
    "held-out-fifth-switch-daemon-killed": "at the NIC alone, guests that send nothing look the same",
    "held-out-fifth-xen-vif-without-tag": "named, but behind HYP004: the frames fit both",
}
"""Held-out cases whose label asks more than is told (captures/held-out.md); the table counts them as they are."""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load()


def marked(case: accuracy.Case) -> Any:
    """A case that is expected to be right, or not to be."""
    reason = NOT_RIGHT.get(case.name)
    marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", map(marked, CASES))
def test_case(case: accuracy.Case, plugins: Plugins) -> None:
    """Nothing missed, nothing invented, the root first with a decisive frame, every named proof given."""
    verdict = accuracy.judge(case, plugins)
    assert verdict.right, str(verdict)


def test_the_readme_has_this_table(plugins: Plugins) -> None:
    """``python -m captures.accuracy --readme`` has nothing to do."""
    made = accuracy.table([accuracy.judge(case, plugins) for case in CASES])
    readme = accuracy.README.read_text(encoding="utf-8")
    assert readme == accuracy.with_table(readme, made)


def test_enough_of_both_kinds() -> None:
    """At least thirty cases, and a third of them healthy look-alikes."""
    healthy = [case for case in CASES if not case.faults]
    assert len(CASES) >= 30
    assert 3 * len(healthy) >= len(CASES)
