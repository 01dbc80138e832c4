"""Capturing on another host over ssh: ``ssh://[user@]host[:port]/interface``.

The far host needs tcpdump and a shell, nothing of ours; the way to it is the user's own ssh (its configuration, agent
and jump hosts). Two things are easy to get wrong. The ssh connection carries the capture, so a capture that holds it
grows by itself: it is filtered out by the ends that the far side sees, whatever tags it has there. And a tcpdump that
no packet matches does not notice that its reader has gone: a shell beside it waits for the end of its standard input
and interrupts it (again, should it not yet listen), so that it is never left behind and still tells what it dropped.
"""

import re
import shlex

from pcapdx.errors import PcapdxError
from pcapdx.live.child import BUFFER_KIB
from pcapdx.values import dataclass

SCHEME = "ssh://"
OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3", "EscapeChar=none")
"""Nothing is asked on a terminal, and a connection that has died ends within a quarter of a minute."""

_TARGET = re.compile(
    r"(?:(?P<user>[A-Za-z_][\w.-]*)@)?(?P<host>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[A-Za-z0-9_][\w.-]*)(?::(?P<port>\d{1,5}))?"
    r"/(?P<interface>[\w.@:+-]+)"
)
_SCRIPT = """\
command -v tcpdump >/dev/null || {{ echo 'tcpdump is not installed there' >&2; exit 127; }}
set -- $SSH_CONNECTION
own="tcp and host $1 and port $2 and host $3 and port $4"
{others}
exec 3<&0
tcpdump -i {interface} -U -s0 -n -B {buffer} --time-stamp-precision=nano -w - "{expression}not ($own)" & child=$!
(cat; while kill -INT $child; do sleep 1; done) <&3 >/dev/null 2>&1 & watcher=$!
wait $child; status=$?
kill $watcher 2>/dev/null
exit $status
"""
_TAGGED = 'own="($own) or (vlan and (($own) or (vlan and $own)))"'
"""``vlan`` moves the place where all that follows is looked for, so the plain form stands first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where to capture."""

    destination: str
    """As ssh takes it: ``ssh://[user@]host[:port]``."""
    host: str
    interface: str


def remote(path: str) -> Remote | None:
    """What an ``ssh://`` address names; None of anything else. Raises PcapdxError for one that is not whole."""
    if not path.startswith(SCHEME):
        return None
    match = _TARGET.fullmatch(path.removeprefix(SCHEME))
    if match is None:
        raise PcapdxError(f"{path}: not ssh://[USER@]HOST[:PORT]/INTERFACE")
    user, port = match["user"], match["port"]
    destination = SCHEME + (f"{user}@" if user else "") + match["host"] + (f":{port}" if port else "")
    return Remote(destination=destination, host=match["host"].strip("[]"), interface=match["interface"])


def remote_command(where: Remote, expression: str) -> list[str]:
    """The command line of the local ssh; it ends when its standard input does."""
    script = _SCRIPT.format(
        interface=shlex.quote(where.interface),
        buffer=BUFFER_KIB,
        # the pseudo-interface has no tags, and tcpdump refuses to look for them there
        others="" if where.interface == "any" else _TAGGED,
        expression=_within_quotes(f"({expression}) and ") if expression else "",
    )
    options = [word for option in OPTIONS for word in ("-o", option)]
    return ["ssh", "-T", *options, "--", where.destination, f"sh -c {shlex.quote(script)}"]


def _within_quotes(text: str) -> str:
    """For a place between double quotes of a shell."""
    return re.sub(r'([\\"$`])', r"\\\1", text)
