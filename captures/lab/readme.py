"""The table of captures in ``captures/README.md``."""

from pathlib import Path


def rewrite(folder: Path) -> None:
    """Replace the table between the two marks with one made from the truth files."""
