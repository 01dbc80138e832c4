"""The screen: what is found in a large capture is what is found where every segment is read; both twins do the same."""

import itertools
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pcapdx.annotate import screen, web
from pcapdx.annotate.find import TELLING, WANTED, Finding
from pcapdx.annotate.ledger import FOREVER, MASK32
from pcapdx.annotate.logins import Run
from pcapdx.annotate.screen import SUSPECT, Screen, pieces_of
from pcapdx.capture.records import Block
from pcapdx.sieve.engine import Sieve
from tests.annotate.test_masking import LENGTH, OK, SECRET, SPOKEN, WRAPS, datagrams, fragments, http
from tests.sieve.blocks import block_of

ACK, SYN, FIN, RST = 16, 2, 1, 4
PLAIN: dict[str, tuple[int, list[bytes], list[bytes]]] = {
    "a page": (80, [http(b"GET /a HTTP/1.1", b"Host: b")], [http(OK, b"Content-Length: 300", body=b"p" * 300)]),
    "an answer": (8080, [], [http(OK, b"Content-Type: text/html", body=b"p" * 70)]),
    "a page elsewhere": (9999, [http(b"GET /a HTTP/1.1", b"Host: b")], [http(OK, body=b"<p>" * 100)]),
    "rows": (3306, [], [b"\1\0\0\1\0" * 60]),
    "blocks": (3260, [b"\1" * 200], [b"\2" * 300]),
    "nothing known": (9998, [b"pass"], [b"word=" + SECRET]),
}
ANSWER = http(OK, b"Content-Length: 5", body=b"abcde")
FRAMED: dict[str, tuple[int, list[bytes], list[bytes]]] = {
    "asked of a router": (8080, [http(b"GET / HTTP/1.1", b"DomU_Request: x")], [ANSWER]),
    "words across chunks": (
        9090,
        [http(b"GET /a HTTP/1.1")],
        [http(OK, b"Transfer-Encoding: chunked", body=b"3\r\npas\r\n8\r\nswd=abcd\r\n0\r\n\r\n")],
    ),
    "compressed": (9090, [http(b"GET /a HTTP/1.1")], [http(OK, b"Content-encoding:gzip", LENGTH, body=SECRET)]),
    **{
        path.decode(): (80, [http(b"GET " + path + b" HTTP/1.1")], [ANSWER])
        for path in (b"/latest/x", b"/openstack/x", b"/2009-04-04/x", b"/1.0", b"/metadata/x", b"/opc/v1",
                     b"/a/userdata", b"/computeMetadata/v1", b"/user-_data", b"http://a/user_data?x",
                     b"/PUBLIC-KEYS/0", b"/User-Data")
    },
}  # fmt: skip
HIDDEN = b"Zx9-top-Kuchen-77"
"""In place of the secret that says of itself that it is one."""
SAID = {
    name: (port, [one.replace(SECRET, HIDDEN) for one in asked], [one.replace(SECRET, HIDDEN) for one in answered])
    for name, (port, asked, answered) in {**SPOKEN, **FRAMED, **PLAIN}.items()
}
Said = tuple[int, Sequence[bytes], Sequence[bytes]]


def segment(client: int, port: int, mine: bool, flags: int, seq: int, data: bytes = b"") -> bytes:
    """A frame of the connection from the client's port."""
    ends = (b"\x0a\1\1\5", b"\x0a\1\1\1", client, port) if mine else (b"\x0a\1\1\1", b"\x0a\1\1\5", port, client)
    tcp = struct.pack(">HHIIBBHHH", ends[2], ends[3], seq & 0xFFFF_FFFF, 0, 0x50, flags, 100, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, *ends[:2])
    return b"\2" * 5 + bytes([mine]) + b"\2" * 5 + bytes([not mine]) + b"\x08\0" + ip + tcp


