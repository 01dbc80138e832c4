"""Writes what is odd about a container into the facts of its capture."""

from dataclasses import replace

from pcapdx.capture.records import CaptureFacts
from pcapdx.model import Anomaly


def note(
    facts: CaptureFacts, protocol: str, kind: str, what: str, offset: int | None, *, lost: bool = True, count: int = 1
) -> None:
    """Note an anomaly of the container; one of the same kind is counted, and keeps its first place and sentence.

    ``lost`` says that something of the capture could not be read because of it.
    """
    facts.complete = facts.complete and not lost
    for index, anomaly in enumerate(facts.anomalies):
        if (anomaly.protocol, anomaly.kind) == (protocol, kind):
            facts.anomalies[index] = replace(anomaly, count=anomaly.count + count)
            return
    facts.anomalies.append(
        Anomaly(capture=facts.name, frame=None, protocol=protocol, kind=kind, what=what, offset=offset, count=count)
    )
