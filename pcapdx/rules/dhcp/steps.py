"""What to run next when DHCP fails; the same commands for every rule of this topic."""

from pcapdx.model import NextStep


def router_log(mac: str) -> NextStep:
    """What dnsmasq says of a client."""
    return NextStep(
        where="virtual router of this network",
        command=f"grep -i {mac} /var/log/dnsmasq.log | tail; systemctl status dnsmasq",
        meaning="no line: the request does not reach it; 'ignored': it does not know this MAC; 'no address available': "
        "its address is taken",
    )


def router_hosts(mac: str) -> NextStep:
    """Whether the router was told of a client."""
    return NextStep(
        where="virtual router of this network",
        command=f"grep -i {mac} /etc/dhcphosts.txt",
        meaning="no line: CloudStack never told the router of this NIC, or it was rebuilt without its data",
    )


def management(mac: str) -> NextStep:
    """Whether the management server told the router."""
    return NextStep(
        where="management server",
        command="grep -E 'DhcpEntryCommand|Unable to apply dhcp entry' "
        "/var/log/cloudstack/management/management-server.log | tail",
        meaning=f"an error for {mac}: that is why the router does not know it",
    )


def find_mac(mac: str, what: str) -> NextStep:
    """Who a MAC is."""
    return NextStep(
        where="CloudStack API and switch",
        command=f"listNics macaddress={mac}; show mac address-table address {mac}",
        meaning=f"whose NIC, or which port, {what}",
    )
