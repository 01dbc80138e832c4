"""What to run next when a host does not reach its management server or storage."""

from pcapdx.model import NextStep


def path(client: str, server: str, port: int) -> NextStep:
    """Does the host's own kernel reach it."""
    return NextStep(
        where=f"{client}",
        command=f"ip route get {server}; ip neigh show {server}; nc -vz -w 5 {server} {port}",
        meaning="the NIC and gateway it leaves by must be those of this network; a time-out again: the path drops it",
    )


def firewall(server: str, port: int) -> NextStep:
    """Does the far side drop it."""
    return NextStep(
        where=f"{server}",
        command=f"tcpdump -enni any 'tcp port {port}'; (iptables-save -c; nft list ruleset) | grep -w {port}",
        meaning="SYNs arrive here: its own firewall drops them; none arrive: something before it does",
    )


def service(server: str, port: int, unit: str) -> NextStep:
    """Does anything listen."""
    return NextStep(
        where=f"{server}",
        command=f"ss -ltnp 'sport = :{port}'; systemctl status {unit}",
        meaning="no listener: start the service and read its log",
    )


def setting(server: str) -> NextStep:
    """Is it the right address."""
    return NextStep(
        where="CloudStack API",
        command="list configurations name=host; list configurations name=management.network.cidr",
        meaning=f"agents connect to what 'host' says: {server} must be a management server or its balancer",
    )
