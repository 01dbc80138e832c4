"""Networks whose MTU CloudStack keeps and DHCP does not tell: the guest's NIC has its template's."""

import time

from captures.lab.cloud import GuestNetwork
from captures.lab.guest import Guest
from captures.lab.middlebox import Direction, insert
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, at_tap

_MTU = 1400


def _narrow(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
    """Lose what is longer than the network's MTU."""
    return () if len(frame) > _MTU + 14 else ((0.0, frame),)


def _upload(lab: Lab, number: int, subnet: str, first_tap: int, mtu: int) -> Guest:
    """A guest sends 60 KB to another one of its network; the site profile has the network's MTU."""
    network = GuestNetwork(cidr=f"{subnet}.0/24", gateway=f"{subnet}.1", number=number, vlan=3601)
    stage = Stage(lab, network, first_tap=first_tap)
    guest = Guest(stage.host, None, network.mac(0x41), "up-1")
    insert(lab, stage.host.ns, guest.tap, stage.bridge, _narrow)
    peer = Guest(stage.host, stage.bridge, network.mac(0x42), "up-2")
    guest.ns.mtu(mtu)
    guest.address(network.ip(41), 24, network.gateway)
    peer.address(network.ip(42), 24, network.gateway)
    lab.truth.site = {
        "network": [{"name": "narrow", "cidr": network.cidr, "gateway": network.gateway, "vlan": 3601, "mtu": _MTU}]
    }
    peer.ns.spawn("socat", "TCP-LISTEN:8081,fork,reuseaddr", "SYSTEM:cat >/dev/null")
    time.sleep(0.4)
    with lab.record(*at_tap(guest), compress="gz", linger=2):
        guest.ns.run("ping", "-qc", "3", network.ip(42))
        feed = f"(echo hello; sleep 1; head -c 60000 /dev/zero; sleep 9) | timeout 11 socat - TCP:{network.ip(42)}:8081"
        guest.ns.run("sh", "-c", feed, check=False, seconds=20)
    return guest


@scenario
def template_mtu_above_networks(lab: Lab) -> None:
    """A network has an MTU of 1400, as the profile says; the template's NIC has 1500, and full segments of an upload
    are lost without a word. DHCP is not in the capture."""
    guest = _upload(lab, 0x3B1, "10.224.0", 2, 1500)
    lab.shows("tcp.analysis.retransmission && tcp.len > 1360", 3)
    lab.fault("TMPL011", "tcp.len > 1360 || tcp.options.mss_val == 1460", mac=guest.mac)
    for code in ("META009", "HOST009"):
        lab.consequence(code)


@scenario
def template_mtu_is_the_networks(lab: Lab) -> None:
    """As template-mtu-above-networks, with a NIC that has the network's MTU: the upload arrives. Healthy."""
    _upload(lab, 0x3B2, "10.225.0", 5, _MTU)
    lab.shows("tcp.options.mss_val == 1360", 1)
    lab.hides("tcp.len > 1360")
