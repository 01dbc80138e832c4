"""HOST023 iscsi-login-refused: the iSCSI target answers, and does not let the host log in.

What it does
------------
Reads the status of iSCSI login responses: wrong secret (0x0201), initiator not authorised (0x0202), no such target
(0x0203) and others of the classes 2 and 3. A login that works later makes it a remark; a redirection is none.

Why it matters
--------------
The network is sound, and the volumes on this storage are out of reach all the same.

Common causes
-------------
The initiator's name or address is not in the target's list, as after a host was reinstalled; the CHAP secret was
changed on one side; the target's name is misspelt, or the LUN was removed.

What else it could be
---------------------
A storage that is just failing over says "target error" for some seconds.

Next steps
----------
Compare the host's initiator name with the target's list.
"""

from collections.abc import Iterator, Sequence

from dissectors.iscsi import IscsiSession, status_name
from pcapdx.case import View
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.services import ISCSI
from pcapdx.rules.definitions.wording import cite, times

GRAVE = (2, 3)


def check(view: View) -> Iterator[Finding]:
    """One finding a host, storage and target."""
    grouped: dict[tuple[int, str | None, str | None, str | None], list[IscsiSession]] = {}
    for one in view.exchanges(IscsiSession):
        target = one.login.message.target if one.login is not None else None
        key = one.flow.vlan, one.flow.originator.ip, one.flow.responder.ip, target
        grouped.setdefault(key, []).append(one)
    for (_, client, server, target), members in grouped.items():
        refused = [one for one in members if one.response is not None and one.response.message.status >> 8 in GRAVE]
        if refused and client is not None and server is not None:
            last = max(one.response.ts_ns for one in refused if one.response is not None)
            later = any(
                one.response is not None and one.response.message.status == 0 and one.response.ts_ns > last
                for one in members
            )
            yield _finding(view, client, server, target, refused, later=later)


def _finding(
    view: View, client: str, server: str, target: str | None, refused: Sequence[IscsiSession], *, later: bool
) -> Finding:
    flow = refused[0].flow
    responses = [one.response for one in refused if one.response is not None]
    why = status_name(responses[0].message.status)
    initiator = next((one.login.message.initiator for one in refused if one.login is not None), None)
    frames = [one.login.number for one in refused if one.login is not None]
    return RULE.finding(
        subject=Subject(mac=flow.originator.mac, vlan=flow.vlan, ip=client, server=server, port=ISCSI),
        severity=Severity.INFO if later else Severity.ERROR,
        summary=(
            f"The iSCSI target {server} refuses the login of {client} ({initiator or 'initiator unknown'}) to "
            f"{target or 'its list of targets'} {times(len(refused))}: {why}"
            + (", and then accepts it." if later else ".")
        ),
        evidence=(cite(view, (*frames, *(one.number for one in responses)), f"login, and the response: {why}"),),
        filter=f"iscsi && ip.addr == {server} && ip.addr == {client}",
        first_ns=responses[0].ts_ns,
        last_ns=responses[-1].ts_ns,
        alternatives=("the storage is just failing over",) if responses[0].message.status >> 8 == GRAVE[1] else (),
        next_steps=(
            NextStep(
                where=f"{client}",
                command="cat /etc/iscsi/initiatorname.iscsi; grep -E '^node.session.auth' /etc/iscsi/iscsid.conf; "
                f"iscsiadm -m discovery -t st -p {server}",
                meaning="the name it logs in by, whether it has a CHAP secret, and the targets it is shown",
            ),
            NextStep(
                where=f"storage {server}",
                command="tgtadm --lld iscsi --op show --mode target; targetcli ls /iscsi",
                meaning=f"{target or 'the target'} must exist and list {initiator or 'this initiator'} or {client}",
            ),
        ),
    )


RULE = Rule(
    code="HOST023",
    name="iscsi-login-refused",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
)
