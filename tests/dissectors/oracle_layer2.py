"""What the dissectors of control protocols between switches say, in the words of the corpus' oracle."""

from collections.abc import Iterator
from typing import Any

from dissectors.cdp import Cdp
from dissectors.lacp import Lacp, LacpEnd
from dissectors.lldp import Lldp
from dissectors.stp import Bpdu, BridgeId

GROUPS = ("lldp", "cdp", "lacp", "stp")
_CHASSIS_MAC, _CHASSIS_ADDRESS, _PORT_MAC, _PORT_ADDRESS = 4, 5, 3, 4


def told(message: object) -> Iterator[tuple[str, Any]]:
    """Group and facts of one message; nothing of other protocols."""
    match message:
        case Lldp():
            yield "lldp", _lldp(message)
        case Cdp():
            yield "cdp", _cdp(message)
        case Lacp():
            version = {"version": [message.version]}
            yield "lacp", version | _lacp("actor", message.actor) | _lacp("partner", message.partner)
        case Bpdu():
            yield "stp", _stp(message)


def comparable(group: str, found: dict[str, Any]) -> dict[str, Any]:
    """tshark's facts without what is told in another form: lines of a text, the same address twice."""
    kept = dict(found)
    if group == "cdp":
        kept["software"] = [" ".join(found["software"]).split()] if "software" in found else []
        kept["address"] = sorted(set(found.get("address", ())))
    return {key: values for key, values in kept.items() if values}


def _given(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _lldp(lldp: Lldp) -> dict[str, Any]:
    chassis = {_CHASSIS_MAC: "chassis_mac", _CHASSIS_ADDRESS: "chassis_ip4"}.get(lldp.chassis_subtype, "chassis_id")
    port = {_PORT_MAC: "port_mac", _PORT_ADDRESS: "port_ip4"}.get(lldp.port_subtype, "port_id")
    return {
        "chassis_subtype": [lldp.chassis_subtype],
        chassis: _given(lldp.chassis.encode().hex(":") if chassis == "chassis_id" and lldp.chassis else lldp.chassis),
        "port_subtype": [lldp.port_subtype],
        port: _given(lldp.port),
        "ttl": [lldp.ttl_s],
        "port_description": _given(lldp.port_description),
        "system_name": _given(lldp.system_name),
        "system_description": _given(lldp.system_description),
        "management_ip4": [address for address in lldp.management if ":" not in address],
        "port_vlan": _given(lldp.port_vlan),
        "vlan": list(lldp.vlan_ids),
        "vlan_name": [vlan.name for vlan in lldp.vlans],
        "max_frame": _given(lldp.max_frame),
    }


def _cdp(cdp: Cdp) -> dict[str, Any]:
    return {
        "version": [cdp.version],
        "ttl": [cdp.ttl_s],
        "device": _given(cdp.device),
        "port": _given(cdp.port),
        "platform": _given(cdp.platform),
        "software": [cdp.software.split()] if cdp.software else [],
        "native_vlan": _given(cdp.native_vlan),
        "voice_vlan": _given(cdp.voice_vlan),
        "address": sorted({address for address in cdp.addresses if ":" not in address}),
    }


def _lacp(side: str, end: LacpEnd) -> dict[str, list[Any]]:
    return {
        f"{side}_system": [end.system],
        f"{side}_system_priority": [end.system_priority],
        f"{side}_key": [end.key],
        f"{side}_port": [end.port],
        f"{side}_port_priority": [end.port_priority],
        f"{side}_state": [f"0x{end.state:02x}"],
    }


def _stp(bpdu: Bpdu) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"protocol": ["0x0000"], "version": [bpdu.version], "type": [f"0x{bpdu.type:02x}"]}
    if bpdu.root is None or bpdu.bridge is None:
        return found
    return found | {
        "flags": [f"0x{bpdu.flags:02x}"],
        **_bridge("root", bpdu.root),
        "root_cost": [bpdu.root_cost],
        **_bridge("bridge", bpdu.bridge),
        "port": [f"0x{bpdu.port:04x}"],
        "pvst_vlan": _given(bpdu.pvst_vlan),
    }


def _bridge(which: str, bridge: BridgeId) -> dict[str, list[Any]]:
    return {f"{which}_priority": [bridge.priority], f"{which}_extension": [bridge.extension], which: [bridge.mac]}
