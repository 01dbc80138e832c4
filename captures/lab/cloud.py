"""A small cloud: guest networks, hypervisor hosts with bridges, and machines plugged into them.

Names and MACs are CloudStack's: ``vnetN`` for the host end of a NIC with the guest's MAC under a first byte of ``fe``,
``02:ZZ:NN:NN:SS:SS`` for the guest's own (zone, network id, sequence), ``br<PIF>-<VLAN>`` for a per-VLAN bridge.
"""

import itertools
from dataclasses import dataclass
from ipaddress import IPv4Network

from captures.lab.namespaces import Namespace, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestNetwork:
    """What CloudStack knows of a guest network."""

    cidr: str
    gateway: str
    number: int = 204
    """Its database id, the third and fourth byte of its MACs."""
    vlan: int = 101
    domain: str = "cs2cloud.internal"
    server: str = ""
    """The address of the router that serves DHCP, metadata and passwords; the gateway unless the network is shared."""

    @property
    def dhcp_server(self) -> str:
        """Option 54 of what the router answers."""
        return self.server or self.gateway

    @property
    def length(self) -> int:
        """Length of the prefix."""
        return IPv4Network(self.cidr).prefixlen

    @property
    def netmask(self) -> str:
        """The mask, as DHCP writes it."""
        return str(IPv4Network(self.cidr).netmask)

    def ip(self, host: int) -> str:
        """The n-th address of the network."""
        return str(IPv4Network(self.cidr).network_address + host)

    def mac(self, sequence: int) -> str:
        """The MAC that zone 1 gives to its NIC with this sequence number."""
        return "02:01:" + ":".join(f"{byte:02x}" for byte in (*self.number.to_bytes(2), *sequence.to_bytes(2)))


class Host:
    """A KVM host: a namespace with bridges. It speaks no IP, so that only machines are heard on its bridges."""

    def __init__(self, lab: Workspace, label: str = "kvm", first_tap: int = 0) -> None:
        self.lab = lab
        self.label = label
        self.ns = lab.namespace(label)
        self.ns.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.ns.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self._taps = itertools.count(first_tap)

    def bridge(self, name: str) -> str:
        """Make a Linux bridge without spanning tree or delay, as CloudStack makes them."""
        self.ns.ip("link", "add", name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ns.ip("link", "set", name, "up")
        return name

    def next_tap(self) -> str:
        """The name libvirt would give to the next NIC."""
        return f"vnet{next(self._taps)}"


@dataclass(slots=True)
class Nic:
    """A NIC of a machine and its end on the host."""

    name: str
    mac: str
    host: Host
    tap: str


class Machine:
    """A machine with one NIC (more with `plug`), silent until told otherwise."""

    def __init__(self, host: Host, bridge: str | None, mac: str, label: str, *, ipv6: bool = False) -> None:
        self.host = host
        self.lab = host.lab
        self.ns = self.lab.namespace(label)
        self.label = label
        self.ipv6(ipv6)
        self.nics: list[Nic] = []
        self.plug(bridge, mac)

    @property
    def mac(self) -> str:
        """The MAC of the first NIC."""
        return self.nics[0].mac

    @property
    def tap(self) -> str:
        """The host end of the first NIC."""
        return self.nics[0].tap

    def plug(self, bridge: str | None, mac: str, tap: str | None = None) -> Nic:
        """Add a NIC; its tap joins ``bridge``, or none where the scenario wires it itself."""
        nic = Nic(f"eth{len(self.nics)}", mac, self.host, tap or self.host.next_tap())
        veth(self.host.ns, nic.tap, self.ns, nic.name)
        self.ns.ip("link", "set", nic.name, "address", mac)
        self.host.ns.ip("link", "set", nic.tap, "address", f"fe{mac[2:]}")
        if bridge:
            self.host.ns.ip("link", "set", nic.tap, "master", bridge)
        self.host.ns.ip("link", "set", nic.tap, "up")
        self.ns.ip("link", "set", nic.name, "up")
        self.nics.append(nic)
        return nic

    def ipv6(self, on: bool) -> None:
        """Switch IPv6 on or off, with all that a kernel says by itself when it is on."""
        for scope in ("all", "default"):
            self.ns.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", int(not on))

    def address(self, ip: str, length: int, gateway: str | None = None, nic: int = 0) -> None:
        """Give a NIC a static address, and the machine a default route."""
        name = self.nics[nic].name
        self.ns.ip("address", "add", f"{ip}/{length}", "brd", "+", "dev", name)
        if gateway:
            self.ns.ip("route", "replace", "default", "via", gateway, "dev", name)

    def drop(self, rule: str) -> None:
        """Drop what an nftables match names on its way in, as a firewall does, without an answer."""
        self.ns.run("nft", "add", "table", "inet", "lab")
        self.ns.run("nft", "add chain inet lab input { type filter hook input priority 0; }")
        self.ns.run("nft", f"add rule inet lab input {rule} drop")

    def admit(self) -> None:
        """Undo every `drop`."""
        self.ns.run("nft", "delete", "table", "inet", "lab")


def veth(here: Namespace, name: str, there: Namespace, peer: str) -> None:
    """A cable between two namespaces, both ends with offloads off so that frames look like those of a wire."""
    here.ip("link", "add", name, "type", "veth", "peer", "name", peer, "netns", there.name)
    for end, label in ((here, name), (there, peer)):
        end.run("ethtool", "-K", label, "tso", "off", "gso", "off", "gro", "off", "tx", "off", "rx", "off")
