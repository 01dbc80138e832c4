"""Counts odd bytes by kind, so that a hostile capture fills no list."""

from pcapdx.model import Anomaly

MOST_KINDS = 1000


class AnomalyCounter:
    """Collects anomalies of one capture; equal (protocol, kind, what) is one row that counts."""

    def __init__(self, capture: str) -> None:
        self._capture = capture
        self._rows: dict[tuple[str, str, str], tuple[int | None, int | None, int]] = {}

    def add(
        self, protocol: str, kind: str, what: str, *, frame: int | None, offset: int | None, count: int = 1
    ) -> None:
        """Counts one (or ``count``) more; the first of a kind gives frame and offset."""
        key = protocol, kind, what
        seen = self._rows.get(key)
        if seen is not None:
            self._rows[key] = seen[0], seen[1], seen[2] + count
        elif len(self._rows) < MOST_KINDS:
            self._rows[key] = frame, offset, count

    def rows(self) -> tuple[Anomaly, ...]:
        """One anomaly a kind, in order of first appearance."""
        return tuple(
            Anomaly(
                capture=self._capture, protocol=protocol, kind=kind, what=what, frame=frame, offset=offset, count=count
            )
            for (protocol, kind, what), (frame, offset, count) in self._rows.items()
        )
