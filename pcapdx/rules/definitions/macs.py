"""What a MAC address tells of its owner in a CloudStack cloud. Prefixes are hints, never proof.

Sources: CloudStack's NetUtils and ControlNetworkGuru (shapes of generated MACs), IEEE (group bit, VRRP), libvirt (tap
side).
"""


def is_guest(mac: str | None) -> bool:
    """An address of the shape CloudStack gives instances and routers: ``02:``, ``06:`` or ``1e:``."""
    return bool(mac) and mac is not None and mac[:3] in ("02:", "06:", "1e:")


def is_system_vm_public(mac: str | None) -> bool:
    """The shape of public and pod-range NICs: routers' public side, console proxy, secondary storage."""
    return bool(mac) and mac is not None and mac[:3] in ("06:", "1e:")


def is_control(mac: str | None) -> bool:
    """A system VM's link-local control NIC, ``0e:00:a9:fe:AA:BB`` for 169.254.AA.BB."""
    return bool(mac) and mac is not None and mac.startswith("0e:00:a9:fe:")


def is_virtual_router_protocol(mac: str | None) -> bool:
    """A VRRP or HSRP virtual address: one IP may move between owners by design."""
    return bool(mac) and mac is not None and mac.startswith(("00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:"))


def network_id(mac: str) -> int | None:
    """Low 16 bits of the network's database id in a ``02:ZZ:NN:NN:SS:SS`` MAC; None where ZZ is 00 or no ``02:``."""
    if not mac.startswith("02:") or mac[3:5] == "00":
        return None
    return int(mac[6:8] + mac[9:11], 16)


def is_group(mac: str | None) -> bool:
    """Broadcast or multicast."""
    return bool(mac) and mac is not None and int(mac[:2], 16) & 1 == 1
