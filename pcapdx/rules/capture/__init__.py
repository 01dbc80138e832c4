"""The capture itself: artefacts of recording that look like faults of the network."""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage


def seen(view: View) -> str | None:
    """Nothing: a capture without artefacts needs no row of its own; cuts and drops are its limits."""
    return None


TOPIC = TopicPage(
    topic=Topic.CAPTURE,
    title="The capture itself",
    seen=seen,
    absent="no artefact of recording was found",
)
