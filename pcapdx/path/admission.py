"""ADMITS: whether a capture filter lets a packet pass (pcap-filter(7)), as far as that can be told.

The common part of the language is read: hosts, networks, ports, protocols, VLANs and link addresses with and, or, not
and parentheses. Everything else, and what a row does not tell, is unknown; so is a plain test of a tagged frame, which
depends on where the recorder keeps the tag. Verdicts are cells of NO, UNKNOWN and YES, so that "and" is the least of
two, "or" the greatest.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address

import numpy as np

from pcapdx.frame import BROADCAST_MAC, ip_words, mac_int
from pcapdx.path.trail import ARP, ICMP, ICMPV6, RARP, TCP, TRAIL, UDP
from pcapdx.sieve.columns import Array

NO, UNKNOWN, YES = 0, 1, 2
SCTP = 132
GROUP_BIT = 1 << 40
UNTOLD = -1
"""Of a cell: the packet has it, and which it is nobody told."""
Test = Callable[[Array, Array], Array]
"""Rows (TRAIL) and how many tags each has at the point of capture (``UNTOLD`` where nobody knows): verdicts."""

_WORD = re.compile(r"\s*(\(|\)|&&|\|\||!|[^\s()&|!]+)")
_NAMES = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmp6": ICMPV6, "sctp": SCTP, "igmp": 2, "esp": 50, "ah": 51}
_NETWORKS = {"ip": (4,), "ip6": (6,), "arp": (ARP,), "rarp": (RARP,), "ether": (), "vrrp": ()}
_SERVICES = {"bootps": 67, "bootpc": 68, "domain": 53, "http": 80, "https": 443, "ssh": 22, "nfs": 2049, "ntp": 123}
_DEEPEST = 40
_MOST_WORDS = 400


class _Unread(ValueError):
    """A part of the language that is not read."""


def admits(expression: str, rows: Array, tags: Array) -> Array:
    """NO, UNKNOWN or YES for each row; ``tags`` as in :data:`Test`."""
    test = _compiled(expression)
    if test is None:
        return np.full(len(rows), UNKNOWN)
    # of a tunnelled packet the row tells the inner addresses, and the filter sees the outer ones
    return np.where(rows["vni"] >= 0, UNKNOWN, test(rows, tags))


def admitted(filters: Sequence[str], rows: Array, tags: Array) -> Array:
    """The same of a capture of several interfaces, each with a filter ("" for none): a packet may come by any."""
    verdicts = [admits(one, rows, tags) for one in filters]
    if not verdicts:
        return np.full(len(rows), YES)
    least, most = np.minimum.reduce(verdicts), np.maximum.reduce(verdicts)
    return np.where(least == most, least, UNKNOWN)


def packet(protocol: int, **columns: int) -> Array:
    """A packet that is to be expected, as a row; cells that are not given are untold."""
    made = np.zeros(1, TRAIL)
    for name in TRAIL.names or ():
        made[name] = columns.get(name, UNTOLD)
    made["protocol"] = protocol
    return made


def address(text: str | None) -> int:
    """An address as rows have it: IPv4 as it is, IPv6 hashed; ``UNTOLD`` of None."""
    if text is None:
        return UNTOLD
    version, *words = ip_words(text)
    return words[3] if version == 4 else _hashed(words)


def _hashed(words: list[int]) -> int:
    mixed = words[3] ^ (words[2] << 17) ^ (words[1] << 29) ^ (words[0] << 11)
    return (mixed & ((1 << 62) - 1)) | 1 << 62


@lru_cache(maxsize=64)
def _compiled(expression: str) -> Test | None:
    """The expression as a function; None where a part of it is not read."""
    words: list[str] = []
    at = 0
    text = expression.strip()
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            return None
        if len(words) == _MOST_WORDS:
            return None
        words.append(match[1].lower())
        at = match.end()
    try:
        return _Parser(words).whole() if words else _everything
    except ValueError:
        return None


class _Parser:
    """Reads words from left to right; "and" and "or" bind alike, "not" closer."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self._qualified: tuple[str, str, str] = ("", "", "")
        self._tags = 0

    def whole(self) -> Test:
        """The whole expression; raises _Unread."""
        test = self._expression()
        if self._at < len(self._words):
            raise _Unread(f"{self._peek()!r} is not read")
        return test

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _next(self) -> str:
        word = self._peek()
        self._at += 1
        return word

    def _expression(self) -> Test:
        left = self._term()
        while self._peek() in ("and", "&&", "or", "||"):
            word = self._next()
            right = self._term()
            left = _both(left, right) if word in ("and", "&&") else _either(left, right)
        return left

    def _term(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Unread("too deep")
        word = self._peek()
        if word in ("not", "!"):
            self._next()
            test = _negated(self._term())
        elif word == "(":
            self._next()
            test = self._expression()
            if self._next() != ")":
                raise _Unread("a parenthesis is open")
        else:
            test = self._primitive()
        self._depth -= 1
        return test

    def _primitive(self) -> Test:
        word = self._peek()
        if word == "vlan":
            self._next()
            wanted = int(self._next()) if self._peek().isdigit() else None
            depth, self._tags = self._tags, self._tags + 1
            return _tagged(wanted, depth)
        if word in ("broadcast", "multicast"):
            return self._at_depth(_grouped(self._next() == "broadcast"), link=True)
        protocol = self._next() if word in _NAMES or word in _NETWORKS else ""
        if protocol == "ether" and self._peek() in ("broadcast", "multicast"):
            return self._primitive()
        if self._peek() == "proto":
            self._next()
            return self._at_depth(_of_number(protocol, self._next().lstrip("\\")))
        way = self._way()
        kind = self._next() if self._peek() in ("host", "net", "port", "portrange") else ""
        if protocol and not way and not kind:
            return self._at_depth(_of_protocol(protocol))
        if not protocol and not way and not kind:
            protocol, way, kind = self._qualified  # "port 67 or 68": the words before hold on
            if not kind:
                raise _Unread(f"{word!r} is not read")
        elif not kind:
            kind = "host"
        self._qualified = protocol, way, kind
        return self._at_depth(self._named(protocol, way, kind), link=protocol == "ether")

    def _way(self) -> str:
        if self._peek() not in ("src", "dst"):
            return ""
        way = self._next()
        if self._peek() in ("or", "and") and self._words[self._at + 1 : self._at + 2] in (["src"], ["dst"]):
            both = self._next()
            self._next()
            return "" if both == "or" else "both"
        return way

    def _named(self, protocol: str, way: str, kind: str) -> Test:
        name = self._next()
        if not name or name in (")", "("):
            raise _Unread("something is missing")
        if protocol == "ether":
            return _either_end("eth_src", "eth_dst", way, _equal(mac_int(name), known=lambda cells: cells >= 0))
        limit = _of_protocol(protocol) if protocol else None
        if kind in ("port", "portrange"):
            low, _, high = name.partition("-")
            test = _ports(way, _port(low), _port(high or low))
        elif kind == "net":
            if self._peek() == "mask":
                self._next()
                name = f"{name}/{self._next()}"
            test = _addresses(way, _network(name))
        else:
            test = _addresses(way, _host(name))
        return _both(limit, test) if limit else test

    def _at_depth(self, test: Test, *, link: bool = False) -> Test:
        """Tests behind the link header fit where exactly the tags before them are there; with another number of them
        it depends on the recorder."""
        depth = self._tags
        if link:
            return test

        def run(rows: Array, tags: Array) -> Array:
            return np.where(tags == depth, test(rows, tags), UNKNOWN)

        return run


def _everything(rows: Array, tags: Array) -> Array:
    return np.full(len(rows), YES)


def _both(one: Test, other: Test) -> Test:
    return lambda rows, tags: np.minimum(one(rows, tags), other(rows, tags))


def _either(one: Test, other: Test) -> Test:
    return lambda rows, tags: np.maximum(one(rows, tags), other(rows, tags))


def _negated(one: Test) -> Test:
    return lambda rows, tags: YES - one(rows, tags)


def _verdicts(known: Array, true: Array) -> Array:
    return np.where(known, np.where(true, YES, NO), UNKNOWN)


def _tagged(wanted: int | None, depth: int) -> Test:
    def run(rows: Array, tags: Array) -> Array:
        if depth > 1:
            return np.full(len(rows), UNKNOWN)
        here = rows["inner_vlan"] if depth else rows["vlan"]
        has = _verdicts(tags != UNTOLD, tags > depth)
        return has if wanted is None else np.minimum(has, np.where(here == wanted, YES, NO))

    return run


def _grouped(broadcast: bool) -> Test:
    def run(rows: Array, tags: Array) -> Array:
        to = rows["eth_dst"]
        return _verdicts(to >= 0, to == BROADCAST_MAC if broadcast else to & GROUP_BIT != 0)

    return run


def _version(rows: Array) -> Array:
    """4 or 6 where the row is IP, 1 where its addresses are untold, its kind (below 0) otherwise."""
    src = np.maximum(rows["src"], rows["dst"])
    return np.where(rows["protocol"] < 0, rows["protocol"], np.where(src < 0, 1, np.where(src < 1 << 32, 4, 6)))


def _of_protocol(name: str) -> Test:
    if name in _NAMES:
        return lambda rows, tags: np.where(rows["protocol"] == _NAMES[name], YES, NO)
    wanted = _NETWORKS[name]
    if not wanted:
        raise _Unread(f"{name} alone is not read")

    def run(rows: Array, tags: Array) -> Array:
        version = _version(rows)
        known = (version != 1) | (max(wanted) < 0)  # IP of either version is no ARP
        return _verdicts(known, np.isin(version, wanted))

    return run


def _of_number(protocol: str, name: str) -> Test:
    if protocol == "ether":
        kinds = {"arp": "arp", "0x0806": "arp", "2054": "arp", "ip": "ip", "0x0800": "ip", "2048": "ip"}
        kinds |= {"ip6": "ip6", "0x86dd": "ip6", "rarp": "rarp", "0x8035": "rarp"}
        if name not in kinds:
            raise _Unread(f"ether proto {name} is not read")
        return _of_protocol(kinds[name])
    number = _NAMES[name] if name in _NAMES else int(name, 0)
    same: Test = lambda rows, tags: np.where(rows["protocol"] == number, YES, NO)  # noqa: E731  two lines of a closure
    return _both(_of_protocol(protocol), same) if protocol else same


def _equal(value: int, *, known: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda cells: _verdicts(known(cells), cells == value)


def _either_end(one: str, other: str, way: str, judge: Callable[[Array], Array]) -> Test:
    """What is so of the source, the destination, either or both."""

    def run(rows: Array, tags: Array) -> Array:
        if way == "src":
            return judge(rows[one])
        if way == "dst":
            return judge(rows[other])
        pick = np.minimum if way == "both" else np.maximum
        return pick(judge(rows[one]), judge(rows[other]))

    return run


def _ports(way: str, low: int, high: int) -> Test:
    def judge(cells: Array) -> Array:
        return _verdicts(cells >= 0, (cells >= low) & (cells <= high))

    ends = _either_end("sport", "dport", way, judge)
    return lambda rows, tags: np.where(np.isin(rows["protocol"], (TCP, UDP, SCTP)), ends(rows, tags), NO)


def _port(name: str) -> int:
    if name in _SERVICES:
        return _SERVICES[name]
    number = int(name)
    if not 0 <= number < 1 << 16:
        raise _Unread(f"{name} is no port")
    return number


def _addresses(way: str, judge: Callable[[Array], Array]) -> Test:
    """Of ARP rows the addresses are untold, of others without IP there are none."""
    ends = _either_end("src", "dst", way, judge)

    def run(rows: Array, tags: Array) -> Array:
        found = ends(rows, tags)
        return np.where((rows["protocol"] < 0) & ~np.isin(rows["protocol"], (ARP, RARP)), NO, found)

    return run


def _host(name: str) -> Callable[[Array], Array]:
    value = address(name)
    return _equal(value, known=lambda cells: cells >= 0)


def _network(name: str) -> Callable[[Array], Array]:
    if ":" in name:
        IPv6Address(name.partition("/")[0])
        return lambda cells: np.where((cells >= 0) & (cells < 1 << 32), NO, UNKNOWN)
    base, slash, length = name.partition("/")
    parts = base.split(".")
    whole = ".".join([*parts, "0", "0", "0"][:4])
    net = IPv4Network(f"{whole}/{length if slash else 8 * len(parts)}", strict=False)
    low, high = int(net.network_address), int(net.broadcast_address)
    return lambda cells: _verdicts(cells >= 0, (cells >= low) & (cells <= high))
