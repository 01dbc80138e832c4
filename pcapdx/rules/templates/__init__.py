"""Templates: what an image does wrong by itself when an instance of it boots."""

from dissectors.dhcp import DhcpExchange, DhcpKind
from pcapdx.case import View
from pcapdx.model import Topic
from pcapdx.rule import TopicPage
from pcapdx.rules.templates.guests import own_guest

BOOTS = (DhcpKind.BOOT, DhcpKind.INIT_REBOOT)


def seen(view: View) -> str | None:
    """Boots of guests, or a guest's own tap."""
    booted = {one.chaddr for one in view.exchanges(DhcpExchange) if one.kind in BOOTS}
    if booted:
        return f"{len(booted)} guest{'s' if len(booted) > 1 else ''} asked for an address as at a boot"
    guest = own_guest(view)
    return f"the tap of {guest.name or guest.mac}" if guest is not None else None


TOPIC = TopicPage(
    topic=Topic.TEMPLATES,
    title="Templates",
    seen=seen,
    absent="no guest booted while this was captured",
)
