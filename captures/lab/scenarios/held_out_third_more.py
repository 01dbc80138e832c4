"""Hold-out, third part: quiet guests, one-way links, IPv6 filters, maintenance; by somebody who had read no rule."""

import os
import signal
import time
from pathlib import Path

from captures.lab.along import TwoHosts, bridge_drops, record_along
from captures.lab.cloud import Machine
from captures.lab.elsewhere import Elsewhere
from captures.lab.guest import Guest
from captures.lab.management import Management
from captures.lab.middlebox import Direction
from captures.lab.namespaces import command, end
from captures.lab.noise import neighbours
from captures.lab.post import snap, stretched, wire
from captures.lab.router import Router
from captures.lab.scenario import Lab, scenario
from captures.lab.stage import Stage, Trunk, at_tap

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_ACK = "dhcp.option.dhcp == 5"


def _net(n: int, vlan: int, prefix: str = "02:0e") -> Elsewhere:
    """A /24 in 192.0.0.0/16 that nobody has."""
    return Elsewhere(cidr=f"192.18.{n}.0/24", gateway=f"192.18.{n}.1", number=0xC00 + n, vlan=vlan, prefix=prefix)


@scenario
def held_out_third_receives_nothing(lab: Lab) -> None:
    """A fibre is broken in one direction: the NIC of a host sends, guests of two VLANs ask for their gateways for more
    than a minute, and not one frame of any kind comes in. NIC only, cut at 128 bytes."""
    trunk = Trunk(lab)
    here, there = (trunk.host(name, "ens2f1", "trunks=0,611,612", first_tap=8) for name in ("hv1", "hv2"))
    guests = []
    for n, vlan in enumerate((611, 612)):
        network = _net(n, vlan)
        Router(there.host, there.vlan(vlan), network, label=f"vr{vlan}")
        guest = Guest(here.host, here.vlan(vlan), network.mac(0x20), f"g{vlan}")
        guest.address(network.ip(20), 24, network.gateway)
        guests.append((guest, network))
    host = Machine(here.host, here.native(), "0c:42:a1:20:00:01", "kvm")
    host.address("10.99.0.21", 24)

    def one_way(frame: bytes, direction: Direction) -> tuple[tuple[float, bytes], ...]:
        return ((0.0, frame),) if direction == "in" else ()

    trunk.cable(here, one_way)
    steps = (wire([host.mac, *(guest.mac for guest, _ in guests)]), stretched(3), snap(128))
    with lab.record(*here.at_nic, steps=steps, compress="gz", linger=2):
        host.ns.spawn("ping", "-q", "-i", "2", "10.99.0.1")
        for guest, network in guests:
            guest.ns.spawn("ping", "-q", "-i", "2", network.gateway)
        time.sleep(28)
    lab.shows("arp.opcode == 1", 40)
    lab.hides("arp.opcode == 2 || icmp")
    lab.fault("HYP008", "arp")
    for code in ("VLAN001", "VLAN006", "VLAN019", "HOST001"):
        lab.consequence(code)


@scenario
def held_out_third_asks_amazon(lab: Lab) -> None:
    """The template's cloud-init knows Amazon's datasource only: the guest asks 169.254.169.254 again and again, which
    nobody answers, and never its router, which has the data. At the tap, for more than two minutes."""
    stage = Stage(lab, _net(2, 613), first_tap=17)
    guest = stage.guest(0x21, "ec2-1")
    stage.serve()
    with lab.record(*at_tap(guest), steps=(stretched(3),), compress="zst", linger=2):
        guest.dhclient()
        for key in ("", "instance-id", "instance-id", "local-hostname"):
            url = f"http://169.254.169.254/latest/meta-data/{key}"
            guest.ns.run("curl", "-s", "-m", "7", url, check=False)
            time.sleep(1)
        guest.ns.run("ping", "-qc", "18", "-i", "1", stage.network.gateway)
    lab.shows(f"{_SYN} && ip.dst == 169.254.169.254", 6)
    lab.hides("tcp.flags.ack == 1")
    lab.fault("META007", "ip.dst == 169.254.169.254", mac=guest.mac)
    lab.proof("DHCP031", _ACK, mac=guest.mac)


@scenario
def held_out_third_silent_tap(lab: Lab) -> None:
    """The template names an interface that this instance does not have: its NIC stays down and says nothing for more
    than two minutes, while broadcasts of neighbours reach the tap. The site profile names the instance."""
    stage = Stage(lab, _net(3, 614), first_tap=17)
    guest = stage.guest(0x21, "ens192-1")
    stage.serve()
    lab.truth.site = stage.site()
    with lab.record(*at_tap(guest), steps=(stretched(4), snap(128)), compress="gz", linger=1):
        neighbours(stage, 12, 13)
        time.sleep(44)
    lab.hides(f"eth.src == {guest.mac}")
    lab.shows("arp || mdns", 10)
    lab.fault("TMPL001", "arp || mdns", mac=guest.mac)


