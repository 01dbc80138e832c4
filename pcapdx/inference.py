"""Reads a capture's vantage off its traffic when nobody gave it; with care, for a wrong role makes wrong verdicts."""

from collections import Counter

from pcapdx.capture.records import CaptureFacts
from pcapdx.sieve.columns import Array
from pcapdx.vantage import CaptureArgument, Role, Vantage

LINKTYPE_COOKED = (113, 276)
ENOUGH_FRAMES = 10
MOST_NAMED = 4
ENOUGH_COPIES = 3
"""Packets recorded with one tag and with another, or none, within milliseconds."""


def infer(argument: CaptureArgument, facts: CaptureFacts, talkers: Array, counters: Array) -> Vantage:
    """The vantage of a capture; ``talkers`` are the sieve's TALKER rows, ``counters`` its row of COUNTERS."""
    interface = next((one.name for one in facts.interfaces if one.name), None)
    if argument.role is not None:
        return Vantage(name=argument.name, role=argument.role, inferred=False, interface=interface)
    role, why = _role(facts, talkers, counters, interface)
    return Vantage(name=argument.name, role=role, inferred=True, interface=interface, why=why)


def _role(facts: CaptureFacts, talkers: Array, counters: Array, interface: str | None) -> tuple[Role | None, str]:
    if any(one.link_type in LINKTYPE_COOKED for one in facts.interfaces):
        return Role.ANY, "Linux cooked capture"
    several = list(dict.fromkeys(one.name for one in facts.interfaces if one.name))
    if len({_by_interface_name(one) for one in several}) > 1:
        return Role.ANY, f"several interfaces: {', '.join(several[:MOST_NAMED])}"
    sections = Counter(one.section for one in facts.interfaces)
    copies = int(counters["ip_twins"]) - int(counters["same_vlan_twins"])
    if max(sections.values(), default=0) > 1 and copies >= ENOUGH_COPIES and _with_and_without_tag(talkers):
        return Role.ANY, "several interfaces, with and without a tag"
    if interface is not None:
        by_name = _by_interface_name(interface)
        if by_name is not None:
            return by_name, f"interface {interface}"
    if not len(talkers):
        return None, ""
    senders = talkers[talkers["sent"] > 0]
    vlans = set(senders["vlan"].tolist()) - {0}
    if len(vlans) > 1:
        return Role.TRUNK, f"{len(vlans)} tagged VLANs"
    if vlans and senders["tagged"].sum() * 2 > senders["sent"].sum():
        return Role.TRUNK, f"frames tagged {vlans.pop()}"
    if not vlans and _is_tap(senders, talkers):
        return Role.TAP, "every unicast frame is from or to one MAC"
    return None, ""


def _with_and_without_tag(talkers: Array) -> bool:
    """One MAC sends tagged and untagged at the same time, as it never does at one point."""
    senders = talkers[talkers["sent"] > 0]
    columns = (senders[name].tolist() for name in ("mac", "vni", "vlan", "first_ns", "last_ns"))
    untagged: dict[tuple[int, int], tuple[int, int]] = {}
    tagged: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for mac, vni, vlan, first_ns, last_ns in zip(*columns, strict=True):
        if vlan:
            tagged.append(((mac, vni), (first_ns, last_ns)))
        else:
            untagged[mac, vni] = first_ns, last_ns
    return any(who in untagged and untagged[who][0] < when[1] and when[0] < untagged[who][1] for who, when in tagged)


def _by_interface_name(interface: str) -> Role | None:
    """Names that CloudStack, libvirt and Xen give (BridgeVifDriver, libvirt, xenopsd)."""
    if interface == "any":
        return Role.ANY
    for prefix, role in (("vnet", Role.TAP), ("vif", Role.TAP), ("tap", Role.TAP), ("bond", Role.BOND)):
        if interface.startswith(prefix):
            return Role.VLAN if "." in interface and role is Role.BOND else role
    if interface.startswith(("brvx-", "cloudVirBr", "xapi")) or (interface.startswith("br") and "-" in interface):
        return Role.BRIDGE
    return None


def _is_tap(senders: Array, talkers: Array) -> bool:
    """One MAC is an end of every unicast frame, and others speak to it: a guest's own interface (or a router's)."""
    unicast: Counter[int] = Counter()
    for mac, sent, received, broadcasts in zip(
        talkers["mac"].tolist(),
        talkers["sent"].tolist(),
        talkers["received"].tolist(),
        talkers["broadcasts"].tolist(),
        strict=True,
    ):
        unicast[mac] += sent - broadcasts + received
    total = int((senders["sent"] - senders["broadcasts"]).sum())
    if len(senders) < 2 or total < ENOUGH_FRAMES:
        return False
    # with two MACs only, either could be the one: no telling whose interface this is
    return len(unicast) > 2 and sum(1 for count in unicast.values() if count == total) == 1
