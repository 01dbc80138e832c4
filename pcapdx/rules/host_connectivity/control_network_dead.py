"""HOST012 control-network-dead: a host never reaches a system VM by its control address.

What it does
------------
Finds a host that for more than two minutes tries port 3922 of a system VM in vain, or asks by ARP for its link-local
address in vain from 169.254.0.1.

Why it matters
--------------
The system VM stays "Starting" and is destroyed and made anew; what it should do is never told to it. The guests'
traffic may be fine.

Common causes
-------------
The bridge cloud0 lost its address (169.254.0.1) or the VM's NIC; sshd inside the VM does not start; the VM does not
boot.

What else it could be
---------------------
A system VM that boots is not reached for up to two minutes, and is left out; one that answers in the end, too.

Next steps
----------
Look at cloud0 on the host and at the VM's console.
"""

from collections.abc import Iterator

from dissectors.arp import DISSECTOR as ARP
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.addresses import within
from pcapdx.rules.definitions.arp_dead import ArpDead, arp_dead
from pcapdx.rules.definitions.syn_dead import Tries, refused, syn_dead
from pcapdx.rules.definitions.windows import BOOT, REPETITION
from pcapdx.rules.definitions.wording import at_least, cite, duration, times

SSH = 3922
HOST_END = "169.254.0.1"
LINK_LOCAL = ("169.254.0.0/16",)
METADATA = "169.254.169.254"
ARP_KEPT = ARP.sample.every_ns if ARP.sample else 0
"""Of equal requests one in so long is a message."""


def check(view: View) -> Iterator[Finding]:
    """One finding a system VM."""
    for tries in syn_dead(view, (SSH,)):
        if tries.last_ns - tries.first_ns > BOOT:
            yield _unreached(view, tries, "no answer")
    for tries in refused(view, (SSH,), at_least=REPETITION):
        if tries.last_ns - tries.first_ns > BOOT:
            yield _unreached(view, tries, "refused (RST) each time: sshd does not run")
    for dead in arp_dead(view):
        control = within(dead.target_ip, LINK_LOCAL) and dead.target_ip not in (METADATA, HOST_END)
        if control and dead.asker_ip == HOST_END and _too_long(view, dead):
            yield _unknown(view, dead)


def _too_long(view: View, dead: ArpDead) -> bool:
    """Whether a host asked for longer than a boot takes; where equal requests are only counted, the last may be one."""
    unsure = ARP_KEPT if "arp" in view.left_out else 0
    return dead.last_ns - dead.first_ns > BOOT - unsure and view.last_ns - dead.first_ns > BOOT


def _unreached(view: View, tries: Tries, how: str) -> Finding:
    return RULE.finding(
        subject=Subject(mac=tries.client_mac, vlan=tries.vlan, ip=tries.client, server=tries.server, port=SSH),
        summary=(
            f"{tries.client} tried the system VM {tries.server} on port {SSH} {times(tries.count)} in "
            f"{duration(tries.last_ns - tries.first_ns)}: {how}."
        ),
        evidence=(cite(view, tries.frames, f"SYN to {SSH}; {how}"),),
        filter=f"tcp.port == {SSH} && ip.addr == {tries.server}",
        first_ns=tries.first_ns,
        last_ns=tries.last_ns,
        alternatives=("the system VM does not boot at all: its console tells",),
        next_steps=_steps(tries.server),
    )


def _unknown(view: View, dead: ArpDead) -> Finding:
    return RULE.finding(
        subject=Subject(mac=dead.asker_mac, vlan=dead.vlan, ip=dead.asker_ip, server=dead.target_ip, port=SSH),
        summary=(
            f"The host asked for the system VM {dead.target_ip} on the control network by ARP "
            f"{at_least(view, len(dead.frames), 'arp')} in {duration(dead.last_ns - dead.first_ns)}; nobody answers."
        ),
        evidence=(cite(view, dead.frames, f"ARP: who has {dead.target_ip}, tell {HOST_END}; no reply"),),
        filter=f"arp.dst.proto_ipv4 == {dead.target_ip}",
        first_ns=dead.first_ns,
        last_ns=dead.last_ns,
        alternatives=("the system VM does not boot at all: its console tells",),
        next_steps=_steps(dead.target_ip),
    )


def _steps(server: str) -> tuple[NextStep, ...]:
    return (
        NextStep(
            where="this host",
            command=f"ip -br addr show cloud0; bridge link | grep cloud0; ip neigh show {server}",
            meaning=f"cloud0 must have {HOST_END}/16 and the system VM's vnet as a port",
        ),
        NextStep(
            where="this host",
            command=f"virsh list; virsh console <system VM>; ssh -p {SSH} -i /root/.ssh/id_rsa.cloud root@{server}",
            meaning="does it boot, has eth0 this address, does sshd run",
        ),
    )


RULE = Rule(
    code="HOST012",
    name="control-network-dead",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
    explains=("SG001",),
)
