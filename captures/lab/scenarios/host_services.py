"""What management servers and hosts need of others: ssh, API of hypervisors, database, iSCSI, controller, clocks."""

import time
from datetime import timedelta

from captures.lab.cloud import Machine
from captures.lab.management import Management, connects
from captures.lab.namespaces import until
from captures.lab.openvswitch import OpenVSwitch
from captures.lab.post import pcapng
from captures.lab.scenario import Lab, scenario
from captures.lab.services import certificates
from captures.lab.services.database import database, login
from captures.lab.services.ssh import key_scan, sshd
from captures.lab.services.storage import iscsi, iscsi_target

_DEAD_BACKEND = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 30s
    timeout server 30s
listen api
    bind 0.0.0.0:443
    server vc1 127.0.0.1:9 check
"""


def _pod(lab: Lab, prefix: str, *, told: bool = True) -> tuple[Management, Machine]:
    """A management server, which the profile names, and another machine."""
    pod = Management(lab, prefix=prefix)
    if told:
        lab.truth.site = {"management": {"servers": [pod.ip], "networks": [f"{prefix}.0/24"]}}
    return pod, pod.machine("b8:59:9f:00:04:20", "kvm1", 20)


def _reject(machine: Machine, rule: str) -> None:
    machine.ns.run("nft", "add", "table", "inet", "lab")
    machine.ns.run("nft", "add chain inet lab input { type filter hook input priority 0; }")
    machine.ns.run("nft", f"add rule inet lab input {rule} reject with icmpx type admin-prohibited")


def _listens(machine: Machine, port: int) -> None:
    until(lambda: machine.ns.run("ss", "-Hltn", f"sport = :{port}").stdout, f"port {port} listens", 30)


@scenario
def host_vcenter_silent(lab: Lab) -> None:
    """A firewall drops what the management server sends to port 443 of vCenter, which answers ping."""
    pod, vcenter = _pod(lab, "192.168.90")
    vcenter.drop("tcp dport 443")
    with lab.record(*pod.at(pod.server), linger=4):
        pod.server.ns.run("ping", "-qc", "2", "192.168.90.20")
        connects(pod.server, "192.168.90.20", 443, tries=1, wait=12)
    lab.shows("tcp.flags.syn == 1 && tcp.dstport == 443", 4)
    lab.fault("HOST017", "tcp.dstport == 443", server="192.168.90.20", port=443)


@scenario
def host_database_down(lab: Lab) -> None:
    """The database server's mysqld is dead: the management server, whose agents are linked, is refused on port 3306.
    No profile. Recorded at the management server, role not told."""
    pod, host = _pod(lab, "10.220.0", told=False)
    pod.machine("b8:59:9f:00:04:30", "db1", 30)
    pod.serve()
    with lab.record(*pod.at(pod.server), told=False, steps=(pcapng,)):
        pod.agent(host)
        connects(pod.server, "10.220.0.30", 3306, tries=5)
    lab.shows("tcp.flags.reset == 1 && tcp.srcport == 3306", 5)
    lab.fault("HOST018", "tcp.port == 3306", server="10.220.0.30", port=3306)
    lab.proof("HOST016", server=pod.ip)


@scenario
def host_ssh_prohibited(lab: Lab) -> None:
    """A host is to be added. Its firewalld does not list ssh for the management network and refuses it by ICMP."""
    pod, host = _pod(lab, "192.168.91")
    _reject(host, "tcp dport 22")
    with lab.record(*pod.at(pod.server), compress="gz"):
        connects(pod.server, "192.168.91.20", 22, tries=3)
    lab.shows("icmp.type == 3", 3)
    lab.fault("HOST019", "icmp.type == 3", server="192.168.91.20", port=22)
    lab.info("SG011")


@scenario
def host_vcenter_balancer_empty(lab: Lab) -> None:
    """Before the hypervisor's API stands HAProxy, and nothing lives behind it: it accepts each connection and closes it
    at once."""
    pod, front = _pod(lab, "192.168.92")
    settings = lab.file("haproxy.cfg", _DEAD_BACKEND)
    front.ns.spawn("haproxy", "-db", "-f", str(settings))
    _listens(front, 443)
    time.sleep(3)
    with lab.record(*pod.at(pod.server)):
        for _ in range(3):
            pod.server.ns.run("curl", "-sk", "-m", "5", "https://192.168.92.20/sdk", check=False)
    lab.shows("tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.srcport == 443", 2)
    lab.fault("HOST020", "tcp.port == 443", server="192.168.92.20", port=443)


def _api(lab: Lab, machine: Machine, address: str, *options: str) -> str:
    """An https server with a certificate of the returned authority file."""
    authority = certificates.authority("vcenter-ca")
    certificate, key = certificates.leaf((address,), authority, starts=timedelta(days=-9), ends=timedelta(days=300))
    pem = certificates.write(lab.folder / "vc.pem", key, certificate)
    machine.ns.spawn("openssl", "s_server", "-accept", "443", "-cert", str(pem), "-www", "-quiet", *options)
    _listens(machine, 443)
    return str(certificates.trust(lab.folder / "vc-ca.pem", authority))


@scenario
def host_database_balancer_empty(lab: Lab) -> None:
    """The management server reaches its database through HAProxy, behind which no database lives any more. Role not
    told."""
    pod, front = _pod(lab, "10.226.0")
    settings = lab.file("haproxy.cfg", _DEAD_BACKEND.replace(":443", ":3306"))
    front.ns.spawn("haproxy", "-db", "-f", str(settings))
    _listens(front, 3306)
    time.sleep(3)
    with lab.record(*pod.at(pod.server), told=False, compress="gz"):
        for _ in range(3):
            login(pod.server, "10.226.0.20", "cloud", "ch4ngeTheP4ss")
    lab.shows("tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.srcport == 3306", 2)
    lab.fault("HOST020", "tcp.port == 3306", server="10.226.0.20", port=3306)


@scenario
def host_vcenter_certificate_unknown(lab: Lab) -> None:
    """vCenter got a new certificate of an authority that the management server does not know: it says so and leaves,
    three times."""
    pod, vcenter = _pod(lab, "192.168.93")
    _api(lab, vcenter, "192.168.93.20", "-tls1_2")
    with lab.record(*pod.at(pod.server), told=False):
        for _ in range(3):
            pod.server.ns.run("curl", "-s", "-m", "5", "https://192.168.93.20/sdk", check=False)
            time.sleep(0.3)
    lab.shows("tls.alert_message.desc == 48", 3)
    lab.fault("HOST021", "tls", server="192.168.93.20", port=443)


@scenario
def host_services_work(lab: Lab) -> None:
    """A management server reaches a host's ssh, vCenter's 443 and its database; a port check connects to 443 and leaves
    before; sshd is restarted in between, and refuses twice. Healthy."""
    pod, host = _pod(lab, "192.168.94")
    bundle = _api(lab, host, "192.168.94.20")
    base = database(host, {"cloud": "192.168.94.5"})
    with lab.record(*pod.at(pod.server), compress="zst"):
        connects(pod.server, "192.168.94.20", 443, tries=2)
        connects(pod.server, "192.168.94.20", 22, tries=2)
        sshd(host, 22)
        for _ in range(2):
            key_scan(pod.server, "192.168.94.20", 22)
        for _ in range(2):
            pod.server.ns.run("curl", "-s", "--cacert", bundle, "https://192.168.94.20/sdk", check=False, seconds=5)
        login(pod.server, "192.168.94.20", "cloud", base)
    lab.shows("tls.app_data", 2)
    lab.shows("mysql", 3)


@scenario
def host_database_denies_host(lab: Lab) -> None:
    """The management server got another address, and the database's grants still name the old one: MariaDB sends error
    1130 in place of its greeting."""
    pod, base = _pod(lab, "192.168.95")
    password = database(base, {"cloud": "192.168.95.77"})
    with lab.record(*pod.at(pod.server)):
        for _ in range(2):
            login(pod.server, "192.168.95.20", "cloud", password)
    lab.shows("mysql.error_code == 1130", 2)
    lab.fault("HOST022", "mysql.error_code == 1130", server="192.168.95.20", port=3306)


@scenario
def host_database_wrong_password(lab: Lab) -> None:
    """db.properties holds an old password of the user cloud: error 1045. No profile. Recorded at the server."""
    pod, base = _pod(lab, "10.221.0", told=False)
    database(base, {"cloud": "10.221.0.%"})
    with lab.record(*pod.at(base), told=False, steps=(pcapng,), compress="gz"):
        for _ in range(2):
            login(pod.server, "10.221.0.20", "cloud", "nolongerthis1")
    lab.shows("mysql.error_code == 1045", 2)
    lab.fault("HOST022", "mysql.error_code == 1045", server="10.221.0.20", port=3306)


@scenario
def host_database_full(lab: Lab) -> None:
    """max_connections is far too small: other clients use all of them up, and the management server gets error 1040 in
    place of a greeting."""
    pod, base = _pod(lab, "192.168.96")
    password = database(base, {"cloud": "192.168.96.%"}, "--max-connections=10", "--extra-max-connections=1")
    for _ in range(14):
        sleeper = "select sleep(30)"
        base.ns.spawn("mariadb", "-h", "192.168.96.20", "-ucloud", f"-p{password}", "--skip-ssl", "-e", sleeper)
    time.sleep(1.5)
    with lab.record(*pod.at(pod.server)):
        for _ in range(2):
            login(pod.server, "192.168.96.20", "cloud", password)
    lab.shows("mysql.error_code == 1040", 1)
    lab.fault("HOST022", "mysql.error_code == 1040", server="192.168.96.20", port=3306)


@scenario
def host_iscsi_initiator_unknown(lab: Lab) -> None:
    """A host was reinstalled and has another initiator name; the target (tgt) admits the old one only, and refuses the
    login."""
    pod, host = _pod(lab, "192.168.97", told=False)
    storage = pod.machine("00:a0:98:00:04:30", "san1", 30)
    iscsi_target(storage, "iqn.2026-01.com.example:kvm1-old")
    with lab.record(*pod.at(host)):
        for _ in range(2):
            iscsi(host, "192.168.97.30", "iqn.2026-01.com.example:kvm1-new")
    lab.shows("iscsi.login.status >= 0x0200", 1)
    lab.fault("HOST023", "iscsi.login.status >= 0x0200", server="192.168.97.30", port=3260)


@scenario
def host_iscsi_wrong_secret(lab: Lab) -> None:
    """The CHAP secret of a storage was changed, and a host still uses the old one: the login is refused. Recorded at
    the storage, role not told."""
    pod, host = _pod(lab, "10.225.0", told=False)
    storage = pod.machine("00:a0:98:00:04:32", "san1", 30)
    iscsi_target(storage, "iqn.2026-01.com.example:kvm1", account=("kvm1", "newS3cretOfMay"))
    with lab.record(*pod.at(storage), told=False, steps=(pcapng,)):
        for _ in range(2):
            iscsi(host, "10.225.0.30", "iqn.2026-01.com.example:kvm1", account="kvm1%oldS3cretOfApril")
    lab.shows("iscsi.login.status >= 0x0200", 2)
    lab.fault("HOST023", "iscsi.login.status >= 0x0200", server="10.225.0.30", port=3260)


@scenario
def host_iscsi_works(lab: Lab) -> None:
    """A host logs in to its iSCSI target and asks for its LUNs. Healthy."""
    pod, host = _pod(lab, "192.168.98", told=False)
    storage = pod.machine("00:a0:98:00:04:31", "san1", 30)
    iscsi_target(storage, "iqn.2026-01.com.example:kvm1")
    with lab.record(*pod.at(host), told=False, compress="gz"):
        iscsi(host, "192.168.98.30", "iqn.2026-01.com.example:kvm1")
    lab.shows("iscsi.login.status == 0", 1)
    lab.hides("iscsi.login.status >= 0x0200")
    lab.proof("HOST026", server="192.168.98.30")


def _controller(machine: Machine) -> None:
    """Open vSwitch's own test controller, for OpenFlow 1.0 and 1.3."""
    env = {"OVS_RUNDIR": str(machine.lab.folder)}
    machine.ns.spawn("ovs-testcontroller", "ptcp:6653", "-O", "OpenFlow10,OpenFlow13", "-vconsole:off", env=env)
    _listens(machine, 6653)