@scenario
def held_out_third_privacy_address(lab: Lab) -> None:
    """A zone with security groups and IPv6: a guest uses a privacy address, and the host lets through only the address
    made of its MAC. Its pings from there work, those from the privacy address never leave the host. Tap and NIC."""
    network, alive = _net(4, 615, "1e:00"), _net(5, 616, "1e:00")
    hosts = TwoHosts(lab, network, alive, first_tap=17, nic="enp9s0")
    guest = hosts.guest(0x31, "six-2")
    peer = hosts.peer(0x51, "peer", 81)
    guest.ipv6(True)
    peer.ipv6(True)
    good, private = "2001:db8:615:0:1c00:cff:fe04:31", "2001:db8:615:0:59d1:7a0e:33c2:8f41"
    for address in (good, private):
        guest.ns.ip("address", "add", f"{address}/64", "dev", "eth0", "nodad")
    peer.ns.ip("address", "add", "2001:db8:615::51/64", "dev", "eth0", "nodad")
    bridge_drops(hosts.near.host, f"iifname {guest.tap} ip6 saddr {private}")
    with record_along(lab, hosts.tap(guest, "tap", compress="gz"), hosts.near_nic("nic"), linger=3):
        hosts.talk()
        guest.ns.run("ping", "-qc", "6", "-i", "0.5", "-I", good, "2001:db8:615::51")
        guest.ns.spawn("ping", "-q", "-i", "1", "-I", private, "2001:db8:615::51")
        guest.ns.spawn("ping", "-q", "-i", "1.5", "-I", good, "2001:db8:615::51")
        time.sleep(16)
    lab.shows(f"icmpv6.type == 128 && ipv6.src == {private}", 10)
    lab.hides(f"icmpv6.type == 129 && ipv6.dst == {private}")
    lab.shows(f"icmpv6.type == 129 && ipv6.dst == {good}", 10)
    lab.fault("SG006", f"ipv6.src == {private}", mac=guest.mac)
    for code in ("SG003", "HYP001"):
        lab.consequence(code)


@scenario
def held_out_third_management_maintenance(lab: Lab) -> None:
    """All is well: the management server is restarted for an upgrade. Two agents are refused for half a minute and
    connect again. -i any on the management server, cooked version 1. Healthy."""
    pod = Management(lab, prefix="100.74.4", first_tap=20)
    hosts = [pod.machine(f"0c:42:a1:74:00:0{n}", f"kvm{n}", 20 + n) for n in (1, 2)]
    service = pod.serve_many()
    with lab.record(pod.server.ns, "any", "any", told=False, link_type="LINUX_SLL", compress="gz", linger=1):
        for host in hosts:
            pod.agent(host, every=2)
        time.sleep(7)
        os.killpg(service.pid, signal.SIGTERM)  # socat's children hold the links
        end(service)
        time.sleep(24)
        pod.serve_many()
        time.sleep(16)
    lab.shows("tcp.srcport == 8250 && tcp.flags.reset == 1", 4)
    lab.info("HOST002")


@scenario
def held_out_third_tap_and_nic_in_one_file(lab: Lab) -> None:
    """All is well: a guest boots and pings its router on another host. Its tap and the NIC of its host were recorded
    into one pcapng file with two interfaces, so that every frame is there without and with its tag. Healthy."""
    hosts = TwoHosts(lab, _net(6, 617), _net(7, 618), first_tap=17, nic="eno4")
    guest = hosts.guest(0x31, "both-1")
    hosts.serve()
    second = lab.folder / "nic.pcap"

    def both(path: Path) -> Path:
        out = path.with_suffix(".both.pcapng")
        command("mergecap", "-F", "pcapng", "-I", "none", "-w", str(out), str(path), str(second))
        return out

    recorder = hosts.near.host.ns.spawn(
        "tcpdump", "-i", "eno4", "-nU", "--immediate-mode", "-Z", "root", "-w", str(second)
    )
    with lab.record(guest.host.ns, guest.tap, "any", told=False, steps=(both,), compress="zst", linger=2):
        hosts.talk()
        guest.dhcpcd(seconds=10)
        guest.ns.run("ping", "-qc", "8", "-i", "0.5", hosts.network.gateway)
        time.sleep(6)
        end(recorder)
    lab.shows(f"!vlan && {_ACK}", 1)
    lab.shows(f"vlan && {_ACK}", 1)
    lab.proof("DHCP031", _ACK, mac=guest.mac)
