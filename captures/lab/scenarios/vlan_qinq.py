"""Two customers' networks inside one provider VLAN: only the inner tag tells them apart, and they use the same
addresses."""

import time

from captures.lab.cloud import GuestNetwork, veth
from captures.lab.guest import Guest
from captures.lab.post import pcapng, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Point, Trunk

_OUTER = 88


def customer(number: int, vlan: int) -> GuestNetwork:
    """A customer's network, which has the addresses of all the others."""
    return GuestNetwork(cidr="192.168.1.0/24", gateway="192.168.1.1", number=number, vlan=vlan)


def provider_link(lab: Lab, trunk: Trunk) -> Point:
    """Carry the hosts' tags inside the provider's (two tags of type 0x8100), and mirror the provider's switch."""
    trunk.switch.vsctl("set", "Open_vSwitch", ".", "other_config:vlan-limit=2")
    qinq = ("vlan_mode=dot1q-tunnel", f"tag={_OUTER}", "trunks=[]", "other_config:qinq-ethtype=802.1q")
    for label in ("kvm1", "kvm2"):
        trunk.switch.change(f"{label}-port", *qinq)
    where = lab.namespace("mirror")
    veth(where, "span0", trunk.switch.ns, "span-port")
    for place, name in ((where, "span0"), (trunk.switch.ns, "span-port")):
        place.ip("link", "set", name, "up")
    trunk.switch.port(trunk.bridge, "span-port", f"trunks={_OUTER}")
    mirror = ("--id=@p", "get", "port", "span-port", "--", "--id=@m", "create", "mirror", "name=m", "select-all=true",
              "output-port=@p", "--", "set", "bridge", trunk.bridge, "mirrors=@m")  # fmt: skip
    trunk.switch.vsctl("--", *mirror)
    return where, "span0", "trunk"


@scenario
def vlan_qinq_same_addresses(lab: Lab) -> None:
    """A provider carries two customers in one VLAN, each in an inner one. Both use 192.168.1.0/24, each with a router
    of its own, the same addresses and the same host name. Both customers' guests boot, are served and ping their
    gateways. Healthy."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=10,20") for name in ("kvm1", "kvm2"))
    guests = []
    for number, vlan in ((0x2D1, 10), (0x2D2, 20)):
        network = customer(number, vlan)
        router = Router(there.host, there.vlan(vlan), network, label=f"vr{vlan}")
        guest = Guest(here.host, here.vlan(vlan), network.mac(0x12), "web", label=f"web{vlan}")
        router.dhcp([(guest.mac, network.ip(18), "web")])
        guests.append(guest)
    point = provider_link(lab, trunk)
    with lab.record(*point, told=False, steps=(wire(()), pcapng), compress="gz", linger=3):
        for _ in range(3):
            for guest in guests:
                guest.stop(guest.dhclient())
                guest.ns.run("ping", "-qc", "2", "192.168.1.1")
                guest.ns.run("arping", "-qc", "2", "-I", "eth0", "192.168.1.1")
    for vlan, guest in zip((10, 20), guests, strict=True):
        lab.shows(f"vlan.id == {_OUTER} && vlan.id == {vlan} && dhcp.option.dhcp == 5", 3)
        lab.shows(f"arp.opcode == 2 && arp.src.proto_ipv4 == 192.168.1.1 && eth.dst == {guest.mac}", 3)
        lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def vlan_qinq_one_customer_unserved(lab: Lab) -> None:
    """A provider carries two customers in one VLAN. The router of one runs without dnsmasq: its guest asks in vain and
    its neighbour talks to the router, while the guest of the other customer is served by a router of the same
    address."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=10,20") for name in ("kvm1", "kvm2"))
    dead, alive = customer(0x2D3, 10), customer(0x2D4, 20)
    bridge = here.vlan(dead.vlan)
    for network in (dead, alive):
        router = Router(there.host, there.vlan(network.vlan), network, label=f"vr{network.vlan}")
        if network is alive:
            router.dhcp([(network.mac(0x12), network.ip(18), "web")])
    asking = Guest(here.host, bridge, dead.mac(0x12), "web", label="web10")
    neighbour = Guest(here.host, bridge, dead.mac(0x13), "app", label="app10")
    neighbour.address(dead.ip(19), 24, dead.gateway)
    served = Guest(here.host, here.vlan(alive.vlan), alive.mac(0x12), "web", label="web20")
    point = provider_link(lab, trunk)
    with lab.record(*point, told=False, steps=(wire(()),), linger=6):
        neighbour.ns.spawn("ping", "-q", "-i", "3", dead.gateway)
        served.dhclient()
        asking.udhcpc(seconds=30)
        time.sleep(1)
    lab.shows(f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {asking.mac}", 4)
    lab.hides(f"dhcp.type == 2 && dhcp.hw.mac_addr == {asking.mac}")
    lab.fault("DHCP001", f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {asking.mac}", mac=asking.mac)
    lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {served.mac}", mac=served.mac)
