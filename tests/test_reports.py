"""The golden reports: what pcapdx says of every shipped capture, rewritten by ``make accept`` and read as a diff."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pcapdx.report import json as as_json
from pcapdx.report import text
from pcapdx.report.schema import json_schema
from tests import labelled
from tests.conftest import ROOT, Golden

REPORTS = ROOT / "reports"

each_case = pytest.mark.parametrize("name", sorted(labelled.CASES))


@each_case
def test_text(name: str, golden: Golden) -> None:
    golden(REPORTS / f"{name}.txt", text.render(labelled.document(name), width=text.WIDEST))


@each_case
def test_json(name: str, golden: Golden) -> None:
    golden(REPORTS / f"{name}.json", as_json.render(labelled.document(name)))


@pytest.fixture(scope="session")
def validator() -> Any:
    schema = json_schema()
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


@each_case
def test_json_is_by_the_schema(name: str, validator: Any) -> None:
    validator.validate(json.loads(as_json.render(labelled.document(name))))


def test_no_report_is_left_over(request: pytest.FixtureRequest) -> None:
    """Every golden report belongs to a capture; all of them together stay small."""
    files = [path for path in REPORTS.iterdir() if path.suffix in (".txt", ".json")]
    left_over = [path for path in files if path.stem not in labelled.CASES]
    if request.config.getoption("--accept"):
        for path in left_over:
            path.unlink()
    else:
        assert not left_over
    assert sum(path.stat().st_size for path in files if path.exists()) < 6_000_000


def test_accept_is_refused_under_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI compares; it never rewrites what it compares with."""
    import subprocess
    import sys

    monkeypatch.setenv("CI", "true")
    command = [sys.executable, "-m", "pytest", "--accept", "--collect-only", "-q", "tests/test_reports.py"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "not under CI" in run.stderr
