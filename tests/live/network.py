"""A guest and a router on a bridge, each in a namespace of its own, with a DHCP server that can die."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("ip", "dnsmasq", "udhcpc", "tcpdump")
ROUTER_IP = "10.9.0.1"


class Network:
    """The three namespaces, named after this process; everything started in them is stopped with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guest, self.host, self.router = (f"lx{os.getpid()}-{name}" for name in ("g", "h", "r"))
        self.started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Network":
        for name in (self.guest, self.host, self.router):
            ip("netns", "add", name)
        ip("-n", self.host, "link", "add", "br0", "type", "bridge")
        for name, port in ((self.guest, "vnet0"), (self.router, "vnet1")):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", self.host)
            ip("-n", self.host, "link", "set", port, "master", "br0", "up")
            ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", self.host, "link", "set", "br0", "up")
        ip("-n", self.router, "addr", "add", f"{ROUTER_IP}/24", "dev", "eth0")
        return self

    def __exit__(self, *of_error: object) -> None:
        for process in self.started:
            stop(process)
        for name in (self.guest, self.host, self.router):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def start(self, namespace: str, *command: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """A process in a namespace."""
        process = subprocess.Popen(
            [str(shutil.which("ip")), "netns", "exec", namespace, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.started.append(process)
        return process

    def dhcp_server(self) -> "subprocess.Popen[str]":
        """A DHCP server that gives 10.9.0.50 to .60, ready when this returns."""
        log = self.folder / "dnsmasq.log"
        server = self.start(
            self.router, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-ping",
            "--interface=eth0", "--dhcp-range=10.9.0.50,10.9.0.60,1h", f"--log-facility={log}",
            f"--dhcp-leasefile={self.folder / 'leases'}", f"--pid-file={self.folder / 'dnsmasq.pid'}",
        )  # fmt: skip
        wait_for(lambda: log.exists() and "DHCP" in log.read_text())
        return server

    def ask_for_address(self, tries: int) -> None:
        """One run of the guest's DHCP client, two seconds a try."""
        subprocess.run(
            ["ip", "netns", "exec", self.guest, "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-s", "/bin/true",
             "-t", str(tries), "-T", "2"],
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    with Network(folder) as made:
        yield made


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


def stop(process: "subprocess.Popen[str]") -> None:
    """Ends a process that we started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(true: Callable[[], object], seconds: float = 15.0) -> None:
    """Until something holds; AssertionError when it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def why_not() -> str | None:
    """Why such a network cannot be made here; None where it can."""
    if os.geteuid():
        return "namespaces need root"
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        return f"not installed: {', '.join(missing)}"
    name = f"lx{os.getpid()}-probe"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "namespaces cannot be made here"
    ip("netns", "del", name)
    return None
