"""Fuzzes every dissector: ``python tests/fuzz/fuzz_dissectors.py [-runs=N] [any libFuzzer option]``.

The first byte of an input chooses the dissector, the second how its bytes ended; the rest is what it reads. Nothing but
the two exceptions for bytes may come out, no position may lie outside the bytes, and what was read must pair up, also
in the dissectors that build on it. Seeds are the messages of the dissectors' own tests.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pcapdx.dissect import (
    Conversation,
    Cursor,
    Dissector,
    End,
    Layer,
    Malformed,
    Seen,
    Traffic,
    Truncated,
    in_time_order,
)
from pcapdx.plugins import load
from tests.dissectors import (
    test_arp,
    test_cdp,
    test_dhcp,
    test_dns,
    test_dot1q,
    test_http,
    test_icmp,
    test_igmp,
    test_iscsi,
    test_lacp,
    test_lldp,
    test_metadata,
    test_mld,
    test_mysql,
    test_ntp,
    test_openflow,
    test_rfb,
    test_rpc,
    test_ssh,
    test_stp,
    test_tls,
    test_vrrp,
    test_vxlan,
)
from tests.dissectors import test_password_server as test_password
from tests.dissectors.feeding import CLIENT, SERVER, flow, frame
from tests.fuzz.handover import fuzz

ALL = tuple(sorted(load().dissectors, key=lambda one: one.name))
DISSECTORS = tuple((one, one.read) for one in ALL if one.read is not None)
IN_FRAME = frame(src=CLIENT, dst=SERVER, ip_protocol=17, sport=53, dport=53)
CONSOLE, WEB, PASSWORDS = 443, 80, 8080
CUT, CLOSED, OPEN = range(3)


def seeds() -> list[bytes]:
    """Known messages for each dissector, ended in each way."""
    datagrams = {
        "vlan": [test_dot1q.QINQ, test_dot1q.STACK_OF_40],
        "arp": [test_arp.REQUEST, test_arp.REPLY],
        "icmp": [test_icmp.ECHO, test_icmp.TOO_BIG, test_icmp.TOO_BIG_6],
        "dhcp": [test_dhcp.ACK, test_dhcp.message(1, (55, b"\1\3"), (119, b"\3eng\7example\0"))],
        "dns": [test_dns.QUERY, test_dns.ANSWER],
        "vxlan": [test_vxlan.HEADER],
        "lldp": [test_lldp.SUMMIT, test_lldp.MAC_PORT],
        "cdp": [test_cdp.SWITCH, test_cdp.VERSION_1],
        "lacp": [test_lacp.UNIT, test_lacp.LONELY],
        "stp": [test_stp.PLAIN, test_stp.RAPID, test_stp.NOTIFICATION, test_stp.PVST],
        "vrrp": [test_vrrp.PASSWORD, test_vrrp.VERSION_3],
        "igmp": [test_igmp.QUERY_2, test_igmp.QUERY_3, test_igmp.LEAVE, test_igmp.REPORT_3],
        "mld": [test_mld.QUERY, test_mld.QUERY_2, test_mld.REPORT_2],
    }
    web = [test_http.GET, test_http.POST, test_http.OK, test_http.CHUNKED, test_http.UNTIL_CLOSE]
    web += [test_password.ask(), test_password.HEADERS + test_password.PASSWORD, test_password.SOCAT]
    web += [test_metadata.get("/latest/user-data"), test_metadata.ok("10.1.1.7")]
    tls = [test_tls.side(flights, way) for flights in (test_tls.TLS12, test_tls.TLS13) for way in "<>"]
    known = datagrams | {"http": web, "tls": tls, "ssh": [test_ssh.SERVED], "vnc": [test_rfb.BY_PASSWORD]}
    known |= {
        "rpc": [test_rpc.MNT, test_rpc.record(test_rpc.COMPOUND), test_rpc.reply(13)],
        "mysql": [test_mysql.GREETING + test_mysql.DENIED, test_mysql.LOGIN, test_mysql.NOT_ALLOWED],
        "ntp": [test_ntp.ANSWER],
        "iscsi": [test_iscsi.LOGIN, test_iscsi.REFUSED],
        "openflow": [test_openflow.HELLO + test_openflow.FAILED, test_openflow.OLD_HELLO + test_openflow.FEATURES],
    }
    return [
        bytes([index, end]) + data
        for index, (dissector, _) in enumerate(DISSECTORS)
        for data in known.get(dissector.name, ())
        for end in (CUT, CLOSED, OPEN)
    ]


def check(data: bytes) -> None:
    """Read ``data`` with the dissector that it chooses."""
    if len(data) < 2:
        return
    dissector, read = DISSECTORS[data[0] % len(DISSECTORS)]
    end, payload = data[1] % 3, data[2:]
    stream = dissector.layer is Layer.PAYLOAD and not dissector.udp_ports
    cursor = Cursor(
        payload,
        wire_bytes=len(payload) + 99 if end == CUT else None if stream else len(payload),
        closed=end == CLOSED,
        frame=None if stream else IN_FRAME,
    )
    messages: list[object] = []
    try:
        for message in read(cursor):
            assert isinstance(message, dissector.messages)
            assert 0 <= cursor.at <= len(payload)
            messages.append(message)
    except (Malformed, Truncated) as problem:
        assert 0 <= problem.offset <= len(payload)
    for port in (WEB, CONSOLE, PASSWORDS):
        seen = _seen(messages, port)
        _pair(dissector, seen, port)
        for other in ALL:
            if other.builds_on == dissector.name and other.refine is not None:
                refined = [replace(one, message=part) for one in seen for part in other.refine(one)]
                assert all(isinstance(one.message, other.messages) for one in refined)
                _pair(other, refined, port)


def _seen(messages: list[object], port: int) -> list[Seen[object]]:
    """As if both sides had said it, one message a frame."""
    return [
        Seen(
            message=message,
            frame=IN_FRAME.replaced(number=number, sport=port, dport=port),
            frames=(number,),
            from_originator=side,
        )
        for side in (True, False)
        for number, message in enumerate(messages, 1)
    ]


def _pair(dissector: Dissector, seen: list[Seen[object]], port: int) -> None:
    pair = dissector.pair
    if pair is None:
        return
    ordered = in_time_order(seen)
    conversation = Conversation(flow=flow(port), seen=ordered, originator_end=End.OPEN, responder_end=End.OPEN)
    for exchange in pair(Traffic(seen=ordered, conversations=(conversation,))):
        assert isinstance(exchange, dissector.exchanges)


if __name__ == "__main__":
    sys.exit(fuzz("dissectors", seeds(), check))