@st.composite
def connections(draw: st.DrawFn) -> list[bytes]:
    """Some connections cut into segments, these a little out of order, some twice, some lost; mixed up."""
    every: list[list[bytes]] = []
    for client in range(40_000, 40_000 + draw(st.integers(1, 4))):
        port, asked, answered = SAID[draw(st.sampled_from(sorted(SAID)))]
        frames, whole = [], draw(st.booleans())
        if draw(st.booleans()):
            frames += [segment(client, port, True, SYN, 0xFFFF_FFEF), segment(client, port, False, SYN | ACK, 4999)]
        for mine, said, base in ((True, asked, 0xFFFF_FFF0), (False, answered, 5000)):
            data = b"".join(said)
            cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, max(len(data) - 1, 0)), max_size=6))})
            for begin, end in itertools.pairwise(cuts):
                frames.append(segment(client, port, mine, ACK, base + begin, data[begin:end]))
            if draw(st.booleans()):
                frames.append(segment(client, port, mine, ACK | FIN, base + len(data)))
        for _ in range(0 if whole else draw(st.integers(0, 4))):
            place, other = draw(st.integers(0, len(frames) - 1)), draw(st.integers(0, len(frames) - 1))
            change = draw(st.sampled_from(["swap", "again", "lose"]))
            if change == "swap":
                frames[place], frames[other] = frames[other], frames[place]
            elif change == "again":
                frames.insert(other, frames[place])
            elif len(frames) > 1:
                frames.pop(place)
        every.append(frames)
    mixed: list[bytes] = []
    while any(every):
        chosen = draw(st.sampled_from([one for one in every if one]))
        mixed.append(chosen.pop(0))
    return mixed


def blocks(frames: Sequence[bytes], size: int) -> list[Block]:
    """Blocks of so many frames each."""
    made = [block_of(frames[at : at + size]) for at in range(0, len(frames), size)]
    for place, one in enumerate(made):
        one.records["number"] += place * size
    return made


def found(parts: Sequence[Block], *, fast: bool, plain: bool = False) -> dict[str, Any]:
    """What is found, without the numbers of values, which are given in the order of reading."""
    sieve = Sieve((), fast=fast)
    finding = Finding(sieve)
    if plain:
        finding._screen = Screen(TELLING, WANTED, plain=True, flows=64)
    for block in parts:
        finding.take(block, sieve.sweep(block))
    ledger = finding.end()
    return {
        "streams": {
            (side, (ledger.bases[side] + begin) & MASK32, end - begin if end < FOREVER else FOREVER)
            for side, spans in ledger.streams.items()
            for begin, end in spans
        },
        "frames": {(number, one.begin, one.end) for number, spans in ledger.frames.items() for one in spans},
        "kinds": ledger.kinds,
        "values": set(ledger.values),
    }


@pytest.mark.parametrize("name", sorted(SAID))
@pytest.mark.parametrize("size", [4, 100_000])
def test_a_cut_anywhere_hides_nothing(name: str, size: int) -> None:
    """A connection for each place where one of its sides may be cut in two."""
    port, *said = SAID[name]
    asked, answered = (b"".join(one) for one in said)
    frames: list[bytes] = []
    for cut in range(len(asked) + len(answered)):
        client, parts = 20_000 + cut, [(True, asked[:cut]), (True, asked[cut:])]
        parts += [(False, answered[: max(cut - len(asked), 0)]), (False, answered[max(cut - len(asked), 0) :])]
        seqs = {True: 0xFFFF_FFF0, False: 5000}
        if cut % 2:
            frames += [segment(client, port, True, SYN, seqs[True] - 1), segment(client, port, False, SYN | ACK, 4999)]
        for mine, data in parts:
            frames += [segment(client, port, mine, ACK, seqs[mine], data)] if data else []
            seqs[mine] += len(data)
    made = blocks(frames, size)
    expected = found(made, fast=False)
    assert bool(expected["streams"]) == (name not in PLAIN)
    assert found(made, fast=True) == expected


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(connections(), st.sampled_from([3, 7, 1000]))
def test_what_is_found_is_the_same(frames: list[bytes], size: int) -> None:
    parts = blocks(frames, size)
    expected = found(parts, fast=False)
    assert found(parts, fast=True) == expected
    assert found(parts, fast=True, plain=True) == expected


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(connections(), st.sampled_from([1, 3]), st.sampled_from([0, 100, 1000]))
def test_also_where_there_is_hardly_room(frames: list[bytes], size: int, room: int) -> None:
    parts = blocks(frames, size)
    expected = found(parts, fast=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screen, "MOST_WAITING", room)
        assert found(parts, fast=True, plain=True) == expected


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_what_is_harmless_does_not_reach_python(name: str) -> None:
    """So the tests above are no tests of a screen that lets everything through."""
    port, asked, answered = PLAIN[name]
    sieve, one = Sieve((), fast=True), Screen(TELLING, WANTED)
    frames = [
        segment(40_000, port, True, ACK, 1, b"".join(asked)),
        segment(40_000, port, False, ACK, 9, b"".join(answered)),
    ]
    (block,) = blocks(frames, 9)
    held, rest = one.take(block, sieve.sweep(block))
    assert not any(map(len, rest))
    assert [piece for part in held for piece in pieces_of(part)] == [] or name == "an answer"
    assert bool(one.streams.flows[0] & SUSPECT) == (name == "an answer")


