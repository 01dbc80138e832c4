"""What recorders do to a capture, and captures in which there is little to see."""

import time

from captures.lab.artefacts import mirrored, receive_tags_lost
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.noise import neighbours as talkative
from captures.lab.post import between, pcapng, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.vlan_missing import neighbours
from captures.lab.stage import Stage, Trunk, at_tap


@scenario
def capture_receive_tags_lost(lab: Lab) -> None:
    """Two guests on a host boot, are served from another host and talk: all is well. The recorder lost the tags of what
    the NIC received, as an old libpcap does under receive VLAN offload."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,951,952") for name in ("kvm1", "kvm2"))
    guests, macs = [], []
    for vlan in (951, 952):
        network = GuestNetwork(
            cidr=f"10.95.{vlan % 10}.0/24", gateway=f"10.95.{vlan % 10}.1", number=0x1A0 + vlan % 10, vlan=vlan
        )
        router = Router(there.host, there.vlan(vlan), network, label=f"vr{vlan}")
        router.ns.spawn("openssl", "s_server", "-accept", "80", "-nocert", "-cipher", "aNULL@SECLEVEL=0")
        guest = Guest(here.host, here.vlan(vlan), network.mac(0x33), f"web-{vlan}")
        router.dhcp([(guest.mac, network.ip(51), guest.name)])
        guests.append((guest, network))
        macs.append(guest.mac)
    with lab.record(*here.at_nic, steps=(receive_tags_lost(macs), wire(macs)), linger=6):
        for guest, network in guests:
            guest.dhclient()
            guest.ns.run("ping", "-qc", "3", network.gateway)
            guest.ns.run("curl", "-s", "-m", "1", f"http://{network.gateway}/", check=False)
    lab.shows("vlan && icmp.type == 8", 6)
    lab.shows("!vlan && icmp.type == 0", 6)
    lab.shows("!vlan && tcp.flags == 0x12", 2)
    lab.info("CAP001", "!vlan && icmp.type == 0")


@scenario
def capture_mirror_duplicates(lab: Lab) -> None:
    """A mirror of a switch port copies what comes in and what goes out: every frame is recorded twice, 40 µs apart.
    A guest boots, is served, and fetches a page."""
    network = GuestNetwork(cidr="10.96.0.0/24", gateway="10.96.0.1", number=0x1A3, vlan=960)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=960") for name in ("kvm1", "kvm2"))
    router = Router(there.host, there.vlan(960), network)
    guest = Guest(here.host, here.vlan(960), network.mac(0x34), "web-1")
    router.dhcp([(guest.mac, network.ip(52), guest.name)])
    page = lab.file("www/page", b"x" * 40_000).parent
    router.ns.spawn("python3", "-m", "http.server", "-d", str(page), "80")
    with lab.record(trunk.switch.ns, "kvm1-port", "trunk", told=False, steps=(mirrored(40),), compress="gz", linger=6):
        guest.dhclient()
        guest.ns.run("ping", "-qi", "0.2", "-c", "30", network.gateway)
        for _ in range(3):
            guest.ns.run("curl", "-s", "-o", "/dev/null", f"http://{network.gateway}/page")
    lab.shows("ip", 200)
    lab.info("CAP003")
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
    lab.proof("VLAN020", vlan=960)


@scenario
def capture_any_on_a_host(lab: Lab) -> None:
    """A healthy network recorded with -i any on a host: every frame is there at the tap, on the bridge and on the NIC,
    with and without its tag."""
    network = GuestNetwork(cidr="10.97.0.0/24", gateway="10.97.0.1", number=0x1A4, vlan=970)
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "eth1", "trunks=0,970,971") for name in ("kvm1", "kvm2"))
    router = Router(there.host, there.vlan(970), network)
    guest = Guest(here.host, here.vlan(970), network.mac(0x35), "web-1")
    router.dhcp([(guest.mac, network.ip(53), guest.name)])
    other = GuestNetwork(cidr="10.98.0.0/24", gateway="10.98.0.1", number=0x1A5, vlan=971)
    neighbours(here, there, other)
    with lab.record(here.host.ns, "any", "any", told=False, steps=(pcapng,), compress="gz", linger=6):
        guest.udhcpc()
        guest.ns.run("ping", "-qi", "0.5", "-c", "12", network.gateway)
    lab.shows("sll")
    lab.shows("icmp.type == 0", 24)


@scenario
def capture_of_four_frames(lab: Lab) -> None:
    """Somebody stopped the recorder after four frames: one ping and its ARP exchange."""
    stage = Stage(lab, GuestNetwork(cidr="10.99.0.0/24", gateway="10.99.0.1", number=0x1A6), first_tap=2)
    guest = stage.guest(0x36, "web-1")
    guest.address("10.99.0.54", 24, "10.99.0.1")
    with lab.record(*at_tap(guest), told=False, steps=(between(1, 4),)):
        guest.ns.run("ping", "-qc", "2", "10.99.0.1")
    lab.shows("frame", 4, 4)


@scenario
def capture_of_nothing(lab: Lab) -> None:
    """The recorder ran on a bridge on which nobody spoke: an empty capture."""
    stage = Stage(lab, GuestNetwork(cidr="10.99.1.0/24", gateway="10.99.1.1", number=0x1A7), first_tap=2)
    with lab.record(*stage.at_bridge):
        time.sleep(1)
    lab.hides("frame")


@scenario
def capture_filter_on_a_tap(lab: Lab) -> None:
    """A healthy boot recorded at the guest's tap with a filter for DHCP and ARP only. No tag is expected there, so the
    filter hides none."""
    stage = Stage(lab, GuestNetwork(cidr="10.99.2.0/24", gateway="10.99.2.1", number=0x1A8), first_tap=6)
    guest = stage.guest(0x37, "web-1")
    stage.serve()
    with lab.record(*at_tap(guest), bpf="arp or port 67 or port 68", linger=6, compress="xz"):
        talkative(stage, 0x51)
        guest.dhclient()
        guest.ns.run("ping", "-qc", "2", "10.99.2.1")
    lab.hides("icmp")
    lab.proof("DHCP031", "dhcp.option.dhcp == 5", mac=guest.mac)
