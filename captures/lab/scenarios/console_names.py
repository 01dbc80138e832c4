"""Console proxy: names, ports and the way to it."""

import time

from captures.lab.post import pcapng
from captures.lab.public import DOMAIN, Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console
from captures.lab.services.certificates import authority

_HELLO = "tls.handshake.type == 1"
_SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
_RST = "tcp.flags.reset == 1"
_DNS = "dns.flags.response == 1"


def _served(public: Public, *names: str) -> None:
    """A sound CPVM: page and websocket with a certificate for ``names`` whose root the browser trusts."""
    root = authority("Example Public CA")
    public.trust(root)
    pem = public.pem(*(names or (f"*.{DOMAIN}",)), issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)


@scenario
def console_name_not_resolved(lab: Lab) -> None:
    """The zone of the console's domain was never made: the browser's resolver says NXDOMAIN for the dashed name.
    Recorded at the browser."""
    public = Public(lab, dashed_name=False)
    _served(public)
    with lab.record(*public.at_browser, told=False, linger=3):
        for _ in range(3):
            public.page()
            time.sleep(2)
    lab.shows("dns.flags.rcode == 3", 3)
    lab.hides("tcp")
    lab.fault("CPVM001", f'dns.qry.name == "{public.name}"', name=public.name)


@scenario
def console_realhostip(lab: Lab) -> None:
    """A cloud upgraded from old releases still sends consoles to realhostip.com, a domain that is gone. Recorded at the
    browser."""
    public = Public(lab)
    _served(public)
    name = f"{public.dashed}.realhostip.com"
    with lab.record(*public.at_browser, told=False, linger=3, compress="gz"):
        for _ in range(2):
            public.page(name)
            time.sleep(2)
    lab.fault("CPVM002", 'dns.qry.name contains "realhostip.com"', name=name)
    lab.consequence("CPVM001", name=name)


@scenario
def console_dashed_name_of_another_address(lab: Lab) -> None:
    """The record of the dashed name was never changed after the CPVM got a new public address: the name says one
    address, the connection goes to another."""
    old = "203-0-113-61"
    public = Public(lab, records=((old, "203.0.113.45"),))
    _served(public)
    with lab.record(*public.at_browser, told=False, linger=3):
        for _ in range(2):
            public.page(f"{old}.{DOMAIN}")
            time.sleep(1)
    lab.fault("CPVM003", f"{_HELLO} || dns", name=f"{old}.{DOMAIN}")


@scenario
def console_port_refused(lab: Lab) -> None:
    """The console process on the CPVM is dead: port 443 is refused, three times."""
    public = Public(lab, ip="203.0.113.88")
    with lab.record(*public.at_cpvm, linger=4):
        for _ in range(3):
            public.page()
            time.sleep(3)
    lab.shows(_RST, 3)
    lab.fault("CPVM004", f"({_SYN}) || {_RST}", server="203.0.113.88", port=443)


@scenario
def console_port_silent(lab: Lab) -> None:
    """A firewall before the CPVM drops what comes for port 443. Recorded at the browser, which tries 20 s, twice."""
    public = Public(lab)
    _served(public)
    public.cpvm.drop("tcp dport 443")
    with lab.record(*public.at_browser, told=False, nano=True, linger=5, compress="zst"):
        public.page()
        public.page()
    lab.shows(_SYN, 8)
    lab.hides("tcp.srcport == 443")
    lab.fault("CPVM004", _SYN, server="203.0.113.45", port=443)


@scenario
def console_first_syn_lost(lab: Lab) -> None:
    """The first SYN to the CPVM is lost on the way; the second one, a second later, is answered and the page loads."""
    public = Public(lab, ip="203.0.113.94")
    _served(public)
    public.cpvm.drop("tcp dport 443")
    with lab.record(*public.at_cpvm, linger=2):
        page = public.browser.ns.spawn("curl", "-s", "--cacert", str(public.bundle), f"https://{public.name}/")
        time.sleep(0.7)
        public.cpvm.admit()
        page.communicate(timeout=10)
        public.page()
    lab.shows(_SYN, 3)
    lab.shows("tls.handshake.type == 11", 2)


