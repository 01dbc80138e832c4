"""The router does not know a MAC: it ignores that client and serves all others."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.noise import neighbours
from captures.lab.post import snap
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage


@scenario
def dhcp_unknown_mac_bridge(lab: Lab) -> None:
    """The MAC of one guest is missing in the router's dhcphosts.txt. Another guest boots beside it and gets its lease;
    the first one asks in vain. Recorded on the bridge."""
    stage = Stage(lab, GuestNetwork(cidr="10.1.1.0/24", gateway="10.1.1.1", number=0xCC), first_tap=2)
    stranger = stage.guest(0x16, "batch-9", known=False)
    other = stage.guest(0x17, "batch-8", ip="10.1.1.143")
    stage.serve()
    with lab.record(*stage.at_bridge, compress="gz"):
        client = stranger.dhclient(seconds=4)
        other.dhclient()
        stranger.stop(client)
        stranger.dhclient(seconds=40)
    lab.shows(f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {stranger.mac}", 4)
    lab.hides(f"dhcp.type == 2 && dhcp.hw.mac_addr == {stranger.mac}")
    lab.fault("DHCP002", f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {stranger.mac}", mac=stranger.mac)
    lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def dhcp_unknown_mac_any(lab: Lab) -> None:
    """The router does not know one guest's MAC and serves its neighbour. Recorded with -i any on the host, so every
    frame is there several times and without its destination MAC."""
    stage = Stage(lab, GuestNetwork(cidr="10.200.16.0/20", gateway="10.200.16.1", number=0x305), first_tap=21)
    stranger = stage.guest(0x2F0, "ci-runner-3", known=False)
    other = stage.guest(0x2F1, "ci-runner-4", ip="10.200.19.7")
    stage.serve()
    with lab.record(*stage.at_any, link_type="LINUX_SLL2", bpf="udp port 67 or udp port 68 or arp"):
        other.udhcpc()
        stranger.udhcpc(seconds=34)
    lab.shows(f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {stranger.mac}", 9)
    lab.fault("DHCP002", f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {stranger.mac}", mac=stranger.mac)
    lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def dhcp_unknown_mac_router(lab: Lab) -> None:
    """A guest was deployed while the router could not be told of its MAC. Recorded inside the router, where the
    requests arrive and are ignored while neighbours' names are resolved and another guest is served."""
    stage = Stage(lab, GuestNetwork(cidr="172.31.250.0/24", gateway="172.31.250.1", number=0x9A), first_tap=5)
    stranger = stage.guest(0x61, "erp-db", known=False)
    other = stage.guest(0x62, "erp-app")
    stage.serve()
    with lab.record(*stage.in_router, told=False, nano=True, compress="lz4"):
        neighbours(stage, 0x70)
        stranger.dhclient(seconds=22)
        other.udhcpc()
        time.sleep(20)
    lab.shows(f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {stranger.mac}", 3)
    lab.shows("dns.flags.response == 1")
    lab.fault("DHCP002", f"dhcp.option.dhcp == 1 && dhcp.hw.mac_addr == {stranger.mac}", mac=stranger.mac)
    lab.proof("DHCP031", f"dhcp.option.dhcp == 5 && dhcp.hw.mac_addr == {other.mac}", mac=other.mac)


@scenario
def dhcp_unknown_mac_short_snap_length(lab: Lab) -> None:
    """The router does not know one guest's MAC and serves another. Recorded inside the router with a snap length of 96,
    so that the options of every DHCP message are cut off."""
    stage = Stage(lab, GuestNetwork(cidr="10.68.0.0/24", gateway="10.68.0.1", number=0x168), first_tap=23)
    stranger = stage.guest(0x63, "batch-10", known=False)
    other = stage.guest(0x64, "batch-11")
    stage.serve()
    with lab.record(*stage.in_router, told=False, steps=(snap(96),), linger=7):
        client = stranger.dhclient(seconds=12)
        other.udhcpc()
        other.ns.run("ping", "-qc", "2", "10.68.0.1")
        time.sleep(16)
        stranger.stop(client)
    lab.shows(f"dhcp.type == 1 && dhcp.hw.mac_addr == {stranger.mac} && frame.len > frame.cap_len", 3)
    lab.hides(f"udp.srcport == 67 && eth.dst == {stranger.mac}")
    lab.fault("DHCP002", f"dhcp.type == 1 && dhcp.hw.mac_addr == {stranger.mac}", mac=stranger.mac)
    lab.proof("DHCP031", f"udp.srcport == 67 && eth.dst == {other.mac}", mac=other.mac)