@scenario
def host_controller_version(lab: Lab) -> None:
    """A host's bridge was narrowed to OpenFlow 1.5, its controller speaks 1.0 and 1.3: hello failed, time and again."""
    pod = Management(lab, prefix="192.168.99")
    host = pod.machine("b8:59:9f:00:04:21", "kvm1", 21)
    ruler = pod.machine("00:0d:3a:00:04:41", "ctl1", 40)
    _controller(ruler)
    switch = OpenVSwitch(lab, host.ns)
    switch.bridge("cloudbr1", "protocols=OpenFlow15")
    with lab.record(*pod.at(host)):
        switch.vsctl("set-controller", "cloudbr1", "tcp:192.168.99.40:6653")
        time.sleep(8)
    lab.fault("HOST025", "tcp.port == 6653", server="192.168.99.40", port=6653)


@scenario
def host_controller_works(lab: Lab) -> None:
    """A host's bridge and its controller agree on OpenFlow 1.3. Healthy."""
    pod = Management(lab, prefix="10.222.0")
    host = pod.machine("b8:59:9f:00:04:22", "kvm1", 22)
    ruler = pod.machine("00:0d:3a:00:04:42", "ctl1", 40)
    _controller(ruler)
    switch = OpenVSwitch(lab, host.ns)
    switch.bridge("cloudbr1", "protocols=OpenFlow13,OpenFlow14,OpenFlow15")
    with lab.record(*pod.at(host), told=False, compress="gz"):
        switch.vsctl("set-controller", "cloudbr1", "tcp:10.222.0.40:6653")
        time.sleep(5)
    lab.shows("tcp.port == 6653 && tcp.len > 0", 4)


