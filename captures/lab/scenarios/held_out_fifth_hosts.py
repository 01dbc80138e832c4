"""Hold-out, fifth part: a week of an operator, consoles, storage, system VMs and hosts."""

import time
from datetime import timedelta
from pathlib import Path

from captures.lab import management
from captures.lab.along import Recorder, record_along
from captures.lab.cloud import Host, Machine, veth
from captures.lab.elsewhere import Elsewhere, lighttpd, nginx, nginx_tls
from captures.lab.guest import Guest
from captures.lab.management import Management, connects
from captures.lab.post import pcapng, snap
from captures.lab.public import DOMAIN, Public
from captures.lab.scenario import Lab, scenario
from captures.lab.scenarios.security_groups import listen
from captures.lab.services import certificates, console, storage
from captures.lab.services.certificates import authority
from captures.lab.stage import Stage

_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_AGENT = str(Path(management.__file__).parent / "programs" / "agent.py")


@scenario
def held_out_fifth_console_screen_blocked(lab: Lab) -> None:
    """The firewall of one hypervisor drops 5900-6100: the console proxy answers the page and takes the websocket (TLS),
    then asks that host for the screen in vain. It has a link to the management server, and its host's other ports
    answer. tcpdump -i any in the console proxy, cooked version 2."""
    public = Public(lab, "203.0.113.88", first_tap=13)
    pod = Management(lab, prefix="10.9.9", first_tap=100)
    veth(public.host.ns, "eno1", pod.switch.ns, "cpvm-port")
    inside = public.host.bridge("cloudbr0")
    public.host.ns.ip("link", "set", "eno1", "master", inside, "up")
    pod.switch.ns.ip("link", "set", "cpvm-port", "master", pod.bridge, "up")
    public.cpvm.plug(inside, "1e:00:9b:00:00:3b")
    public.cpvm.address("10.9.9.58", 24, nic=1)
    kvm = pod.machine("3c:fd:fe:9a:00:21", "kvm1", 21)
    listen(kvm, 22)
    kvm.drop("tcp dport 5900-6100")
    pod.serve()
    root = authority("Trusted Root F5")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem, screen=("10.9.9.21", 5902))
    pod.agent(public.cpvm)
    with lab.record(public.cpvm.ns, "any", "any", told=False, link_type="LINUX_SLL2", compress="zst", linger=4):
        for _ in range(3):
            public.page()
            public.websocket()
            time.sleep(2)
    lab.shows(f"{_SYN} && tcp.dstport == 5902", 9)
    lab.hides("tcp.srcport == 5902")
    lab.fault("CPVM017", f"{_SYN} && tcp.dstport == 5902", server="10.9.9.21")
    for code in ("HOST011", "CPVM020", "SG001"):
        lab.consequence(code)


@scenario
def held_out_fifth_console_old_name(lab: Lab) -> None:
    """The console proxy was rebuilt with another public address; a record made by hand leads the dashed name of its old
    address to the new one, and the URLs still say the old. curl and openssl load the page by it. At the tap of the
    console proxy, TLS 1.2."""
    public = Public(lab, "203.0.113.46", records=(("203-0-113-31", "203.0.113.46"),), first_tap=13)
    root = authority("Trusted Root F6")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    old = f"203-0-113-31.{DOMAIN}"
    with lab.record(*public.at_cpvm, told=False, steps=(snap(900),), compress="zst", linger=2):
        for _ in range(2):
            public.page(old)
            public.websocket(old)
        public.s_client("-tls1_2", name=old)
    lab.shows(f'tls.handshake.extensions_server_name == "{old}"', 4)
    lab.fault("CPVM003", f'tls.handshake.extensions_server_name == "{old}"', name=old)


