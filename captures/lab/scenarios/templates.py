"""Templates: what an image does wrong by itself, and healthy twins."""

import time
from collections.abc import Iterable

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.middlebox import Direction
from captures.lab.noise import neighbours
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.hypervisor_nics import tagging
from captures.lab.stage import Stage, at_tap

_LEASE = "dhcp.option.dhcp == 5"


@scenario
def template_nic_silent(lab: Lab) -> None:
    """The image configures eth0, its NIC came up as eth1: the guest says nothing in more than five minutes, while the
    broadcasts of its neighbours reach its tap."""
    stage = Stage(lab, GuestNetwork(cidr="10.91.0.0/24", gateway="10.91.0.1", number=0x71), first_tap=2)
    guest = stage.guest(0x16, "clone-1", ip="10.91.0.16")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), compress="gz"):
        neighbours(stage, 0x31, 0x32)
        time.sleep(312)
    lab.hides(f"eth.src == {guest.mac}")
    lab.shows("arp", 5)
    lab.fault("TMPL001", "arp || mdns", mac=guest.mac)


@scenario
def template_slow_boot(lab: Lab) -> None:
    """A healthy guest checks its disk for 75 s before it asks for an address."""
    stage = Stage(lab, GuestNetwork(cidr="10.92.0.0/24", gateway="10.92.0.1", number=0x72), first_tap=5)
    guest = stage.guest(0x17, "fsck-1", ip="10.92.0.17")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=6):
        neighbours(stage, 0x33)
        time.sleep(75)
        guest.dhclient()
    lab.proof("DHCP031", _LEASE, mac=guest.mac)


@scenario
def template_ipv6_noise_only(lab: Lab) -> None:
    """The NIC is up but not configured: the guest sends duplicate address detection, MLD and router solicitations, and
    no DHCP in more than two minutes."""
    stage = Stage(lab, GuestNetwork(cidr="10.93.0.0/24", gateway="10.93.0.1", number=0x73), first_tap=8)
    neighbours(stage, 0x31)
    with lab.record(*stage.at_bridge):
        guest = stage.guest(0x18, "clone-2", ipv6=True)
        time.sleep(135)
    lab.truth.site = stage.site()
    lab.shows("icmpv6.type == 133", 2)
    lab.hides(f"(ip || arp) && eth.src == {guest.mac}")
    lab.fault("TMPL002", "icmpv6", mac=guest.mac)


@scenario
def template_static_foreign_address(lab: Lab) -> None:
    """The image has a static address from where it was made; it is in use here in place of CloudStack's."""
    stage = Stage(lab, GuestNetwork(cidr="10.94.0.0/24", gateway="10.94.0.1", number=0x74), first_tap=11)
    guest = stage.guest(0x19, "golden-1", ip="10.94.0.19")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=6):
        guest.address("10.94.0.200", 24, "10.94.0.1")
        guest.ns.run("ping", "-c", "8", "10.94.0.1")
    lab.shows(f"ip.src == 10.94.0.200 && eth.src == {guest.mac}", 5)
    lab.fault("TMPL005", "ip.src == 10.94.0.200", mac=guest.mac)


@scenario
def template_static_own_address(lab: Lab) -> None:
    """A guest with a static address, the one CloudStack knows: no DHCP, no fault."""
    stage = Stage(lab, GuestNetwork(cidr="10.95.0.0/24", gateway="10.95.0.1", number=0x75), first_tap=14)
    guest = stage.guest(0x1A, "static-2", ip="10.95.0.26")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=6):
        guest.address("10.95.0.26", 24, "10.95.0.1")
        guest.ns.run("ping", "-c", "8", "10.95.0.1")
    lab.hides("dhcp")


