"""The redundant pair of routers: VRRP by keepalived, as CloudStack configures it."""

from captures.lab.cloud import GuestNetwork
from captures.lab.router import Router

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
    authentication {{
        auth_type PASS
        auth_pass WORD
    }}
    virtual_ipaddress {{
        {network.gateway}/{network.length} brd + dev eth0
    }}
}}
"""


def keepalived(router: Router, network: GuestNetwork, *, priority: int) -> None:
    """Let a router take part in the election for the network's gateway address."""
    name = router.ns.name
    conf = router.lab.file(f"{name}/keepalived.conf", _CONF.format(network=network, priority=priority))
    folder = router.lab.folder / name
    files = ("-p", f"{folder}/ka.pid", "-r", f"{folder}/vrrp.pid", "-b", f"{folder}/check.pid")
    router.ns.spawn("keepalived", "-n", "-P", "-l", "-f", str(conf), *files)
