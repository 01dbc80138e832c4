"""Console proxy: certificates and handshakes, good and bad."""

import ssl
import time
from datetime import timedelta

from captures.lab.post import pcapng
from captures.lab.public import DOMAIN, Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console
from captures.lab.services.certificates import authority
from captures.lab.services.password import serve
from captures.lab.services.resets import Resets

_CERTIFICATE = "tls.handshake.type == 11"
_HELLO = "tls.handshake.type == 1"
_ALERT = "tls.alert_message.desc == {}"
_WILDCARD = f"*.{DOMAIN}"


def _visit(public: Public, times: int = 2) -> None:
    for _ in range(times):
        public.page()
        time.sleep(1)


@scenario
def console_tls12_works(lab: Lab) -> None:
    """A console as it should be: dashed name, one-label wildcard with its intermediate, TLS 1.2 on 443, the page and
    then the websocket on 8443."""
    public = Public(lab)
    root = authority("Example Public CA")
    middle = authority("Example Public CA G2", root)
    public.trust(root)
    pem = public.pem(_WILDCARD, issuer=middle, chain=(middle,))
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    with lab.record(*public.at_cpvm, linger=2):
        public.page()
        public.websocket()
    lab.shows(_CERTIFICATE, 2)
    lab.hides("tls.alert_message.level == 2")
    lab.proof("CPVM025", _CERTIFICATE)


@scenario
def console_tls13_works(lab: Lab) -> None:
    """A console with TLS 1.3 on 443 and 8443; the certificate is encrypted, but good. Recorded at the browser."""
    public = Public(lab, ip="203.0.113.117")
    root = authority("Example Public CA")
    public.trust(root)
    pem = public.pem(_WILDCARD, issuer=root)
    for port in (443, 8443):
        console.start(public.cpvm, port, pem, newest=ssl.TLSVersion.TLSv1_3)
    with lab.record(*public.at_browser, told=False, nano=True, linger=2, compress="gz"):
        public.page()
        public.page()
        public.websocket()
    lab.hides(_CERTIFICATE)


@scenario
def console_fixed_name_works(lab: Lab) -> None:
    """The console has a fixed name without a wildcard, as behind a load balancer; its certificate names it exactly."""
    public = Public(lab, records=(("vnc", "203.0.113.45"),))
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(f"vnc.{DOMAIN}", issuer=root))
    with lab.record(*public.at_cpvm, told=False, linger=2):
        public.page(f"vnc.{DOMAIN}")
        public.page(f"vnc.{DOMAIN}")
    lab.shows(_CERTIFICATE, 2)


@scenario
def console_private_ca_trusted(lab: Lab) -> None:
    """The certificate is of a company's own CA, whose root is sent along and installed on the client: accepted."""
    public = Public(lab)
    root = authority("Example Corp Internal Root")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root, chain=(root,)))
    with lab.record(*public.at_cpvm, linger=2, steps=(pcapng,), compress="xz"):
        _visit(public)
    lab.shows(_CERTIFICATE, 2)


@scenario
def console_prefetch_without_data(lab: Lab) -> None:
    """A browser opens spare connections and closes them without a word, and closes one in the middle of a session with
    close_notify; the page loads beside them."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root))
    with lab.record(*public.at_cpvm, linger=2):
        for _ in range(3):
            public.browser.ns.run("curl", "-s", "-m", "1", "telnet://203.0.113.45:443", check=False)
        public.page()
        public.s_client(seconds=2)
    lab.shows("tcp.flags.fin == 1 && tcp.len == 0", 3)
    lab.shows(_HELLO, 2)


@scenario
def console_split_client_hello(lab: Lab) -> None:
    """The browser sits behind a path with an MTU of 320: its ClientHello comes in pieces. The console works."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root))
    public.browser.ns.ip("link", "set", "eth0", "mtu", "320")
    with lab.record(*public.at_cpvm, told=False, linger=2):
        _visit(public)
    lab.shows("tcp.dstport == 443 && tcp.len > 200", 4)
    lab.shows(_CERTIFICATE, 2)


