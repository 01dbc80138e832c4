"""Parts of other people's clouds: other address plans and MACs, other servers and clients, other capture files."""

import random
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from captures.lab.cloud import GuestNetwork, Machine
from captures.lab.guest import Guest
from captures.lab.namespaces import until
from captures.lab.post import read

_NANOSECONDS = b"\x4d\x3c\xb2\xa1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere(GuestNetwork):
    """A guest network whose MACs begin with two bytes of another make."""

    prefix: str = "02:00"

    def mac(self, sequence: int) -> str:
        """The MAC with this sequence number."""
        return f"{self.prefix}:" + ":".join(f"{byte:02x}" for byte in (*self.number.to_bytes(2), *sequence.to_bytes(2)))


def big_endian(path: Path) -> Path:
    """The capture as a big-endian machine writes it; the last step, as no other reads that order."""
    header, records = read(path)
    magic = 0xA1B23C4D if header[:4] == _NANOSECONDS else 0xA1B2C3D4
    out = path.with_suffix(".big.pcap")
    with out.open("wb") as file:
        file.write(struct.pack(">IHHiIII", magic, *struct.unpack("<HHiIII", header[4:])))
        for seconds, fraction, size, data in records:
            file.write(struct.pack(">4I", seconds, fraction, len(data), size) + data)
    return out


def dhcpd(machine: Machine, text: str, interface: str = "eth0") -> None:
    """Run ISC's DHCP server with this configuration."""
    name = machine.ns.name
    conf = machine.lab.file(f"{name}/dhcpd.conf", text)
    leases, pid = machine.lab.file(f"{name}/dhcpd.leases", ""), conf.with_suffix(".pid")
    machine.ns.spawn("dhcpd", "-4", "-f", "-q", "-cf", str(conf), "-lf", str(leases), "-pf", str(pid), interface)
    _listens(machine, 67)


def kea(machine: Machine, subnet: str, pool: str, *, more: str = "", interface: str = "eth0", top: str = "") -> None:
    """Run Kea for one subnet; ``more`` goes into the subnet, ``top`` beside it."""
    name = machine.ns.name
    leases = machine.lab.file(f"{name}/kea-leases.csv", "")
    leases.unlink()
    text = f"""{{"Dhcp4": {{
        "interfaces-config": {{"interfaces": ["{interface}"]}},
        "lease-database": {{"type": "memfile", "persist": true, "name": "{leases}", "lfc-interval": 0}},
        "valid-lifetime": 7200, {top}
        "subnet4": [{{"subnet": "{subnet}", "pools": [{{"pool": "{pool}"}}] {more}}}]
    }}}}"""
    conf = machine.lab.file(f"{name}/kea.json", text)
    folder = str(conf.parent)
    env = {"KEA_PIDFILE_DIR": folder, "KEA_LOCKFILE_DIR": folder, "KEA_LOGGER_DESTINATION": f"{folder}/kea.log"}
    machine.ns.spawn("kea-dhcp4", "-c", str(conf), env=env)
    _listens(machine, 67)


def relay(machine: Machine, server: str) -> None:
    """Run ISC's relay from eth0 (clients) to a server behind eth1."""
    pid = machine.lab.folder / f"{machine.ns.name}.relay"
    machine.ns.spawn("dhcrelay", "-4", "-d", "-pf", str(pid), "-id", "eth0", "-iu", "eth1", server)
    time.sleep(1)


def networkd(guest: Guest, seconds: float, more: str = "") -> None:
    """Run systemd-networkd as DHCP client, alone in folders of its own, for some seconds."""
    unit = f"[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n{more}"
    folders = "/run/systemd/netif/links /run/systemd/netif/leases /run/systemd/network /run/dbus"
    script = (
        f"mount -t tmpfs none /run && mkdir -p {folders} && printf '{unit}' > /run/systemd/network/10-eth.network"
        " && chmod -R a+rX /run && chown -R systemd-network:systemd-network /run/systemd/netif"
        " && mount -o remount,ro /sys; exec /lib/systemd/systemd-networkd"
    )
    guest.ns.spawn("sh", "-c", script)
    time.sleep(seconds)


