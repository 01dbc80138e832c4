"""Where a capture was taken: its name, the role of the interface, and the argument that tells both."""

import re
from enum import StrEnum
from pathlib import PurePath

from pcapdx.errors import PcapdxError
from pcapdx.values import dataclass


class Role(StrEnum):
    """What an interface is to the traffic on it; decides where a VLAN tag is expected."""

    TAP = "tap"
    """Host side of one guest's NIC (``vnetN``, ``vifX.Y``): untagged, one guest."""
    BRIDGE = "bridge"
    """A per-VLAN bridge: untagged, all guests of one network on this host."""
    VLAN = "vlan"
    """A VLAN sub-interface (``eth1.101``): untagged, one VLAN."""
    NIC = "nic"
    """A physical NIC."""
    BOND = "bond"
    """A bond of NICs, or one of its members."""
    TRUNK = "trunk"
    """A NIC or mirror port known to carry tagged VLANs."""
    ROUTER = "router"
    """Inside the virtual router or a system VM."""
    ANY = "any"
    """All interfaces at once (``-i any``): the same packet several times, tagged and untagged."""

    @property
    def is_wire(self) -> bool:
        """A point on a physical link, where tags are expected."""
        return self in (Role.NIC, Role.BOND, Role.TRUNK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """The point of capture."""

    name: str
    """Unique in the case; frames are cited by it."""
    role: Role | None
    """None where nobody said and the traffic does not tell."""
    inferred: bool
    """The role was read off the traffic, not given."""
    interface: str | None = None
    why: str = ""
    """What an inferred role was read off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureArgument:
    """``[NAME[:ROLE]=]PATH`` taken apart; a name that comes twice makes one capture in pieces."""

    name: str
    role: Role | None
    path: str
    named: bool
    """The name was given, not made from the path."""


_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?::(?P<role>[A-Za-z]+))?=(?P<path>.+)", re.DOTALL)
_SUFFIXES = re.compile(r"(\.(pcap|pcapng|cap|dmp|gz|zst|lz4|xz|bz2))+$", re.IGNORECASE)


def parse_argument(text: str) -> CaptureArgument:
    """Takes one capture argument apart; raises PcapdxError for an unknown role.

    A path that exists as it stands and holds ``=`` is meant as ``./a=b.pcap``, as with other tools that take ``NAME=``.
    """
    match = _NAMED.fullmatch(text)
    if match is None:
        name = _SUFFIXES.sub("", PurePath(text).name) if text != "-" else "stdin"
        return CaptureArgument(name=name or text, role=None, path=text, named=False)
    role = None
    if match["role"]:
        try:
            role = Role(match["role"].lower())
        except ValueError:
            roles = ", ".join(one.value for one in Role)
            raise PcapdxError(f"{text}: {match['role']!r} is no role; the roles are {roles}") from None
    return CaptureArgument(name=match["name"], role=role, path=match["path"], named=True)