@scenario
def console_name_mismatch(lab: Lab) -> None:
    """The certificate is for another domain; the browser rejects it with the alert bad_certificate."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    pem = public.pem("*.oldname.example.net", "oldname.example.net", issuer=root)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    with lab.record(*public.at_cpvm, linger=2):
        public.websocket(port=443)
        public.websocket(port=8443)
    lab.shows(_ALERT.format(42), 2)
    lab.fault("CPVM007", f"{_CERTIFICATE} || {_HELLO}", name=public.name)
    for code in ("CPVM010", "CPVM015"):
        lab.consequence(code)


@scenario
def console_two_label_wildcard(lab: Lab) -> None:
    """The console's domain is cp.console.example.com, the certificate's wildcard is one level too high: it covers one
    label, the name has two. curl ends the session after the handshake, without an alert."""
    name = f"203-0-113-45.cp.{DOMAIN}"
    public = Public(lab, records=((name, "203.0.113.45"),))
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root))
    with lab.record(*public.at_cpvm, told=False, linger=2, compress="gz"):
        public.page(name)
        public.page(name)
    lab.hides("tls.alert_message.desc == 42")
    lab.fault("CPVM007", f"{_CERTIFICATE} || {_HELLO}", name=name)


@scenario
def console_expired(lab: Lab) -> None:
    """The certificate expired nine days before; curl rejects it with certificate_expired."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    pem = public.pem(_WILDCARD, issuer=root, starts=timedelta(days=-374), ends=timedelta(days=-9))
    console.start(public.cpvm, 443, pem)
    with lab.record(*public.at_cpvm, linger=2):
        _visit(public)
    lab.shows(_ALERT.format(45), 2)
    lab.fault("CPVM006", _CERTIFICATE)
    lab.consequence("CPVM010")


@scenario
def console_not_yet_valid(lab: Lab) -> None:
    """The certificate becomes valid in three days. Recorded at the browser, openssl s_client."""
    public = Public(lab, ip="203.0.113.118")
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root, starts=timedelta(days=3)))
    with lab.record(*public.at_browser, told=False, linger=2):
        public.s_client()
        public.s_client()
    lab.shows("tls.alert_message", 2)
    lab.fault("CPVM006", _CERTIFICATE)
    lab.consequence("CPVM010")


@scenario
def console_self_signed(lab: Lab) -> None:
    """The certificate is signed by itself; the browser rejects it with unknown_ca."""
    public = Public(lab)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=None))
    with lab.record(*public.at_cpvm, linger=2, nano=True, compress="zst"):
        _visit(public, 3)
    lab.shows(_ALERT.format(48), 3)
    lab.fault("CPVM009", _CERTIFICATE)
    for code in ("CPVM010", "CPVM008"):
        lab.consequence(code)


@scenario
def console_exception_for_one_port(lab: Lab) -> None:
    """The certificate is signed by itself. The user is warned on 443, accepts it there, and the page loads; nobody asks
    for the websocket's port 8443, where it is rejected."""
    public = Public(lab)
    pem = public.pem(_WILDCARD, issuer=None)
    console.start(public.cpvm, 443, pem)
    console.start(public.cpvm, 8443, pem)
    with lab.record(*public.at_cpvm, linger=2, compress="gz"):
        public.page()
        time.sleep(2)
        public.page(options=("--insecure",))
        for _ in range(2):
            public.websocket()
            time.sleep(1)
    lab.shows("tcp.dstport == 8443 && tls.alert_message", 2)
    lab.fault("CPVM009", _CERTIFICATE)
    for code in ("CPVM008", "CPVM010", "CPVM015"):
        lab.consequence(code)


@scenario
def console_chain_incomplete(lab: Lab) -> None:
    """The intermediate certificate was not uploaded: the CPVM sends the leaf alone, clients that do not fetch it by
    themselves reject it with unknown_ca."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=authority("Example Public CA G2", root)))
    with lab.record(*public.at_cpvm, linger=2):
        _visit(public)
    lab.shows(_ALERT.format(48), 2)
    lab.fault("CPVM008", _CERTIFICATE)
    lab.consequence("CPVM010")


@scenario
def console_private_ca_unknown(lab: Lab) -> None:
    """The certificate is of a company's own CA and the chain is complete, root included; this client does not have the
    root installed and rejects it with unknown_ca."""
    public = Public(lab)
    root = authority("Example Corp Internal Root")
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root, chain=(root,)))
    with lab.record(*public.at_cpvm, told=False, linger=2):
        _visit(public)
    lab.shows(_ALERT.format(48), 2)
    lab.fault("CPVM010", "tls.alert_message")
    for code in ("CPVM008", "CPVM009"):
        lab.consequence(code)


@scenario
def console_client_clock_wrong(lab: Lab) -> None:
    """A good certificate, and a client whose clock is two years ahead: it says certificate_expired."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root))
    ahead = ("-attime", str(int(time.time()) + 2 * 365 * 86400))
    with lab.record(*public.at_cpvm, linger=2):
        public.s_client(*ahead)
        public.s_client(*ahead)
    lab.shows(_ALERT.format(45), 2)
    lab.fault("CPVM010", "tls.alert_message")


