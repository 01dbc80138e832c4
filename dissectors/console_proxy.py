"""CloudStack's console proxy: TLS to ports 443 (page) and 8443 (websocket) of the console proxy VM.

The browser gets a name made of the proxy's public address, ``1-2-3-4.console.example.com``, so a wildcard certificate
has to cover it by exactly one label. Sources: CloudStack's ``ConsoleProxyInfo`` (names), ``ConsoleProxyNoVNCServer``
(ports, one keystore for both), RFC 9525 (which names a certificate covers).

Bytes are read by :mod:`dissectors.tls`; here is what its messages mean for a console. Plain HTTP, as on ports 80 and
8080, is :mod:`dissectors.http`'s; :func:`console_page` tells which of its requests are a console's.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address

from dissectors.http import path_of
from dissectors.tls import Certificate, CertificateChain, PlainKind, TlsHandshake
from pcapdx.dissect import Dissector, Traffic
from pcapdx.values import dataclass

__all__ = [
    "DISSECTOR",
    "ChainVerdict",
    "ConsoleHandshake",
    "ConsolePage",
    "DateVerdict",
    "NameVerdict",
    "console_page",
    "covers",
    "dashed_ip",
]

_DASHED = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})")
_PORTS = frozenset({443, 8443})
_REALHOSTIP = "realhostip.com"
"""CloudStack's own domain up to 4.2; its DNS and certificate ended in 2014."""


class NameVerdict(StrEnum):
    """Whether the certificate covers the name that the client asked for."""

    MATCH = "match"
    MISMATCH = "mismatch"
    COMMON_NAME_ONLY = "common-name-only"
    """Only the subject's common name would, which browsers have not looked at since 2017."""
    NO_NAME = "no-name"
    """The client sent no SNI, as with an address in the URL."""
    UNSEEN = "unseen"
    """No certificate in clear."""


class DateVerdict(StrEnum):
    """Whether the certificate is valid at the time of the handshake, by the capture's clock."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    UNSEEN = "unseen"


class ChainVerdict(StrEnum):
    """Whether the certificates sent lead on from the server's own. Who is trusted, a capture does not tell."""

    LINKED = "linked"
    """Its issuer was sent too."""
    SELF_SIGNED = "self-signed"
    """Its issuer is itself, by name."""
    INCOMPLETE = "incomplete"
    """Its issuer was not sent: fine where clients trust that one directly or fetch it."""
    UNSEEN = "unseen"


class ConsolePage(StrEnum):
    """What a request wants of a console proxy."""

    PAGE = "page"
    """The noVNC page and what belongs to it."""
    VIEWER = "viewer"
    """The old viewer, which needs no websocket."""
    WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleHandshake:
    """A TLS handshake on a console port, and the three verdicts on the certificate, kept apart."""

    handshake: TlsHandshake
    name: str | None
    """The SNI in lower case, without final dot."""
    dashed_ip: str | None
    """The address that the name's first label spells."""
    dashed_matches: bool | None
    """That address is the server's; False also behind NAT or a load balancer."""
    realhostip: bool
    """The name is of the domain that ended in 2014."""
    leaf: Certificate | None
    """The server's own certificate."""
    name_verdict: NameVerdict
    date_verdict: DateVerdict
    chain_verdict: ChainVerdict
    plain_http: bool
    """One side spoke HTTP without TLS."""


def console_page(target: str) -> ConsolePage | None:
    """Which part of a console an HTTP target is; None of any other."""
    path = path_of(target)
    if path.startswith("/websockify"):
        return ConsolePage.WEBSOCKET
    if path.startswith("/resource/"):
        return ConsolePage.PAGE
    return ConsolePage.VIEWER if path.startswith("/ajax") else None


@lru_cache(maxsize=4096)
def dashed_ip(name: str) -> str | None:
    """The address that the first label of a name spells with dashes."""
    match = _DASHED.fullmatch(name.partition(".")[0])
    if match is None or any(int(part) > 255 for part in match.groups()):
        return None
    return ".".join(str(int(part)) for part in match.groups())


