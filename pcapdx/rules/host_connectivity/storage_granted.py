"""HOST026 storage-granted: a host mounted its NFS export, or logged in to its iSCSI target.

What it does
------------
Shows an answer that grants a mount (MOUNT's status 0, or NFS version 4 that finds the export), or an iSCSI login that
the target accepts.

Why it matters
--------------
Path, port, export list and credentials of this storage are sound.
"""

from collections.abc import Iterator

from dissectors.iscsi import IscsiSession
from dissectors.rpc import RpcExchange
from pcapdx.case import View
from pcapdx.model import Proof, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.wording import cite
from pcapdx.rules.host_connectivity import ISCSI, NFS

LOOKUP, PUTROOTFH = 15, 24


def check(view: View) -> Iterator[Proof]:
    """One proof a client and storage server."""
    for one in view.exchanges(RpcExchange):
        operations = one.call.message.operations
        found = one.nfs4_status == 0 and LOOKUP in operations and PUTROOTFH in operations
        if one.reply is not None and (one.mount_status == 0 or found):
            path = one.call.message.path or "/".join(("", *one.call.message.names))
            yield RULE.proof(
                subject=Subject(mac=one.client_mac, vlan=one.vlan, ip=one.client, server=one.server, port=NFS),
                summary=f"{one.server} lets {one.client} mount {path}",
                evidence=(cite(view, (one.call.number, one.reply.number), "the mount, granted"),),
                filter=f"(mount || nfs) && ip.addr == {one.client} && ip.addr == {one.server}",
                first_ns=one.call.ts_ns,
                last_ns=one.reply.ts_ns,
            )
    for session in view.exchanges(IscsiSession):
        login, response, flow = session.login, session.response, session.flow
        if login is not None and response is not None and response.message.status == 0 and login.message.target:
            host, storage = flow.originator, flow.responder
            yield RULE.proof(
                subject=Subject(mac=host.mac, vlan=flow.vlan, ip=host.ip, server=storage.ip, port=ISCSI),
                summary=f"the iSCSI target {storage.ip} lets {host.ip} log in",
                evidence=(cite(view, (login.number, response.number), "the login, accepted"),),
                filter=f"iscsi && ip.addr == {storage.ip}",
                first_ns=login.ts_ns,
                last_ns=response.ts_ns,
            )


RULE = Rule(
    code="HOST026",
    name="storage-granted",
    topic=Topic.HOST_CONNECTIVITY,
    severity=None,
    check=check,
)
