"""Recorders along a path: several points of one run, client side first."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.guest import Guest
from captures.lab.post import Step, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab
from captures.lab.stage import Point, Trunk, TrunkHost, at_tap


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A named point; at a NIC what others sent is padded, ``local`` are the MACs of its own host."""

    name: str
    point: Point
    local: Sequence[str] = ()
    steps: tuple[Step, ...] = ()
    compress: str = ""
    told: bool = True
    bpf: str = ""


@contextmanager
def record_along(lab: Lab, *recorders: Recorder, linger: float = 2) -> Iterator[None]:
    """Record at all points while the block runs."""
    with ExitStack() as stack:
        for one in recorders:
            steps = (wire(one.local), *one.steps) if one.local else one.steps
            stack.enter_context(
                lab.record(
                    *one.point,
                    name=one.name,
                    nano=True,
                    told=one.told,
                    linger=linger,
                    steps=steps,
                    compress=one.compress,
                    bpf=one.bpf,
                )
            )
        yield


class TwoHosts:
    """A guest's host and its router's host on one switch; ``alive`` is another network that both have a machine in."""

    def __init__(
        self,
        lab: Lab,
        network: GuestNetwork,
        alive: GuestNetwork | None = None,
        *,
        ports: tuple[str, str] = ("", ""),
        first_tap: int = 0,
        nic: str = "eth1",
    ) -> None:
        self.lab, self.network = lab, network
        self.trunk = Trunk(lab)
        vlans = ",".join(str(one.vlan) for one in (network, alive) if one)
        self.near, self.far = (
            self.trunk.host(label, nic, *(port or f"trunks={vlans}").split(), first_tap=first_tap)
            for label, port in zip(("kvm1", "kvm2"), ports, strict=True)
        )
        self.bridge, self.far_bridge = self.near.vlan(network.vlan), self.far.vlan(network.vlan)
        self.router = Router(self.far.host, self.far_bridge, network)
        self.guests: list[Guest] = []
        self._other: tuple[Machine, str] | None = None
        self._near_macs: list[str] = []
        self._far_macs = [self.router.mac]
        if alive:
            here, there = (
                Machine(host.host, host.vlan(alive.vlan), alive.mac(0x70 + n), f"other{n}")
                for n, host in enumerate((self.near, self.far))
            )
            here.address(alive.ip(201), alive.length)
            there.address(alive.ip(202), alive.length)
            self._near_macs.append(here.mac)
            self._far_macs.append(there.mac)
            self._other = here, alive.ip(202)

    def guest(self, sequence: int, name: str, *, ip: int = 0) -> Guest:
        """A guest on the near host; with ``ip`` it has that address of the network without asking for it."""
        guest = Guest(self.near.host, self.bridge, self.network.mac(sequence), name)
        if ip:
            guest.address(self.network.ip(ip), self.network.length, self.network.gateway)
        self.guests.append(guest)
        self._near_macs.append(guest.mac)
        return guest

    def peer(self, sequence: int, name: str, ip: int) -> Machine:
        """A machine with an address on the far host."""
        peer = Machine(self.far.host, self.far_bridge, self.network.mac(sequence), name)
        peer.address(self.network.ip(ip), self.network.length, self.network.gateway)
        self._far_macs.append(peer.mac)
        return peer

    def serve(self) -> None:
        """Let the router serve all guests there are."""
        known = [(one.mac, self.network.ip(30 + n), one.name) for n, one in enumerate(self.guests)]
        self.router.dhcp(known)

    @property
    def other(self) -> Machine:
        """The machine of the other network on the near host."""
        if self._other is None:
            raise LookupError("there is no other network")
        return self._other[0]

    def talk(self) -> None:
        """Let the machines of the other network ping each other as long as the scenario runs."""
        if self._other:
            machine, target = self._other
            machine.ns.spawn("ping", "-q", "-i", "0.7", target)

    def tap(self, guest: Machine, name: str = "vm", *, steps: tuple[Step, ...] = (), compress: str = "") -> Recorder:
        """The tap of a guest."""
        return Recorder(name=name, point=at_tap(guest), steps=steps, compress=compress)

    def near_nic(self, name: str = "hostA", *, steps: tuple[Step, ...] = (), compress: str = "") -> Recorder:
        """The NIC of the guest's host."""
        return Recorder(name=name, point=_trunk(self.near), local=self._near_macs, steps=steps, compress=compress)

    def far_nic(self, name: str = "hostB", *, steps: tuple[Step, ...] = (), compress: str = "") -> Recorder:
        """The NIC of the router's host."""
        return Recorder(name=name, point=_trunk(self.far), local=self._far_macs, steps=steps, compress=compress)

    def in_router(self, name: str = "vr", *, steps: tuple[Step, ...] = (), compress: str = "") -> Recorder:
        """The router's guest NIC, from inside."""
        return Recorder(name=name, point=(self.router.ns, "eth0", "router"), steps=steps, compress=compress)


def _trunk(host: TrunkHost) -> Point:
    return host.host.ns, host.uplink, "trunk"


def bridge_drops(host: Host, rule: str) -> None:
    """What filters on a host do with bridged frames: drop on the bridge, without a word."""
    host.ns.run("nft", "add", "table", "bridge", "lab")
    host.ns.run("nft", "add chain bridge lab forward { type filter hook forward priority 0; }")
    host.ns.run("nft", f"add rule bridge lab forward {rule} drop")
