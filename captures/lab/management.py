"""The management network: a management server's agent port (openssl s_server that answers every line) and hosts."""

import subprocess
import time
from datetime import timedelta
from pathlib import Path

from captures.lab.cloud import Host, Machine
from captures.lab.namespaces import until
from captures.lab.scenario import Lab
from captures.lab.services import certificates
from captures.lab.services.certificates import Authority
from captures.lab.stage import Point

AGENT_PORT = 8250
_AGENT = str(Path(__file__).parent / "programs" / "agent.py")


class Management:
    """A management server and hosts on the untagged network of a pod, seen from the switch between them."""

    def __init__(self, lab: Lab, prefix: str = "192.168.10", first_tap: int = 0) -> None:
        self.lab = lab
        self.prefix = prefix
        self.switch = Host(lab, "pod", first_tap)
        self.bridge = self.switch.bridge("cloudbr0")
        self.server = self.machine("b8:59:9f:00:01:05", "ms1", 5)
        self.authority = certificates.authority("ca.cloudstack.apache.org")
        self.bundle = certificates.trust(lab.folder / "agent-ca.pem", self.authority)

    @property
    def ip(self) -> str:
        """The management server's address."""
        return f"{self.prefix}.5"

    def machine(self, mac: str, label: str, last: int) -> Machine:
        """A machine of the pod with a static address."""
        machine = Machine(self.switch, self.bridge, mac, label)
        machine.address(f"{self.prefix}.{last}", 24, f"{self.prefix}.1")
        return machine

    def serve(self, *, issuer: Authority | None = None, ends: timedelta = timedelta(days=300)) -> subprocess.Popen[str]:
        """Listen on the agent port, with a certificate that ends now + ``ends``."""
        certificate, key = certificates.leaf(
            (self.ip,), issuer or self.authority, starts=timedelta(days=-400), ends=ends
        )
        pem = certificates.write(self.lab.folder / "ms.pem", key, certificate)
        words = ("openssl", "s_server", "-accept", str(AGENT_PORT), "-cert", str(pem), "-rev", "-quiet")
        process = self.server.ns.spawn(*words)
        listening = ("ss", "-Hltn", f"sport = :{AGENT_PORT}")
        until(lambda: self.server.ns.run(*listening).stdout, "the agent port listens")
        return process

    def serve_many(self, *names: str) -> subprocess.Popen[str]:
        """Listen on the agent port for several agents at once (socat echoes what they say), also under other names."""
        certificate, key = certificates.leaf(
            (self.ip, *names), self.authority, starts=timedelta(days=-9), ends=timedelta(days=300)
        )
        pem = certificates.write(self.lab.folder / "ms.pem", key, certificate)
        address = f"openssl-listen:{AGENT_PORT},fork,reuseaddr,cert={pem},verify=0"
        process = self.server.ns.spawn("socat", address, "EXEC:cat")
        listening = ("ss", "-Hltn", f"sport = :{AGENT_PORT}")
        until(lambda: self.server.ns.run(*listening).stdout, "the agent port listens")
        return process

    def agent(
        self, machine: Machine, *, every: float = 2, version: str = "", server: str = ""
    ) -> subprocess.Popen[str]:
        """Start a host's agent, which may be told another address of the management server than its own."""
        words = ("python3", _AGENT, server or self.ip, str(self.bundle), str(every), *([version] if version else []))
        return machine.ns.spawn(*words)

    def at(self, machine: Machine) -> Point:
        """A machine's own NIC."""
        return machine.ns, "eth0", "nic"

    @property
    def at_bridge(self) -> Point:
        """The label bridge of the pod."""
        return self.switch.ns, self.bridge, "bridge"


def connects(machine: Machine, server: str, port: int, *, tries: int, pause: float = 1, wait: float = 5) -> None:
    """Try to connect again and again, as a mount that is repeated does."""
    for _ in range(tries):
        target = f"TCP:{server}:{port},connect-timeout={wait}"
        machine.ns.run("socat", "-T", "1", "/dev/null", target, check=False, seconds=wait + 2)
        time.sleep(pause)
