"""Progress by bytes read, on standard error and only on a terminal."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pcapdx.capture.records import CaptureFacts
from pcapdx.diagnose import Progress
from pcapdx.vantage import CaptureArgument

QUIET_S = 0.5
"""Runs shorter than this show nothing."""


@contextmanager
def on_terminal(arguments: Sequence[CaptureArgument]) -> Iterator[Progress | None]:
    """A callback for :func:`pcapdx.diagnose.analyze`; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    total = sum(_size(one.path) for one in arguments)
    began = shown = time.monotonic()
    finished: dict[str, int] = {}

    def tell(facts: CaptureFacts) -> None:
        nonlocal shown
        finished[facts.name] = facts.bytes
        now = time.monotonic()
        if now - began < QUIET_S or now - shown < 0.1:
            return
        shown = now
        done = sum(finished.values())
        share = f"{100 * done // total:3d} %" if total else f"{done >> 20:,} MiB"
        sys.stderr.write(f"\r\x1b[K{share}  {facts.frames:,} frames of {facts.name}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        if shown > began:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