def test_packets_and_fragments_are_found() -> None:
    made = blocks([*(one for wrap in WRAPS for one in datagrams(wrap)), *fragments(16)], 7)
    expected = found(made, fast=False)
    assert len(expected["frames"]) > 20
    assert found(made, fast=True) == expected
    assert found(made, fast=True, plain=True) == expected


def test_frames_without_a_flow_are_named() -> None:
    sieve, one = Sieve((), fast=True), Screen(TELLING, WANTED)
    frames = [
        segment(40_000, port, True, ACK, 1, data) for port, data in ((80, b"x"), (9, b"GET /"), (9, b"x"), (80, b""))
    ]
    (block,) = blocks(frames, 9)
    rows = sieve.sweep(block)
    rows["flow"] = -1
    assert one.take(block, rows)[1].alone.tolist() == [0, 1]


@given(
    st.lists(
        st.sampled_from([b"GET ", b"POST", b" ", b"/a", b"HTTP/1.1", b"HTTP/1.", b"\r\n", b"\n", b"a: b", b"\r", b"-"]),
        max_size=12,
    ).map(b"".join)
)
def test_what_is_taken_for_a_request_is_one(data: bytes) -> None:
    if screen.asks(data, 0, len(data), WANTED.starts):
        seen = web.Web(80)
        seen.read([Run(0, data, True, True)], lambda *_: None, over=False)
        assert seen.asks


def test_a_plain_request_is_taken_for_one() -> None:
    for method in (b"GET", b"POST", b"OPTIONS"):
        data = http(method + b" /a HTTP/1.1", b"Host: b")
        assert screen.asks(data, 0, len(data), WANTED.starts)
        assert not screen.asks(data, 0, len(data) - 2, WANTED.starts)


def test_connections_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether Python reads them or not; and what comes again of them is nothing new."""
    monkeypatch.setattr(screen, "MOST_WAITING", 0)
    monkeypatch.setattr("pcapdx.annotate.find.MOST_TALKS", 1)
    frames = []
    for client in range(40_000, 40_010):
        port, asked, answered = SAID["cookie" if client % 2 else "rows"]
        for mine, data in ((True, b"".join(asked)), (False, b"".join(answered))):
            frames += [segment(client, port, mine, ACK, 9, data)] if data else []
            frames.append(segment(client, port, mine, ACK | FIN, 9 + len(data)))
    sieve = Sieve((), fast=True)
    finding = Finding(sieve)
    for block in blocks([*frames, *frames], 4):
        finding.take(block, sieve.sweep(block))
    assert finding._screen is not None
    assert len(finding._talks) <= 2
    assert not sum(len(one.pieces) for one in finding._screen._waiting)
    assert finding.end().kinds == {"cookie": 10}  # two in each
