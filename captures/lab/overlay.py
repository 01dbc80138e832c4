"""VXLAN overlays as CloudStack's scripts make them: one device and one bridge a network on each host."""

from captures.lab.cloud import Host, veth
from captures.lab.namespaces import Namespace
from captures.lab.scenario import Lab
from captures.lab.stage import Point

LINUX_PORT, IANA_PORT = 8472, 4789


class Underlay:
    """A plain switch that joins the hosts' underlay NICs."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.ns: Namespace = lab.namespace("switch")
        self.ns.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.ns.ip("link", "add", "sw0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ns.ip("link", "set", "sw0", "up")

    def host(self, label: str, ip: str, *, first_tap: int = 0, mtu: int = 1600) -> "OverlayHost":
        """A host whose NIC eth1 has this address in the underlay."""
        host = Host(self.lab, label, first_tap)
        port = f"{label}-port"
        veth(host.ns, "eth1", self.ns, port)
        for where, name in ((host.ns, "eth1"), (self.ns, port)):
            where.ip("link", "set", name, "mtu", str(mtu), "up")
        self.ns.ip("link", "set", port, "master", "sw0")
        host.ns.ip("address", "add", f"{ip}/24", "dev", "eth1")
        return OverlayHost(host, ip)


class OverlayHost:
    """A hypervisor with an address in the underlay."""

    def __init__(self, host: Host, ip: str) -> None:
        self.host = host
        self.ip = ip

    def network(
        self, vni: int, remote: str, *, port: int = LINUX_PORT, df: bool = False, name: int = 0, loose: bool = False
    ) -> str:
        """The bridge ``brvx-VNI`` of a network, tunnelled to one other host or a multicast group.

        ``name`` is the VNI in the names where the device was made with another one. A ``loose`` device knows no NIC
        below it and so takes an MTU of 1500, whatever the underlay's is.
        """
        device, bridge = f"vxlan{name or vni}", f"brvx-{name or vni}"
        words = ["link", "add", device, "type", "vxlan", "id", str(vni), "local", self.ip, "ttl", "10"]
        words += ["group" if remote.startswith("239.") else "remote", remote, "dstport", str(port)]
        words += ["df", "set"] if df else []
        self.host.ns.ip(*words, *(() if loose else ("dev", "eth1")))
        self.host.bridge(bridge)
        self.host.ns.ip("link", "set", device, "master", bridge, "up")
        return bridge

    def drop(self, vni: int) -> None:
        """Remove a network's device, as when it is missing on this host."""
        self.host.ns.ip("link", "del", f"vxlan{vni}")

    @property
    def at_nic(self) -> Point:
        """The NIC in the underlay."""
        return self.host.ns, "eth1", "nic"
