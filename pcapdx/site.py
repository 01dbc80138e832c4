"""The site profile: what an operator knows of the cloud and no capture tells. Every field is optional.

``pcapdx analyze --site site.toml`` reads it. A rule with a profile names networks and guests by their names and knows
which address, VLAN and router to expect; without one it says what it lacked.
"""

from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pcapdx.errors import SiteError
from pcapdx.frame import mac_int, mac_text
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A guest network, as ``listNetworks`` gives it."""

    name: str = ""
    cidr: str = ""
    gateway: str = ""
    vlan: int | None = None
    dhcp_server: str = ""
    """Server identifier (option 54) that is expected; the router's own address in a shared network."""
    type: str = ""
    """``isolated``, ``shared``, ``vpc`` or ``l2``."""
    redundant: bool = False
    dns: tuple[str, ...] = ()
    mtu: int | None = None
    """The MTU of its guests' NICs, as CloudStack 4.18 and later keeps it (``privatemtu``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A virtual router, as ``listRouters`` gives it."""

    name: str = ""
    mac: str = ""
    ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An instance's NIC, as ``listNics`` gives it."""

    name: str = ""
    mac: str = ""
    ip: str = ""
    secondary_ips: tuple[str, ...] = ()
    password_reset: bool = False
    """A password reset was asked for before this capture."""
    os: str = ""
    default_nic: bool | None = None
    """This NIC is the instance's default one, by which it reaches other networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """Where a host's NIC is to be cabled to, as the plan of the racks has it."""

    name: str
    """The NIC, as its capture is named on the command line (``kvm1-eth1:nic=FILE``) or as the host calls it."""
    switch: str = ""
    port: str = ""
    """``Ethernet1/7``; ``Eth1/7`` is the same."""
    native_vlan: int | None = None
    """The VLAN of untagged frames on that port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """Management servers and the networks they and the hosts are in."""

    servers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    vlan: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The storage network, where there is one beside the management network, and its servers."""

    servers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    vlan: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """Public address ranges, as ``listVlanIpRanges`` gives them."""

    networks: tuple[str, ...] = ()
    vlan: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The console proxy: ``consoleproxy.url.domain`` and its public addresses."""

    domain: str = ""
    addresses: tuple[str, ...] = ()
    nat: Mapping[str, str] = field(default_factory=dict)
    """Address in the name -> address behind it, where a static NAT or balancer stands in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A whole profile; an empty one is as good as none."""

    name: str = ""
    security_groups: bool | None = None
    trunk_vlans: tuple[int, ...] = ()
    """VLANs that every host's trunk should carry."""
    network: tuple[Network, ...] = ()
    router: tuple[Router, ...] = ()
    guest: tuple[Guest, ...] = ()
    uplink: tuple[Uplink, ...] = ()
    management: Management = field(default_factory=Management)
    storage: Storage = field(default_factory=Storage)
    public: Public = field(default_factory=Public)
    console: Console = field(default_factory=Console)

    def guest_of(self, mac: str | None) -> Guest | None:
        """The guest with this MAC."""
        return next((one for one in self.guest if mac and one.mac == mac), None)

    def network_of(self, ip: str | None) -> Network | None:
        """The network whose CIDR holds this address."""
        if not ip:
            return None
        address = ip_address(ip)
        return next((one for one in self.network if one.cidr and address in ip_network(one.cidr)), None)

    def is_router(self, *, mac: str | None = None, ip: str | None = None) -> bool:
        """Whether a MAC or an address is a virtual router's."""
        return any((mac and one.mac == mac) or (ip and ip in one.ips) for one in self.router)


_ADDRESSES = {"gateway", "dhcp_server", "ip", "ips", "secondary_ips", "dns", "servers", "addresses"}
_CIDRS = {"cidr", "networks"}
_TYPES = ("isolated", "shared", "vpc", "l2")
LEAST_MTU, MOST_MTU = 68, 65535
"""RFC 791."""

T = TypeVar("T")


def load_site(path: Path) -> Site:
    """Reads a profile; raises SiteError with file, key and what is expected there."""
    import tomllib  # here, since few runs have a profile

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SiteError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SiteError(f"{path}: not valid TOML: {error}") from None
    return _build(Site, table, str(path))


def _build(kind: type[T], table: Any, where: str) -> T:
    """A dataclass from a TOML table, every key and type checked."""
    if not isinstance(table, dict):
        raise SiteError(f"{where}: a table is expected")
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type] # kind is one of this module's dataclasses
    for key in table:
        if key not in known:
            raise SiteError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")
    values = {key: _value(key, value, hints[key], f"{where}: {key}") for key, value in table.items()}
    missing = [one.name for one in known.values() if one.default is MISSING and one.default_factory is MISSING]
    if any(name not in values for name in missing):
        raise SiteError(f"{where}: {', '.join(missing)} expected")
    return kind(**values)


def _value(key: str, value: Any, hint: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise SiteError(f"{where}: a list is expected")
        inner = get_args(hint)[0]
        return tuple(_value(key, one, inner, f"{where}[{i}]") for i, one in enumerate(value))
    if hasattr(hint, "__dataclass_fields__"):
        return _build(hint, value, where)
    if origin is not None and issubclass(dict, origin):
        if not isinstance(value, dict):
            raise SiteError(f"{where}: a table of addresses is expected")
        return {_address(name, where): _address(address, where) for name, address in value.items()}
    wanted = [one for one in (get_args(hint) or (hint,)) if one is not type(None)]
    if not isinstance(value, wanted[0]) or (isinstance(value, bool) and wanted[0] is not bool):
        raise SiteError(f"{where}: {wanted[0].__name__} expected, not {value!r}")
    return _checked(key, value, where)


def _checked(key: str, value: Any, where: str) -> Any:
    """A scalar in its one spelling: addresses and MACs as the captures have them."""
    if key in _ADDRESSES and value:
        return _address(value, where)
    if key in _CIDRS and value:
        try:
            return str(ip_network(value))
        except ValueError as error:
            raise SiteError(f"{where}: a network such as 10.1.1.0/24 is expected: {error}") from None
    if key == "mac" and value:
        try:
            return mac_text(mac_int(value.replace("-", ":")))
        except ValueError:
            raise SiteError(f"{where}: a MAC such as 02:00:4c:9f:00:0a is expected, not {value!r}") from None
    if key in ("vlan", "trunk_vlans", "native_vlan") and not 0 <= value <= 4094:
        raise SiteError(f"{where}: a VLAN id from 0 (untagged) to 4094 is expected, not {value}")
    if key == "mtu" and not LEAST_MTU <= value <= MOST_MTU:
        raise SiteError(f"{where}: an MTU from {LEAST_MTU} to {MOST_MTU} is expected, not {value}")
    if key == "type" and value not in _TYPES:
        raise SiteError(f"{where}: one of {', '.join(_TYPES)} is expected, not {value!r}")
    return value


def _address(value: Any, where: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise SiteError(f"{where}: an IP address is expected, not {value!r}") from None
