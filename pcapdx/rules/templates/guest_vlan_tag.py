"""TMPL012 guest-vlan-tag: a guest tags its own frames.

What it does
------------
Finds, at one guest's own tap, frames with a VLAN tag from the guest of the site profile whose tap it is.

Why it matters
--------------
The bridge behind the tap tags by itself. Such frames end up in no network, or in the wrong one.

Common causes
-------------
The image was made on a machine at a trunk port and still has a VLAN interface.

What else it could be
---------------------
A NIC that is meant as a trunk (L2 network).

Next steps
----------
Look for VLAN interfaces in the guest.
"""

from collections.abc import Iterator

from pcapdx.case import View
from pcapdx.model import Finding, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.templates.guests import nics, own_guest, template


def check(view: View) -> Iterator[Finding]:
    """One finding a VLAN; priority tags are no VLAN."""
    guest = own_guest(view)
    if guest is None:
        return
    network = view.site.network_of(guest.ip) if guest.ip else None
    for one in view.talkers:
        if one.mac != guest.mac or not one.sent or not one.vlan or one.vni is not None:
            continue
        trunk = network is not None and network.type == "l2"
        yield RULE.finding(
            subject=Subject(mac=guest.mac, vlan=one.vlan),
            severity=Severity.INFO if trunk else None,
            summary=f"{guest.name or guest.mac} tags {one.sent} of its frames with VLAN {one.vlan} by itself.",
            evidence=(cite(view, one.frames, f"frames of the guest with tag {one.vlan}, before any bridge"),),
            filter=f"vlan.id == {one.vlan} && eth.src == {guest.mac}",
            first_ns=one.first_ns,
            last_ns=one.last_ns,
            alternatives=("the NIC is meant as a trunk",),
            next_steps=(
                nics(guest.mac),
                template(
                    "ip -d link show type vlan; grep -rn vlan /etc/netplan /etc/network",
                    "a VLAN interface in the image",
                ),
            ),
        )


RULE = Rule(
    code="TMPL012",
    name="guest-vlan-tag",
    topic=Topic.TEMPLATES,
    severity=Severity.WARNING,
    check=check,
)
