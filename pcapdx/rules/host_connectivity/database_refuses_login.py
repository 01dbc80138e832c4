"""HOST022 database-refuses-login: MySQL answers, and does not let the management server in.

What it does
------------
Reads the error that a MySQL or MariaDB server sends in place of its greeting, or in answer to a login: host not allowed
(1130), host blocked after too many errors (1129), too many connections (1040), access denied (1045) and others.

Why it matters
--------------
The management server does not start, or loses its database while it runs, and with it everything it manages.

Common causes
-------------
The database's grants name another address of the management server; db.properties holds an old password;
max_connections is smaller than what all management servers and usage servers open together.

What else it could be
---------------------
A client that is no management server, as far as profile, port 8250 and the user's name (cloud) tell, is only remarked;
so is an error after which the same client gets in.

Next steps
----------
Ask the database for its grants and limits.
"""

from collections.abc import Iterator, Sequence

from dissectors.mysql import MysqlResult, MysqlSession
from pcapdx.case import View
from pcapdx.dissect import Seen
from pcapdx.model import Finding, NextStep, Severity, Subject, Topic
from pcapdx.rule import Rule
from pcapdx.rules.definitions.management import management_servers
from pcapdx.rules.definitions.services import MYSQL
from pcapdx.rules.definitions.wording import cite, times
from pcapdx.values import dataclass

NAMES = {
    1040: "too many connections",
    1044: "access to the schema denied",
    1045: "access denied: user, password or host",
    1049: "unknown database",
    1129: "this host is blocked after too many errors",
    1130: "this host is not allowed to connect",
    1203: "this user has too many connections",
    1226: "this user is over a limit",
    1698: "access denied: this user has no password login",
}
USERS = frozenset({"cloud"})
LIMITS = frozenset({1040, 1203, 1226})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A session and the error by which it ended."""

    session: MysqlSession
    error: Seen[MysqlResult]


def check(view: View) -> Iterator[Finding]:
    """One finding a client, server and error."""
    grouped: dict[tuple[int, str | None, str | None, int], list[Refusal]] = {}
    for session in view.exchanges(MysqlSession):
        error = session.result
        if error is not None and error.message.code in NAMES:
            flow = session.flow
            key = flow.vlan, flow.originator.ip, flow.responder.ip, error.message.code
            grouped.setdefault(key, []).append(Refusal(session=session, error=error))
    for (_, client, server, code), members in grouped.items():
        if client is not None and server is not None:
            yield _finding(view, client, server, code, members)


def _gets_in(view: View, client: str, server: str, after_ns: int) -> bool:
    """Whether a later login is answered by OK, or goes on within TLS."""
    for one in view.exchanges(MysqlSession):
        flow = one.flow
        mine = (flow.originator.ip, flow.responder.ip) == (client, server)
        if not mine or one.greeting is None or one.greeting.ts_ns <= after_ns:
            continue
        tls = one.login is not None and one.login.message.tls and one.result is None
        if (one.result is not None and one.result.message.code == 0) or (tls and flow.closing is None):
            return True
    return False


def _finding(view: View, client: str, server: str, code: int, members: Sequence[Refusal]) -> Finding:
    flow = members[0].session.flow
    users = [one.session.login.message.user for one in members if one.session.login is not None]
    user = next((one for one in users if one), None)
    ours = client in management_servers(view) or user in USERS
    later = _gets_in(view, client, server, members[-1].error.ts_ns)
    as_user = f" as {user}" if user else ""
    return RULE.finding(
        subject=Subject(mac=flow.originator.mac, vlan=flow.vlan, ip=client, server=server, port=MYSQL),
        severity=Severity.ERROR if ours and not later else Severity.INFO,
        summary=(
            f"The database {server}:{MYSQL} refuses {client}{as_user} {times(len(members))}: {NAMES[code]} "
            f"(error {code}){', and then lets it in' if later else ''}."
        ),
        evidence=(cite(view, (one.error.number for one in members), f"error {code}: {NAMES[code]}"),),
        filter=f"mysql && ip.addr == {server} && ip.addr == {client}",
        first_ns=members[0].error.ts_ns,
        last_ns=members[-1].error.ts_ns,
        alternatives=()
        if ours
        else (f"{client} is no management server: nothing in this capture says that it is one",),
        next_steps=(
            NextStep(
                where=f"database server {server}",
                command="mysql -e \"show variables like 'max_connections'; show status like '%connections'; "
                'show processlist"'
                if code in LIMITS
                else "mysql -e \"select user, host, plugin from mysql.user where user='cloud'; "
                'select * from performance_schema.host_cache"',
                meaning="the limit, and whose connections use it up"
                if code in LIMITS
                else f"cloud must be allowed from {client}; for error 1129: mysqladmin flush-hosts, then find out why",
            ),
            NextStep(
                where=f"{client}",
                command="grep -E '^db.cloud.(host|username|url|maxActive)' /etc/cloudstack/management/db.properties; "
                f"ip route get {server}",
                meaning="the user and host it uses, and the address that it comes from",
            ),
        ),
    )


RULE = Rule(
    code="HOST022",
    name="database-refuses-login",
    topic=Topic.HOST_CONNECTIVITY,
    severity=Severity.ERROR,
    check=check,
)
