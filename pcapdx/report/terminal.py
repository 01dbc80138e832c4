"""The terminal the text report goes to: its width, and whether it wants colour."""

import os
import shutil
import sys

from pcapdx.report.text import WIDEST

_CODES = {"error": "1;31", "warning": "1;33", "info": "1;34", "good": "1;32", "label": "2", "command": "1"}


def wants_colour() -> bool:
    """A terminal that has not said no (https://no-color.org, TERM=dumb)."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def width(output: str | None) -> int:
    """Columns to fill: the terminal's, or 110 for a file or pipe."""
    if output is not None or not sys.stdout.isatty():
        return WIDEST
    return shutil.get_terminal_size((WIDEST, 40)).columns


def style(text: str, kind: str) -> str:
    """The same words in colour."""
    return f"\x1b[{_CODES[kind]}m{text}\x1b[0m"
