"""NEIGHBOUR: the switch port at the other end of this NIC, as LLDP or CDP tells it.

LLDP is never passed on by a switch, CDP by switches of other makers. So whoever speaks LLDP at a NIC, and is not this
host, is the other end of its cable; CDP counts where it is of the same system, or where only one system speaks it.
"""

import re
from collections.abc import Iterator, Sequence

from dissectors.cdp import Cdp
from dissectors.lldp import Lldp
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.site import Uplink
from pcapdx.values import dataclass

_LINUX_NIC = re.compile(r"(eth\d+|en[ospx][\w.]+|em\d+|p\d+p\d+|bond\d+)")
"""How a Linux host calls its NICs; switches with Linux inside call their ports swp1 or Ethernet0."""
_PORT_KIND = re.compile(r"(fa|gi|te|tw|fo|hu|eth|et|xe|ge|swp)[a-z-]*$")
"""FastEthernet, GigabitEthernet, TenGigE, TwentyFiveGigE, FortyGigE, HundredGigE and so on, as switches write them."""
_PORT_NAME = re.compile(r"[A-Za-z]?[\w/:.-]{0,40}", re.ASCII)
_PORT_MAC, _PORT_LOCAL = 3, 7
_FULL_UNIT = 1400
"""An LLDP unit of so many bytes may have had no room for more VLANs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One port that introduces itself."""

    protocol: str
    """``LLDP`` or ``CDP``."""
    mac: str | None
    system: str | None
    port: str | None
    names: tuple[str, ...]
    """Names of the port that a plan may have: its id, and its description where LLDP has one."""
    native_vlan: int | None
    vlans: tuple[int, ...]
    """VLANs that it names, by LLDP; empty where it names none, or perhaps not all."""
    frames: tuple[int, ...]
    first_ns: int
    filter: str
    """A display filter for its frames."""

    @property
    def argument(self) -> str:
        """The port for a command line; ``PORT`` where its name is none that a switch would give."""
        return self.port if self.port is not None and _PORT_NAME.fullmatch(self.port) else "PORT"

    @property
    def words(self) -> str:
        """``tor-1 port Ethernet1/7``."""
        return f"{self.system or self.mac or '?'} port {self.port or '?'}"


def neighbour(view: View) -> Neighbour | None:
    """The other end of this NIC's cable; None where nobody, or more than one, could be it."""
    found = neighbours(view)
    return found[0] if found else None


@once_a_view
def neighbours(view: View) -> tuple[Neighbour, ...]:
    """What the other end says of itself, by LLDP first; more than one value where it speaks both protocols."""
    role = view.vantage.role
    if role is not None and not role.is_wire:
        return ()
    by_lldp = _other_end(view, list(_told_by_lldp(view)))
    by_cdp = _other_end(view, list(_told_by_cdp(view)))
    if len(by_lldp) > 1:
        return ()
    if by_lldp:
        return (*by_lldp, *(one for one in by_cdp if same_system(by_lldp[0].system, one.system)))
    return tuple(by_cdp) if len(by_cdp) == 1 else ()


def _other_end(view: View, told: Sequence[Neighbour]) -> list[Neighbour]:
    """Those that are not this host."""
    proven = [one for one in told if is_local(view, one.mac) is False]
    if proven:
        return proven
    interface = view.vantage.interface
    return [
        one
        for one in told
        if is_local(view, one.mac) is None
        and one.port != interface
        and not any(_LINUX_NIC.fullmatch(name) for name in one.names)
    ]


