"""Console proxy: its legs to the hypervisor and to the management server, seen inside the CPVM with ``-i any``."""

import time

from captures.lab.cloud import Machine
from captures.lab.public import Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console, vnc

_HOST, _MANAGEMENT, _CPVM = "10.250.1.21", "10.250.1.5", "10.250.1.112"


def _private(public: Public) -> tuple[Machine, Machine]:
    """The management network: the CPVM's second NIC, a hypervisor, and a management server."""
    bridge = public.host.bridge("cloudbr0")
    public.cpvm.plug(bridge, "1e:00:9b:00:00:3b")
    public.cpvm.address(_CPVM, 24, nic=1)
    host = Machine(public.host, bridge, "a0:36:9f:10:20:30", "hypervisor")
    host.address(_HOST, 24)
    management = Machine(public.host, bridge, "52:54:00:31:41:59", "management")
    management.address(_MANAGEMENT, 24)
    return host, management


@scenario
def console_works(lab: Lab) -> None:
    """A console from end to end, without TLS: websocket on 8080, VNC to the hypervisor, a screen for six seconds."""
    public = Public(lab, ip="203.0.113.130")
    host, _ = _private(public)
    vnc.start(host, 5903)
    console.start(public.cpvm, 80)
    console.start(public.cpvm, 8080, screen=(_HOST, 5903))
    lab.secret("Zx9-lab-token-console")
    with lab.record(public.cpvm.ns, "any", "any", link_type="LINUX_SLL2", linger=2):
        public.page(scheme="http")
        public.websocket(port=8080, tls=False)
    lab.shows("http.response.code == 101")
    lab.shows('tcp.srcport == 5903 && tcp.payload contains "RFB 003.008"')
    lab.fault("CPVM022", "tcp.port == 8080", server="203.0.113.130")
    lab.proof("CPVM024", "tcp.port == 8080")


@scenario
def console_vnc_refused(lab: Lab) -> None:
    """The instance was stopped: its VNC port on the hypervisor is refused, and the websocket closes at once."""
    public = Public(lab, ip="203.0.113.131")
    _private(public)
    console.start(public.cpvm, 8080, screen=(_HOST, 5904))
    lab.secret("Zx9-lab-token-console")
    with lab.record(public.cpvm.ns, "any", "any", told=False, link_type="LINUX_SLL", linger=2, compress="gz"):
        for _ in range(2):
            public.websocket(port=8080, tls=False)
            time.sleep(2)
    lab.shows("tcp.srcport == 5904 && tcp.flags.reset == 1", 2)
    lab.fault("CPVM017", "tcp.port == 5904", server=_HOST, port=5904)
    for code in ("CPVM020", "CPVM022", "HOST011"):
        lab.consequence(code)


@scenario
def console_vnc_wrong_password(lab: Lab) -> None:
    """The VNC server of the hypervisor does not accept the proxy's password. Recorded at the CPVM's private NIC."""
    public = Public(lab, ip="203.0.113.132")
    host, _ = _private(public)
    vnc.start(host, 5905, accepts=False)
    console.start(public.cpvm, 8080, screen=(_HOST, 5905))
    with lab.record(public.host.ns, public.cpvm.nics[1].tap, "tap", linger=2):
        for _ in range(2):
            public.websocket(port=8080, tls=False)
            time.sleep(1)
    lab.shows("vnc.auth_result == 1", 2)
    lab.fault("CPVM018", "tcp.srcport == 5905 && tcp.len > 0", server=_HOST, port=5905)


@scenario
def console_vnc_wants_tls(lab: Lab) -> None:
    """vnc_tls was switched on at the hypervisor, the console proxy is from before 4.18: VeNCrypt is all that the VNC
    server offers, the proxy does not speak it and leaves. Recorded at the CPVM's private NIC."""
    public = Public(lab, ip="203.0.113.136")
    host, _ = _private(public)
    vnc.start(host, 5906, offers=(vnc.VENCRYPT,))
    console.start(public.cpvm, 8080, screen=(_HOST, 5906))
    with lab.record(public.host.ns, public.cpvm.nics[1].tap, "tap", linger=2):
        for _ in range(2):
            public.websocket(port=8080, tls=False)
            time.sleep(1)
    lab.shows("vnc.security_type == 19", 2)
    lab.hides("vnc.client_security_type")
    lab.fault("CPVM019", "tcp.port == 5906 && tcp.len > 0", server=_HOST, port=5906)


@scenario
def console_vnc_may_use_tls(lab: Lab) -> None:
    """As console-vnc-wants-tls, with a server that offers the password without TLS as well, by which the proxy gets
    the screen. Healthy."""
    public = Public(lab, ip="203.0.113.137")
    host, _ = _private(public)
    vnc.start(host, 5907, offers=(vnc.VENCRYPT, 2))
    console.start(public.cpvm, 8080, screen=(_HOST, 5907))
    with lab.record(public.host.ns, public.cpvm.nics[1].tap, "tap", linger=2):
        public.websocket(port=8080, tls=False)
    lab.shows("vnc.client_security_type == 2", 1)


@scenario
def console_management_refused(lab: Lab) -> None:
    """The management service is down: the CPVM's agent is refused on port 8250 every five seconds."""
    public = Public(lab, ip="203.0.113.133")
    _private(public)
    with lab.record(public.host.ns, public.cpvm.nics[1].tap, "tap", told=False, linger=2):
        for _ in range(7):
            public.cpvm.ns.run("curl", "-s", "-m", "3", f"https://{_MANAGEMENT}:8250/", check=False)
            time.sleep(5)
    lab.shows("tcp.srcport == 8250 && tcp.flags.reset == 1", 5)
    lab.fault("CPVM016", "tcp.port == 8250", server=_MANAGEMENT, port=8250)
    for code in ("HOST001", "HOST002"):
        lab.consequence(code)
