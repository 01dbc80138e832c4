"""HOST010 storage-stall-then-host-gone: a host's storage stalls for a minute, then the host itself falls silent.

What it does
------------
Finds a host that sends again and again to its storage (NFS or iSCSI) for sixty seconds without an answer, and after
that sends nothing at all for thirty seconds, while others are heard. A capture on the host itself ends with it and
shows nothing of this.

Why it matters
--------------
A host that cannot write its heartbeat reboots itself, and all of its guests with it. The storage is the cause, not the
host.

Common causes
-------------
The storage network's switch, VLAN or MTU; a storage server that failed over too slowly.

What else it could be
---------------------
A host whose power or uplink failed at the same moment.

Next steps
----------
Read the heartbeat's log of the host once it is back, and what happened to the storage a minute before.
"""

from collections.abc import Iterator

from pcapdx.case import Talker, View
from pcapdx.dissect import Flow, Half
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.macs import is_guest
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration, listed, times
from pcapdx.rules.host_connectivity import ISCSI, NFS

STALL = 60 * SECOND
GONE = 30 * SECOND
TOGETHER = 5 * SECOND
OTHERS = 2
"""Machines that must be heard after the host is gone."""


def check(view: View) -> Iterator[Finding]:
    """One finding a host."""
    told: set[str | None] = set()
    for flow in view.flows.where(ports=(NFS, ISCSI), sent_again=REPETITION):
        host, storage = flow.originator, flow.responder
        if host.mac in told or host.retransmissions < REPETITION or not storage.packets or not host.last_ns:
            continue
        if is_guest(host.mac) or _stalled_ns(host, storage) < STALL:
            continue
        gone_ns = max((one.last_ns or 0 for one in view.talkers if one.mac == host.mac), default=0)
        if view.last_ns - gone_ns < GONE or gone_ns - host.last_ns > STALL or not _others(view, host.mac, gone_ns):
            continue
        told.add(host.mac)
        yield _finding(view, flow, gone_ns)


def _stalled_ns(host: Half, storage: Half) -> int:
    """From the storage's last word to the host's last try."""
    return (host.last_ns or 0) - (storage.last_ns or 0)


def _others(view: View, mac: str | None, gone_ns: int) -> bool:
    """Whether the capture went on and others spoke for as long as the host was silent."""
    heard = {one.mac for one in view.talkers if one.mac != mac and (one.last_ns or 0) > gone_ns + GONE}
    return len(heard) >= OTHERS


def _finding(view: View, flow: Flow, gone_ns: int) -> Finding:
    host, storage = flow.originator, flow.responder
    with_it: list[Talker] = [
        one for one in view.talkers if one.mac != host.mac and one.sent and abs((one.last_ns or 0) - gone_ns) < TOGETHER
    ]
    guests = [one.mac for one in with_it if is_guest(one.mac)]
    frames = [number for number in (storage.last_frame, host.stuck_frame, host.last_frame) if number is not None]
    return RULE.finding(
        subject=Subject(mac=host.mac, vlan=flow.vlan, ip=host.ip),
        confidence=Confidence.LIKELY,
        summary=(
            f"{host.ip} got nothing from its storage {storage.ip}:{storage.port} for "
            f"{duration(_stalled_ns(host, storage))} (sent again {times(host.retransmissions)}), then fell silent for "
            f"{duration(view.last_ns - gone_ns)}"
            + (f", and with it {listed(guests[:3])}." if guests else ": it has probably rebooted itself.")
        ),
        evidence=(
            cite(view, frames, f"the last word of {storage.ip}, and what is sent to it again in vain"),
            *(
                (cite(view, (one.last_frame or 0 for one in with_it), "others that fall silent at the same moment"),)
                if with_it
                else ()
            ),
        ),
        filter=f"ip.addr == {host.ip}",
        first_ns=storage.last_ns,
        last_ns=gone_ns,
        alternatives=(f"power or uplink of {host.ip} failed at the same moment as its storage",),
        limits=("the capture ends before the host comes back",),
        next_steps=(
            NextStep(
                where=f"{host.ip}, once it is back",
                command="journalctl -b -1 -e | grep -iE 'heartbeat|nfs|reboot'; last -x reboot | head -3",
                meaning="kvmheartbeat.sh says that it rebooted the host: the storage is the cause",
            ),
            NextStep(
                where=f"storage server {storage.ip} and its switch ports",
                command="show interfaces counters errors; show logging | include changed state",
                meaning=f"what happened {duration(gone_ns - (storage.last_ns or 0))} before the host went silent",
            ),
        ),
    )


RULE = Rule(
    code="HOST010",
    name="storage-stall-then-host-gone",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("HOST001", "HOST004", "HOST007"),
)