@scenario
def console_chromium_rejects(lab: Lab) -> None:
    """A certificate of an unknown CA, and Chromium: its large ClientHello comes in two segments, its alert is
    certificate_unknown whatever the reason."""
    public = Public(lab)
    root = authority("Example Corp Internal Root")
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root, chain=(root,)))
    with lab.record(*public.at_cpvm, told=False, linger=2, compress="gz"):
        public.chromium()
    lab.shows(_ALERT.format(46))
    lab.fault("CPVM010", "tls.alert_message")
    for code in ("CPVM008", "CPVM009"):
        lab.consequence(code)


@scenario
def console_tls13_alert_in_clear(lab: Lab) -> None:
    """TLS 1.3 with an expired certificate. The certificate is encrypted, but OpenSSL, which has no key for sending yet
    when it rejects the certificate, sends its alert in clear: certificate_expired."""
    public = Public(lab)
    root = authority("Example Public CA")
    public.trust(root)
    pem = public.pem(_WILDCARD, issuer=root, starts=timedelta(days=-374), ends=timedelta(days=-9))
    console.start(public.cpvm, 8443, pem, newest=ssl.TLSVersion.TLSv1_3)
    with lab.record(*public.at_cpvm, linger=2):
        for _ in range(3):
            public.websocket()
            time.sleep(1)
    lab.shows(_ALERT.format(45), 3)
    lab.fault("CPVM010", "tls.alert_message", server="203.0.113.45", port=8443)


@scenario
def console_tls13_client_aborts(lab: Lab) -> None:
    """TLS 1.3 with a certificate of an unknown CA, and Chromium: certificate and reason are encrypted, but it sends one
    small record and leaves right after the certificate, each time."""
    public = Public(lab)
    root = authority("Example Corp Internal Root")
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=root), newest=ssl.TLSVersion.TLSv1_3)
    with lab.record(*public.at_cpvm, linger=2):
        for _ in range(3):
            public.chromium()
    lab.shows("tls.record.length == 19 && tcp.dstport == 443", 3)
    lab.fault("CPVM011", "tls.record.length == 19 && tcp.dstport == 443", server="203.0.113.45", port=443)


@scenario
def console_no_common_cipher(lab: Lab) -> None:
    """The CPVM has no usable key for the ciphers the client knows and ends every handshake with handshake_failure."""
    public = Public(lab)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=None))
    with lab.record(*public.at_cpvm, linger=2):
        for _ in range(2):
            public.page(options=("--tls-max", "1.2", "--ciphers", "AES128-SHA256"))
            time.sleep(1)
    lab.shows(_ALERT.format(40), 2)
    lab.fault("CPVM012", "tls.alert_message", server="203.0.113.45", port=443)


@scenario
def console_protocol_version(lab: Lab) -> None:
    """The client insists on TLS 1.3, port 443 offers 1.2 at most: protocol_version from the server."""
    public = Public(lab)
    console.start(public.cpvm, 443, public.pem(_WILDCARD, issuer=None))
    with lab.record(*public.at_cpvm, told=False, linger=2):
        for _ in range(2):
            public.page(options=("--tlsv1.3",))
            time.sleep(1)
    lab.shows(_ALERT.format(70), 2)
    lab.fault("CPVM012", "tls.alert_message", server="203.0.113.45", port=443)


@scenario
def console_handshake_reset(lab: Lab) -> None:
    """Whatever sits on the CPVM's port 443 closes with a reset as soon as it has read the ClientHello."""
    public = Public(lab)
    serve(public.cpvm, Resets, 443)
    with lab.record(*public.at_cpvm, linger=2):
        _visit(public, 3)
    lab.shows("tcp.srcport == 443 && tcp.flags.reset == 1", 3)
    lab.fault("CPVM012", "tcp.port == 443", server="203.0.113.45", port=443)
