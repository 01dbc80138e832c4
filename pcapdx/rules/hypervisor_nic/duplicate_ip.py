"""HYP015 duplicate-ip: two machines use one address at the same time.

What it does
------------
Follows who claims an address by ARP in one VLAN. Two MACs that both answer one request, or that take turns without
announcing a takeover, share the address.

Why it matters
--------------
Each neighbour talks to whichever answered last: connections reset, sessions die, and half of the users see another
machine.

Common causes
-------------
An address typed by hand inside CloudStack's range; a range that overlaps with hosts or another DHCP server; a public
address on two virtual routers (issues 8967, 11607).

What else it could be
---------------------
A failover, a router that was rebuilt, a migration: there the address changes hands once, or is announced each time.
VRRP addresses, and proxies that answer for many, are left out. One host with two NICs in one subnet answers with both.
A bond in mode balance-alb tells each neighbour another of its MACs, and no request has two answers.
Two tenants' networks with one address plan, in a capture of all interfaces that has no tags: there both must have
answered one request, or speak with the same neighbours.

Next steps
----------
Find both MACs in the switches' tables, and the address in CloudStack's database.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from dissectors.arp import Arp, ArpExchange
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.frame import Segment
from pcapdx.model import Confidence, Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.arp_flux import fluxes
from pcapdx.rules.definitions.domains import Machine, domain_of
from pcapdx.rules.definitions.local import is_local
from pcapdx.rules.definitions.macs import is_group, is_virtual_router_protocol
from pcapdx.rules.definitions.memo import once_a_view
from pcapdx.rules.definitions.windows import REPETITION, SECOND
from pcapdx.rules.definitions.wording import cite, in_vlan, listed, times
from pcapdx.values import dataclass

WITHIN = 60 * SECOND
BOTH_ANSWER = 1 * SECOND
TAKEOVER = 5 * SECOND
"""Who announced an address so shortly before has taken it over on purpose, as VRRP does."""
CERTAIN = 2
CLAIMS = 2
"""Of one MAC: a single one may be a frame that was damaged."""
Address = tuple[Segment, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One address that two MACs claim."""

    macs: tuple[str, ...]
    together: tuple[tuple[int, ...], ...]
    """Frames of each request that both answered."""
    returns: tuple[Seen[Arp], ...]
    """Claims by which a MAC came back, unannounced, after the other had claimed."""
    claims: tuple[Seen[Arp], ...]


@once_a_view
def contests(view: View) -> Mapping[Address, Contest]:
    """Every contested address."""
    claims: dict[Address, list[Seen[Arp]]] = {}
    for one in view.messages(Arp):
        ip, mac = one.message.sender_ip, one.message.sender_mac
        # who passes on another's claim, or garbles it, claims nothing
        sound = mac is not None and mac == one.frame.eth_src and not is_group(mac) and one.message.op in (1, 2)
        if sound and ip and ip != "0.0.0.0":
            claims.setdefault((one.frame.segment, ip), []).append(one)
    proxies = _proxies(claims)
    found: dict[Address, Contest] = {}
    for address, claimed in claims.items():
        own = [one for one in claimed if (address[0], one.message.sender_mac) not in proxies and not _by_design(one)]
        for members in _by_domain(view, address[0], own):
            contest = _contest(view, address, members)
            if contest is not None:
                found[address] = contest
    return found


def _by_domain(view: View, segment: Segment, claims: Sequence[Seen[Arp]]) -> Iterator[list[Seen[Arp]]]:
    """Claims of machines that are in one network: tenants may have one address plan."""
    grouped: dict[Machine, list[Seen[Arp]]] = {}
    for one in claims:
        grouped.setdefault(domain_of(view, segment, one.message.sender_mac), []).append(one)
    yield from grouped.values()


def _contest(view: View, address: Address, claims: Sequence[Seen[Arp]]) -> Contest | None:
    counted = Counter(one.message.sender_mac or "" for one in claims)
    macs = tuple(mac for mac, count in counted.items() if count >= CLAIMS)
    if len(macs) < 2:
        return None
    together = _together(view, address, macs)
    returns = _returns([one for one in claims if one.message.sender_mac in macs])
    to_all = any(is_group(one.frame.eth_dst) for one in claims)  # else announcements would not be here either
    if not together and (not returns or not to_all or _one_answers(view, address, macs)):
        return None
    return Contest(macs=macs, together=together, returns=returns, claims=tuple(claims))


def _by_design(claim: Seen[Arp]) -> bool:
    return is_virtual_router_protocol(claim.message.sender_mac)


def _proxies(claims: Mapping[Address, Sequence[Seen[Arp]]]) -> set[tuple[Segment, str | None]]:
    """(segment, MAC) of those that answer for three addresses or more."""
    answers: dict[tuple[Segment, str | None], set[str]] = {}
    for (segment, ip), claimed in claims.items():
        for one in claimed:
            if one.message.reply:
                answers.setdefault((segment, one.message.sender_mac), set()).add(ip)
    return {who for who, ips in answers.items() if len(ips) >= REPETITION}