@scenario
def console_websocket_port_silent(lab: Lab) -> None:
    """The page on 443 loads, the websocket's port 8443 is blocked: the console stays black."""
    public = Public(lab)
    _served(public)
    public.cpvm.drop("tcp dport 8443")
    with lab.record(*public.at_cpvm, told=False, linger=5, steps=(pcapng,)):
        public.page()
        public.websocket()
    lab.shows(f"tcp.dstport == 8443 && {_SYN}", 3)
    lab.fault("CPVM005", f"tcp.dstport == 8443 && {_SYN}", server="203.0.113.45", port=8443)


@scenario
def console_websocket_port_refused(lab: Lab) -> None:
    """The page over plain HTTP loads, nothing listens on the websocket's port 8080: a CPVM with an old template."""
    public = Public(lab, ip="203.0.113.90")
    console.start(public.cpvm, 80)
    with lab.record(*public.at_browser, told=False, linger=5):
        public.page(scheme="http")
        for _ in range(3):
            public.websocket(port=8080, tls=False)
            time.sleep(1)
    lab.shows("http.response.code == 200")
    lab.shows(f"tcp.srcport == 8080 && {_RST}", 3)
    lab.fault("CPVM005", "tcp.port == 8080", server="203.0.113.90", port=8080)
    lab.consequence("CPVM022")


@scenario
def console_in_clear(lab: Lab) -> None:
    """The console works without TLS over the public network: page on 80, websocket on 8080, the token in clear."""
    public = Public(lab, ip="203.0.113.91")
    console.start(public.cpvm, 80)
    console.start(public.cpvm, 8080)
    lab.secret("Zx9-lab-token-console")
    with lab.record(*public.at_cpvm, linger=3, compress="gz"):
        public.page(scheme="http")
        public.websocket(port=8080, tls=False)
    lab.shows("http.response.code == 101")
    lab.fault("CPVM022", "tcp.port == 8080", server="203.0.113.91")


@scenario
def console_websocket_not_found(lab: Lab) -> None:
    """A reverse proxy before the CPVM does not pass the websocket's path: 404 for every upgrade."""
    public = Public(lab, ip="203.0.113.92")
    console.start(public.cpvm, 80)
    console.start(public.cpvm, 8080, websocket="404")
    lab.secret("Zx9-lab-token-console")
    with lab.record(*public.at_cpvm, told=False, linger=3):
        public.page(scheme="http")
        for _ in range(2):
            public.websocket(port=8080, tls=False)
            time.sleep(1)
    lab.shows("http.response.code == 404", 2)
    lab.fault("CPVM014", "tcp.port == 8080 && http", server="203.0.113.92", port=8080)
    lab.consequence("CPVM022")


@scenario
def console_websocket_dies(lab: Lab) -> None:
    """The CPVM accepts the websocket and closes it at once, as when it cannot have the token checked; three times."""
    public = Public(lab, ip="203.0.113.93")
    console.start(public.cpvm, 8080, websocket="dies")
    lab.secret("Zx9-lab-token-console")
    with lab.record(*public.at_cpvm, linger=3, nano=True, compress="lz4"):
        for _ in range(3):
            public.websocket(port=8080, tls=False)
            time.sleep(2)
    lab.shows("http.response.code == 101", 3)
    lab.fault("CPVM020", "tcp.port == 8080", server="203.0.113.93")
    lab.consequence("CPVM022")


@scenario
def console_plain_http_on_443(lab: Lab) -> None:
    """The URL says https, but the CPVM serves plain HTTP on 443: it answers the browser's ClientHello with a page."""
    public = Public(lab)
    console.start(public.cpvm, 443)
    with lab.record(*public.at_cpvm, linger=3):
        for _ in range(2):
            public.page()
            time.sleep(1)
    lab.shows('tcp.srcport == 443 && tcp.payload contains "HTTP/1.1 400"', 2)
    lab.fault("CPVM013", "tcp.port == 443 && tcp.len > 0", server="203.0.113.45", port=443)
    lab.consequence("CPVM012")
