"""NIC of a host, as names of captures tell it: ``eth0`` alone, or ``kvm1-eth0``, ``kvm1.eth0``, ``kvm1_eth0``."""

import re

_NIC_OF_HOST = re.compile(r"((?P<host>.+)[-._])?(?P<nic>eth\d+|en[ospx][a-z0-9]+|em\d+|p\d+p\d+|nic\d+)")


def host_and_nic(name: str) -> tuple[str | None, str] | None:
    """The host, where the name has one, and the NIC; None where the name is of another shape."""
    found = _NIC_OF_HOST.fullmatch(name)
    return None if found is None else (found["host"], found["nic"])


def one_host(one: str, other: str) -> bool:
    """Whether two captures, by their names, are of two NICs of one host."""
    mine, theirs = host_and_nic(one), host_and_nic(other)
    return mine is not None and theirs is not None and mine[0] == theirs[0] and mine[1] != theirs[1]
