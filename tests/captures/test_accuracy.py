"""Every labelled capture: the injected fault is the first diagnosis, and nothing else is claimed."""

import pytest

from captures import accuracy
from pcapdx.plugins import Plugins, load

CASES = accuracy.cases()


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
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