def covers(certificate: Certificate, host: str) -> NameVerdict:
    """Whether a certificate covers a host name or address (RFC 9525, 6)."""
    host = host.lower().rstrip(".")
    try:
        return NameVerdict.MATCH if str(ip_address(host)) in certificate.san_ip else NameVerdict.MISMATCH
    except ValueError:
        pass
    if any(_matches(pattern, host) for pattern in certificate.san_dns):
        return NameVerdict.MATCH
    if not certificate.san_dns and any(_matches(name, host) for name in certificate.subject_cn):
        return NameVerdict.COMMON_NAME_ONLY
    return NameVerdict.MISMATCH


@lru_cache(maxsize=4096)
def _matches(pattern: str, host: str) -> bool:
    """One name of a certificate against a host; a wildcard stands for one whole label. Broken names match nothing.

    On the wire both are ASCII (RFC 9525, 6.3; RFC 6066, 3), internationalized names as A-labels. Cached, since the same
    few names come back with every connection.
    """
    if not (pattern.isascii() and host.isascii()):
        return False
    if "*" not in pattern:
        return pattern.lower() == host
    from service_identity import CertificateError, VerificationError  # here, since few captures need it
    from service_identity.hazmat import DNS_ID, DNSPattern, verify_service_identity

    try:
        verify_service_identity([DNSPattern.from_bytes(pattern.encode())], [DNS_ID(host)], [])
    except (CertificateError, VerificationError, ValueError):
        return False
    return True


def pair(traffic: Traffic) -> Iterator[ConsoleHandshake]:
    """One exchange a connection to a console port that :func:`dissectors.tls.pair` has one for."""
    for handshake in traffic.exchanges:
        if _PORTS & {handshake.flow.originator.port, handshake.flow.responder.port}:
            yield _judged(handshake)


def _judged(handshake: TlsHandshake) -> ConsoleHandshake:
    name = handshake.sni.lower().rstrip(".") if handshake.sni is not None else None
    dashed = dashed_ip(name) if name is not None else None
    chain = handshake.chain
    leaf = chain.message.leaf if chain is not None else None
    plain = [seen.message.kind for seen in (handshake.client_plain, handshake.server_plain) if seen is not None]
    return ConsoleHandshake(
        handshake=handshake,
        name=name,
        dashed_ip=dashed,
        dashed_matches=None if dashed is None else dashed == handshake.server,
        realhostip=name is not None and (name == _REALHOSTIP or name.endswith(f".{_REALHOSTIP}")),
        leaf=leaf,
        name_verdict=_name_verdict(leaf, name),
        date_verdict=DateVerdict.UNSEEN if leaf is None or chain is None else _date_verdict(leaf, chain.ts_ns),
        chain_verdict=ChainVerdict.UNSEEN if leaf is None or chain is None else _chain_verdict(leaf, chain.message),
        plain_http=any(kind in (PlainKind.HTTP_REQUEST, PlainKind.HTTP_RESPONSE) for kind in plain),
    )


def _name_verdict(leaf: Certificate | None, name: str | None) -> NameVerdict:
    if leaf is None:
        return NameVerdict.UNSEEN
    return NameVerdict.NO_NAME if name is None else covers(leaf, name)


def _date_verdict(leaf: Certificate, at_ns: int) -> DateVerdict:
    if at_ns < leaf.not_before_ns:
        return DateVerdict.NOT_YET
    return DateVerdict.EXPIRED if at_ns > leaf.not_after_ns else DateVerdict.VALID


def _chain_verdict(leaf: Certificate, chain: CertificateChain) -> ChainVerdict:
    if leaf.self_issued:
        return ChainVerdict.SELF_SIGNED
    issued = any(other.subject_key == leaf.issuer_key for other in chain.certificates[1:])
    # One that could not be parsed may be the issuer.
    return ChainVerdict.LINKED if issued or chain.unreadable else ChainVerdict.INCOMPLETE


DISSECTOR = Dissector(
    name="console_proxy",
    spec="CloudStack ConsoleProxyInfo, RFC 9525",
    messages=(),
    builds_on="tls",
    pair=pair,
    exchanges=(ConsoleHandshake,),
)
