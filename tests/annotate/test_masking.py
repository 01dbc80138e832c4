"""Secrets of every protocol in frames of every shape: none is left, lengths and checksums stay."""

import base64
import gzip
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Scapy
from scapy.packet import Raw

from pcapdx.annotate import find
from pcapdx.annotate.annotate import LeakError, checked, pieces_of
from pcapdx.annotate.needles import Needles
from tests.annotate.annotating import annotated, tshark
from tests.capture.writing import Packet, pcap, read
from tests.test_secrets import disguises

SECRET = b"Zx9-top-Secret-77"
CLIENT, SERVER = "10.1.1.5", "10.1.1.1"
Wrap = Callable[[Scapy], Scapy]


def plain(packet: Scapy) -> Scapy:
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet


def tagged(packet: Scapy) -> Scapy:
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=100) / Dot1Q(vlan=7) / packet


def tunnelled(packet: Scapy) -> Scapy:
    outer = Ether() / IP(src="192.168.0.1", dst="192.168.0.2") / UDP(sport=50_000, dport=4789) / VXLAN(vni=5, flags=8)
    return outer / plain(packet)


WRAPS = (plain, tagged, tunnelled)


def talk(
    port: int, client: Sequence[bytes], server: Sequence[bytes] = (), wrap: Wrap = plain, *, syn: bool = True
) -> list[bytes]:
    """Frames of a connection: its SYNs, what the client says in these segments, then what the server says."""
    seqs = {True: 0xFFFF_FFF0, False: 5000}
    frames = []

    def add(mine: bool, flags: str, data: bytes = b"") -> None:
        ends = (CLIENT, SERVER, 40_000, port) if mine else (SERVER, CLIENT, port, 40_000)
        tcp = TCP(sport=ends[2], dport=ends[3], flags=flags, seq=seqs[mine], ack=seqs[not mine])
        packet = IP(src=ends[0], dst=ends[1]) / tcp
        frames.append(bytes(wrap(packet / Raw(data) if data else packet)))
        seqs[mine] = (seqs[mine] + len(data) + ("S" in flags)) & 0xFFFF_FFFF

    if syn:
        add(True, "S")
        add(False, "SA")
    for piece in client:
        add(True, "PA", piece)
    for piece in server:
        add(False, "PA", piece)
    return frames


def capture(frames: Sequence[bytes]) -> bytes:
    return pcap([Packet(1_700_000_000_000_000 + 1000 * n, one) for n, one in enumerate(frames)])


def masked(frames: Sequence[bytes], folder: Path) -> list[bytes]:
    """The frames after masking; nothing but bytes may have changed, and no checksum have gone bad."""
    out = annotated(capture(frames), folder)
    seen = [frame.data for frame in read(out.read_bytes()).frames]
    assert [len(one) for one in seen] == [len(one) for one in frames]
    return seen


def assert_gone(seen: Sequence[bytes], secret: bytes = SECRET) -> None:
    whole = b"".join(seen).lower()
    for disguise in disguises(secret.decode()):
        assert disguise not in whole


