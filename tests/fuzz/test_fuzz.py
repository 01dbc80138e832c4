"""Every fuzz target runs for some thousand inputs where atheris is installed; longer runs are started by hand."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = sorted(Path(__file__).parent.glob("fuzz_*.py"))
RUNS, SECONDS = 3_000, 60
MOST_AT_ONCE_MB = 512
"""A limit for all of its memory would count the peak of these tests, too, which Linux passes on to a child."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_target(target: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    limits = f"-max_total_time={SECONDS}", "-rss_limit_mb=0", f"-malloc_limit_mb={MOST_AT_ONCE_MB}"
    command = [sys.executable, str(target), f"-runs={RUNS}", "-seed=1", *limits]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done " in done.stderr