@scenario
def template_mac_differs(lab: Lab) -> None:
    """The image sets a MAC of its own (macaddress in netplan). The router does not know it and stays silent; another
    guest is served."""
    stage = Stage(lab, GuestNetwork(cidr="10.96.0.0/24", gateway="10.96.0.1", number=0x76), first_tap=17)
    guest = stage.guest(0x1B, "golden-2", ip="10.96.0.27")
    other = stage.guest(0x1C, "golden-3", ip="10.96.0.28")
    stage.serve()
    lab.truth.site = stage.site()
    own = "52:54:00:7b:11:c4"
    guest.ns.ip("link", "set", "eth0", "address", own)
    with lab.record(*stage.at_bridge, told=False):
        other.udhcpc()
        guest.dhclient(seconds=42)
    lab.shows(f"dhcp.option.dhcp == 1 && eth.src == {own}", 3)
    lab.hides(f"eth.src == {guest.mac}")
    lab.fault("TMPL009", f"eth.src == {own}")
    lab.consequence("DHCP002")
    lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def template_mac_rewritten(lab: Lab) -> None:
    """A bridge inside the guest rewrites the source MAC of all frames to its own: Ethernet source and the client's MAC
    in the DHCP message differ, without any relay."""
    own, network = "56:6f:3a:00:00:09", GuestNetwork(cidr="10.97.0.0/24", gateway="10.97.0.1", number=0x77)
    inside = network.mac(0x1D)
    outer, inner = (bytes.fromhex(mac.replace(":", "")) for mac in (own, inside))

    def translate(frame: bytes, direction: Direction) -> Iterable[tuple[float, bytes]]:
        if direction == "out" and frame[6:12] == inner:
            return [(0, frame[:6] + outer + frame[12:])]
        return [(0, inner + frame[6:] if direction == "in" and frame[:6] == outer else frame)]

    stage = Stage(lab, network, first_tap=20)
    guest = Guest(stage.host, None, inside, "nested-1")
    tap = middlebox.insert(lab, stage.host.ns, guest.tap, stage.bridge, translate)
    stage.known.append((inside, "10.97.0.29", "nested-1"))
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(stage.host.ns, tap, "tap", linger=5):
        guest.udhcpc(options=("-B",))
    lab.shows(f"dhcp.hw.mac_addr == {inside} && eth.src == {own}", 2)
    lab.fault("TMPL009", f"dhcp && eth.src == {own}")
    lab.proof("DHCP031", _LEASE, mac=inside)


@scenario
def template_pxe_then_silence(lab: Lab) -> None:
    """The NIC's boot ROM asks by PXE and gets an address; the disk has no driver for the NIC, and nothing comes after.
    The ROM is udhcpc with the ROM's vendor class."""
    stage = Stage(lab, GuestNetwork(cidr="10.98.0.0/24", gateway="10.98.0.1", number=0x78), first_tap=23)
    guest = stage.guest(0x1E, "driverless", ip="10.98.0.30")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), told=False):
        neighbours(stage, 0x34)
        guest.stop(guest.udhcpc(options=("-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000")))
        guest.ns.ip("link", "set", "eth0", "down")
        guest.ns.ip("link", "set", "eth0", "up")
        time.sleep(200)
    lab.shows('dhcp.option.vendor_class_id contains "PXEClient"', 2)
    lab.fault("TMPL003", "dhcp", mac=guest.mac)
    lab.consequence("TMPL001")


@scenario
def template_duplicate_client_id(lab: Lab) -> None:
    """Two guests of one template have the same machine-id, so the same DHCP client identifier. The router tells them
    apart by MAC. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="10.100.0.0/24", gateway="10.100.0.1", number=0x79), first_tap=26)
    guests = [stage.guest(0x1F + number, f"clone-{3 + number}") for number in range(2)]
    stage.serve()
    same = "send dhcp-client-identifier ff:b5:5e:67:ff:00:02:00:00:ab:11:9d:3e:7a:60:41:c2:88:15;"
    with lab.record(*stage.at_bridge, linger=6):
        for guest in guests:
            guest.dhclient(more=same)
            time.sleep(2)
    lab.shows(_LEASE, 2)
    lab.fault("TMPL006", "dhcp.option.dhcp == 1 || dhcp.option.dhcp == 3")
    for guest in guests:
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)
    lab.consequence("DHCP018")


@scenario
def template_same_host_name(lab: Lab) -> None:
    """Two guests of one template have the same host name; both get their leases. Worth a word, no fault."""
    stage = Stage(lab, GuestNetwork(cidr="10.101.0.0/24", gateway="10.101.0.1", number=0x7A), first_tap=29)
    first, second = (stage.guest(0x21 + number, f"vm-{number}") for number in range(2))
    stage.serve()
    first.name = second.name = "golden-master"
    with lab.record(*stage.at_bridge, told=False, linger=6, compress="zst"):
        first.udhcpc()
        second.udhcpc()
    lab.info("TMPL008", 'dhcp.option.hostname == "golden-master"', name="golden-master")
    for guest in (first, second):
        lab.proof("DHCP031", f"{_LEASE} && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)


@scenario
def template_tags_its_frames(lab: Lab) -> None:
    """The image has a VLAN interface from where it was made: the guest tags all it sends 77 by itself, in a network
    whose tag is the host's matter. It asks for an address in vain. Recorded at its tap."""
    stage = Stage(lab, GuestNetwork(cidr="10.99.4.0/24", gateway="10.99.4.1", number=0x7B), first_tap=31)
    guest = Guest(stage.host, None, stage.network.mac(0x1C), "tagged-1")
    stage.known.append((guest.mac, stage.network.ip(28), guest.name))
    far = middlebox.insert(lab, stage.host.ns, guest.tap, stage.bridge, tagging(77))
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(stage.host.ns, far, "tap", linger=2):
        guest.udhcpc(seconds=22)
    lab.shows(f"vlan.id == 77 && eth.src == {guest.mac}", 3)
    lab.fault("TMPL012", "vlan.id == 77", mac=guest.mac)
    lab.consequence("DHCP001")
