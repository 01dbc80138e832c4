"""SYN-DEAD and refused: services that never answer a SYN, or answer it with a RST.

Tries of one client for one service are taken together, whatever their source ports: an agent opens a new connection
every few seconds. SYN-DEAD needs three SYNs over two seconds with nothing at all back, a capture that would have shown
an answer and runs on three seconds, and no try of the same client for the same service that did work. What a port scan
finds closed or silent is neither.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.flowtable import TCP, among
from pcapdx.frame import Segment, segment_of
from pcapdx.path.admission import address, packet
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import RESET_WITHIN, SYN_AFTER, SYN_SPREAD, SYN_THIRD, SYN_TRIES
from pcapdx.sieve.columns import Array
from pcapdx.values import dataclass

PRIME = 0x9E3779B97F4A7C15
PORTS_OF_A_SCAN = 16
"""Ports of one server at which one client is refused or left waiting: no program needs so many."""
SERVICES_OF_A_SWEEP, PORTS_OF_A_SWEEP = 16, 5
"""Services of any servers that one client finds closed or silent, and of how many ports at least: where one port is
blocked everywhere, it is the same at all of them."""
TRIES_OF_A_SCAN = 2
"""Connections to each of them; who needs a service tries that one again, and not all the others as often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """One client's failed tries for one service."""

    client: str
    client_mac: str | None
    server: str
    server_mac: str | None
    """Destination owner as far as seen: the responder's MAC where it sent anything."""
    port: int
    vlan: int
    flows: tuple[Flow, ...]
    frames: tuple[int, ...]
    """SYN frames (and the RST that answered, where refused)."""
    count: int
    """SYNs in all."""
    first_ns: int
    last_ns: int
    worked: tuple[Flow, ...]
    """Tries of the same client for the same service that were answered."""

    @property
    def works_again(self) -> bool:
        """Whether one that worked began after the last one that failed."""
        return any((one.originator.first_ns or 0) > self.last_ns for one in self.worked)


def syn_dead(view: View, ports: Iterable[int] = (), *, even_if_worked: bool = False) -> Iterator[Tries]:
    """Every (client, service) that is SYN-DEAD, of all ports or of some; some time only with ``even_if_worked``."""
    for tries in _grouped(view, _failing(view, _silent(view), ports, SYN_TRIES)):
        if (
            tries.count >= SYN_TRIES
            and tries.last_ns - tries.first_ns >= SYN_SPREAD
            and _waited(view, tries)
            and (even_if_worked or not tries.worked)
            and not _filtered(view, tries)
            and hears(view, tries.client_mac, tries.vlan, answer=_answer(tries))
            and not _of_a_scan(view, tries)
        ):
            yield tries


def _answer(tries: Tries) -> Array:
    """What the service would say."""
    client = tries.flows[0].originator.port
    return packet(TCP, src=address(tries.server), dst=address(tries.client), sport=tries.port, dport=client)


def _waited(view: View, tries: Tries) -> bool:
    """Whether three SYNs had their time: the last one, or, where the capture ends among further tries, earlier ones."""
    if view.remains_ns(tries.last_ns) >= SYN_AFTER:
        return True
    if any(
        one.originator.syn > SYN_TRIES and view.remains_ns(one.originator.first_syn_ns or 0) >= SYN_THIRD + SYN_AFTER
        for one in tries.flows
    ):
        return True
    return tries.count > SYN_TRIES and view.last_ns - tries.first_ns >= 2 * (SYN_SPREAD + SYN_AFTER)


def refused(
    view: View, ports: Iterable[int] = (), *, at_least: int = 1, even_if_worked: bool = False
) -> Iterator[Tries]:
    """Every (client, service) whose SYNs were answered by RST within a second, and by nothing else.

    With ``even_if_worked`` also those of which some tries did work.
    """
    prompt = tuple(flow for flow in _failing(view, _reset(view), ports, at_least) if _prompt(flow))
    for tries in _grouped(view, prompt):
        if tries.count >= at_least and (even_if_worked or not tries.worked) and not _of_a_scan(view, tries):
            yield tries


