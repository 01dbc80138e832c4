"""SYN-DEAD and refused: services that never answer a SYN, or answer it with a RST.

Tries of one client for one service are taken together, whatever their source ports: an agent opens a new connection
every few seconds. SYN-DEAD needs three SYNs over two seconds with nothing at all back, a capture that would have shown
an answer and runs on three seconds, and no try of the same client for the same service that did work.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pcapdx.case import View
from pcapdx.dissect import Flow
from pcapdx.rules.definitions.observable import hears
from pcapdx.rules.definitions.windows import RESET_WITHIN, SYN_AFTER, SYN_SPREAD, SYN_TRIES


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
    wanted = frozenset(ports)
    for tries in _grouped(view, view.flows.unanswered(), wanted):
        if (
            tries.count >= SYN_TRIES
            and tries.last_ns - tries.first_ns >= SYN_SPREAD
            and _waited(view, tries)
            and (even_if_worked or not tries.worked)
            and hears(view, tries.client_mac, tries.vlan)
        ):
            yield tries


def _waited(view: View, tries: Tries) -> bool:
    """Whether three SYNs had their time: the last one, or, where the capture ends among further tries, earlier ones."""
    if view.remains_ns(tries.last_ns) >= SYN_AFTER:
        return True
    return tries.count > SYN_TRIES and view.last_ns - tries.first_ns >= 2 * (SYN_SPREAD + SYN_AFTER)


def refused(
    view: View, ports: Iterable[int] = (), *, at_least: int = 1, even_if_worked: bool = False
) -> Iterator[Tries]:
    """Every (client, service) whose SYNs were answered by RST within a second, and by nothing else.

    With ``even_if_worked`` also those of which some tries did work.
    """
    wanted = frozenset(ports)
    prompt = tuple(flow for flow in view.flows.refused() if _prompt(flow))
    for tries in _grouped(view, prompt, wanted):
        if tries.count >= at_least and (even_if_worked or not tries.worked):
            yield tries


def _prompt(flow: Flow) -> bool:
    rst, syn = flow.responder.rst_ns, flow.originator.last_syn_ns
    return rst is not None and syn is not None and rst - syn < RESET_WITHIN


def _grouped(view: View, flows: tuple[Flow, ...], ports: frozenset[int]) -> Iterator[Tries]:
    groups: dict[tuple[int, int | None, str, str, int], list[Flow]] = {}
    for flow in flows:
        client, server, port = flow.originator.ip, flow.responder.ip, flow.responder.port
        if client and server and (not ports or port in ports):
            groups.setdefault((flow.vlan, flow.vni, client, server, port), []).append(flow)
    for (vlan, _, client, server, port), members in groups.items():
        members.sort(key=lambda one: one.originator.first_ns or 0)
        frames = [number for one in members for number in one.originator.syn_frames]
        frames.extend(one.responder.rst_frame for one in members if one.responder.rst_frame is not None)
        yield Tries(
            client=client,
            client_mac=members[0].originator.mac,
            server=server,
            server_mac=members[0].responder.mac,
            port=port,
            vlan=vlan,
            flows=tuple(members),
            frames=tuple(sorted(frames)),
            count=sum(one.originator.syn for one in members),
            first_ns=min(one.originator.first_syn_ns or 0 for one in members),
            last_ns=max(one.originator.last_syn_ns or 0 for one in members),
            worked=tuple(
                one
                for one in view.flows.where(ports=(port,), server=server, client=client)
                if one.vlan == vlan and (one.responder.syn or one.responder.payload_bytes)
            ),
        )
