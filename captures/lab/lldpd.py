"""lldpd at an interface: LLDP (and CDP) as a switch port or a host says it."""

from collections.abc import Sequence

from captures.lab.namespaces import Namespace, Workspace, until

_PORT_VLAN, _VLAN_NAME = 1, 3


def lldpd(
    lab: Workspace,
    where: Namespace,
    interface: str,
    *,
    system: str,
    port: str,
    description: str = "Switch OS 4.1",
    port_vlan: int | None = None,
    vlans: Sequence[int] = (),
    cdp: bool = False,
    every: int = 5,
) -> None:
    """Let an interface introduce itself as ``port`` of ``system``, with 802.1's VLAN TLVs where they are given.

    Where CDP is forced lldpd sends no LLDP, so that another one speaks it.
    """
    of_port = f"configure ports {interface} lldp"
    lines = [
        f"configure system hostname {system}",
        f"{of_port} portidsubtype local {port}",
        f"{of_port} portdescription {port}",
        f"configure lldp tx-interval {every}",
    ]
    if port_vlan is not None:
        lines.append(f"{of_port} custom-tlv add {_tlv(_PORT_VLAN, port_vlan.to_bytes(2))}")
    lines += [f"{of_port} custom-tlv add {_tlv(_VLAN_NAME, _named(vlan))}" for vlan in vlans]
    for label, options in (("lldp", ()), *((("cdp", ("-cccc",)),) if cdp else ())):
        folder = lab.folder / f"{where.name}-{interface}-{label}"
        folder.mkdir()
        conf = lab.file(f"{folder.name}/conf", "\n".join(lines) + "\n")
        socket = folder / "socket"
        words = ("-I", interface, "-C", interface, "-u", str(socket), "-S", description, "-O", str(conf))
        where.spawn("lldpd", "-d", *words, *options)
        until(socket.exists, "lldpd listens")


def _tlv(subtype: int, body: bytes) -> str:
    return f"oui 00,80,c2 subtype {subtype} oui-info {','.join(f'{byte:02x}' for byte in body)}"


def _named(vlan: int) -> bytes:
    name = f"VLAN{vlan:04}".encode()
    return vlan.to_bytes(2) + bytes((len(name),)) + name
