import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from dissectors.console_proxy import (
    ChainVerdict,
    ConsoleHandshake,
    ConsolePage,
    DateVerdict,
    NameVerdict,
    console_page,
    covers,
    dashed_ip,
    pair,
)
from dissectors.tls import Certificate, read
from dissectors.tls import pair as pair_tls
from dissectors.tls.certificate import parse
from pcapdx.dissect import Conversation, Traffic
from tests.dissectors.feeding import SERVER, mutated, survives, talk
from tests.dissectors.handshakes import NAMES, NOT_AFTER, NOT_BEFORE, Talk, at_ns, chain, handshake, issue

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
WITHIN, BEFORE, AFTER = (at_ns(datetime(year, 6, 1, tzinfo=UTC)) for year in (2025, 2023, 2125))


def of_tls(conversation: Conversation) -> Traffic:
    """A connection as the TLS dissector leaves it."""
    traffic = Traffic(conversations=(conversation,))
    return replace(traffic, exchanges=tuple(pair_tls(traffic)))


def judged(flights: Talk, at: int = WITHIN) -> ConsoleHandshake:
    """The exchange of these flights, as if recorded at that time."""
    conversation = talk(read, flights, 8443)
    moved = tuple(
        type(one)(
            message=one.message,
            frame=one.frame.replaced(ts_ns=at + one.frame.number),
            frames=one.frames,
            from_originator=one.from_originator,
        )
        for one in conversation.seen
    )
    later = Conversation(
        flow=conversation.flow,
        seen=moved,
        originator_end=conversation.originator_end,
        responder_end=conversation.responder_end,
    )
    (found,) = pair(of_tls(later))
    return found


def certificate(common_name: str | None = None, **names: Any) -> Certificate:
    found = parse(issue(common_name, **names).der)
    assert found is not None
    return found


def test_good_certificate() -> None:
    found = judged(handshake(V12))
    assert found.name == "1-2-3-4.console.example.com"
    assert (found.name_verdict, found.date_verdict) == (NameVerdict.MATCH, DateVerdict.VALID)
    assert found.chain_verdict is ChainVerdict.LINKED
    assert found.leaf is not None
    assert found.leaf.san_dns == NAMES
    assert found.handshake.completed is True
    assert not (found.realhostip or found.plain_http)


def test_tls_1_3_shows_no_certificate() -> None:
    found = judged(handshake(V13))
    assert found.name == "1-2-3-4.console.example.com"
    assert (found.name_verdict, found.date_verdict) == (NameVerdict.UNSEEN, DateVerdict.UNSEEN)
    assert (found.chain_verdict, found.leaf) == (ChainVerdict.UNSEEN, None)


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        ("1-2-3-4.console.example.com", NameVerdict.MATCH),
        ("1-2-3-4.CONSOLE.example.com.", NameVerdict.MATCH),
        ("console.example.com", NameVerdict.MATCH),
        ("1-2-3-4.example.com", NameVerdict.MISMATCH),
        ("a.1-2-3-4.console.example.com", NameVerdict.MISMATCH),
        ("203.0.113.9", NameVerdict.MATCH),
        ("203.0.113.10", NameVerdict.MISMATCH),
        ("console", NameVerdict.MISMATCH),
        ("", NameVerdict.MISMATCH),
        ("bad name\N{SNOWMAN}", NameVerdict.MISMATCH),
    ],
)
def test_names_covered(host: str, verdict: NameVerdict) -> None:
    leaf = parse(chain()[0].der)
    assert leaf is not None
    assert covers(leaf, host) is verdict


def test_common_name_counts_only_as_a_remark() -> None:
    assert covers(certificate("*.old.example"), "1-2-3-4.old.example") is NameVerdict.COMMON_NAME_ONLY
    assert covers(certificate("old.example", dns=("new.example",)), "old.example") is NameVerdict.MISMATCH


def test_broken_names_in_a_certificate_match_nothing() -> None:
    assert covers(certificate("x", dns=("*", "*.", "a*.example.com", "..")), "ab.example.com") is NameVerdict.MISMATCH


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (BEFORE, DateVerdict.NOT_YET),
        (AFTER, DateVerdict.EXPIRED),
        (at_ns(NOT_BEFORE), DateVerdict.VALID),
        (at_ns(NOT_AFTER) - 10, DateVerdict.VALID),
    ],
)
def test_dates_are_judged_at_the_time_of_the_capture(at: int, verdict: DateVerdict) -> None:
    assert judged(handshake(V12), at).date_verdict is verdict


def test_chains() -> None:
    leaf, intermediate, root = chain()
    assert judged(handshake(V12, (leaf,))).chain_verdict is ChainVerdict.INCOMPLETE
    assert judged(handshake(V12, (leaf, root))).chain_verdict is ChainVerdict.INCOMPLETE
    assert judged(handshake(V12, (leaf, root, intermediate))).chain_verdict is ChainVerdict.LINKED
    alone = issue("self", dns=NAMES)
    assert judged(handshake(V12, (alone,))).chain_verdict is ChainVerdict.SELF_SIGNED


def test_name_that_spells_an_address() -> None:
    right = judged(handshake(V12, sni=SERVER.replace(".", "-") + ".console.example.com"))
    assert (right.dashed_ip, right.dashed_matches) == (SERVER, True)
    wrong = judged(handshake(V12))
    assert (wrong.dashed_ip, wrong.dashed_matches) == ("1.2.3.4", False)
    fixed = judged(handshake(V12, sni="console.example.com"))
    assert (fixed.dashed_ip, fixed.dashed_matches) == (None, None)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("1-2-3-4.x", "1.2.3.4"),
        ("010-2-3-4", "10.2.3.4"),
        ("1-2-3-256.x", None),
        ("1-2-3.x", None),
        ("a1-2-3-4.x", None),
        ("", None),
    ],
)
def test_dashed_ip(name: str, address: str | None) -> None:
    assert dashed_ip(name) == address


def test_no_name_and_a_dead_domain() -> None:
    assert judged(handshake(V12, sni=None)).name_verdict is NameVerdict.NO_NAME
    assert judged(handshake(V12, sni="1-2-3-4.realhostip.com")).realhostip
    assert not judged(handshake(V12, sni="1-2-3-4.notrealhostip.com")).realhostip


def test_plain_http_instead_of_tls() -> None:
    found = judged([(">", b"GET /websockify HTTP/1.1\r\n\r\n")])
    assert found.plain_http
    assert found.handshake.client_hello is None
    assert not judged([(">", b"SSH-2.0-x\r\n")]).plain_http


@pytest.mark.parametrize(
    ("target", "page"),
    [
        ("/websockify?token=***", ConsolePage.WEBSOCKET),
        ("/resource/noVNC/vnc.html?autoconnect=true&port=8443", ConsolePage.PAGE),
        ("/ajax?token=***", ConsolePage.VIEWER),
        ("/ajaximg?token=***", ConsolePage.VIEWER),
        ("/client/", None),
    ],
)
def test_pages_of_a_console(target: str, page: ConsolePage | None) -> None:
    assert console_page(target) is page


@given(mutated(handshake(V12)[1][1], handshake(V12)[0][1]))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
    list(pair(of_tls(talk(read, [("<", data), (">", data)], 443))))
