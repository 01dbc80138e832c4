"""What makes an address, a name or a connection a console proxy's. All else on these ports is somebody's web site.

A console proxy is known by the site profile (domain, addresses), by a name whose first label spells an address
(``1-2-3-4.domain``, CloudStack's ``ConsoleProxyInfo``), by realhostip.com, or by the paths of its pages. Certificates
and ports alone make none.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from dissectors.console_proxy import ConsoleHandshake, ConsolePage, console_page, dashed_ip
from dissectors.dns import DnsExchange
from dissectors.http import HttpExchange
from pcapdx.case import View
from pcapdx.model import Subject
from pcapdx.rules.definitions.memo import once_a_view

REALHOSTIP = "realhostip.com"
PAGE_PORTS = (80, 443)
WEBSOCKET_PORTS = (8080, 8443)
TLS_PORTS = (443, 8443)
ADDRESS_DOMAINS = (
    "nip.io",
    "sslip.io",
    "xip.io",
    "plex.direct",
    "traefik.me",
    "local-ip.co",
    "local-ip.sh",
    "local-ip.medicmobile.org",
    "lvh.me",
)
"""Public services that resolve any spelled address; their names say nothing of a console."""
LABELS = 3
"""Of a console's name at least: its address, and a domain of two."""


def within(name: str, domain: str) -> bool:
    """Whether a name is a domain's, or the domain itself."""
    return name == domain or name.endswith(f".{domain}")


def why_name(view: View, name: str | None) -> str | None:
    """What makes a name (lower case, no final dot) a console proxy's; None when nothing does."""
    return _why_name(name, view.site.console.domain.lower().removeprefix("*.").strip(".")) if name else None


@lru_cache(maxsize=4096)
def _why_name(name: str, domain: str) -> str | None:
    if domain and within(name, domain):
        return f"{name} is in the console domain of the site profile"
    if within(name, REALHOSTIP):
        return f"{name} is in CloudStack's old console domain"
    if dashed_ip(name) is not None and not _of_others(name):
        return f"{name} spells an address, as console proxies' names do"
    return None


def _of_others(name: str) -> bool:
    """A name that spells an address and is no console's: of a service, of Kubernetes, below a single label.

    Kubernetes gives ``1-2-3-4.NAMESPACE.pod.ZONE`` to a pod and ``1-2-3-4.SERVICE.NAMESPACE.svc.ZONE`` to an end point
    (its DNS specification). A wildcard right below one label is no certificate's (RFC 6125), so no console's either.
    """
    labels = name.split(".")
    cluster = labels[2:3] == ["pod"] or labels[3:4] == ["svc"]
    return len(labels) < LABELS or cluster or any(within(name, one) for one in ADDRESS_DOMAINS)


def host_name(host: str | None) -> str | None:
    """A Host header's name in lower case, without port."""
    return host.lower().rpartition("]")[2].partition(":")[0].rstrip(".") or None if host else None


@once_a_view
def pages(view: View) -> tuple[HttpExchange, ...]:
    """Requests in clear for a console's pages, its old viewer or its websocket, in the order of connections."""
    return tuple(one for one in view.exchanges(HttpExchange) if is_console_request(view, one))


def is_console_request(view: View, one: HttpExchange) -> bool:
    """By its path; the old viewer's, which others have too, needs a token or a console's name beside it."""
    request = one.request.message
    page = console_page(request.target)
    if page is ConsolePage.VIEWER:
        return "token=" in request.target or why_name(view, host_name(request.host)) is not None
    if page is ConsolePage.PAGE:
        return request.path.startswith("/resource/novnc") or why_name(view, host_name(request.host)) is not None
    return page is ConsolePage.WEBSOCKET


@once_a_view
def consoles(view: View) -> Mapping[str, str]:
    """Addresses of console proxies, and what tells."""
    found: dict[str, str] = {}
    profile = view.site.console
    for address in (*profile.addresses, *profile.nat, *profile.nat.values()):
        found.setdefault(address, f"the site profile names {address} as console proxy")
    for address, why in _by_name(view):
        found.setdefault(address, why)
    for one in pages(view):
        if one.server is not None:
            found.setdefault(one.server, f"it was asked for {one.request.message.path}")
    return found


def _by_name(view: View) -> Iterator[tuple[str, str]]:
    for shake in view.exchanges(ConsoleHandshake):
        why = why_name(view, shake.name)
        if why is not None and shake.handshake.server is not None:
            yield shake.handshake.server, why
    for asked in view.exchanges(DnsExchange):
        why = why_name(view, asked.name)
        if why is not None:
            for address in asked.addresses:
                yield address, why


def is_console_handshake(view: View, shake: ConsoleHandshake) -> bool:
    """By its name; without one, or at an address of the site profile, by the server's address."""
    server = shake.handshake.server
    if why_name(view, shake.name) is not None or server in view.site.console.addresses:
        return True
    return shake.name is None and server in consoles(view)


@once_a_view
def handshakes(view: View) -> tuple[ConsoleHandshake, ...]:
    """TLS connections (or what was spoken in its place) with a console proxy."""
    return tuple(one for one in view.exchanges(ConsoleHandshake) if is_console_handshake(view, one))


@once_a_view
def other_handshakes(view: View) -> tuple[ConsoleHandshake, ...]:
    """Those with anybody else on the same ports."""
    return tuple(one for one in view.exchanges(ConsoleHandshake) if not is_console_handshake(view, one))


def to_server(shake: ConsoleHandshake) -> Subject:
    """A finding about a server under a name, whoever asks and on whichever port."""
    return Subject(vlan=shake.handshake.flow.vlan, server=shake.handshake.server, name=shake.name)


def to_client(shake: ConsoleHandshake) -> Subject:
    """A finding about one client at one port of a server."""
    hand = shake.handshake
    return Subject(vlan=hand.flow.vlan, ip=hand.client, server=hand.server, port=hand.port, name=shake.name)


def at(shake: ConsoleHandshake) -> str:
    """The server as a sentence names it."""
    hand = shake.handshake
    return f"{hand.server}:{hand.port}" + (f" ({shake.name})" if shake.name else "")


def tls_filter(shake: ConsoleHandshake) -> str:
    """A display filter for the TLS of a server's port."""
    return f"tls && ip.addr == {shake.handshake.server} && tcp.port == {shake.handshake.port}"


def named(name: str) -> str:
    """A display filter for whatever asks for a name."""
    sni = f'tls.handshake.extensions_server_name == "{name}"'
    return f'dns.qry.name == "{name}" || {sni} || http.host contains "{name}"'
