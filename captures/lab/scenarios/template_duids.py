"""DHCPv6 clients of one image: with one DUID, and each with its own."""

from captures.lab.cloud import GuestNetwork
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.dhcp_ipv6 import advertise
from captures.lab.stage import Stage

_OF_IMAGE = "00:04:5c:1e:90:77:aa:10:4b:0e:9f:3d:21:6e:8b:c4:55:02"
_OWN = "00:04:0b:7d:12:9e:34:51:47:f2:8c:66:d0:17:e9:3a:7b:11"


def _boots(lab: Lab, number: int, first_tap: int, *duids: str) -> None:
    """Two instances come up in a network whose router says that addresses come by DHCPv6, and nobody serves it."""
    network = GuestNetwork(cidr=f"10.{number - 600}.0.0/24", gateway=f"10.{number - 600}.0.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    stage.router.ipv6(True)
    guests = [stage.guest(0x12 + n, f"clone-{n}", ipv6=True) for n in range(2)]
    advertise(stage.router, prefix=f"fd00:{number:x}::")
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=2):
        for _ in range(2):
            for guest, duid in zip(guests, duids, strict=True):
                guest.stop(guest.dhcpcd6(duid, seconds=6))
    for guest in guests:
        lab.shows(f"dhcpv6 && eth.src == {guest.mac}", 2)


@scenario
def template_shared_duid(lab: Lab) -> None:
    """dhcpcd's DUID is part of the image: both instances ask for IPv6 addresses with the same one."""
    _boots(lab, 0x341, 2, _OF_IMAGE, _OF_IMAGE)
    lab.fault("TMPL007", "dhcpv6")


@scenario
def template_own_duids(lab: Lab) -> None:
    """As template-shared-duid, with a DUID made anew on the second instance. Healthy."""
    _boots(lab, 0x342, 6, _OF_IMAGE, _OWN)
