"""Answers that help nobody: ignored, spoiled, missing, refused."""

import time
from collections.abc import Iterable

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.middlebox import Direction
from captures.lab.noise import neighbours
from captures.lab.post import pcapng
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_DISCOVER, _OFFER, _REQUEST, _ACK, _NAK = (f"dhcp.option.dhcp == {number}" for number in (1, 2, 3, 5, 6))


def _deaf(frame: bytes, direction: Direction) -> Iterable[tuple[float, bytes]]:
    """A guest whose firewall drops what comes from port 67 before the DHCP client can see it."""
    return [] if direction == "in" and middlebox.is_udp_from(frame, 67) else [(0, frame)]


def _requests_lost(frame: bytes, direction: Direction) -> Iterable[tuple[float, bytes]]:
    """A path on which REQUESTs towards the router are lost; all else passes."""
    return [] if direction == "in" and b"\x63\x82\x53\x63\x35\x01\x03" in frame else [(0, frame)]


def _behind_firewall(stage: Stage, sequence: int, name: str) -> tuple[Guest, str]:
    guest = Guest(stage.host, None, stage.network.mac(sequence), name)
    stage.known.append((guest.mac, stage.network.ip(sequence), name))
    return guest, middlebox.insert(stage.lab, stage.host.ns, guest.tap, stage.bridge, _deaf)


@scenario
def dhcp_offer_ignored(lab: Lab) -> None:
    """The guest's own firewall drops everything from UDP port 67. The router's OFFERs arrive at the tap, sound and in
    time, and dhclient, which never gets them, asks again and again."""
    stage = Stage(lab, GuestNetwork(cidr="10.21.0.0/24", gateway="10.21.0.1", number=0x121), first_tap=2)
    guest, tap = _behind_firewall(stage, 0x5B, "hard-1")
    stage.serve()
    with lab.record(stage.host.ns, tap, "tap"):
        guest.dhclient(seconds=40)
    lab.shows(_DISCOVER, 3)
    lab.shows(_OFFER, 3)
    lab.hides(_REQUEST)
    lab.fault("DHCP008", f"{_OFFER} || {_DISCOVER}", mac=guest.mac)


