"""Compares what the dissectors say of a capture with what tshark says, frame by frame.

The corpus keeps tshark's facts in files (see its README); ``made`` makes such a file for any other capture.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from dissectors.arp import Arp
from dissectors.dhcp import Dhcp
from dissectors.dns import Dns
from dissectors.dot1q import Dot1q
from dissectors.http import HttpRequest, HttpResponse, masked
from dissectors.icmp import Icmp
from dissectors.tls import Alert, Certificate, CertificateChain, ClientHello, HandshakeMessage, ServerHello
from pcapdx.capture.rotated import open_captures
from pcapdx.case import View
from pcapdx.diagnose import make_view
from pcapdx.dissect import Seen
from pcapdx.dissection.feed import Feed
from pcapdx.frame import TWIN
from pcapdx.plugins import load
from pcapdx.sieve.engine import Sieve
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument
from tests.dissectors import oracle_layer2 as layer2

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
GROUPS = ("vlan", "arp", "icmp", "icmp6", "dhcp", "dns", "http", "tls", "certificates", *layer2.GROUPS)
LINUX_VXLAN = 8472
DNS_PORTS, DHCP_PORTS = frozenset({53, 5353, 5355}), frozenset({67, 68})

_TLS = (
    "handshake",
    "version",
    "supported_versions",
    "sni",
    "alpn",
    "cipher",
    "certificate_bytes",
    "alert_level",
    "alert",
)
_TYPE_LISTS = frozenset({33, 47, 50})  # SRV, NSEC, NSEC3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Facts = dict[int, dict[str, Any]]
"""By frame number and group, what was found there."""


def stored(name: str) -> dict[str, Any]:
    """tshark's facts of a corpus file."""
    path = CORPUS / "oracle" / f"{name}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    with gzip.open(path.with_suffix(".json.gz")) as file:
        return dict(json.load(file))


def made(capture: Path) -> dict[str, Any]:
    """The same records of any capture; needs tshark.

    The second look, with segments put in order, is spared where tshark's first finds nothing amiss with any TCP: that
    is most of our captures, and tshark's start is most of the time.
    """
    maker, tshark = _maker()
    records = maker.read_capture(str(capture), tshark)[1]
    reordered = []
    if any("health" in record for record in records):
        reordered = maker.other_records(records, maker.read_capture(str(capture), tshark, maker.REORDER)[1])
    return {"records": records, "reordered": reordered}


@cache
def _maker() -> tuple[Any, Any]:
    """The corpus's own program, and its tshark with an empty configuration."""
    spec = spec_from_file_location("make_oracle", CORPUS / "make_oracle.py")
    assert spec is not None and spec.loader is not None
    maker: Any = module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker, maker.Tshark()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dissected:
    """A capture run through sieve and dissectors, every frame a message."""

    view: View
    twins: frozenset[int]
    """Frames left out since the same packet had been recorded just before; tshark knows no such thing."""


def dissect(capture: Path) -> Dissected:
    """Runs a capture through the pipeline without thinning it out; a dissector's bug is raised."""
    dissectors = load().dissectors
    argument = CaptureArgument(name=capture.name, role=None, path=str(capture), named=False)
    reader = open_captures([str(capture)], name=capture.name, stdin=None)
    sieve = Sieve(dissectors, fast=False, thin_out=False)
    feed = Feed(dissectors, capture.name, strict=True)
    twins: set[int] = set()
    for block in reader.blocks():
        claimed = sieve.feed(block)
        twins.update(claimed.rows["number"][claimed.rows["flags"] & TWIN > 0].tolist())
        feed.offer(claimed, sieve.tables.flows, sieve.tables.sides)
    view = make_view(argument, reader.facts, sieve, feed, dissectors, Site())
    return Dissected(view=view, twins=frozenset(twins))


def ours(view: View) -> Facts:
    """What the dissectors say, in tshark's words."""
    facts: dict[int, dict[str, Any]] = defaultdict(dict)
    for seen in view.all_messages:
        if seen.frame.outer_dport == LINUX_VXLAN:
            continue  # tshark takes this port for something else unless told
        for group, found in _told(seen):
            into = facts[seen.number].setdefault(group, type(found)())
            if isinstance(found, list):
                into.extend(found)
                continue
            for key, values in found.items():
                if values:
                    into.setdefault(key, []).extend(values)
    return {number: kept for number, found in facts.items() if (kept := _without_empty(found))}


def theirs(oracle: Mapping[str, Any]) -> Facts:
    """What tshark says of what the dissectors claim; with out-of-order segments put right, as the engine does it."""
    records = {record["n"]: record for record in oracle["records"]}
    records.update({record["n"]: record for record in oracle["reordered"]})
    facts: Facts = {}
    for number, record in records.items():
        kept = {group: _comparable(group, record[group]) for group in GROUPS if _claimed(group, record)}
        if kept := _without_empty(kept):
            facts[number] = kept
    return facts


