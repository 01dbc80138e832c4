"""The redundant pair of routers: VRRP by keepalived, as CloudStack configures it."""

from captures.lab.cloud import GuestNetwork
from captures.lab.router import Router
from captures.lab.stage import Stage

_CONF = """
global_defs {{
    router_id r-{priority}-VM
    script_user root
}}
vrrp_instance inside_network {{
    state EQUAL
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    {more}
    virtual_ipaddress {{
        {network.gateway}/{network.length} brd + dev eth0
    }}
}}
"""


PASSWORD = "k3epAl1v"
_AUTHENTICATION = f"""authentication {{
        auth_type PASS
        auth_pass {PASSWORD}
    }}"""
_PEER = """unicast_peer {{
        {peer}
    }}"""


def keepalived(
    router: Router,
    network: GuestNetwork,
    *,
    priority: int,
    version: int = 2,
    peer: str = "",
    vmac: bool = False,
    announces: int = 0,
) -> None:
    """Let a router take part in the election for the network's gateway address.

    With a ``peer`` it speaks to that address alone instead of the group; with ``vmac`` from the virtual router's MAC.
    It says that it ``announces`` its address so many times in a row, five unless told.
    """
    name = router.ns.name
    more = [_AUTHENTICATION if version == 2 else "version 3"]
    more += [_PEER.format(peer=peer)] if peer else []
    more += ["use_vmac"] if vmac else []
    more += [f"garp_master_repeat {announces}"] if announces else []
    text = _CONF.format(network=network, priority=priority, more="\n    ".join(more))
    conf = router.lab.file(f"{name}/keepalived.conf", text)
    folder = router.lab.folder / name
    files = ("-p", f"{folder}/ka.pid", "-r", f"{folder}/vrrp.pid", "-b", f"{folder}/check.pid")
    router.ns.spawn("keepalived", "-n", "-P", "-l", "-f", str(conf), *files)


def redundant_pair(stage: Stage, network: GuestNetwork, *, priorities: tuple[int, int] = (100, 90)) -> list[Router]:
    """Two routers on the stage's bridge, at the network's second and third address; the first is the gateway while it
    lives."""
    routers = [
        Router(stage.host, stage.bridge, network, ip=network.ip(host), mac=network.mac(host), label=f"vr{host}")
        for host in (2, 3)
    ]
    for router, priority in zip(routers, priorities, strict=True):
        keepalived(router, network, priority=priority)
    return routers