@scenario
def host_clock_behind(lab: Lab) -> None:
    """The clock of a management server is 47 minutes behind, and so are the dates of its web server; another machine's
    is right. Worth a word. (Their web servers run under libfaketime, as a namespace has no clock of its own.)"""
    pod, other = _pod(lab, "192.168.100", told=False)
    client = pod.machine("b8:59:9f:00:04:60", "op", 60)
    empty = lab.folder / "www"
    empty.mkdir()
    for machine, clock in ((pod.server, "-47m"), (other, "+0m")):
        web = ("python3", "-m", "http.server", "8080", "--directory", str(empty))
        machine.ns.spawn("faketime", "-f", clock, *web)
        _listens(machine, 8080)
    with lab.record(*pod.at(client)):
        for _ in range(3):
            for ip in (pod.ip, "192.168.100.20"):
                client.ns.run("curl", "-s", f"http://{ip}:8080/client/api")
            time.sleep(1.2)
    lab.shows("http.date", 6)
    lab.info("HOST024", "http.date", server=pod.ip)


_CHRONY = """
local stratum 5
allow all
cmdport 0
bindcmdaddress /
pidfile {folder}/{label}-chronyd.pid
user root
"""


def _time_server(machine: Machine, clock: str) -> None:
    """chronyd that vouches for its own clock, which is off by so much."""
    folder = machine.lab.folder
    settings = machine.lab.file(f"{machine.label}.conf", _CHRONY.format(folder=folder, label=machine.label))
    machine.ns.spawn("faketime", "-f", clock, "chronyd", "-x", "-d", "-f", str(settings))
    until(lambda: machine.ns.run("ss", "-Hlun", "sport = :123").stdout, "chronyd listens")