@scenario
def held_out_fifth_console_and_the_internet(lab: Lab) -> None:
    """All is well: a user's console works while the internet looks at the public address: probes without a name or
    with somebody else's, plain HTTP to 443, TLS to 80, an old TLS version, a handshake given up half-way, ports that
    are closed. At the tap of the console proxy. Healthy."""
    public = Public(lab, "203.0.113.99", first_tap=13)
    root = authority("Trusted Root F7")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    console.start(public.cpvm, 80)
    stranger = Machine(public.host, "brbond0-500", "00:1c:73:0b:0b:77", "stranger")
    stranger.address("203.0.113.7", 24)
    at = "203.0.113.99"
    probes = (
        f"openssl s_client -connect {at}:443 -noservername",
        f"openssl s_client -connect {at}:443 -servername www.example.org -tls1_2",
        f"openssl s_client -connect {at}:443 -tls1_1 -cipher ALL:@SECLEVEL=0",
        f"openssl s_client -connect {at}:80 -servername {at}",
        f"curl -s -m 3 http://{at}:443/",
        f"curl -sk -m 3 https://{at}/.env",
        f"curl -s -m 3 http://{at}/wp-login.php",
        f"curl -s -m 3 --resolve mail.example.net:443:{at} https://mail.example.net/",
        f"socat -T 1 /dev/null TCP:{at}:3389,connect-timeout=2",
        f"socat -T 1 /dev/null TCP:{at}:22,connect-timeout=2",
        f"printf GARBAGE | socat -T 1 - TCP:{at}:8443,connect-timeout=2",
    )
    with lab.record(*public.at_cpvm, told=False, compress="zst", linger=2):
        for k, probe in enumerate(probes):
            stranger.ns.run("sh", "-c", f"{probe} </dev/null >/dev/null 2>&1", check=False, seconds=5)
            if k % 4 == 0:
                public.page()
                public.websocket()
            time.sleep(0.8)
    lab.shows("tls.handshake.type == 1", 8)


@scenario
def held_out_fifth_storage_dies_then_host(lab: Lab) -> None:
    """The filer stops answering one host's NFS link; the host repeats for almost two minutes, then its heartbeat
    reboots it, and nothing is heard of it any more. Another host and the management server go on. On the storage
    switch, cut at 96 bytes."""
    pod = Management(lab, prefix="10.210.4", first_tap=30)
    hosts = [pod.machine(f"b4:96:91:0a:00:0{n}", f"kvm{n}", 20 + n) for n in (1, 2)]
    filer = pod.machine("00:a0:98:77:04:01", "filer", 60)
    pod.serve_many()
    filer.ns.spawn("socat", "TCP-LISTEN:2049,fork,reuseaddr", "EXEC:cat")
    time.sleep(0.3)
    talk = "while :; do head -c 200 /dev/zero; sleep 0.7; done"
    with lab.record(*pod.at_bridge, told=False, steps=(snap(96),), compress="zst", linger=1):
        for host in hosts:
            pod.agent(host, every=2)
            host.ns.spawn("sh", "-c", f"({talk}) | socat - TCP:{pod.prefix}.60:2049 >/dev/null")
        time.sleep(8)
        filer.drop(f"ip saddr {pod.prefix}.21")
        time.sleep(112)
        pod.switch.ns.ip("link", "set", hosts[0].tap, "down")
        time.sleep(36)
    lab.shows(f"ip.src == {pod.prefix}.21 && tcp.dstport == 2049 && tcp.analysis.retransmission", 5)
    lab.fault("HOST010", f"ip.src == {pod.prefix}.21 && tcp.dstport == 2049", ip=f"{pod.prefix}.21")
    for code in ("HOST004", "HOST007"):
        lab.consequence(code)