def nginx(machine: Machine, *servers: str) -> None:
    """Run nginx with these ``server`` blocks."""
    folder = machine.lab.folder / f"{machine.ns.name}-nginx"
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi", "html"):
        (folder / name).mkdir(parents=True)
    paths = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("proxy", "fastcgi", "uwsgi", "scgi"))
    text = f"""daemon off; user root; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {folder}/body; {paths} {" ".join(servers)} }}
"""
    conf = machine.lab.file(f"{folder.name}/nginx.conf", text)
    machine.ns.spawn("nginx", "-e", f"{folder}/error.log", "-c", str(conf))
    until((folder / "pid").exists, "nginx runs")
    time.sleep(0.2)


def nginx_tls(port: int, pem: Path, page: str, *, newest: str = "TLSv1.2") -> str:
    """A ``server`` block of nginx that answers every path with a page over TLS."""
    return (
        f"server {{ listen {port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols {newest};"
        f" location / {{ default_type text/html; return 200 '{page}'; }} }}"
    )


def lighttpd(machine: Machine, port: int, files: dict[str, str]) -> None:
    """Run lighttpd on a tree of plain files."""
    root = machine.lab.folder / f"{machine.ns.name}-www"
    for name, text in files.items():
        machine.lab.file(f"{root.name}/{name}", text)
    root.mkdir(exist_ok=True)
    text = f'server.document-root = "{root}"\nserver.port = {port}\nserver.pid-file = "{root}.pid"\n'
    text += 'index-file.names = ( "index.txt" )\nmimetype.assign = ( "" => "text/plain" )\n'
    conf = machine.lab.file(f"{root.name}.conf", text)
    machine.ns.spawn("lighttpd", "-D", "-f", str(conf))
    until(lambda: machine.ns.run("ss", "-Hltn", f"sport = :{port}").stdout, "lighttpd listens")


def haproxy(machine: Machine, text: str) -> None:
    """Run haproxy with these proxies."""
    head = "global\n  maxconn 100\ndefaults\n  timeout connect 4s\n  timeout client 300s\n  timeout server 300s\n"
    conf = machine.lab.file(f"{machine.ns.name}-haproxy.cfg", head + text)
    machine.ns.spawn("haproxy", "-db", "-f", str(conf))
    time.sleep(0.6)


def windows_discovers(guest: Guest, pauses: Sequence[float]) -> None:
    """Send DISCOVERs with the option set of a Windows client, hearing no answer, then its first APIPA probes."""
    raw = bytes.fromhex(guest.mac.replace(":", ""))
    name = guest.name.upper().encode()
    xid = random.Random(guest.mac).getrandbits(32)
    options = [
        ("message-type", "discover"),
        ("client_id", b"\x01" + raw),
        ("hostname", name),
        ("vendor_class_id", b"MSFT 5.0"),
        ("param_req_list", [1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252]),
        "end",
    ]
    waited = 0.0
    with guest.ns.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        for number, pause in enumerate(pauses):
            boot = BOOTP(chaddr=raw, xid=xid, secs=int(waited), flags=0)
            frame = Ether(src=guest.mac, dst="ff:ff:ff:ff:ff:ff") / IP(
                src="0.0.0.0", dst="255.255.255.255", ttl=128, id=0x1100 + number
            )
            wire.send(bytes(frame / UDP(sport=68, dport=67) / boot / DHCP(options=options)))
            time.sleep(pause)
            waited += pause
        for _ in range(3):
            probe = ARP(op=1, hwsrc=guest.mac, psrc="0.0.0.0", pdst="169.254.77.203")
            wire.send(bytes(Ether(src=guest.mac, dst="ff:ff:ff:ff:ff:ff") / probe))
            time.sleep(1)
        claim = ARP(op=1, hwsrc=guest.mac, psrc="169.254.77.203", pdst="169.254.77.203")
        wire.send(bytes(Ether(src=guest.mac, dst="ff:ff:ff:ff:ff:ff") / claim))


def _listens(machine: Machine, port: int) -> None:
    """Wait until a UDP port is bound, by a plain or a raw socket."""
    until(lambda: machine.ns.run("ss", "-Hlnu", f"sport = :{port}").stdout, f"{machine.label} serves {port}")
    time.sleep(0.5)