def _asks_time(machine: Machine, server: str) -> None:
    only_here = (f"pidfile {machine.lab.folder}/ask.pid", "user root", "cmdport 0", "bindcmdaddress /")
    words = ("chronyd", "-Q", "-t", "6", "-f", "/dev/null", f"server {server} iburst maxsamples 3", *only_here)
    machine.ns.run(*words, check=False, seconds=10)


@scenario
def host_time_server_ahead(lab: Lab) -> None:
    """The time server of a pod (chronyd under libfaketime) was set by hand and is three hours ahead; a host asks it.
    Worth a word. Recorded on the label bridge, role not told."""
    pod, host = _pod(lab, "10.223.0", told=False)
    _time_server(pod.server, "+3h")
    with lab.record(*pod.at_bridge, told=False, steps=(pcapng,)):
        _asks_time(host, pod.ip)
    lab.shows("ntp.flags.mode == 4", 2)
    lab.info("HOST024", "ntp.flags.mode == 4", server=pod.ip)


@scenario
def host_time_server_right(lab: Lab) -> None:
    """A host asks the time server of its pod (chronyd), which is right. Healthy."""
    pod, host = _pod(lab, "10.224.0", told=False)
    _time_server(pod.server, "+0m")
    with lab.record(*pod.at(host), compress="gz"):
        _asks_time(host, pod.ip)
    lab.shows("ntp.flags.mode == 4", 2)
