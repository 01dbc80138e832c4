"""What a message says in a few words, as Wireshark's Info column does."""

import pytest

from dissectors.arp import Arp
from dissectors.dot1q import Dot1q
from dissectors.http import read as read_http
from dissectors.icmp import Icmp, Quoted
from dissectors.metadata import refine as refine_metadata
from dissectors.password_server import refine as refine_password
from dissectors.tls import Alert, EncryptedRecord, HandshakeMessage, NotTls, PlainKind
from pcapdx.dissect import Cursor
from pcapdx.frame import Tag
from pcapdx.plugins import load
from tests.dissectors.feeding import seen

ASKER, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
REPLY = Arp(op=2, sender_mac=OTHER, sender_ip="10.1.1.1", target_mac=ASKER, target_ip="10.1.1.57")
REQUEST = Arp(op=1, sender_mac=ASKER, sender_ip="10.1.1.57", target_mac="00:00:00:00:00:00", target_ip="10.1.1.1")
PROBE = Arp(op=1, sender_mac=ASKER, sender_ip="0.0.0.0", target_mac="00:00:00:00:00:00", target_ip="10.1.1.57")
GRATUITOUS = Arp(op=1, sender_mac=ASKER, sender_ip="10.1.1.57", target_mac=None, target_ip="10.1.1.57")
QUOTED = Quoted(src="10.1.1.57", dst="10.1.1.1", protocol=17, wire_bytes=60, sport=4000, dport=53)


@pytest.mark.parametrize("dissector", load().dissectors, ids=lambda one: one.name)
def test_every_message_has_a_label(dissector: object) -> None:
    for kind in dissector.messages:  # type: ignore[attr-defined] # parametrize knows no types
        assert isinstance(kind.label, property)


@pytest.mark.parametrize(
    ("message", "label"),
    [
        (REQUEST, "who has 10.1.1.1? tell 10.1.1.57"),
        (REPLY, f"10.1.1.1 is at {OTHER}"),
        (PROBE, "who has 10.1.1.57? (probe)"),
        (GRATUITOUS, f"10.1.1.57 is announced by {ASKER}"),
        (Arp(op=3, sender_mac=ASKER, sender_ip=None, target_mac=ASKER, target_ip=None), f"RARP 3: {ASKER} is ?"),
        (Dot1q(tags=(Tag(0x8100, 0, 0, 101),), ethertype=0x0800), "tag 101"),
        (Dot1q(tags=(Tag(0x88A8, 3, 0, 20), Tag(0x8100, 0, 0, 0)), ethertype=0x0800), "tags 20 priority 3, 0"),
        (Icmp(version=4, type=8, code=0, identifier=5, sequence=1), "echo request id 5 seq 1"),
        (Icmp(version=6, type=129, code=0, identifier=5, sequence=1), "echo reply id 5 seq 1"),
        (Icmp(version=4, type=3, code=3, quoted=QUOTED), "port unreachable: 10.1.1.1 port 53"),
        (Icmp(version=4, type=3, code=4, mtu=1400, quoted=QUOTED), "too big, MTU 1400: 10.1.1.1 port 53"),
        (Icmp(version=4, type=3, code=13, quoted=QUOTED), "administratively prohibited: 10.1.1.1 port 53"),
        (Icmp(version=6, type=135, code=0), "neighbor solicitation"),
        (Icmp(version=4, type=13, code=0), "type 13"),
        (Alert(level=2, description=48, encrypted=False), "Alert (unknown_ca)"),
        (Alert(level=None, description=None, encrypted=True), "Encrypted Alert"),
        (HandshakeMessage(type=14, bytes=0), "Server Hello Done"),
        (HandshakeMessage(type=99, bytes=0), "Handshake message 99"),
        (EncryptedRecord(content_type=22, bytes=40, index=0), "Encrypted Handshake Message, 40 bytes"),
        (EncryptedRecord(content_type=23, bytes=19, index=0), "Encrypted record, 19 bytes"),
        (NotTls(kind=PlainKind.SSH), "ssh in place of TLS"),
    ],
)
def test_labels(message: object, label: str) -> None:
    assert message.label == label  # type: ignore[attr-defined] # as above


def test_http_labels_hold_no_secret() -> None:
    (request,) = read_http(Cursor(b"GET /websockify?token=SECRET HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert request.label == "GET /websockify?token=***"
    (answer,) = read_http(Cursor(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    assert answer.label == "404 Not Found"


def test_labels_of_what_rides_on_http() -> None:
    asked = b"GET / HTTP/1.0\r\nDomU_Request: send_my_password\r\n\r\n"
    answered = b"HTTP/1.0 200 OK\r\nServer: CloudStack Password Server\r\nContent-Length: 6\r\n\r\nhunter"
    (request,), (answer,) = read_http(Cursor(asked)), read_http(Cursor(answered))
    assert [one.label for one in refine_password(seen(request, dport=8080))] == ["DomU_Request: send"]
    assert [one.label for one in refine_password(seen(answer, sport=8080))] == ["200 password, 6 bytes"]
    (request,) = read_http(Cursor(b"GET /latest/meta-data/vm-id HTTP/1.0\r\n\r\n"))
    assert [one.label for one in refine_metadata(seen(request, dport=80))] == ["GET /latest/meta-data/vm-id"]
    assert [one.label for one in refine_metadata(seen(answer, sport=80))] == ["200, 6 bytes"]