def _told_by_lldp(view: View) -> Iterator[Neighbour]:
    units: dict[tuple[object, ...], list[Seen[Lldp]]] = {}
    for one in view.messages(Lldp):
        if one.message.ttl_s and not one.frame.tunnel:
            lldp = one.message
            units.setdefault((one.frame.eth_src, lldp.chassis, lldp.port), []).append(one)
    for same in units.values():
        latest, lldp = same[-1], same[-1].message
        index = lldp.port_subtype == _PORT_MAC or (
            lldp.port_subtype == _PORT_LOCAL and lldp.port is not None and lldp.port.isdecimal()
        )
        # an index or a MAC is no name that a plan would have
        names = (lldp.port_description,) if index else (lldp.port, lldp.port_description)
        yield Neighbour(
            protocol="LLDP",
            mac=latest.frame.eth_src,
            system=lldp.system_name or lldp.chassis,
            port=lldp.port_name or lldp.port,
            names=tuple(name for name in names if name),
            native_vlan=lldp.port_vlan or None,
            vlans=lldp.vlan_ids if latest.frame.wire_bytes < _FULL_UNIT and not lldp.cut else (),
            frames=tuple(one.number for one in same),
            first_ns=same[0].ts_ns,
            filter=f"lldp && eth.src == {latest.frame.eth_src}",
        )


def _told_by_cdp(view: View) -> Iterator[Neighbour]:
    packets: dict[tuple[object, ...], list[Seen[Cdp]]] = {}
    for one in view.messages(Cdp):
        if one.message.ttl_s and not one.frame.tunnel:
            packets.setdefault((one.frame.eth_src, one.message.device, one.message.port), []).append(one)
    for same in packets.values():
        latest, cdp = same[-1], same[-1].message
        yield Neighbour(
            protocol="CDP",
            mac=latest.frame.eth_src,
            system=cdp.system_name or cdp.device,
            port=cdp.port,
            names=(cdp.port,) if cdp.port else (),
            native_vlan=cdp.native_vlan or None,
            vlans=(),
            frames=tuple(one.number for one in same),
            first_ns=same[0].ts_ns,
            filter=f"cdp && eth.src == {latest.frame.eth_src}",
        )


def switch_port(view: View) -> str:
    """Where to look at the switch, for next steps: by the port's name where it told it."""
    told = neighbour(view)
    return f"switch {told.system or told.mac}, port {told.port}" if told else "switch, port of this host"


def planned(view: View) -> Uplink | None:
    """What the site profile has planned for this NIC, by the capture's name or the interface's."""
    known = {name.casefold() for name in (view.name, view.vantage.interface) if name}
    found = [one for one in view.site.uplink if one.name.casefold() in known]
    return found[0] if len(found) == 1 else None


def same_system(one: str | None, other: str | None) -> bool:
    """Whether two names may be of one system: domains, serial numbers in brackets and case do not count."""
    return bool(one) and bool(other) and _host(one or "") == _host(other or "")


def _host(name: str) -> str:
    return re.split(r"[.(]", name, maxsplit=1)[0].strip().casefold()


def same_port(planned: str, names: Sequence[str]) -> bool | None:
    """Whether one of a port's names is the planned one (Gi1/0/7 is GigabitEthernet1/0/7).

    None where the names do not tell: Port 7 may be 1/7, and swp7 Ethernet7.
    """
    verdicts = {_same_parts(_parts(planned), _parts(name)) for name in names}
    return True if True in verdicts else None if None in verdicts or not verdicts else False


def _parts(name: str) -> tuple[str, tuple[str, ...]]:
    """The kind of a port in letters, and its numbers."""
    match = re.fullmatch(r"([a-z -]*)(\d[\d/:.-]*)?", name.strip().casefold())
    return (match[1].strip(" -"), tuple(re.split(r"[/:.-]", match[2] or ""))) if match else ("", ("",))


def _comparable(kind: str, other: str) -> bool:
    """Whether two names without a number in common are of ports for sure: a description may end in any number."""
    if kind.startswith(other) or other.startswith(kind):
        return True
    return all(_PORT_KIND.match(one) for one in (kind, other))


def _same_parts(one: tuple[str, tuple[str, ...]], other: tuple[str, tuple[str, ...]]) -> bool | None:
    (kind, numbers), (other_kind, others) = one, other
    if numbers == ("",) or others == ("",):
        return None
    if numbers == others:
        return True if kind.startswith(other_kind) or other_kind.startswith(kind) else None
    shorter, longer = sorted((numbers, others), key=len)
    if not _comparable(kind, other_kind):
        return None
    if len(shorter) == len(longer):
        return False
    begins_or_ends = shorter in (longer[: len(shorter)], longer[-len(shorter) :])
    return None if begins_or_ends else False
