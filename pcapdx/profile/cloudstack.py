"""What CloudStack's API tells of a zone, as a site profile: by the ``cs`` client, with the keys in the environment.

The calls and fields are those of the API reference of 4.18 to 4.22 (``listNetworks``, ``listRouters``,
``listVirtualMachines``, ``listVlanIpRanges``, ``listSystemVms``, ``listConfigurations``, ``listManagementServers``,
``listZones``, ``listEvents``). A call that the keys may not make is left out, and said.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from pcapdx.errors import SiteError
from pcapdx.site import LEAST_MTU, MOST_MTU, Console, Guest, Management, Network, Public, Router, Site, Storage
from pcapdx.values import dataclass

KEY, SECRET = "CLOUDSTACK_KEY", "CLOUDSTACK_SECRET"
TIMEOUT_S = 30
_TYPES = {"isolated": "isolated", "shared": "shared", "l2": "l2"}

Record = Mapping[str, Any]


class Api(Protocol):
    """As much of ``cs.CloudStack`` as is used."""

    def __getattr__(self, command: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A profile, and the calls that were not answered with the reason."""

    site: Site
    refused: tuple[str, ...]


def connect(url: str) -> Api:
    """A client for an API's address; raises SiteError without keys or without the ``cs`` package."""
    key, secret = os.environ.get(KEY), os.environ.get(SECRET)
    if not key or not secret:
        raise SiteError(f"{KEY} and {SECRET} are expected in the environment: an account's API keys")
    try:
        import cs
    except ImportError:
        raise SiteError("the package cs is needed: pip install 'pcapdx[cloudstack]'") from None
    api: Api = cs.CloudStack(endpoint=url, key=key, secret=secret, timeout=TIMEOUT_S)
    return api


def fetch(api: Api, zone: str = "") -> Fetched:
    """Asks for all that sharpens a diagnosis, of one zone (by name or id) where one is named.

    Raises SiteError where the address does not answer as a CloudStack API, or does not know the zone.
    """
    asking = _Asking(api)
    zones = asking.every("listZones", required=True)
    chosen = [one for one in zones if zone in ("", one.get("name"), one.get("id"))]
    if not chosen:
        raise SiteError(f"no zone {zone!r}; there are {', '.join(str(one.get('name')) for one in zones) or 'none'}")
    if len(chosen) > 1:
        raise SiteError(f"--zone is expected, one of {', '.join(str(one.get('name')) for one in chosen)}")
    within = {"zoneid": chosen[0]["id"]}
    networks = asking.every("listNetworks", listall=True, **within)
    routers = asking.every("listRouters", listall=True, **within)
    ranges = asking.every("listVlanIpRanges", **within)
    guests = asking.every("listVirtualMachines", listall=True, **within)
    resets = {one.get("resourceid") for one in asking.every("listEvents", type="VM.RESETPASSWORD", listall=True)}
    proxies = asking.every("listSystemVms", systemvmtype="consoleproxy", **within)
    settings = {
        name: _first(asking.every("listConfigurations", name=name), "value")
        for name in ("consoleproxy.url.domain", "management.network.cidr", "host")
    }
    servers = [one.get("ipaddress", "") for one in asking.every("listManagementServers")]
    servers += (settings["host"] or "").split(",")
    storage = asking.every("listStorageNetworkIpRange", **within)
    site = Site(
        name=str(chosen[0].get("name", "")),
        security_groups=chosen[0].get("securitygroupsenabled"),
        trunk_vlans=tuple(sorted({vlan for one in networks if (vlan := _vlan(one.get("vlan") or _uri(one)))})),
        network=tuple(_network(one, routers) for one in networks),
        router=tuple(_routers(routers)),
        guest=tuple(_guests(guests, resets)),
        management=Management(
            servers=tuple(dict.fromkeys(filter(_is_address, servers))),
            networks=tuple(filter(_is_network, [settings["management.network.cidr"] or ""])),
        ),
        storage=Storage(networks=_cidrs(storage), vlan=_common_vlan(storage)),
        public=_public(ranges),
        console=Console(
            domain=(settings["consoleproxy.url.domain"] or "").removeprefix("*."),
            addresses=tuple(one["publicip"] for one in proxies if _is_address(one.get("publicip", ""))),
        ),
    )
    return Fetched(site=site, refused=tuple(asking.refused))


