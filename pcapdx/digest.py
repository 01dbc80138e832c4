"""SHA-256 of captures, when a report should pin its input. Costs more than the analysis, so it is asked for."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pcapdx.diagnose import vantages
from pcapdx.vantage import CaptureArgument


def digests_of(arguments: Sequence[CaptureArgument]) -> dict[str, str]:
    """Hex digest by capture name; of a capture in pieces, over the pieces in the order given; none for a pipe."""
    found = {}
    for group in vantages(arguments):
        if any(one.path == "-" for one in group):
            continue
        digest = hashlib.sha256()
        for one in group:
            with Path(one.path).open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        found[group[0].name] = digest.hexdigest()
    return found
