"""Guests: machines that boot, ask for an address with a real DHCP client, and fetch what is theirs."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from captures.lab.cloud import Host, Machine
from captures.lab.namespaces import LabError, end, until

_PROGRAMS = Path(__file__).parent / "programs"
_HOOK = str(_PROGRAMS / "dhcp-hook.sh")
_DHCLIENT = """
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
send host-name "{name}";
request subnet-mask, broadcast-address, time-offset, routers, domain-name, domain-name-servers, domain-search,
        host-name, dhcp6.name-servers, dhcp6.domain-search, dhcp6.fqdn, dhcp6.sntp-servers, netbios-name-servers,
        netbios-scope, interface-mtu, rfc3442-classless-static-routes, ntp-servers;
timeout 300;
{more}
"""
SECRET_HEADER = "DomU_Request: send_my_password"
SAVED_HEADER = "DomU_Request: saved_password"


@dataclass(frozen=True, slots=True)
class Lease:
    """What the last ACK gave."""

    ip: str
    gateway: str
    server: str


class Guest(Machine):
    """An instance. Its DHCP clients run in the foreground and end with the scenario."""

    def __init__(
        self, host: Host, bridge: str | None, mac: str, name: str = "web-1", *, label: str = "", ipv6: bool = False
    ) -> None:
        super().__init__(host, bridge, mac, label or name, ipv6=ipv6)
        self.name = name
        self._leases = self.lab.folder / f"{self.ns.name}.lease"

    def dhclient(
        self, *, seconds: float | None = None, more: str = "", lease: str = "", options: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        """Run ISC dhclient as Debian configures it; wait ``seconds``, or until it has a lease."""
        conf = self.lab.file(f"{self.ns.name}.conf", _DHCLIENT.format(name=self.name, more=more))
        database = self.lab.file(f"{self.ns.name}.leases", lease)
        files = ("-cf", str(conf), "-lf", str(database), "-pf", str(self.lab.folder / f"{self.ns.name}.pid"))
        told = ("-sf", _HOOK, "-e", f"LEASE={self._leases}")  # dhclient gives its script a clean environment
        return self._client(seconds, "dhclient", "-4", "-d", *files, *told, *options, "eth0")

    def dhclient6(self, *, seconds: float) -> subprocess.Popen[str]:
        """Run ISC dhclient for DHCPv6 for some seconds; what it gets is not used."""
        files = ("-lf", str(self.lab.folder / "leases6"), "-pf", str(self.lab.folder / "pid6"))
        return self._client(seconds, "dhclient", "-6", "-d", *files, "-sf", "/bin/true", "eth0")

    def udhcpc(self, *, seconds: float | None = None, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Run BusyBox udhcpc."""
        name = ("-x", f"hostname:{self.name}")
        return self._client(seconds, "udhcpc", "-f", "-i", "eth0", "-s", _HOOK, *name, *options)

    def dhcpcd(
        self, *, seconds: float | None = None, more: str = "", options: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        """Run dhcpcd on private copies of the folders it writes to."""
        conf = self.lab.file(f"{self.ns.name}.dhcpcd", f"hostname {self.name}\nclientid\noption routers\n{more}\n")
        mounts = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib/dhcpcd && mkdir /run/dhcpcd"
        words = ["dhcpcd", "-4", "-B", "-f", str(conf), "-c", _HOOK, *options, "eth0"]
        return self._client(seconds, "sh", "-c", f'{mounts} && exec "$@"', "sh", *words)

    def dhcpcd6(self, duid: str, *, seconds: float) -> subprocess.Popen[str]:
        """Run dhcpcd for DHCPv6 with this DUID from its disk and the IAID 1, for some seconds."""
        conf = self.lab.file(f"{self.ns.name}.dhcpcd6", "duid\ninterface eth0\nia_na 1\n")
        disk = f"mkdir -p /run/dhcpcd && echo {duid} > /var/lib/dhcpcd/duid"
        mounts = f"mount -t tmpfs none /run && mount -t tmpfs none /var/lib/dhcpcd && {disk}"
        words = ["dhcpcd", "-6", "-B", "-f", str(conf), "-c", "/bin/true", "eth0"]
        return self._client(seconds, "sh", "-c", f'{mounts} && exec "$@"', "sh", *words)

    def lease(self) -> Lease:
        """The newest lease."""
        *_, last = self._leases.read_text().splitlines()
        fields = dict(word.split("=") for word in last.split())
        return Lease(fields["ip"], fields["gateway"], fields["server"])

    def ask_password(self, server: str, *, header: str = SECRET_HEADER, wait: float = 120) -> str:
        """Ask as cloud-set-guest-password does; the text of the answer, empty when wget failed."""
        wget = ("wget", "-q", "-t", "3", "-T", "20", "-O", "-", "--header", header, f"http://{server}:8080")
        return self.ns.run(*wget, check=False, seconds=wait).stdout.strip()

    def reset_password(self, server: str) -> None:
        """Ask, set (half a second of chpasswd), acknowledge."""
        if not self.ask_password(server):
            raise LabError("no password came")
        time.sleep(0.5)
        self.ask_password(server, header=SAVED_HEADER)

    def cloud_init(self, *words: str, seconds: float = 300) -> str:
        """Run the requests of cloud-init's CloudStack datasource in its order."""
        script = str(_PROGRAMS / "cloudstack_datasource.py")
        return self.ns.run("python3", script, *words, check=False, seconds=seconds).stdout

    def _client(self, seconds: float | None, *words: str) -> subprocess.Popen[str]:
        before = self._count()
        process = self.ns.spawn(*words, env={"LEASE": str(self._leases)})
        if seconds is None:
            until(lambda: self._count() > before, f"{words[0]} has a lease", 30)
        else:
            time.sleep(seconds)
        return process

    def _count(self) -> int:
        return len(self._leases.read_text().splitlines()) if self._leases.exists() else 0

    def stop(self, client: subprocess.Popen[str]) -> None:
        """Power off: the client ends without a word on the wire."""
        end(client)
