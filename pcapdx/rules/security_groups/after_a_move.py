"""SG009 stall-after-migration, SG010 stale-gateway-mac: what filters on a host forget when a guest or a gateway moves.

What it does
------------
With captures at the NIC of a host and at a guest's tap: finds a connection whose data come in again and again and
reach the guest, which has just come to this host, only after it spoke itself (SG009); and a guest that goes on sending
to the old MAC of its gateway ten seconds after the gateway announced a new one, where the announcement never reached
the tap (SG010).

Why it matters
--------------
Both heal by themselves after a while, and come back with every move.

Common causes
-------------
SG009: the new host's connection tracking has no entry, and the packet from outside is no new connection. SG010: the ARP
filter of security groups lets only frames for the guest's own address pass, so it drops announcements.

What else it could be
---------------------
SG009: the guest was paused while it moved. SG010: a gateway that keeps its MAC at a failover does not need the
announcement.

Next steps
----------
SG009: shorten the keepalive of the application. SG010: let the gateway announce by unicast, or keep its MAC.
"""

from collections.abc import Iterator

import numpy as np

from dissectors.arp import Arp
from pcapdx.case import Case
from pcapdx.dissect import Seen
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.path.trail import TCP
from pcapdx.rule import Rule
from pcapdx.rules.definitions.path import Leg, ip_of, legs, mac_int, most_seen
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, duration, times

RECENT = 120 * SECOND
STALE = 10 * SECOND


def check_stall(case: Case) -> Iterator[Finding]:
    """SG009: one finding a connection."""
    for leg in legs(case):
        if leg.enters_host and leg.guest:
            yield from _stalls(leg, leg.guest)


def _stalls(leg: Leg, guest: str) -> Iterator[Finding]:
    rows, number = leg.rows, mac_int(guest)
    came = next((one.first_ns for one in leg.near.talkers if one.mac == guest and one.sent), None)
    data = (rows["protocol"] == TCP) & (rows["payload"] > 0) & (rows["eth_dst"] == number)
    for flow in most_seen(rows["flow"][data]):
        fate = leg.fate(data & (rows["flow"] == flow))
        spoke = rows["ts_ns"][(rows["flow"] == flow) & (rows["eth_src"] == number)]
        if came is None or len(fate.lost) < REPETITION:
            continue
        first_lost, last_lost = int(fate.lost["ts_ns"][0]), int(fate.lost["ts_ns"][-1])
        after = fate.passed["ts_ns"][fate.passed["ts_ns"] > last_lost]
        woke = spoke[spoke > last_lost]
        silent = not np.any((spoke > first_lost) & (spoke < last_lost))
        if first_lost - came > RECENT or not silent or not len(after) or not len(woke) or woke[0] > after[0]:
            continue
        client, server = ip_of(fate.lost["src"][0]) or "?", ip_of(fate.lost["dst"][0]) or "?"
        yield STALL.finding(
            subject=Subject(mac=guest, ip=client, server=server, port=int(fate.lost["service"][0])),
            confidence=leg.confidence,
            summary=(
                f"A connection of {client} to {server} stalled on the guest's new host: "
                f"{times(len(fate.lost))} its data "
                f"came to {leg.near.name} and not to {leg.far.name}, until the guest itself sent something."
            ),
            evidence=(
                leg.seen(fate.lost, "data that did not reach the guest"),
                leg.arrived(fate.passed, "data after the guest's own packet"),
            ),
            filter=f"ip.addr == {client} && ip.addr == {server} && tcp",
            first_ns=int(fate.lost["ts_ns"][0]),
            last_ns=int(after[0]),
            alternatives=("the guest was paused while it moved",),
            limits=leg.limits,
            next_steps=(
                NextStep(
                    where=f"host of {leg.far.name}",
                    command=f"conntrack -L -s {client} -d {server}; conntrack -S",
                    meaning="no entry before the guest speaks: the filter takes the data for invalid",
                ),
            ),
        )


def check_gateway(case: Case) -> Iterator[Finding]:
    """SG010: one finding a guest and gateway."""
    for leg in legs(case):
        if leg.enters_host and leg.guest:
            yield from _gateways(leg, leg.guest)


def _gateways(leg: Leg, guest: str) -> Iterator[Finding]:
    there = set(leg.rows["number"][leg.pair.there >= 0].tolist())
    told: set[str] = set()
    for one in leg.near.messages(Arp):
        ip, new = one.message.sender_ip, one.message.sender_mac
        if not one.message.gratuitous or ip is None or new is None or one.number in there or ip in told:
            continue
        old = {other.mac for other in leg.far.bindings if other.ip == ip} - {new}
        late = _sent_to(leg, guest, old, one.ts_ns + leg.pair.offset_ns + STALE)
        if len(old) == 1 and len(late) >= REPETITION:
            told.add(ip)
            yield _stale(leg, guest, ip, (old.pop(), new), one, late)


def _sent_to(leg: Leg, guest: str, macs: set[str], since_ns: int) -> list[int]:
    """Frames of the guest at its tap to these MACs from a moment on."""
    others = leg.pair.others
    chosen = (others["eth_src"] == mac_int(guest)) & np.isin(others["eth_dst"], [mac_int(mac) for mac in macs])
    frames: list[int] = others["number"][chosen & (others["ts_ns"] >= since_ns)].tolist()
    return frames


def _stale(leg: Leg, guest: str, ip: str, macs: tuple[str, str], announced: Seen[Arp], late: list[int]) -> Finding:
    old, new = macs
    after = leg.far.last_ns - leg.pair.offset_ns - announced.ts_ns
    return GATEWAY.finding(
        subject=Subject(mac=guest, ip=ip),
        confidence=leg.confidence,
        summary=(
            f"{guest} goes on sending to {old} for its gateway {ip}, which announced {new} at {leg.near.name}; the "
            f"announcement never came to its tap ({leg.far.name})."
        ),
        evidence=(
            cite(leg.near, (announced.number,), f"{ip} is announced at {new}; not at {leg.far.name}"),
            cite(leg.far, late, f"frames to {old}, from ten seconds after on"),
        ),
        filter=f"(eth.src == {guest} && eth.dst == {old}) || arp.src.proto_ipv4 == {ip}",
        first_ns=announced.ts_ns,
        last_ns=announced.ts_ns + after,
        alternatives=(f"{old} still forwards, and nothing is lost: look whether the guest is answered",),
        limits=(f"seen for {duration(after)} after the announcement", *leg.limits),
        next_steps=(
            NextStep(
                where=f"instance {guest}",
                command=f"ip neigh show {ip}; ip neigh flush {ip}",
                meaning=f"{old} there: after the flush it asks anew and learns {new}",
            ),
            NextStep(
                where=f"host of {leg.far.name}",
                command="ebtables -t nat -L --Lc",
                meaning=(
                    "the tap's ARP chain admits only what is for the guest's own address: announcements are dropped"
                ),
            ),
        ),
    )


STALL = Rule(
    code="SG009",
    name="stall-after-migration",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.WARNING,
    check_path=check_stall,
)
GATEWAY = Rule(
    code="SG010",
    name="stale-gateway-mac",
    topic=Topic.SECURITY_GROUPS,
    severity=Severity.WARNING,
    check_path=check_gateway,
    explains=("META002", "PWD003"),
)
