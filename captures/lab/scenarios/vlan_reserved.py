"""VLAN ids that some switches keep for themselves: one that is not carried, and one that is."""

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.post import wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Trunk


@scenario
def vlan_reserved_id(lab: Lab) -> None:
    """The zone's range is 2 to 4094, and a network got 3970, which the switch keeps for itself and carries nowhere. The
    guest's DISCOVERs leave tagged 3970, and nothing comes back; 101 works."""
    dead = GuestNetwork(cidr="10.181.0.0/24", gateway="10.181.0.1", number=0x321, vlan=3970)
    alive = GuestNetwork(cidr="10.182.0.0/24", gateway="10.182.0.1", number=0x322, vlan=101)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=101") for name in ("kvm1", "kvm2"))
    router = Router(there.host, there.vlan(3970), dead)
    guest = Guest(here.host, here.vlan(3970), dead.mac(0x21), "db-1")
    router.dhcp([(guest.mac, dead.ip(33), guest.name)])
    near, _ = neighbours(here, there, alive)
    with lab.record(*here.at_nic, steps=(wire((guest.mac, near.mac)),), compress="gz", linger=3):
        guest.udhcpc(seconds=36)
    lab.shows("vlan.id == 3970 && dhcp.option.dhcp == 1", 4)
    lab.hides(f"vlan.id == 3970 && eth.src != {guest.mac}")
    lab.fault("VLAN001", "vlan.id == 3970 && dhcp.option.dhcp == 1", vlan=3970)
    lab.consequence("DHCP001", mac=guest.mac)
    lab.info("VLAN018", vlan=3970)
    lab.proof("VLAN020", vlan=101)


@scenario
def vlan_reserved_id_carried(lab: Lab) -> None:
    """A network has VLAN 3971, and this switch carries it like any other: a guest boots. Healthy."""
    network = GuestNetwork(cidr="10.183.0.0/24", gateway="10.183.0.1", number=0x323, vlan=3971)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=3971") for name in ("kvm1", "kvm2"))
    router = Router(there.host, there.vlan(3971), network)
    guest = Guest(here.host, here.vlan(3971), network.mac(0x21), "db-2")
    router.dhcp([(guest.mac, network.ip(33), guest.name)])
    with lab.record(*here.at_nic, steps=(wire((guest.mac,)),), linger=1):
        guest.dhclient()
        guest.ns.run("ping", "-qc", "3", network.gateway)
    lab.shows("vlan.id == 3971 && dhcp.option.dhcp == 5", 1)
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
    lab.proof("VLAN020", vlan=3971)