def http(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([*lines, b"", body])


GET = b"GET /latest/user-data HTTP/1.1"
ASK = http(b"GET / HTTP/1.0", b"DomU_Request: send_my_password")
OK = b"HTTP/1.1 200 OK"
LENGTH = b"Content-Length: %d" % len(SECRET)
BASIC = base64.b64encode(b"admin:" + SECRET)
LOGIN = b"\x85\xa6\xff\x00" + bytes(4) + b"\x21" + bytes(23) + b"cloud\0" + bytes([len(SECRET)]) + SECRET + b"db\0"
MYSQL = len(LOGIN).to_bytes(3, "little") + b"\1" + LOGIN
VNC = [b"RFB 003.008\n", b"\x02", SECRET[:16], b"\x01", b"\x04\x01\0\0\0\0\0p"]
CHUNKED = http(
    OK, b"Transfer-Encoding: chunked", body=b"9\r\n" + SECRET[:9] + b"\r\n8\r\n" + SECRET[9:] + b"\r\n0\r\n\r\n"
)
BIND = b"\x30\x30\x02\x01\x01\x60\x2b\x02\x01\x03\x04\x0bcn=admin,dc\x80" + bytes([len(SECRET)]) + SECRET

TDS = bytes([0x10, 1, 0, 160, 0, 0, 1, 0]) + bytes(44) + b"\x5e\0\x11\0" + bytes(46)
TDS += b"".join(bytes([one, 0]) for one in SECRET) + bytes(20)
AMQP = b"\1\0\0\0\0\0\x30\0\x0a\0\x0b\0\0\0\0\5PLAIN\0\0\0\x18\0guest\0"
XEN = (
    b"<methodCall><methodName>session.login_with_password</methodName><params><param><value><string>root</string>"
    b"</value></param><param><value><string>" + SECRET + b"</string></value></param></params></methodCall>"
)

SPOKEN: dict[str, tuple[int, list[bytes], list[bytes]]] = {
    "password server": (8080, [ASK], [http(OK, body=SECRET + b"\n")]),
    "password server, bare lines": (8080, [ASK], [b"HTTP/1.0 200 OK\nDocumentType: text/plain\n\n" + SECRET]),
    "password server, question not seen": (8080, [], [http(OK, b"Server: CloudStack", body=SECRET)]),
    "user-data": (80, [http(GET)], [http(OK, LENGTH, body=SECRET)]),
    "user-data in chunks": (80, [http(GET)], [CHUNKED]),
    "user-data, second answer": (
        80, [http(b"GET /latest/vm-id HTTP/1.1"), http(GET)], [http(OK, b"Content-Length: 2", body=b"ab"),
                                                               http(OK, LENGTH, body=SECRET)],
    ),
    "ssh keys": (80, [http(b"GET /latest/meta-data/public-keys HTTP/1.1")], [http(OK, LENGTH, body=SECRET)]),
    "query": (8096, [http(b"GET /client/api?command=login&password=" + SECRET + b"&x=1 HTTP/1.1")], []),
    "console token": (80, [http(b"GET /resource/noVNC/vnc.html?token=" + SECRET + b"&sess=1 HTTP/1.1")], []),
    "form": (9090, [http(b"POST /x HTTP/1.1", b"Content-Length: 30", body=b"user=a&passwd=" + SECRET)], []),
    "cookie": (80, [http(b"GET / HTTP/1.1", b"Cookie: a=1; JSESSIONID=" + SECRET)], []),
    "set-cookie": (80, [http(b"GET / HTTP/1.1")], [http(OK, b"Set-Cookie: s=" + SECRET + b"; Path=/")]),
    "basic": (80, [http(b"GET / HTTP/1.1", b"Authorization: Basic " + BASIC)], []),
    "bearer": (1234, [http(b"GET / HTTP/1.1", b"authorization: Bearer " + SECRET)], []),
    "JSON": (8096, [http(b"GET / HTTP/1.1")], [http(OK, body=b'{"login":{"sessionkey" : "' + SECRET + b'"}}')]),
    "XML": (8096, [http(b"GET / HTTP/1.1")], [http(OK, body=b"<a><password>" + SECRET + b"</password></a>")]),
    "websocket": (80, [http(b"GET /websockify HTTP/1.1", b"Upgrade: websocket"), SECRET],
                  [http(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket"), SECRET]),
    "FTP": (21, [b"USER root\r\n", b"PASS " + SECRET + b"\r\n"], [b"220 hi\r\n"]),
    "POP3": (110, [b"USER root\r\nPASS " + SECRET + b"\r\n"], []),
    "IMAP": (143, [b'a1 LOGIN "root" ' + SECRET + b"\r\n"], []),
    "IMAP literal": (143, [b"a1 LOGIN {4}\r\n", b"root {17}\r\n", SECRET + b"\r\n"], []),
    "SMTP plain": (25, [b"EHLO x\r\nAUTH PLAIN " + base64.b64encode(b"\0root\0" + SECRET) + b"\r\n"], []),
    "SMTP login": (25, [b"AUTH LOGIN\r\n", b"cm9vdA==\r\n", base64.b64encode(SECRET) + b"\r\n"], []),
    "telnet": (23, [bytes([one]) for one in SECRET], []),
    "redis": (6379, [b"AUTH " + SECRET + b"\r\n"], []),
    "redis RESP": (6379, [b"*3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$17\r\n" + SECRET + b"\r\n"], []),
    "MySQL": (3306, [MYSQL], []),
    "MySQL statement": (3306, [b"\x40\0\0\0\x03ALTER USER a IDENTIFIED BY '" + SECRET + b"'"], []),
    "LDAP": (389, [BIND], []),
    "LDAP, global catalogue": (3268, [BIND], []),
    "PostgreSQL": (5432, [b"\0\0\0\x10\0\3\0\0user\0a\0\0", b"p\0\0\0\x16" + SECRET + b"\0"], [b"R\0\0\0\x08\0\0\0\3"]),
    "SQL Server": (1433, [TDS], []),
    "AMQP": (5672, [AMQP + SECRET], []),
    "SOCKS": (1080, [b"\5\1\2", b"\1\4root\x11" + SECRET], [b"\5\2"]),
    "IRC": (6667, [b"PASS " + SECRET + b"\r\nNICK a\r\n"], []),
    "XMPP": (5222, [b"<auth mechanism='PLAIN'>" + base64.b64encode(b"\0root\0" + SECRET) + b"</auth>"], []),
    "XenServer": (80, [http(b"POST / HTTP/1.1", body=XEN)], []),
    "form in German": (80, [http(b"POST / HTTP/1.1", body=b"name=a&Kennwort=" + SECRET)], []),
    "CHAP": (3260, [b"\x43\x87" + bytes(46) + b"CHAP_N=a\0CHAP_R=" + SECRET + b"\0"], []),
}  # fmt: skip
EACH = pytest.mark.parametrize("name", SPOKEN)


@EACH
@pytest.mark.parametrize("wrap", WRAPS)
def test_nothing_is_left(name: str, wrap: Wrap, tmp_path: Path) -> None:
    port, client, server = SPOKEN[name]
    frames = talk(port, client, server, wrap)
    seen = masked(frames, tmp_path)
    assert seen != frames
    assert_gone(seen)


@EACH
def test_nothing_is_left_of_single_bytes_out_of_order_and_repeated(name: str, tmp_path: Path) -> None:
    port, client, server = SPOKEN[name]
    asked, answered = ([bytes([one]) for one in b"".join(side)] for side in (client, server))
    whole, bits = talk(port, client, server), talk(port, asked, answered)
    middle = len(asked) // 2 + 2
    swapped = [*bits[:middle], *bits[middle : middle + 9][::-1], *bits[middle + 9 :]]
    seen = masked([*swapped, *whole[2:]], tmp_path)
    assert_gone(seen)
    payloads = b"".join(TCP(one[34:]).payload.load for one in seen[: len(bits)] if len(one) > 54)
    assert SECRET not in payloads


@EACH
def test_checksums_stay_right(name: str, tmp_path: Path) -> None:
    port, client, server = SPOKEN[name]
    masked([one for wrap in WRAPS for one in talk(port, client, server, wrap)], tmp_path)
    options = tuple(f"-o{one}.check_checksum:TRUE" for one in ("tcp", "udp", "ip"))
    fields = ("tcp.checksum.status", "udp.checksum.status", "ip.checksum.status")
    assert tshark(tmp_path / "out.pcapng", *fields, options=options) == tshark(
        tmp_path / "in.pcap", *fields, options=options
    )


def test_a_wrong_checksum_stays_wrong_and_an_unfinished_one_stays(tmp_path: Path) -> None:
    frames = talk(8080, [ASK], [http(OK, body=SECRET)])
    wrong = frames[-1][:50] + bytes([frames[-1][50] ^ 0x55]) + frames[-1][51:]
    size = len(frames[-1]) - 34
    words = [10 << 8 | 1, 1 << 8 | 1, 10 << 8 | 1, 1 << 8 | 5, 6, size]
    partial = sum(words) % 0xFFFF
    unfinished = frames[-1][:50] + partial.to_bytes(2, "big") + frames[-1][52:]
    seen = masked([*frames, wrong, unfinished], tmp_path)
    assert_gone(seen)
    assert seen[-1][50:52] == unfinished[50:52]
    status = tshark(tmp_path / "out.pcapng", "tcp.checksum.status", options=("-otcp.check_checksum:TRUE",))
    assert status[-3:-1] == ["1", "0"]


@pytest.mark.parametrize("wrap", WRAPS)
def test_compressed_bodies_are_overwritten_whole(wrap: Wrap, tmp_path: Path) -> None:
    body = gzip.compress(b"user=1&password=" + SECRET)
    head = [b"POST /x HTTP/1.1", b"Content-Encoding: gzip", b"Content-Length: %d" % len(body)]
    seen = masked(talk(8080, [http(*head), body[:20], body[20:]], [], wrap), tmp_path)
    assert body[:12] not in b"".join(seen)
    assert body[20:32] not in b"".join(seen)


def test_a_body_after_a_gap_is_overwritten(tmp_path: Path) -> None:
    body = b"a" * 500 + SECRET + b"b" * 500
    answer = http(OK, b"Content-Length: %d" % len(body), body=body)
    frames = talk(80, [http(GET)], [answer[:200], answer[200:300], answer[300:]])
    assert_gone(masked([*frames[:-2], frames[-1]], tmp_path))


def test_vnc_keeps_what_was_decided(tmp_path: Path) -> None:
    client, server = [VNC[0], VNC[1], SECRET[:16], VNC[3], VNC[4]], [VNC[0], b"\1\2", SECRET[:16], bytes(4)]
    seen = masked(talk(5901, client, server), tmp_path)
    assert_gone(seen, SECRET[:16])
    said = b"".join(one[54:] for one in seen[7:])
    assert said.startswith(b"RFB 003.008\n\1\2")
    assert said.endswith(bytes(4))


def datagrams(wrap: Wrap) -> list[bytes]:
    """Packets with a secret each."""
    ends = IP(src=CLIENT, dst=SERVER)
    community = b"\x30\x30\x02\x01\x01\x04" + bytes([len(SECRET)]) + SECRET + b"\xa0\x10" + bytes(16)
    options = [("message-type", "discover"), (90, SECRET), (43, b"\x01\x11" + SECRET), "end"]
    dhcp = UDP(sport=68, dport=67) / BOOTP(op=1) / DHCP(options=options)
    vrrp = b"\x21\x01\x64\x01\x01\x01\x00\x00\x0a\x01\x01\x01" + SECRET[:8]
    radius = b"\1\1\0\x27" + bytes(16) + b"\2\x13" + SECRET
    return [
        bytes(wrap(ends / UDP(sport=40_000, dport=1812) / Raw(radius))),
        bytes(wrap(ends / UDP(sport=520, dport=520) / Raw(b"\2\2\0\0\xff\xff\0\2" + SECRET[:16]))),
        bytes(wrap(ends / UDP(sport=1985, dport=1985) / Raw(bytes(8) + SECRET[:8] + bytes(4)))),
        bytes(
            wrap(IP(src=CLIENT, dst="224.0.0.5", proto=89) / Raw(b"\2\1" + bytes(13) + b"\1" + SECRET[:8] + bytes(20)))
        ),
        bytes(wrap(ends / UDP(sport=40_000, dport=161) / Raw(community))),
        bytes(wrap(ends / UDP(sport=161, dport=40_000) / Raw(community))),
        bytes(wrap(ends / dhcp)),
        bytes(wrap(IP(src=CLIENT, dst="224.0.0.18", proto=112) / Raw(vrrp))),
    ]


@pytest.mark.parametrize("wrap", WRAPS)
def test_datagrams(wrap: Wrap, tmp_path: Path) -> None:
    seen = masked(datagrams(wrap), tmp_path)
    assert_gone(seen)
    for one in seen:
        assert SECRET[:8] not in one


def fragments(size: int) -> list[bytes]:
    """Of a datagram with a secret."""
    options = [("message-type", "discover"), (90, SECRET), "end"]
    whole = plain(IP(src=CLIENT, dst=SERVER) / UDP(sport=68, dport=67) / BOOTP(op=1) / DHCP(options=options))
    return [bytes(one) for one in fragment(whole, fragsize=size)]  # type: ignore[no-untyped-call]  # scapy's


@pytest.mark.parametrize("size", [8, 16, 24, 480])
def test_datagrams_in_fragments(size: int, tmp_path: Path) -> None:
    """Also where a value lies across two fragments, each of which was recorded twice; the sum stays right."""
    seen = masked([one for one in fragments(size) for _ in range(2)], tmp_path)
    data = b"".join(one[34 : 14 + Ether(one)[IP].len] for one in seen[::2])
    assert SECRET not in data
    assert seen[::2] == seen[1::2]
    status = IP(src=CLIENT, dst=SERVER) / UDP(data)
    status[UDP].chksum = None
    assert UDP(bytes(status)[20:]).chksum == UDP(data).chksum


def test_a_value_is_overwritten_wherever_it_stands(tmp_path: Path) -> None:
    """In another protocol, in hexadecimal, in a comment that was there."""
    other = bytes(plain(IP(src=CLIENT, dst=SERVER) / UDP(sport=9, dport=9) / Raw(b"say " + SECRET.hex().encode())))
    assert_gone(masked([other, *talk(8080, [ASK], [http(OK, body=SECRET)])], tmp_path))


def test_keywords_and_pages_stay(tmp_path: Path) -> None:
    for body in (b"saved_password", b"bad_request", b"<html><body>no</body></html>"):
        frames = talk(8080, [ASK], [http(OK, body=body)])
        assert masked(frames, tmp_path) == frames


def test_what_is_no_secret_stays(tmp_path: Path) -> None:
    frames = talk(80, [http(b"GET /latest/instance-id HTTP/1.1", b"Host: a")], [http(OK, LENGTH, body=SECRET)])
    assert masked(frames, tmp_path) == frames


def test_equal_values_stay_equal_and_others_different(tmp_path: Path) -> None:
    other = b"Another-Secret-66"
    bodies = [SECRET, SECRET, other]
    frames = talk(80, [http(GET)] * 3, [http(OK, LENGTH, body=one) for one in bodies])
    first, second, third = (one[-len(SECRET) :] for one in masked(frames, tmp_path)[-3:])
    assert first == second != third


@pytest.mark.parametrize("often", [2_000, 40_000])
def test_connections_that_go_on_for_long_are_read_in_parts(
    often: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "OFTEN_BYTES", often)
    monkeypatch.setattr(find, "MOST_BYTES", 3 * often)
    page = http(OK, b"Content-Length: 3000", body=b"p" * 3000)
    asked, answered = [], []
    for n in range(60):
        asked.append(http(GET if n % 7 == 3 else b"GET /page HTTP/1.1"))
        answered += [http(OK, LENGTH), SECRET] if n % 7 == 3 else [page[:1400], page[1400:2800], page[2800:]]
    assert_gone(masked(talk(80, asked, answered), tmp_path))


def test_a_leak_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for form in (SECRET, SECRET.hex().encode(), base64.b64encode(b"ab" + SECRET), SECRET.decode().encode("utf-16-le")):
        file.write_bytes(b"." * 5_000_000 + form + b".")
        with file.open("rb") as opened, pytest.raises(LeakError):
            list(checked(pieces_of(opened), Needles([SECRET])))


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 20), st.booleans())
def test_a_leak_across_pieces_is_refused(cuts: list[int], before: int, there: bool) -> None:
    data = b"." * before + SECRET[: None if there else -1] + b"."
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [memoryview(data[begin:end]) for begin, end in pairwise(edges)]
    try:
        assert b"".join(checked(pieces, Needles([SECRET]))) == data
        assert not there
    except LeakError:
        assert there


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    port=st.sampled_from([21, 23, 25, 80, 389, 3260, 3306, 5900, 6379, 8080]),
    client=st.lists(st.binary(min_size=1, max_size=80), max_size=4),
    server=st.lists(st.binary(min_size=1, max_size=80), max_size=4),
    greeting=st.sampled_from([b"", b"RFB 003.008\n", ASK, http(GET), MYSQL[:40], BIND[:20]]),
)
def test_whatever_is_said_the_frames_stay_frames(
    port: int, client: list[bytes], server: list[bytes], greeting: bytes, tmp_path: Path
) -> None:
    masked(talk(port, [greeting, *client] if greeting else client, server), tmp_path)
