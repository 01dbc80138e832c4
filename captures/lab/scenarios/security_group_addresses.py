"""Security groups and addresses: IPv6 sources that they do not know, and ARP that they should keep away."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap


def _bridge_drops(stage: Stage, rule: str) -> None:
    """What a host's filter drops on the bridge."""
    ns = stage.host.ns
    ns.run("nft", "add", "table", "bridge", "lab")
    ns.run("nft", "add chain bridge lab forward { type filter hook forward priority 0; }")
    ns.run("nft", f"add rule bridge lab forward {rule} drop")


def _eui64(mac: str, prefix: str) -> str:
    raw = bytes.fromhex(mac.replace(":", ""))
    last = (bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]).hex()
    return prefix + ":".join(last[at : at + 4] for at in range(0, 16, 4))


def _six(lab: Lab, number: int, first_tap: int, *, private: bool) -> Guest:
    """A guest asks a server by IPv6, from a private address or from that of its MAC; the host lets out the second."""
    network = GuestNetwork(cidr=f"10.{number - 600}.0.0/24", gateway=f"10.{number - 600}.0.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    guest, server = stage.guest(0x12, "six-1", ipv6=True), stage.guest(0x13, "six-2", ipv6=True)
    guest.address(network.ip(0x12), 24, network.gateway)
    prefix = f"fd00:{number:x}:0:0:"
    server.ns.ip("address", "add", f"fd00:{number:x}::1/64", "dev", "eth0", "nodad")
    own = _eui64(guest.mac, prefix)
    source = f"{prefix}9c1f:22b7:e03:71aa" if private else own
    guest.ns.ip("address", "add", f"{source}/64", "dev", "eth0", "nodad")
    _bridge_drops(stage, f"iifname {guest.tap} ip6 saddr fd00::/16 ip6 saddr != {own} meta l4proto tcp")
    server.ns.spawn("socat", "TCP6-LISTEN:80,fork,reuseaddr", "SYSTEM:echo ready")
    time.sleep(3)
    target = f"fd00:{number:x}::1"
    with lab.record(*at_tap(guest), linger=4):
        guest.ns.run("arping", "-qc", "2", "-I", "eth0", stage.network.gateway, check=False)
        guest.ns.run("ping", "-6", "-qc", "2", target, check=False)
        for _ in range(3):
            guest.ns.run("curl", "-gs", "--http0.9", "-m", "4", f"http://[{target}]/", check=False)
    lab.shows(f"tcp.flags.syn == 1 && ipv6.src == {source}", 3)
    lab.truth.site = stage.site() | {"security_groups": True}
    return guest


@scenario
def security_group_private_ipv6(lab: Lab) -> None:
    """A guest in a zone with security groups makes a stable private IPv6 address. The host's filter, which knows only
    the one of its MAC, drops its connections from there. Recorded at its tap."""
    guest = _six(lab, 0x332, 2, private=True)
    lab.hides("tcp.flags.syn == 1 && tcp.flags.ack == 1")
    lab.fault("SG006", "tcp.flags.syn == 1", mac=guest.mac)
    lab.info("SG001")


@scenario
def security_group_eui64(lab: Lab) -> None:
    """As security-group-private-ipv6, with the address of its MAC: it is answered. Healthy."""
    _six(lab, 0x333, 4, private=False)
    lab.shows("tcp.flags.syn == 1 && tcp.flags.ack == 1", 3)


def _asked_for(lab: Lab, number: int, first_tap: int, *, filtered: bool) -> Guest:
    """Neighbours ask for one another and for machines that are off, at the tap of a guest whose filter works or not."""
    network = GuestNetwork(cidr=f"10.{number - 600}.2.0/24", gateway=f"10.{number - 600}.2.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    guest, other = stage.guest(0x12, "web-1"), stage.guest(0x13, "web-2")
    for machine, last in ((guest, 0x12), (other, 0x13)):
        machine.address(network.ip(last), 24, network.gateway)
    if filtered:
        _bridge_drops(stage, f"oifname {guest.tap} arp operation request arp daddr ip != {network.ip(0x12)}")
    with lab.record(*at_tap(guest), linger=1):
        guest.ns.run("ping", "-qc", "2", network.gateway)
        for last in (50, 51, 52, 53):
            other.ns.run("arping", "-b", "-qc", "3", "-I", "eth0", network.ip(last), check=False)
        other.ns.run("ping", "-qc", "2", network.ip(0x12))
    lab.truth.site = stage.site() | {"security_groups": True}
    return guest


@scenario
def security_group_arp_unfiltered(lab: Lab) -> None:
    """The host's filter for a guest in a zone with security groups was never written: requests for other addresses
    reach its interface."""
    guest = _asked_for(lab, 0x336, 10, filtered=False)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 10.222.2.50", 3)
    lab.fault("SG008", "arp.opcode == 1", mac=guest.mac)


@scenario
def security_group_arp_filtered(lab: Lab) -> None:
    """As security-group-arp-unfiltered, with the filter in place: only requests for the guest's own address reach it.
    Healthy."""
    _asked_for(lab, 0x337, 14, filtered=True)
    lab.hides("arp.opcode == 1 && arp.dst.proto_ipv4 == 10.223.2.50")