@scenario
def held_out_fifth_storage_vm_boots(lab: Lab) -> None:
    """All is well: a secondary storage VM boots. Its host tries it on the control network before it is there (no answer
    to ARP, then a closed port 3922, then SSH); it pings the gateway and, as its scripts do, a guessed x.y.z.1 that
    nobody has; then its agent links, and it lists its share by NFS. tcpdump -i any on the host, cooked version 2.
    Healthy."""
    pod = Management(lab, prefix="172.20.40", first_tap=200)
    host = Host(lab, "kvm1", 17)
    label, cloud0 = host.bridge("cloudbr0"), host.bridge("cloud0")
    veth(host.ns, "eno1", pod.switch.ns, "hv-port")
    host.ns.ip("link", "set", "eno1", "master", label, "up")
    pod.switch.ns.ip("link", "set", "hv-port", "master", pod.bridge, "up")
    host.ns.ip("address", "add", "172.20.40.21/24", "dev", label)
    host.ns.ip("address", "add", "169.254.0.1/16", "dev", cloud0)
    pod.serve_many()
    storage.nfs_server(pod.server, "172.20.40.0/24")
    pod.machine("00:1c:73:40:28:fe", "gateway", 254)
    with lab.record(host.ns, "any", "any", told=False, link_type="LINUX_SLL2", compress="zst", linger=1):
        host.ns.spawn("python3", _AGENT, pod.ip, str(pod.bundle), "4")
        ssh = "socat -T 2 /dev/null TCP:169.254.7.66:3922,connect-timeout=3"
        host.ns.spawn("sh", "-c", f"while :; do {ssh} >/dev/null 2>&1; sleep 2; done")
        time.sleep(11)
        vm = Machine(host, cloud0, "0e:00:a9:fe:07:42", "ssvm")
        vm.address("169.254.7.66", 16)
        vm.plug(label, "1e:00:28:00:00:42")
        vm.address("172.20.40.66", 24, "172.20.40.254", nic=1)
        vm.ns.run("ping", "-qc", "3", "172.20.40.254")
        vm.ns.run("ping", "-qc", "3", "-W", "1", "172.20.40.1", check=False)
        listen(vm, 3922)
        pod.agent(vm, every=3)
        for _ in range(4):
            vm.ns.run("nfs-ls", storage.url(pod.ip), check=False)
            time.sleep(3)
    lab.shows("arp.opcode == 1 && arp.dst.proto_ipv4 == 169.254.7.66", 3)
    lab.shows("tcp.srcport == 3922 && tcp.flags.syn == 1", 2)


@scenario
def held_out_fifth_xapi_signs_itself(lab: Lab) -> None:
    """All is well: a management server talks to two XenServers' XAPI on 443, whose certificates are self-signed, as
    they are made, and one of which expired last year; the client does not mind. It looks at port 80 and 22 too. On the
    label bridge. Healthy."""
    pod = Management(lab, prefix="172.20.41", first_tap=200)
    hosts = [pod.machine(f"00:16:3e:41:00:0{n}", f"xs{n}", 20 + n) for n in (1, 2)]
    for n, host in enumerate(hosts):
        ends = timedelta(days=-300 if n else 900)
        certificate, key = certificates.leaf((f"{pod.prefix}.{21 + n}",), None, starts=timedelta(days=-900), ends=ends)
        pem = certificates.write(lab.folder / f"xapi{n}.pem", key, certificate)
        nginx(host, nginx_tls(443, pem, "<value>OpaqueRef:NULL</value>"))
        listen(host, 22, 80)
    pod.serve_many()
    with lab.record(*pod.at_bridge, told=False, steps=(pcapng,), compress="zst", linger=1):
        for k in range(5):
            for n in (1, 2):
                url = f"https://{pod.prefix}.{20 + n}/"
                pod.server.ns.run("curl", "-sk", "--tls-max", "1.2", "-m", "5", "-o", "/dev/null", url)
                connects(pod.server, f"{pod.prefix}.{20 + n}", (22, 80)[k % 2], tries=1, pause=0.8)
    lab.shows("tls.handshake.type == 11", 8)


