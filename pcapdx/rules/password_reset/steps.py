"""What to run next when password delivery fails; the same commands for every rule of this topic."""

from pcapdx.model import NextStep, Subject


def listener(server: str) -> NextStep:
    """Does anything listen, and where."""
    return NextStep(
        where="virtual router",
        command="ss -ltnp '( sport = :8080 )'; systemctl status 'cloud-password-server@*'",
        meaning=(
            f"a line for {server}:8080 or *:8080 must be there; none: the password server is down or bound elsewhere"
        ),
    )


def journal() -> NextStep:
    """What the password server says of itself."""
    return NextStep(
        where="virtual router",
        command="journalctl -u 'cloud-password-server@*' --since -1h | grep -E 'serve_password|Traceback'",
        meaning="a traceback: the server fails while it answers; 'password sent': it believes it delivered",
    )


def stored(client: str) -> NextStep:
    """Is a password waiting for this address."""
    return NextStep(
        where="virtual router",
        command=f"grep -l '^{client}=' /var/cache/cloud/passwords-*",
        meaning="a file name: a password waits for this address; nothing: none was set, or it was fetched already",
    )


def management(client: str) -> NextStep:
    """Did CloudStack send the password to the router."""
    return NextStep(
        where="management server",
        command="grep -E 'SavePasswordCommand' /var/log/cloudstack/management/management-server.log | tail",
        meaning=f"no line for {client} since the reset: the router was never told the password",
    )


def subject(mac: str | None, vlan: int, client: str | None, server: str | None) -> Subject:
    """Client and server of a password request."""
    return Subject(mac=mac, vlan=vlan, ip=client, server=server, port=8080)