class _Asking:
    """Calls of one run, and those that were refused."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.refused: list[str] = []

    def every(self, command: str, *, required: bool = False, **parameters: Any) -> Sequence[Record]:
        """All pages of a list call; nothing where it is refused and not required."""
        try:
            found: Sequence[Record] = getattr(self._api, command)(fetch_list=True, **parameters)
        except Exception as error:  # the client raises its own, its HTTP library's, and those of broken JSON
            said = " ".join(str(error).split())[:200] or type(error).__name__
            if required:
                raise SiteError(f"{command}: {said}") from None
            self.refused.append(f"{command}: {said}")
            return ()
        return [one for one in found if isinstance(one, Mapping)]


def _network(one: Record, routers: Sequence[Record]) -> Network:
    kind = "vpc" if one.get("vpcid") else _TYPES.get(str(one.get("type", "")).lower(), "")
    own = [router for router in routers if router.get("guestnetworkid") == one.get("id")]
    redundant = bool(one.get("redundantrouter"))
    gateway = one.get("gateway") or ""
    server = "" if redundant else gateway
    if kind == "shared" and own:
        server = own[0].get("guestipaddress") or ""
    dns = (one.get("dns1"), one.get("dns2"))
    return Network(
        name=str(one.get("name", "")),
        cidr=one["cidr"] if _is_network(one.get("cidr") or "") else "",
        gateway=gateway if _is_address(gateway) else "",
        vlan=_vlan(one.get("vlan") or _uri(one)),
        dhcp_server=server if _is_address(server) else "",
        type=kind,
        redundant=redundant,
        mtu=_mtu(one.get("privatemtu")),
        dns=tuple(address for address in dns if _is_address(address or "")),  # type: ignore[misc] # None is no address
    )


def _routers(routers: Iterable[Record]) -> Iterable[Router]:
    """One entry for each NIC that has a MAC."""
    for one in routers:
        for nic in one.get("nic") or ():
            if nic.get("macaddress"):
                address = nic.get("ipaddress") or ""
                yield Router(
                    name=str(one.get("name", "")),
                    mac=str(nic["macaddress"]).lower(),
                    ips=(address,) if _is_address(address) else (),
                )


def _guests(machines: Iterable[Record], resets: set[Any]) -> Iterable[Guest]:
    for one in machines:
        for nic in one.get("nic") or ():
            if not nic.get("macaddress"):
                continue
            more = (other.get("ipaddress", "") for other in nic.get("secondaryip") or ())
            yield Guest(
                name=str(one.get("instancename") or one.get("name", "")),
                mac=str(nic["macaddress"]).lower(),
                ip=nic["ipaddress"] if _is_address(nic.get("ipaddress") or "") else "",
                secondary_ips=tuple(filter(_is_address, more)),
                password_reset=one.get("id") in resets,
                os=str(one.get("osdisplayname") or ""),
                default_nic=nic.get("isdefault"),
            )


def _public(ranges: Sequence[Record]) -> Public:
    public = [one for one in ranges if one.get("forvirtualnetwork")]
    return Public(networks=_cidrs(public), vlan=_common_vlan(public))


def _cidrs(ranges: Iterable[Record]) -> tuple[str, ...]:
    """Networks of address ranges, which tell gateway and netmask."""
    found = (f"{one.get('gateway') or one.get('startip')}/{one.get('netmask')}" for one in ranges)
    return tuple(dict.fromkeys(str(ip_network(one, strict=False)) for one in found if _is_network(one, strict=False)))


def _common_vlan(ranges: Sequence[Record]) -> int | None:
    """The VLAN of all of them; None where they differ."""
    vlans = {_vlan(one.get("vlan")) for one in ranges}
    return vlans.pop() if len(vlans) == 1 else None


def _uri(one: Record) -> str:
    return str(one.get("broadcasturi") or "")


def _vlan(text: Any) -> int | None:
    """``vlan://1204``, ``1204``, ``vlan://untagged`` (0); None for ``vxlan://5001`` and whatever is no VLAN."""
    words = str(text or "").removeprefix("vlan://").lower()
    if words == "untagged":
        return 0
    return int(words) if words.isdecimal() and int(words) <= 4094 else None


def _mtu(told: Any) -> int | None:
    """``privatemtu`` of a network (4.18 and later), a number or its digits."""
    words = str(told or "")
    return int(words) if words.isdecimal() and LEAST_MTU <= int(words) <= MOST_MTU else None


def _first(found: Sequence[Record], field: str) -> str | None:
    return next((str(one[field]) for one in found if one.get(field)), None)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip())
    except ValueError:
        return False
    return True


def _is_network(text: str, *, strict: bool = True) -> bool:
    try:
        ip_network(text, strict=strict)
    except ValueError:
        return False
    return bool(text)