@scenario
def held_out_fifth_console_slow_names(lab: Lab) -> None:
    """All is well: the resolver of the office is slow to wake: the console's name is asked for twice in vain, then
    answered; from then on the page and the websocket work. Other names with a search suffix do not exist. At the
    browser's NIC. Healthy."""
    public = Public(lab, "203.0.113.120", first_tap=13)
    root = authority("Trusted Root F8")
    public.trust(root)
    pem = public.pem(f"*.{DOMAIN}", issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    public.browser.ns.resolver("198.51.100.53", search="corp.example.com")
    public.resolver.drop("udp dport 53")

    def wake() -> None:
        lab.stopping.wait(11)
        public.resolver.admit()

    lab.thread(wake)
    with lab.record(*public.at_browser, told=False, compress="zst", linger=2):
        public.page()
        public.page()
        public.websocket()
        for name in ("printer", "intranet"):
            public.browser.ns.run("getent", "ahostsv4", name, check=False)
        public.page()
    lab.shows("dns.flags.response == 0", 6)
    lab.shows("dns.flags.rcode == 3", 2)
    lab.shows("tls.app_data", 10)


@scenario
def held_out_fifth_storage_by_management(lab: Lab) -> None:
    """A host has a NIC in the storage network and uses it for its iSCSI target, but the primary NFS storage was added
    by the filer's management address, so its reads go by the management NIC, beside the agent's link. Both NICs."""
    pod = Management(lab, prefix="172.24.6", first_tap=60)
    kvm = pod.machine("b4:96:91:24:06:01", "kvm1", 21)
    filer = pod.machine("00:a0:98:24:06:60", "filer", 60)
    san = pod.switch.bridge("san0")
    kvm.plug(san, "b4:96:91:24:06:02")
    kvm.address("10.224.6.21", 24, nic=1)
    filer.plug(san, "00:a0:98:24:06:61")
    filer.address("10.224.6.60", 24, nic=1)
    storage.nfs_server(filer, "172.24.6.0/24")
    name = "iqn.2026-01.com.example:kvm1"
    storage.iscsi_target(filer, name)
    pod.serve()
    points = (
        Recorder(name="eth0", point=(kvm.ns, "eth0", "nic"), local=[kvm.mac], compress="gz"),
        Recorder(name="eth1", point=(kvm.ns, "eth1", "nic"), local=[kvm.nics[1].mac], compress="gz"),
    )
    with record_along(lab, *points, linger=2):
        pod.agent(kvm)
        for _ in range(5):
            storage.nfs(kvm, "nfs-ls", storage.url("172.24.6.60"))
            storage.iscsi(kvm, "10.224.6.60", name)
            time.sleep(2)
    lab.shows("tcp.port == 2049", 40)
    lab.shows("tcp.port == 3260", 20)
    lab.fault("PHYS006", "tcp.port == 2049", server="172.24.6.60")


@scenario
def held_out_fifth_layer_two_alone(lab: Lab) -> None:
    """All is well: a network of type L2, as the profile says: no router, no DHCP by the cloud. Guests have static
    addresses or IPv6 of their own; one was left on DHCP and asks now and then, and takes a link-local address. Bridge,
    begun in the middle. Healthy."""
    net = "100.96.81"
    network = Elsewhere(cidr=f"{net}.0/25", gateway=f"{net}.1", number=0x5151, vlan=1781, prefix="02:03")
    stage = Stage(lab, network, first_tap=3, router=False)
    guests = [Guest(stage.host, stage.bridge, network.mac(0x31 + k), f"l2-{k}", ipv6=k == 2) for k in range(4)]
    for k in range(3):
        guests[k].address(f"192.168.81.{41 + k}", 24)
    guests[2].ns.ip("address", "add", "fd12:81::43/64", "dev", "eth0", "nodad")
    lab.truth.site = {"network": [{"cidr": "192.168.81.0/24", "vlan": network.vlan, "type": "l2"}]}
    lighttpd(guests[1], 80, {"index.txt": "layer two " * 30})
    guests[0].ns.spawn("sh", "-c", "while :; do curl -s -m 3 -o /dev/null 192.168.81.42/index.txt; sleep 2; done")
    guests[2].ns.spawn("ping", "-q", "-i", "1.5", "192.168.81.41")
    with lab.record(*stage.at_bridge, told=False, nano=True, compress="gz", linger=2):
        guests[3].dhcpcd(seconds=34)
    lab.shows("dhcp", 2)
    lab.shows("http.response.code == 200", 8)
