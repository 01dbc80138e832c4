"""A crowd: dozens of machines that resolve names, fetch pages, speak TLS and call NFS while something else happens."""

import random
import socket
import socketserver
import ssl
import struct
import time
from collections.abc import Sequence
from contextlib import suppress

from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.namespaces import until
from captures.lab.scenario import Lab
from captures.lab.services.password import serve

Place = tuple[Host, str]
"""A host and one of its bridges."""
_NAMES = ("repo.example.net", "time.example.net", "api.example.net", "mx.example.net", "cdn.example.net")
_ZONE = "".join(f"address=/{name}/192.0.2.{n + 10}\n" for n, name in enumerate(_NAMES))
_DNSMASQ = "no-resolv\nno-hosts\nbind-interfaces\nexcept-interface=lo\n"
_LAST = 0x80000000
"""RPC over TCP: this fragment is the last of its message."""
_MDNS = ("224.0.0.251", 5353)


class Crowd:
    """``count`` machines, spread over the places in turn; the first of them serves the others.

    Their addresses begin at ``first`` in the network, their MACs carry the same numbers. They talk from `start` on,
    about ``rate`` times a second all together.
    """

    def __init__(
        self,
        lab: Lab,
        network: GuestNetwork,
        places: Sequence[Place],
        count: int,
        *,
        first: int = 60,
        gateway: bool = False,
        label: str = "c",
        seed: int = 6,
    ) -> None:
        self.lab, self.network = lab, network
        self._dice = random.Random(seed)
        self.members: list[Machine] = []
        for n in range(count):
            host, bridge = places[n % len(places)]
            machine = Machine(host, bridge, network.mac(first + n), f"{label}{n}")
            machine.address(network.ip(first + n), network.length, network.gateway if gateway else None)
            self.members.append(machine)
        self.first = first
        self._serve(self.members[0])

    @property
    def server(self) -> str:
        """The address of the member that serves DNS, HTTP, TLS and NFS."""
        return self.network.ip(self.first)

    def macs(self, host: Host) -> list[str]:
        """The MACs of the members on a host."""
        return [one.mac for one in self.members if one.host is host]

    def start(self, rate: float = 3) -> None:
        """Let them talk until the scenario ends."""

        def talk() -> None:
            while not self.lab.stopping.wait(self._dice.expovariate(rate)):
                machine = self._dice.choice(self.members[1:])
                with suppress(OSError), machine.ns.inside():
                    self._say(machine)

        self.lab.thread(talk)

    def _serve(self, machine: Machine) -> None:
        folder = machine.ns.name
        page = self.lab.file(f"{folder}/www/index.html", "<html>" + "<p>status: all is well</p>" * 30 + "</html>")
        zone = self.lab.file(f"{folder}/zone.conf", _DNSMASQ + _ZONE)
        pem = self.lab.folder / folder / "pem"
        subject = ("-subj", f"/CN=app.{self.network.domain}", "-days", "30")
        machine.ns.run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(pem), "-out", f"{pem}.crt", *subject),
        )
        key = ("-key", str(pem), "-cert", f"{pem}.crt")
        machine.ns.spawn("dnsmasq", "-k", "-u", "root", "-x", f"{pem}.pid", "-C", str(zone))
        machine.ns.spawn("python3", "-m", "http.server", "80", "--directory", str(page.parent))
        machine.ns.spawn("openssl", "s_server", "-accept", "443", *key, "-www", "-quiet")
        serve(machine, _Nfs, 2049)
        for port in (80, 443):
            _wait(machine, port)
        time.sleep(0.2)

    def _say(self, machine: Machine) -> None:
        """One thing that a machine does, in its own namespace."""
        match self._dice.randrange(6):
            case 0 | 1:
                self._asks(machine)
            case 2:
                with socket.create_connection((self.server, 80), 3) as stream:
                    stream.sendall(b"GET /index.html HTTP/1.0\r\nHost: app\r\nUser-Agent: curl/8.5.0\r\n\r\n")
                    while stream.recv(4096):
                        pass
            case 3:
                context = ssl._create_unverified_context()
                name = f"app.{self.network.domain}"
                with (
                    socket.create_connection((self.server, 443), 3) as plain,
                    context.wrap_socket(plain, server_hostname=name) as stream,
                ):
                    stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    stream.recv(1024)
            case 4:
                with socket.create_connection((self.server, 2049), 3) as stream:
                    call = struct.pack("!10I", self._dice.getrandbits(32), 0, 2, 100003, 3, 0, 0, 0, 0, 0)
                    stream.sendall(struct.pack("!I", _LAST | len(call)) + call)
                    stream.recv(64)
            case _:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
                    stream.sendto(_query(0, f"{machine.label}.local"), _MDNS)

    def _asks(self, machine: Machine) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
            stream.settimeout(2)
            stream.sendto(_query(self._dice.randrange(1, 65536), self._dice.choice(_NAMES)), (self.server, 53))
            stream.recv(512)


def _wait(machine: Machine, port: int) -> None:
    listens = ("ss", "-Hltn", f"sport = :{port}")
    until(lambda: machine.ns.run(*listens).stdout, f"the crowd's server listens on {port}")


class _Nfs(socketserver.BaseRequestHandler):
    """NFS as far as its NULL procedure, by which clients find out whether a server is alive."""

    request: socket.socket

    def handle(self) -> None:
        """One connection: every call is accepted, and nothing is returned."""
        self.request.settimeout(5)
        with suppress(OSError):
            while len(call := self.request.recv(44)) == 44:
                reply = call[4:8] + struct.pack("!5I", 1, 0, 0, 0, 0)
                self.request.sendall(struct.pack("!I", _LAST | len(reply)) + reply)


def _query(number: int, name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\x01\0\x01"
