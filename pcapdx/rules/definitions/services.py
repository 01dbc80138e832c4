"""SERVICE: the ports that a cloud's machines need of each other beside agents, NFS and libvirt, and whose tries count.

Port 22, 443 and 3306 are tried by guests all day: only a management server's tries are the cloud's own.
"""

from pcapdx.case import View
from pcapdx.rules.definitions.addresses import is_public
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.management import management_servers
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One port."""

    port: int
    name: str
    unit: str
    """What to look for on the server."""
    only_management: bool
    """A fault of the cloud only where a management server asks."""
    needed_for: str

    @property
    def otherwise(self) -> tuple[str, ...]:
        """What else a management server may look for on that port."""
        if self.port not in (SSH, HTTPS):
            return ()
        return (f"what is tried on port {self.port} is no hypervisor: a proxy, directory or backup server",)


SSH, HTTPS, MYSQL, ISCSI, SYSTEM_VM_SSH = 22, 443, 3306, 3260, 3922
SERVICES = {
    one.port: one
    for one in (
        Service(
            port=SSH,
            name="ssh of the hypervisor",
            unit="sshd",
            only_management=True,
            needed_for="hosts cannot be added, nor their certificates renewed",
        ),
        Service(
            port=HTTPS,
            name="the hypervisor's or vCenter's API",
            unit="vpxd xapi xapi-ssl",
            only_management=True,
            needed_for="nothing on this hypervisor or vCenter can be started, stopped or asked",
        ),
        Service(
            port=MYSQL,
            name="the database",
            unit="mysql mariadb",
            only_management=True,
            needed_for="the management server does not start, or stops answering",
        ),
        Service(
            port=ISCSI,
            name="the iSCSI target",
            unit="tgt target iscsitarget",
            only_management=False,
            needed_for="volumes on this storage are out of reach",
        ),
        Service(
            port=SYSTEM_VM_SSH,
            name="ssh of the system VM",
            unit="ssh",
            only_management=False,
            needed_for="the system VM cannot be told what to do",
        ),
        *(
            Service(
                port=port,
                name="the OpenFlow controller",
                unit="ovs-testcontroller odl onos",
                only_management=False,
                needed_for="the switch gets no flows: new connections die, or it falls back to learning by itself",
            )
            for port in (6633, 6653)
        ),
    )
}


def service_of(view: View, port: int, client: str | None, mac: str | None, server: str | None) -> Service | None:
    """The service a client tried, where that is the cloud's matter, and neither an instance's nor the world's."""
    service = SERVICES.get(port)
    if service is None or is_public(server):
        return None
    own = client in management_servers(view) if service.only_management else not is_guest(mac)
    return service if own else None