@scenario
def dhcp_offer_ignored_bridge(lab: Lab) -> None:
    """As dhcp-offer-ignored, with udhcpc, recorded on the bridge while another guest takes its lease."""
    stage = Stage(lab, GuestNetwork(cidr="192.168.200.0/23", gateway="192.168.201.254", number=0x122), first_tap=12)
    guest, _ = _behind_firewall(stage, 0x6B, "hard-2")
    other = stage.guest(0x6C, "soft-2")
    stage.serve()
    with lab.record(*stage.at_bridge, told=False, nano=True, compress="gz"):
        neighbours(stage, 0x21)
        guest.udhcpc(seconds=8)
        other.udhcpc()
        time.sleep(26)
    lab.shows(f"{_OFFER} && dhcp.hw.mac_addr == {guest.mac}", 4)
    lab.fault("DHCP008", f"({_OFFER} || {_DISCOVER}) && dhcp.hw.mac_addr == {guest.mac}", mac=guest.mac)
    lab.proof("DHCP031", f"{_ACK} && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def dhcp_bad_checksum(lab: Lab) -> None:
    """The router's replies arrive with a wrong UDP checksum, as from routers without the rule that fills checksums.
    dhclient checks and ignores them."""
    network = GuestNetwork(cidr="10.22.4.0/24", gateway="10.22.4.1", number=0x123)
    stage = Stage(lab, network, first_tap=6, cable=lambda frame, _: [(0, middlebox.udp_checksum_spoiled(frame, 67))])
    guest = stage.guest(0x19, "sum-1")
    stage.serve()
    with lab.record(*at_tap(guest), told=False, steps=(pcapng,), compress="zst"):
        guest.dhclient(seconds=42)
    lab.shows(_OFFER, 3)
    lab.hides(_REQUEST)
    lab.fault("DHCP009", _OFFER, mac=guest.mac)
    lab.consequence("DHCP008", mac=guest.mac)


@scenario
def dhcp_request_unanswered(lab: Lab) -> None:
    """The router answers DISCOVERs; every REQUEST that selects it is lost before it arrives. Recorded at the tap."""
    network = GuestNetwork(cidr="172.18.40.0/21", gateway="172.18.40.1", number=0x124)
    stage = Stage(lab, network, first_tap=9, cable=_requests_lost)
    guest = stage.guest(0x3F, "req-1")
    stage.serve()
    with lab.record(*at_tap(guest)):
        guest.dhclient(seconds=48)
    lab.shows(_REQUEST, 3)
    lab.hides(f"{_ACK} || {_NAK}")
    lab.fault("DHCP010", _REQUEST, mac=guest.mac)
    lab.consequence("DHCP008", mac=guest.mac)


@scenario
def dhcp_nak_old_lease(lab: Lab) -> None:
    """The guest remembers another address of this network and asks for it first. The router refuses, the guest starts
    over and gets CloudStack's address: a delay, no fault."""
    stage = Stage(lab, GuestNetwork(cidr="10.23.7.0/24", gateway="10.23.7.1", number=0x125), first_tap=16)
    guest = stage.guest(0x29, "moved-1", ip="10.23.7.41")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), linger=6, compress="lz4"):
        guest.dhclient(lease=_old_lease("10.23.7.199", "10.23.7.1"))
    lab.shows(_NAK)
    lab.info("DHCP011", _NAK, mac=guest.mac)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_old_lease_of_another_network(lab: Lab) -> None:
    """The template was made in another network and kept its lease: the first REQUEST is for an address of there. The
    router refuses it, the guest falls back to DISCOVER and is served."""
    stage = Stage(lab, GuestNetwork(cidr="10.24.0.0/22", gateway="10.24.0.1", number=0x126), first_tap=18)
    guest = stage.guest(0x2A, "cloned-1", ip="10.24.1.9")
    stage.serve()
    with lab.record(*at_tap(guest), told=False, nano=True, linger=6):
        guest.dhclient(lease=_old_lease("192.168.122.50", "192.168.122.1"))
    lab.shows("dhcp.option.requested_ip_address == 192.168.122.50")
    lab.info("TMPL004", "dhcp.option.requested_ip_address == 192.168.122.50", mac=guest.mac)
    lab.info("DHCP011", _NAK, mac=guest.mac)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def dhcp_nak_loop(lab: Lab) -> None:
    """A second router with the gateway's address is alive, and its lease file still gives the guest's address to an
    expunged guest. It makes no OFFER, but answers every REQUEST with a NAK; the first router, whose OFFER the guest
    took, never sees the REQUEST."""
    network = GuestNetwork(cidr="10.25.0.0/24", gateway="10.25.0.1", number=0x127)
    stage = Stage(lab, network, first_tap=22, cable=_requests_lost)
    guest = stage.guest(0x3B, "loop-2")
    stage.serve()
    stale = Router(stage.host, stage.bridge, network, mac=network.mac(2), label="vr-stale")
    stale.dhcp(stage.known, leases=f"0 {network.mac(0x0A)} {network.ip(0x3B)} expunged *\n")
    with lab.record(*at_tap(guest)):
        guest.dhclient(seconds=45)
    lab.shows(_NAK, 3)
    lab.fault("DHCP012", _NAK, mac=guest.mac)
    for code in ("DHCP011", "DHCP013", "DHCP015", "DHCP010", "DHCP008", "HYP015"):
        lab.consequence(code)


def _old_lease(ip: str, server: str) -> str:
    """A lease in dhclient's database that is still valid."""
    return f"""lease {{
  interface "eth0";
  fixed-address {ip};
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 4294967295;
  option dhcp-message-type 5;
  option dhcp-server-identifier {server};
  renew never;
  rebind never;
  expire never;
}}
"""