def _together(view: View, address: Address, macs: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Requests for the address that two of the MACs answered within a second."""
    segment, ip = address
    found = []
    for exchange in view.exchanges(ArpExchange):
        if (exchange.segment, exchange.target_ip) != (segment, ip):
            continue
        asked = exchange.requests[-1]
        answers = {
            one.message.sender_mac: one.number
            for one in exchange.replies
            if one.message.sender_mac in macs and one.ts_ns - asked.ts_ns < BOTH_ANSWER
        }
        if len(answers) > 1:
            found.append((asked.number, *answers.values()))
    return tuple(found)


def _one_answers(view: View, address: Address, macs: Sequence[str]) -> bool:
    """Whether every request that went to all had one answer, though each MAC's answers are to be seen here.

    Of one asker's requests some were answered by one, some by the other: the address was handed over, announced or not.
    Of several askers each has an answer of its own: a bond that balances what it receives, unless one of the MACs is on
    this side of a NIC and the other beyond it, so that each asker's second answer takes another way.
    """
    segment, ip = address
    answers: dict[str, set[str]] = {}
    for exchange in view.exchanges(ArpExchange):
        if (exchange.segment, exchange.target_ip) == (segment, ip) and is_group(exchange.requests[-1].frame.eth_dst):
            found = {one.message.sender_mac for one in exchange.replies} & set(macs)
            answers.setdefault(exchange.asker_mac, set()).update(one for one in found if one)
    if any(len(found) > 1 for found in answers.values()):
        return True
    sides = {is_local(view, mac) for mac in macs}
    role = view.vantage.role
    apart = len(sides) > 1 or (None in sides and role is not None and role.is_wire)
    return not apart and set(macs) <= set().union(*answers.values())


def _returns(claims: Sequence[Seen[Arp]]) -> tuple[Seen[Arp], ...]:
    last: dict[str | None, int] = {}
    announced: dict[str | None, int] = {}
    before: str | None = None
    found = []
    for one in claims:
        mac = one.message.sender_mac
        if one.message.gratuitous:
            announced[mac] = one.ts_ns
        back = before not in (None, mac) and mac in last and one.ts_ns - last[mac] < WITHIN
        if back and (mac not in announced or one.ts_ns - announced[mac] > TAKEOVER):
            found.append(one)
        last[mac], before = one.ts_ns, mac
    return tuple(found)


def check(view: View) -> Iterator[Finding]:
    """One finding an address."""
    found = contests(view)
    one_machine = {(one.vlan, one.vni, ip): set(one.macs) for one in fluxes(view) for ip in one.answered}
    for (segment, ip), contest in found.items():
        vlan, _, vni = segment
        if set(contest.macs) <= one_machine.get((vlan, vni if vni >= 0 else None, ip), set()):
            continue  # HOST014 says it
        shared = [key for key, other in found.items() if other.macs == contest.macs and key[0] == segment]
        yield _finding(view, vlan, ip, contest, one_host=len(shared) > 1)


def _finding(view: View, vlan: int, ip: str, contest: Contest, *, one_host: bool) -> Finding:
    repeated = len(contest.together) >= CERTAIN or len(contest.returns) >= CERTAIN
    how = []
    if contest.together:
        how.append(f"both answered the same request {times(len(contest.together))}")
    if contest.returns:
        how.append(f"they took turns {times(len(contest.returns))}")
    answered = [number for frames in contest.together for number in frames]
    owners = "|".join(contest.macs[:4])
    turns = [contest.claims[0].number, *(one.number for one in contest.returns)] if contest.returns else []
    return RULE.finding(
        subject=Subject(vlan=vlan, ip=ip),
        severity=Severity.ERROR if repeated and not one_host else Severity.WARNING,
        confidence=Confidence.CERTAIN if repeated and not one_host else Confidence.LIKELY,
        summary=f"{ip} is used by {listed(contest.macs[:4])} at once ({in_vlan(vlan)}): {listed(how)}.",
        evidence=(
            *((cite(view, answered, f"requests for {ip}, each with two answers"),) if answered else ()),
            *(
                (cite(view, turns, f"{ip} claimed by one, then by the other, then by the first again"),)
                if turns
                else ()
            ),
        ),
        filter=f"arp.src.proto_ipv4 == {ip}",
        first_ns=contest.claims[0].ts_ns,
        last_ns=contest.claims[-1].ts_ns,
        alternatives=(
            ("one host with two NICs in this subnet answers with both MACs (ARP flux)",)
            if one_host
            else ("a failover just in these seconds: then the first MAC does not come back",)
        ),
        next_steps=(
            NextStep(
                where="switch, or each host",
                command=f"show mac address-table address {contest.macs[0]}; bridge fdb show | grep -E '{owners}'",
                meaning="the ports behind which the two machines are",
            ),
            NextStep(
                where="CloudStack database",
                command=f"select instance_id, mac_address from nics where ip4_address='{ip}' and removed is null",
                meaning="the MAC that is there owns the address; the other one took it",
            ),
        ),
    )


RULE = Rule(
    code="HYP015",
    name="duplicate-ip",
    topic=Topic.HYPERVISOR_NIC,
    severity=Severity.ERROR,
    check=check,
    explains=("DHCP017", "DHCP018"),
)