def _of_a_scan(view: View, tries: Tries) -> bool:
    """One of the many ports, of one server or more, that a client tries once or twice: a closed one is no fault."""
    if len(tries.flows) <= TRIES_OF_A_SCAN and tries.client in _sweeps(view):
        return True
    usual = _scans(view).get((tries.client, tries.server))
    return usual is not None and len(tries.flows) <= max(TRIES_OF_A_SCAN, usual + 1)


@once_a_view
def _scans(view: View) -> Mapping[tuple[str | None, str | None], int]:
    """Of port scans, by client and server: the connections that half of the ports have at most. A scan comes again."""
    failed, tries = _failed_services(view)
    pairs = _mixed(view.flows.rows, failed, "src3", "dst3", "src2", "dst2")
    order = np.lexsort((tries, pairs))
    _, begin, ports = np.unique(pairs[order], return_index=True, return_counts=True)
    middle = order[begin + ports // 2]
    found: dict[tuple[str | None, str | None], int] = {}
    for one in middle[ports >= PORTS_OF_A_SCAN].tolist():
        flow = view.flows.at(int(failed[one]))
        found[flow.originator.ip, flow.responder.ip] = int(tries[one])
    return found


def _filtered(view: View, tries: Tries) -> bool:
    """Whether SYNs are all that is here and none of these was repeated, as it is after a second without an answer."""
    return _syns_alone(view) and all(one.originator.syn <= 1 for one in tries.flows)


@once_a_view
def _syns_alone(view: View) -> bool:
    """Whether the filter may have taken nothing else."""
    return int(view.flows.originator("syn").sum()) == view.frames - view.counters["same_vlan_twins"]


@once_a_view
def _sweeps(view: View) -> frozenset[str | None]:
    """Clients that go through the ports of many servers."""
    rows, (failed, _) = view.flows.rows, _failed_services(view)
    clients = _mixed(rows, failed, "src3", "src2")
    _, sample, services = np.unique(clients, return_index=True, return_counts=True)
    _, first = np.unique(_mixed(rows, failed, "src3", "src2", "dport"), return_index=True)
    _, ports = np.unique(clients[first], return_counts=True)  # of the same clients in the same order
    wide = sample[(services >= SERVICES_OF_A_SWEEP) & (ports >= PORTS_OF_A_SWEEP)]
    return frozenset(view.flows.at(int(failed[one])).originator.ip for one in wide.tolist())


@once_a_view
def _failed_services(view: View) -> tuple[Array, Array]:
    """Places of flows that were refused or never answered, one of each client and service; how many each stands for."""
    failed = np.concatenate((_silent(view), _reset(view)))
    services = _mixed(view.flows.rows, failed, "src3", "dst3", "src2", "dst2", "dport")
    _, first, tries = np.unique(services, return_index=True, return_counts=True)
    return np.asarray(failed[first]), tries


def _mixed(rows: Array, index: Array, *columns: str) -> Array:
    """One number of some columns for each of these rows; equal numbers are nearly always of equal values."""
    mixed = np.zeros(len(index), dtype=np.uint64)
    for column in columns:
        mixed = mixed * np.uint64(PRIME) + rows[column][index].astype(np.uint64)
    return mixed


def _prompt(flow: Flow) -> bool:
    rst, syn = flow.responder.rst_ns, flow.originator.last_syn_ns
    return rst is not None and syn is not None and rst - syn < RESET_WITHIN


@once_a_view
def _silent(view: View) -> Array:
    """Places of the TCP flows that began here and have nothing at all from the responder.

    Who sends anything but SYNs was answered, by a way that is not in the capture: the other member of a bond, say.
    """
    syns = view.flows.originator("syn")
    alone = (syns > 0) & (view.flows.originator("packets") == syns)
    return np.flatnonzero(_began(view) & (view.flows.responder("packets") == 0) & alone)


@once_a_view
def _reset(view: View) -> Array:
    """Places of the TCP flows that began here and got a RST and neither SYN/ACK nor payload."""
    responder = view.flows.responder
    answer = (responder("rst") > 0) & (responder("syn") == 0) & (responder("payload_bytes") == 0)
    return np.flatnonzero(_began(view) & answer)


def _began(view: View) -> Array:
    """Whose SYN is here, and who never got so far as to send data: then there was an answer, seen or not."""
    rows = view.flows.rows
    return np.asarray((rows["protocol"] == TCP) & (rows["began"] == 1) & (view.flows.originator("next_seq") == 0))


def _failing(view: View, index: Array, ports: Iterable[int], at_least: int) -> tuple[Flow, ...]:
    """Flows at the places in ``index``, of services that saw ``at_least`` SYNs of one client in all.

    A port scan has a flow for each port and no service tried often: its flows never become Python values.
    """
    rows = view.flows.rows
    wanted = list(ports)
    if wanted:
        index = index[among(rows["dport"][index], wanted)]
    _, place = np.unique(_services(rows, index), return_inverse=True)
    syns = np.bincount(place, weights=view.flows.originator("syn")[index])
    return tuple(view.flows.at(one) for one in index[syns[place] >= at_least].tolist())


def _services(rows: Array, index: Array) -> Array:
    """One number for client, service and VLAN of each of these rows; equal numbers are nearly always equal services."""
    return _mixed(rows, index, "vlan", "dport", "src3", "dst3", "src2", "dst2")


@once_a_view
def _answered(view: View) -> tuple[Array, Array]:
    """Numbers of the services of all answered flows, ascending, and their places in the table."""
    table = view.flows
    answered = (table.responder("syn") > 0) | (table.responder("payload_bytes") > 0)
    index = np.flatnonzero((table.rows["protocol"] == TCP) & answered)
    numbers = _services(table.rows, index)
    order = np.argsort(numbers, kind="stable")
    return numbers[order], index[order]


def _worked(view: View, failed: Flow) -> tuple[Flow, ...]:
    """Flows of the same client to the same service that were answered."""
    numbers, index = _answered(view)
    wanted = _services(view.flows.rows, np.array([failed.index]))[0]
    first, last = np.searchsorted(numbers, wanted, "left"), np.searchsorted(numbers, wanted, "right")
    flows = (view.flows.at(one) for one in index[first:last].tolist())
    return tuple(one for one in flows if _service(one) == _service(failed))


def _service(flow: Flow) -> tuple[Segment, str | None, str | None, int]:
    segment = segment_of(flow.vlan, flow.inner_vlan or None, flow.vni)
    return segment, flow.originator.ip, flow.responder.ip, flow.responder.port


def _grouped(view: View, flows: tuple[Flow, ...]) -> Iterator[Tries]:
    groups: dict[tuple[Segment, str | None, str | None, int], list[Flow]] = {}
    for flow in flows:
        groups.setdefault(_service(flow), []).append(flow)
    for ((vlan, _, _), client, server, port), members in groups.items():
        members.sort(key=lambda one: one.originator.first_ns or 0)
        frames = [number for one in members for number in one.originator.syn_frames]
        frames.extend(one.responder.rst_frame for one in members if one.responder.rst_frame is not None)
        yield Tries(
            client=client or "",
            client_mac=members[0].originator.mac,
            server=server or "",
            server_mac=members[0].responder.mac,
            port=port,
            vlan=vlan,
            flows=tuple(members),
            frames=tuple(sorted(frames)),
            count=sum(one.originator.syn for one in members),
            first_ns=min(one.originator.first_syn_ns or 0 for one in members),
            last_ns=max(one.originator.last_syn_ns or 0 for one in members),
            worked=_worked(view, members[0]),
        )
