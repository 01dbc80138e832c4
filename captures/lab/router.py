"""The virtual router: dnsmasq, Apache and the password server, configured as CloudStack configures them."""

import subprocess
import time
from collections.abc import Iterable

from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.namespaces import LabError, end, until

_DNSMASQ = """
domain-needed
bogus-priv
no-resolv
no-hosts
bind-interfaces
except-interface=lo
expand-hosts
domain={network.domain}
local=/{network.domain}/
addn-hosts={folder}/hosts
address=/debian.org/ubuntu.com/example.net/192.0.2.80
address=/realhostip.com/
{dhcp}
log-facility={folder}/log
log-dhcp
{listen}
"""
_DHCP = """
dhcp-range=set:interface-eth0-0,{network.dhcp_server},static,{network.netmask}
dhcp-hostsfile={folder}/dhcphosts.txt
dhcp-optsfile={folder}/dhcpopts.txt
dhcp-ignore=tag:!known
dhcp-option=tag:interface-eth0-0,15,{network.domain}
dhcp-option=tag:interface-eth0-0,6,{dns}
dhcp-option=tag:interface-eth0-0,3,{network.gateway}
dhcp-option=tag:interface-eth0-0,1,{network.netmask}
dhcp-option=vendor:MSFT,2,1i
dhcp-boot=pxelinux.0
enable-tftp
tftp-root={folder}
dhcp-lease-max=2100
dhcp-leasefile={folder}/leases
"""


class Router(Machine):
    """A VR with its guest NIC in a network; ``ip`` is the network's DHCP server unless told otherwise."""

    def __init__(
        self,
        host: Host,
        bridge: str | None,
        network: GuestNetwork,
        *,
        ip: str = "",
        mac: str = "",
        label: str = "vr",
    ) -> None:
        super().__init__(host, bridge, mac or network.mac(1), label)
        self.network = network
        self.ip = ip or network.dhcp_server
        self.address(self.ip, network.length)
        self._dnsmasq: subprocess.Popen[str] | None = None

    def dhcp(
        self,
        guests: Iterable[tuple[str, str, str]],
        *,
        dns: str = "",
        listen: str = "",
        leases: str = "",
        options: str = "",
        lease_time: str = "infinite",
        data_server: bool = True,
        serve_dhcp: bool = True,
    ) -> None:
        """Start dnsmasq, DHCP and DNS, for ``(mac, ip, name)`` of every NIC that CloudStack has told the router.

        ``listen`` is the one address to listen on, where the router has several; ``leases`` replaces the lease file
        that CloudStack fills in advance. A MAC may be followed by ``,set:TAG`` to give the NIC's client the
        ``options`` of that tag. ``lease_time`` is how long dnsmasq gives addresses for, in its own words.
        """
        folder = self.lab.folder / self.ns.name
        guests = list(guests)
        names = [f"{ip} {name}" for _, ip, name in guests]
        names += [f"{self.ip} r-14-VM data-server"] if data_server else [f"{self.ip} r-14-VM"]
        hosts = [f"{mac},{ip},{name},{lease_time}" for mac, ip, name in guests]
        self.lab.file(f"{self.ns.name}/hosts", "\n".join(names) + "\n")
        self.lab.file(f"{self.ns.name}/dhcphosts.txt", "\n".join(hosts) + "\n")
        self.lab.file(f"{self.ns.name}/dhcpopts.txt", options)
        filled = "".join(f"0 {mac[:17]} {ip} {name} *\n" for mac, ip, name in guests)
        self.lab.file(f"{self.ns.name}/leases", leases or filled)
        fields = {"network": self.network, "folder": folder, "dns": dns or self.ip}
        dhcp = _DHCP.format(**fields) if serve_dhcp else ""
        text = _DNSMASQ.format(dhcp=dhcp, listen=f"listen-address={listen}" if listen else "", **fields)
        conf = self.lab.file(f"{self.ns.name}/dnsmasq.conf", text)
        log = folder / "log"
        log.unlink(missing_ok=True)
        self._dnsmasq = self.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{folder}/pid", "-C", str(conf))
        until(lambda: log.exists() and "started" in log.read_text(), f"{self.label} runs dnsmasq")
        time.sleep(0.1)

    def stop_dhcp(self) -> None:
        """End dnsmasq."""
        if self._dnsmasq is None:
            raise LabError("dnsmasq does not run")
        end(self._dnsmasq)


def rogue_dhcp(machine: Machine, first: str, last: str, *, length: str = "255.255.255.0", more: str = "") -> None:
    """Let any machine with an address serve DHCP from a dynamic range, as dnsmasq does out of the box."""
    folder = machine.lab.folder / machine.ns.name
    text = f"""
port=0
bind-interfaces
except-interface=lo
dhcp-range={first},{last},{length},1h
dhcp-leasefile={folder}/leases
log-facility={folder}/log
{more}
"""
    conf = machine.lab.file(f"{machine.ns.name}/rogue.conf", text)
    machine.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{folder}/rogue.pid", "-C", str(conf))
    log = folder / "log"
    until(lambda: log.exists() and "started" in log.read_text(), f"{machine.label} runs dnsmasq")
    time.sleep(0.1)