def differences(capture: Path, oracle: Mapping[str, Any]) -> list[tuple[int, str, Any, Any]]:
    """(frame, group, ours, theirs) wherever they differ for no reason that holds of every capture.

    Those reasons are: the frame is a twin; tshark itself calls the frame malformed or cut short, and we claim nothing
    of it, or of DHCP more than tshark, which stops; of a response whose body is not all there we tell what there is,
    and tshark waits for the rest; a response without length stands on the last frame of its body here, and on that of
    the FIN there (on none if the FIN came before bytes in front of it).
    """
    dissected = dissect(capture)
    mine, other = ours(dissected.view), theirs(oracle)
    responses = dissected.view.messages(HttpResponse)
    unfinished = {
        seen.number for seen in responses if not seen.message.body.complete or seen.message.content_length is None
    }
    in_trouble = {record["n"] for record in oracle["records"] if "trouble" in record}
    found = [
        (number, group, mine.get(number, {}).get(group), other.get(number, {}).get(group))
        for number in sorted(mine.keys() | other.keys())
        for group in GROUPS
    ]
    unequal = [
        one
        for one in found
        if one[2] != one[3]
        and one[0] not in dissected.twins
        and not (one[0] in in_trouble and (one[2] is None or (one[1] == "dhcp" and _as_far(one[2], one[3]))))
    ]
    moved = _moved(unequal)
    return [one for one in unequal if (one[0], one[1]) not in moved and not (one[3] is None and one[0] in unfinished)]


def _as_far(mine: list[dict[str, Any]], other: list[dict[str, Any]] | None) -> bool:
    """Of a DHCP message that was cut we tell what there is; tshark stops somewhere, in answers at the very start."""
    return all(mine[0].get(key) == value for one in other or () for key, value in one.items())


def _moved(unequal: list[tuple[int, str, Any, Any]]) -> set[tuple[int, str]]:
    """Pairs of differences that are one response on two frames."""
    moved: set[tuple[int, str]] = set()
    for number, group, mine, other in unequal:
        if group != "http" or mine is None or other is not None or "status" not in mine:
            continue
        for later, _, nothing, same in unequal:
            if later > number and nothing is None and same == mine and (later, group) not in moved:
                moved |= {(number, group), (later, group)}
                break
    return moved


def _without_empty(found: Mapping[str, Any]) -> dict[str, Any]:
    return {group: values for group, values in found.items() if values}


def _comparable(group: str, found: Any) -> Any:
    """tshark's facts without those that no message has."""
    if group == "arp":
        return {key: values for key, values in found.items() if key != "duplicate_ip"}
    if group in layer2.GROUPS:
        return layer2.comparable(group, found)
    if group == "tls":
        return {key: found[key] for key in _TLS if key in found}
    if group == "http":
        return {key: [_http_text(key, value) for value in found[key]] for key in found}
    if group == "dns" and _TYPE_LISTS & set(found.get("rtype", ())):
        # tshark has the types that an NSEC record lists among those of records, and no names of SRV records
        return {key: values for key, values in found.items() if key not in ("rname", "rtype")}
    return found


def _http_text(key: str, value: Any) -> Any:
    """Without secrets, and without the space around a field's value, which is no part of it (RFC 9110, 5.5)."""
    if not isinstance(value, str):
        return value
    return masked(value.strip()) if key in ("uri", "location") else value.strip()


def _claimed(group: str, record: Mapping[str, Any]) -> bool:
    """Whether a record has such facts, and a dissector is meant to see them; what an ICMP error quotes it is not."""
    if group not in record:
        return False
    protocols = record["protocols"].split(":")
    if group in ("arp", "dns", "dhcp", "http", "tls") and ("icmp" in protocols or "icmpv6" in protocols):
        return False
    ports = {
        port for key in ("udp", "tcp") for side in ("sport", "dport") for port in record.get(key, {}).get(side, ())
    }
    if group == "dns":
        return bool(DNS_PORTS & ports)
    if group == "dhcp":
        return bool(DHCP_PORTS & ports)
    return not (group in ("http", "tls", "certificates") and "tcp" not in protocols)


def _told(seen: Seen[Any]) -> Iterator[tuple[str, Any]]:
    message = seen.message
    match message:
        case Dot1q():
            yield "vlan", list(message.vlan_ids)
        case Arp():
            yield "arp", _arp(message)
        case Icmp():
            yield from _icmp(message)
        case Dhcp():
            yield "dhcp", [_dhcp(message)]
        case Dns():
            yield "dns", _dns(message)
        case HttpRequest() | HttpResponse():
            yield "http", _http_message(message)
        case ClientHello() | ServerHello() | CertificateChain() | HandshakeMessage() | Alert():
            yield from _tls_message(message)
        case _:
            yield from layer2.told(message)


