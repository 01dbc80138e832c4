"""Two captures of one boot: at the NIC of the guest's host and at the NIC of the router's host."""

import time
from contextlib import AbstractContextManager, ExitStack

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.post import wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Trunk, TrunkHost

_OFFER = "dhcp.option.dhcp == 2"


def _both(
    lab: Lab, near: TrunkHost, far: TrunkHost, near_macs: list[str], far_macs: list[str]
) -> AbstractContextManager[object]:
    """Record both NICs; what arrives at one has been padded by the other."""
    stack = ExitStack()
    for name, host, macs in (("guest-host", near, near_macs), ("router-host", far, far_macs)):
        stack.enter_context(lab.record(*host.at_nic, name=name, nano=True, linger=2, steps=(wire(macs),)))
    return stack


@scenario
def dhcp_lease_seen_twice(lab: Lab) -> None:
    """A healthy boot between two hosts, recorded at the NICs of both."""
    network = GuestNetwork(cidr="10.141.0.0/24", gateway="10.141.0.1", number=0x221, vlan=1601)
    trunk = Trunk(lab)
    near, far = trunk.host("kvm1", "ens2f0", "trunks=1601"), trunk.host("kvm2", "ens2f0", "trunks=1601")
    guest = Guest(near.host, near.vlan(1601), network.mac(0x16), "pair-1")
    router = Router(far.host, far.vlan(1601), network)
    router.dhcp([(guest.mac, network.ip(61), guest.name)])
    with _both(lab, near, far, [guest.mac], [router.mac]):
        guest.dhclient()
        guest.ns.run("ping", "-c", "12", "-i", "0.4", network.gateway)
    lab.shows(_OFFER, 2, 2)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)


@scenario
def dhcp_offers_dropped_by_switch(lab: Lab) -> None:
    """DHCP snooping does not trust the port of the router's host: the switch drops what comes from UDP port 67 and
    passes all else. The router's OFFERs leave its host and never reach the guest's."""
    network = GuestNetwork(cidr="10.142.0.0/24", gateway="10.142.0.1", number=0x222, vlan=1602)
    trunk = Trunk(lab)
    near, far = trunk.host("kvm1", "ens2f0", "trunks=1602"), trunk.host("kvm2", "ens2f0", "trunks=1602")
    bridge = near.vlan(1602)
    guest = Guest(near.host, bridge, network.mac(0x17), "pair-2")
    neighbour = Guest(near.host, bridge, network.mac(0x18), "pair-3")
    neighbour.address(network.ip(24), 24, network.gateway)
    router = Router(far.host, far.vlan(1602), network)
    router.dhcp([(guest.mac, network.ip(62), guest.name)])
    trunk.switch.flow(trunk.bridge, "priority=100,udp,tp_src=67,actions=drop")
    with _both(lab, near, far, [guest.mac, neighbour.mac], [router.mac]):
        ping = neighbour.ns.spawn("ping", "-i", "1.5", network.gateway)
        guest.dhclient(seconds=40)
        ping.terminate()
        time.sleep(1)
    lab.shows(_OFFER, 3)
    lab.shows("icmp.type == 0", 40)
    lab.fault("VLAN016", _OFFER, vlan=1602)
    for code in ("DHCP001", "DHCP002", "DHCP007", "DHCP008"):
        lab.consequence(code)
