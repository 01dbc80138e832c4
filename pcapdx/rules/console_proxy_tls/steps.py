"""What to run next when a console does not open; the same commands for every rule of this topic."""

from pcapdx.model import NextStep


def record(name: str) -> NextStep:
    """What the world's DNS says."""
    return NextStep(
        where="browser",
        command=f"dig +short {name}; dig +short {name} @9.9.9.9",
        meaning="both must give the address that the name spells (or the balancer's); nothing: the record is missing",
    )


def domain() -> NextStep:
    """What CloudStack makes names of."""
    return NextStep(
        where="CloudStack API",
        command="list configurations name=consoleproxy.url.domain; list configurations name=consoleproxy.sslEnabled",
        meaning="the domain must be one whose wildcard record and certificate exist; *.domain makes dashed names",
    )


def proxy() -> NextStep:
    """Is it up, and under which address."""
    return NextStep(
        where="CloudStack API",
        command="list systemvms systemvmtype=consoleproxy",
        meaning="state Running and agentstate Up, and publicip the address that is asked here",
    )


def certificate(server: str | None, port: int, name: str | None) -> NextStep:
    """The certificate as a client gets it."""
    servername = f" -servername {name}" if name else ""
    return NextStep(
        where="browser",
        command=f"openssl s_client -connect {server}:{port}{servername} -showcerts -verify 5 </dev/null",
        meaning="dates, names and chain as sent; 'unable to get local issuer': a missing intermediate or unknown CA",
    )


def upload() -> NextStep:
    """How a certificate is renewed."""
    return NextStep(
        where="CloudStack API",
        command="upload customcertificate: root (id=1), intermediates (id=2, ...), then certificate and privatekey",
        meaning="the whole chain, one wildcard label below consoleproxy.url.domain; the console proxy restarts",
    )


def listeners() -> NextStep:
    """Does anything listen on the proxy, and does its firewall admit it."""
    return NextStep(
        where="console proxy VM",
        command="ss -ltnp | grep -E ':(80|443|8080|8443) '; cat /root/vncport; iptables -L INPUT -vn",
        meaning="the page's and the websocket's port must both listen and be admitted; else destroy the VM",
    )


def log() -> NextStep:
    """What the proxy says of its keystore and tokens."""
    return NextStep(
        where="console proxy VM",
        command="grep -iE 'keystore|ssl|certificate|token|exception' /var/log/cloud.log | tail -50",
        meaning="a keystore error: key or certificate was not loaded (PKCS#8 expected); token errors: 8250 fails",
    )
