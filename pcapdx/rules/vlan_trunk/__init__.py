"""VLANs and trunks: does the switch carry a VLAN to this host, with the tag that is expected."""

from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.definitions.wording import listed
from pcapdx.rules.vlan_trunk.chart import lives

MOST_NAMED = 8


def seen(view: View) -> str | None:
    """Which VLAN ids the frames were tagged with."""
    tagged = [vlan for vlan in view.vlans if vlan]
    if not tagged:
        return None
    more = len(tagged) - MOST_NAMED
    names: list[object] = [*tagged[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    return f"frames tagged {listed(names)}"


TOPIC = TopicPage(
    topic=Topic.VLAN_TRUNK,
    title="VLANs and trunks",
    seen=seen,
    absent="no tagged frame; capture a trunk's NIC to see tags",
    chart=lives,
)
