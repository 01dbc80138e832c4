"""Two points of a path, one of them recorded with a filter that its file notes."""

from captures.lab.along import Recorder, bridge_drops, record_along
from captures.lab.artefacts import noting_filter
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_DISCOVER = "dhcp.option.dhcp == 1"
_QUIET = ("ping", "-q", "-i", "0.8")


def _stage(lab: Lab, subnet: str, number: int, first_tap: int) -> tuple[Stage, Guest, Guest]:
    """A guest that is going to boot and one with an address that talks all the time."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    guest, static = stage.guest(0x31, "boot-1"), stage.guest(0x32, "fine-1", ip=network.ip(58))
    static.address(network.ip(58), 24, network.gateway)
    stage.serve()
    return stage, guest, static


def _points(stage: Stage, guest: Guest, expression: str) -> tuple[Recorder, Recorder]:
    return (
        Recorder(name="vm", point=at_tap(guest)),
        Recorder(name="vr", point=stage.in_router, bpf=expression, steps=(noting_filter(expression, "eth0"),)),
    )


@scenario
def path_filter_admits_what_is_lost(lab: Lab) -> None:
    """A filter on the host drops what goes to UDP port 67. The recorder in the router had the filter "arp or port 67 or
    port 68", as its file says: ARP came, no DHCP did."""
    stage, guest, static = _stage(lab, "10.221.0", 0x3A1, 2)
    bridge_drops(stage.host, f"oifname {stage.router.tap} udp dport 67")
    with record_along(lab, *_points(stage, guest, "arp or port 67 or port 68"), linger=3):
        static.ns.spawn("arping", "-w", "30", "-I", "eth0", stage.network.gateway)
        guest.udhcpc(seconds=26)
    lab.shows(_DISCOVER, 3)
    lab.fault("DHCP006", _DISCOVER, mac=guest.mac)
    lab.consequence("DHCP001")


@scenario
def path_filter_hides_what_passes(lab: Lab) -> None:
    """A guest boots, is served, and pings its router. The recorder in the router had the filter "arp or udp src port
    67", as its file says: of what the guest sends only ARP is there, of DHCP only the answers."""
    stage, guest, static = _stage(lab, "10.222.0", 0x3A2, 5)
    with record_along(lab, *_points(stage, guest, "arp or udp src port 67"), linger=3):
        static.ns.spawn("arping", "-w", "20", "-I", "eth0", stage.network.gateway)
        static.ns.spawn(*_QUIET, stage.network.gateway)
        guest.dhclient()
        guest.ns.run("ping", "-qc", "12", "-i", "0.5", stage.network.gateway)
    lab.shows(_DISCOVER, 1)
    lab.proof("DHCP031", mac=guest.mac)


@scenario
def path_filter_of_one_address(lab: Lab) -> None:
    """As path-filter-hides-what-passes, with the filter "arp or (udp and not port 53) or host ADDRESS", where the
    address is another guest's: nothing of this guest's pings is in the router's file, its DHCP is."""
    stage, guest, static = _stage(lab, "10.223.0", 0x3A3, 8)
    expression = f"arp or (udp and not port 53) or host {stage.network.ip(58)}"
    with record_along(lab, *_points(stage, guest, expression), linger=3):
        static.ns.spawn("arping", "-w", "20", "-I", "eth0", stage.network.gateway)
        static.ns.spawn(*_QUIET, stage.network.gateway)
        guest.dhclient()
        guest.ns.run("ping", "-qc", "12", "-i", "0.5", stage.network.gateway)
    lab.shows("icmp.type == 8", 12)
    lab.proof("DHCP031", mac=guest.mac)
