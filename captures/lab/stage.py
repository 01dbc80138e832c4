"""Ready-made networks for scenarios: one host with one guest network, or two hosts with a switch between them."""

from captures.lab import middlebox
from captures.lab.cloud import GuestNetwork, Host, Machine, veth
from captures.lab.guest import Guest
from captures.lab.namespaces import Namespace
from captures.lab.openvswitch import OpenVSwitch
from captures.lab.router import Router
from captures.lab.scenario import Lab, Role

Point = tuple[Namespace, str, Role]
"""Where a recorder listens: namespace, interface, and what kind of place that is."""


class Stage:
    """One host, one guest network on its per-VLAN bridge, and the router (none with ``router=False``).

    A ``cable`` stands between the router and the bridge where given.
    """

    def __init__(
        self,
        lab: Lab,
        network: GuestNetwork,
        *,
        first_tap: int = 0,
        router: bool = True,
        cable: middlebox.Behaviour | None = None,
    ) -> None:
        self.lab = lab
        self.network = network
        self.host = Host(lab, first_tap=first_tap)
        self.bridge = self.host.bridge(f"breth1-{network.vlan}")
        self.known: list[tuple[str, str, str]] = []
        self._router = Router(self.host, None if cable else self.bridge, network) if router else None
        if self._router and cable:
            middlebox.insert(lab, self.host.ns, self._router.tap, self.bridge, cable)

    @property
    def router(self) -> Router:
        """The router; only where the stage has one."""
        if self._router is None:
            raise LookupError("this stage has no router")
        return self._router

    def guest(self, sequence: int, name: str, *, known: bool = True, ip: str = "", ipv6: bool = False) -> Guest:
        """A guest whose NIC has this sequence number; the router will know it unless told otherwise."""
        mac = self.network.mac(sequence)
        if known:
            self.known.append((mac, ip or self.network.ip(sequence), name))
        return Guest(self.host, self.bridge, mac, name, ipv6=ipv6)

    def serve(self, *, dns: str = "", options: str = "", data_server: bool = True) -> None:
        """Start the router's dnsmasq for all the guests it knows by now."""
        self.router.dhcp(self.known, dns=dns, options=options, data_server=data_server)

    @property
    def at_bridge(self) -> Point:
        """The per-VLAN bridge: every frame of the network on this host."""
        return self.host.ns, self.bridge, "bridge"

    @property
    def at_any(self) -> Point:
        """``-i any`` on the host."""
        return self.host.ns, "any", "any"

    @property
    def in_router(self) -> Point:
        """The router's guest NIC, seen from inside."""
        return self.router.ns, "eth0", "router"

    def site(self, *, gateway: str = "", server: str = "") -> dict[str, object]:
        """The site profile of what CloudStack knows here."""
        network = self.network
        profile: dict[str, object] = {
            "guest": [{"mac": mac, "ip": ip, "name": name} for mac, ip, name in self.known],
            "network": [
                {
                    "cidr": network.cidr,
                    "gateway": gateway or network.gateway,
                    "vlan": network.vlan,
                    "dhcp_server": server or network.dhcp_server,
                }
            ],
        }
        if self._router:
            profile["router"] = [{"name": "r-14-VM", "mac": self._router.mac, "ips": [self._router.ip]}]
        return profile


def at_tap(machine: Machine) -> Point:
    """The host end of a machine's first NIC."""
    return machine.host.ns, machine.tap, "tap"


class Trunk:
    """A switch with hosts on trunk ports. A host's uplink carries tags; its per-VLAN bridges do not."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        where = lab.namespace("switch")
        where.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        where.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.switch = OpenVSwitch(lab, where)
        self.bridge = self.switch.bridge("sw0")
        self._ports: dict[str, tuple[str, ...]] = {}

    def host(self, label: str, uplink: str, *settings: str, first_tap: int = 0) -> "TrunkHost":
        """A host whose NIC ``uplink`` is cabled to a port of the switch that has these OVS settings."""
        host = Host(self.lab, label, first_tap)
        port = f"{label}-port"
        veth(host.ns, uplink, self.switch.ns, port)
        for where, name in ((host.ns, uplink), (self.switch.ns, port)):
            where.ip("link", "set", name, "up")
        self.switch.port(self.bridge, port, *settings)
        self._ports[port] = settings
        return TrunkHost(host, uplink)

    def cable(self, host: "TrunkHost", behave: middlebox.Behaviour) -> None:
        """Put a cable with a will of its own between the switch and a host; ``in`` is towards the switch."""
        port = f"{host.host.label}-port"
        self.switch.remove(self.bridge, port)
        far = middlebox.splice(self.lab, self.switch.ns, port, behave)
        self.switch.port(self.bridge, far, *self._ports[port])

    def limit(self, host: "TrunkHost", longest: int) -> None:
        """Lose every frame above this length (tag included) between the switch and a host."""
        self.cable(host, lambda frame, direction: () if len(frame) > longest else ((0.0, frame),))


class TrunkHost:
    """A host with an uplink: per-VLAN Linux bridges, tagged and untagged by the host's own Open vSwitch."""

    def __init__(self, host: Host, uplink: str) -> None:
        self.host = host
        self.uplink = uplink
        self.ovs = OpenVSwitch(host.lab, host.ns)
        self._trunk = self.ovs.bridge("cloudbr1")
        self.ovs.port(self._trunk, uplink)

    def vlan(self, vlan: int, *settings: str) -> str:
        """A per-VLAN bridge joined to the uplink; ``settings`` replace those of the port that tags for it."""
        return self._join(f"br{self.uplink}-{vlan}", f"{self.uplink}.{vlan}", *(settings or (f"tag={vlan}",)))

    def native(self) -> str:
        """The label bridge ``cloudbr0``, whose frames leave by the uplink untagged."""
        return self._join("cloudbr0", f"{self.uplink}.0", "trunks=0")

    def _join(self, bridge: str, leg: str, *settings: str) -> str:
        self.host.bridge(bridge)
        port = f"p-{leg}"
        veth(self.host.ns, leg, self.host.ns, port)
        self.host.ns.ip("link", "set", leg, "master", bridge)
        for name in (leg, port):
            self.host.ns.ip("link", "set", name, "up")
        self.ovs.port(self._trunk, port, *settings)
        return bridge

    @property
    def at_nic(self) -> Point:
        """The uplink."""
        return self.host.ns, self.uplink, "nic"
