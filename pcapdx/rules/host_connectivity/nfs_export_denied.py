"""HOST008 nfs-export-denied: the storage server answers, and does not let this client mount.

What it does
------------
Reads the answers to a mount: MOUNT's status, the status by which NFS version 4 ends the way from the root to the export
(in the first two seconds of a connection), rejected credentials, and a portmapper that knows no MOUNT. What the same
client gets later, by another version or path, makes it a remark.

Why it matters
--------------
The network is sound, and still no volume, template or snapshot moves.

Common causes
-------------
The client's address is not in the export's list (a new host, a system VM with another address); the path is misspelt
or not exported; only Kerberos is allowed; the server speaks another NFS version.

What else it could be
---------------------
A file that is missing or forbidden later on is no matter of the export, and is left out.

Next steps
----------
Compare the export list with the address the client really comes from.
"""

from collections.abc import Iterator, Sequence

from dissectors.rpc import Program, RpcExchange, operation_name
from pcapdx.case import View
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import SECOND
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.rules.host_connectivity import NFS
from pcapdx.values import dataclass

EARLY = 2 * SECOND
LEAVES_WITHIN = 10 * SECOND
MNT, GETPORT, COMPOUND = 1, 3, 1
LOOKUP, PUTFH, PUTROOTFH = 15, 22, 24
USED = frozenset({18, 25, 26, 38})
"""OPEN, READ, READDIR, WRITE: the export is mounted."""
AUTH_ERROR = 1
KERBEROS = 6
MOUNT_STATUS = {
    1: "not the owner (MNT3ERR_PERM)",
    2: "no such directory (MNT3ERR_NOENT)",
    5: "I/O error (MNT3ERR_IO)",
    13: "permission denied (MNT3ERR_ACCES)",
    20: "not a directory (MNT3ERR_NOTDIR)",
    22: "invalid argument (MNT3ERR_INVAL)",
    63: "name too long (MNT3ERR_NAMETOOLONG)",
    10004: "not supported (MNT3ERR_NOTSUPP)",
    10006: "server fault (MNT3ERR_SERVERFAULT)",
}
NFS4_STATUS = {
    1: "not the owner (NFS4ERR_PERM)",
    2: "no such directory (NFS4ERR_NOENT)",
    13: "permission denied (NFS4ERR_ACCESS)",
    10016: "wrong security flavor (NFS4ERR_WRONGSEC)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """One answer that ends a mount."""

    exchange: RpcExchange
    path: str
    """What was to be mounted; empty where the capture does not tell."""
    why: str
    where: str
    """Who said so: ``MOUNT``, ``NFS version 4``, ``RPC`` or ``the portmapper``."""


def check(view: View) -> Iterator[Finding]:
    """One finding a client, server and path."""
    grouped: dict[tuple[int, str, str, str], list[Denied]] = {}
    for one in _denied(view):
        key = one.exchange.vlan, one.exchange.client, one.exchange.server, one.path
        grouped.setdefault(key, []).append(one)
    for members in grouped.values():
        yield _finding(view, members)


def _denied(view: View) -> Iterator[Denied]:
    for one in view.exchanges(RpcExchange):
        if one.reply is None:
            continue
        call = one.call.message
        if one.mount_status:
            why = MOUNT_STATUS.get(one.mount_status, f"status {one.mount_status}")
            yield Denied(exchange=one, path=call.path or "", why=why, where="MOUNT")
        elif one.nfs4_status in NFS4_STATUS and _on_the_way_to_the_export(view, one):
            operation = one.failed_operation
            doing = f" at {operation_name(operation)}" if operation is not None else ""
            why = f"{NFS4_STATUS[one.nfs4_status or 0]}{doing}"
            yield Denied(exchange=one, path="/".join(("", *call.names)), why=why, where="NFS version 4")
        elif not one.reply.message.accepted and one.reply.message.state == AUTH_ERROR:
            if call.program in (Program.MOUNT, Program.NFS):
                yield Denied(exchange=one, path=call.path or "", why="the credentials are rejected", where="RPC")
        elif one.port_given == 0 and call.asked is not None and call.asked[0] == Program.MOUNT:
            why = f"MOUNT version {call.asked[1]} is not registered"
            yield Denied(exchange=one, path="", why=why, where="the portmapper")


def _on_the_way_to_the_export(view: View, one: RpcExchange) -> bool:
    """Whether an NFS 4 compound looks up what is to be mounted: from the root, or step by step and then the end."""
    call, flow = one.call.message, one.flow
    if flow is None or not flow.began or one.call.ts_ns - (flow.originator.first_syn_ns or 0) > EARLY:
        return False
    if PUTROOTFH in call.operations or PUTFH not in call.operations:
        return one.failed_operation in (LOOKUP, PUTROOTFH, None)
    closing = flow.closing
    leaves = closing is not None and closing.ts_ns - one.call.ts_ns < LEAVES_WITHIN
    mine = (other for other in _by_flow(view).get(flow.index, ()) if other.call.ts_ns <= one.call.ts_ns)
    used = any(USED & set(other.call.message.operations) for other in mine)
    return one.failed_operation == LOOKUP and leaves and not used


@once_a_view
def _by_flow(view: View) -> dict[int, list[RpcExchange]]:
    found: dict[int, list[RpcExchange]] = {}
    for one in view.exchanges(RpcExchange):
        if one.flow is not None:
            found.setdefault(one.flow.index, []).append(one)
    return found


def _works_later(view: View, last: Denied) -> RpcExchange | None:
    """A mount, or any use of NFS, that the same client gets from the same server afterwards."""
    one = last.exchange
    for other in view.exchanges(RpcExchange):
        if (other.client, other.server, other.vlan) != (one.client, one.server, one.vlan):
            continue
        call = other.call.message
        mounted = other.mount_status == 0 and call.path == one.call.message.path
        found = other.nfs4_status == 0 and (LOOKUP in call.operations or bool(USED & set(call.operations)))
        other_way = one.call.message.program != Program.MOUNT and other.mount_status == 0
        kerberos = call.flavor == KERBEROS and other.reply is not None and not other.failed_call
        later = other.call.ts_ns > one.call.ts_ns
        # NFS version 4 needs no MOUNT: whoever uses it, before or after, is not harmed by a portmapper without
        if (later and (mounted or found or other_way or kerberos)) or (one.port_given == 0 and found):
            return other
    return None


def _finding(view: View, members: Sequence[Denied]) -> Finding:
    first, last = members[0], members[-1]
    one = first.exchange
    later = _works_later(view, last)
    path = first.path or "an export"
    frames = [number for each in members for number in (each.exchange.call.number, _reply(each.exchange))]
    return RULE.finding(
        subject=Subject(mac=one.client_mac, vlan=one.vlan, ip=one.client, server=one.server, port=NFS),
        severity=Severity.INFO if later is not None else Severity.ERROR,
        confidence=Confidence.LIKELY if first.where == "NFS version 4" else Confidence.CERTAIN,
        summary=(
            f"{one.server} does not let {one.client} mount {path}: {first.where} says {first.why}, "
            f"{times(len(members))}{', and then it works' if later is not None else ''}."
        ),
        evidence=(
            cite(view, frames, f"the call, and the answer: {first.why}"),
            *((cite(view, (later.call.number, _reply(later)), "a later one is granted"),) if later is not None else ()),
        ),
        filter=f"(mount || nfs || portmap) && ip.addr == {one.client} && ip.addr == {one.server}",
        first_ns=one.call.ts_ns,
        last_ns=last.exchange.call.ts_ns,
        alternatives=(
            f"{one.client} is not the address that the server's administrator knows this machine by: it leaves by "
            "another NIC, or an address translation stands between",
        ),
        next_steps=(
            NextStep(
                where=f"{one.client}",
                command=f"showmount -e {one.server}; ip route get {one.server}",
                meaning=f"{path} must be listed, for {one.client} or a network that holds it",
            ),
            NextStep(
                where=f"{one.server}",
                command="exportfs -v; tail -20 /var/log/syslog",
                meaning="the export's clients, and in the log the address that was refused",
            ),
        ),
    )


def _reply(one: RpcExchange) -> int:
    return one.reply.number if one.reply is not None else one.call.number


RULE = Rule(
    code="HOST008",
    name="nfs-export-denied",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
)
