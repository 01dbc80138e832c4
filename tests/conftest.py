"""``--accept`` and the fixtures that every test may use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from pcapdx.plugins import Plugins, load

ROOT = Path(__file__).parent.parent

# how long one example takes says more of the machine than of the code
settings.register_profile("pcapdx", deadline=None)
settings.load_profile("pcapdx")

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="Rewrite generated files and golden reports.")
    parser.addoption(
        "--all-edits", action="store_true", help="Every edit of every healthy capture (a quarter of an hour)."
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--accept") and os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        raise pytest.UsageError("--accept rewrites what CI compares: not under CI")


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    """Everything that loads."""
    return load()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with a file of the repository; ``--accept`` rewrites the file."""
    accept = bool(request.config.getoption("--accept"))

    def compare(path: Path, text: str) -> None:
        if accept:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing; make accept writes it"
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: make accept, then read the diff"

    return compare