def _given(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _arp(arp: Arp) -> dict[str, list[Any]]:
    return {
        "opcode": [arp.op],
        "sha": _given(arp.sender_mac),
        "spa": _given(arp.sender_ip),
        "tha": _given(arp.target_mac),
        "tpa": _given(arp.target_ip),
        "gratuitous": [True] if arp.gratuitous else [],
    }


def _icmp(icmp: Icmp) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    yield (
        "icmp" if icmp.version == 4 else "icmp6",
        {
            "type": [icmp.type, *_given(icmp.quoted.icmp_type if icmp.quoted else None)],
            "code": [icmp.code, *_given(icmp.quoted.icmp_code if icmp.quoted else None)],
            "mtu": _given(icmp.mtu) if icmp.version == 4 else [],
        },
    )


def _dhcp(dhcp: Dhcp) -> dict[str, Any]:
    zero = "0.0.0.0"
    found: dict[str, Any] = {
        "op": dhcp.op,
        "xid": f"0x{dhcp.xid:08x}",
        "chaddr": dhcp.chaddr,
        "ciaddr": dhcp.ciaddr or zero,
        "yiaddr": dhcp.yiaddr or zero,
        "siaddr": dhcp.siaddr or zero,
        "giaddr": dhcp.giaddr or zero,
        "type": _given(dhcp.type_code),
        "server_id": _given(dhcp.server_id),
        "requested_ip": _given(dhcp.requested_ip),
        "hostname": _given(dhcp.hostname),
        "lease": _given(dhcp.lease_s),
        "subnet_mask": _given(dhcp.subnet_mask),
        "router": list(dhcp.routers),
        "dns": list(dhcp.dns),
        "domain": _given(dhcp.domain),
        "client_id": dhcp.client_id,
        "options": list(dhcp.options),
    }
    return {key: value for key, value in found.items() if key == "options" or value not in (None, [])}


def _dns(dns: Dns) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        "id": [f"0x{dns.id:04x}"],
        "response": [dns.response],
        "opcode": [dns.opcode],
        "rcode": [dns.rcode] if dns.response else [],
        "truncated": [dns.truncated],
        "qname": [question.name or "<Root>" for question in dns.questions],
        "qtype": [question.type for question in dns.questions],
        "rname": [record.name or "<Root>" for record in dns.records],
        "rtype": [record.type for record in dns.records],
        "a": [record.value for record in dns.records if record.type == 1 and record.value],
        "aaaa": [record.value for record in dns.records if record.type == 28 and record.value],
        "cname": [record.value for record in dns.records if record.type == 5 and record.value],
    }
    return _comparable("dns", found) if _TYPE_LISTS & {record.type for record in dns.records} else found


def _http_message(message: HttpRequest | HttpResponse) -> dict[str, list[Any]]:
    if isinstance(message, HttpRequest):
        return {
            "method": [message.method],
            "uri": [message.target],
            "host": _given(message.host),
            "user_agent": _given(message.user_agent),
            "content_type": _given(message.content_type),
            "request_version": [message.version],
        }
    return {
        "status": [message.status],
        "phrase": _given(message.reason or None),
        "server": list(message.servers),
        "location": _given(message.location),
        "content_type": _given(message.content_type),
        "response_version": [message.version],
    }


def _tls_message(
    message: ClientHello | ServerHello | CertificateChain | HandshakeMessage | Alert,
) -> Iterator[tuple[str, Any]]:
    match message:
        case ClientHello():
            if not message.sslv2:
                yield (
                    "tls",
                    {
                        "handshake": [1],
                        "version": [f"0x{message.legacy_version:04x}"],
                        "supported_versions": [f"0x{version:04x}" for version in message.supported_versions],
                        "sni": _given(message.sni),
                        "alpn": list(message.alpn),
                    },
                )
        case ServerHello():
            thirteen = message.version != message.legacy_version
            yield (
                "tls",
                {
                    "handshake": [2],
                    "version": [f"0x{message.legacy_version:04x}"],
                    "supported_versions": [f"0x{message.version:04x}"] if thirteen else [],
                    "alpn": _given(message.alpn),
                    "cipher": [f"0x{message.cipher:04x}"],
                },
            )
        case CertificateChain():
            yield "tls", {"handshake": [11], "certificate_bytes": list(message.sizes)}
            yield "certificates", [_certificate(one) for one in message.certificates]
        case HandshakeMessage():
            yield "tls", {"handshake": [message.type]}
        case Alert():
            yield "tls", {"alert_level": _given(message.level), "alert": _given(message.description)}


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "subject_cn": list(certificate.subject_cn),
        "issuer_cn": list(certificate.issuer_cn),
        "san_dns": list(certificate.san_dns),
        "san_ip": list(certificate.san_ip),
        "not_before": _date(certificate.not_before_ns),
        "not_after": _date(certificate.not_after_ns),
        "serial": certificate.serial.to_bytes(certificate.serial.bit_length() // 8 + 1, "big", signed=True).hex(":"),
    }


def _date(moment_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=moment_ns // 1000)).strftime("%Y-%m-%d %H:%M:%S (UTC)")
