"""One key's pseudonyms for everything that tells who and where: addresses, MACs, names; and all of them within a text.

What is replaced keeps its length (IPv6 addresses as text do not), and equal things have equal pseudonyms everywhere.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b, shake_256
from ipaddress import IPv4Address, IPv6Address, ip_interface

from pcapdx.anonymize.addresses import Addresses, network_v4, network_v6
from pcapdx.anonymize.spelling import Spelling
from pcapdx.anonymize.vocabulary import COMMON, ENDINGS, KEPT
from pcapdx.frame import mac_int, mac_text

_MEANT = re.compile(
    r"(?:[rvs](?:-\d+)+|i-\d+-\d+)(?:-vm)?"  # system VMs and instances by their numbers
    r"|p\d+p\d+|(?:eth|ens|eno|enp|em|bond|team|vnet|vif|tap|br|cloudbr|cloudvirbr|xapi|xenbr|vlan|nic|swp|lo)\d[\w.]*",
    re.IGNORECASE | re.ASCII,
)
_WORD = re.compile(r"[^\W_]+")
_DASHED = re.compile(r"(?<![\d-])(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})(?![\d-])")
_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
IPV4 = re.compile(rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\w)(?:/(?:3[0-2]|[12]?\d)(?!\d))?", re.ASCII)
MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w-]|:\w)")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{2,39}(?<!\w:)(?!\w|:\w)(?:/\d{1,3})?")
NAME = re.compile(r"[^\W_](?:[\w.-]*\w)?")
_PORT = re.compile(r":\d{1,5}$")
_PART = re.compile(r"[^\W_]+")
_REVERSE_V4, _REVERSE_V6 = ".in-addr.arpa", ".ip6.arpa"
CROSS = "x"
LONGEST = 512
"""What is longer is no name, and becomes a row of crosses."""
MOST_KNOWN = 200_000
MOST_LABELS = 40
"""Of what may be a name; DNS allows 127, and hardly anybody uses ten."""
SHORTEST = 3
"""Shorter words stay: they tell little, and stand everywhere."""


class Pseudonyms:
    """The pseudonyms of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.addresses = Addresses(self._for)
        self._phrases: tuple[tuple[int, int], list[str]] = (0, 0), []
        self._spelling, self._rare = Spelling(self._for("names")), Spelling(self._for("common words"))
        self.label = lru_cache(maxsize=1 << 16)(self._label)
        self.known: dict[str, str] = {}
        """Names met so far, in lower case, and their pseudonyms."""
        self.heads: set[str] = set()
        """A part of each of them, to pass quickly over what holds none."""
        self.foreign: list[str] = []
        """Those with letters beyond ASCII."""

    def _for(self, purpose: str) -> bytes:
        return blake2b(purpose.encode(), key=self._key, digest_size=32).digest()

    def ipv4(self, packed: bytes) -> bytes:
        """Of an address on the wire."""
        return self.addresses.ipv4(int.from_bytes(packed, "big")).to_bytes(4, "big")

    def ipv6(self, packed: bytes) -> bytes:
        """Of an address on the wire."""
        return self.addresses.ipv6(int.from_bytes(packed, "big")).to_bytes(16, "big")

    def mac(self, packed: bytes) -> bytes:
        """Of an address on the wire."""
        return self.addresses.mac(int.from_bytes(packed, "big")).to_bytes(6, "big")

    def opaque(self, value: bytes) -> bytes:
        """Of an identifier whose bytes mean nothing (a key's digest, a serial number): not to be translated back."""
        return shake_256(self._for("opaque") + value).digest(len(value))

    def name(self, name: str) -> str:
        """Of a name, label by label; addresses that it spells are those addresses' pseudonyms."""
        lowered = name.lower().rstrip(".")
        if len(name) > LONGEST:
            return CROSS * len(name)
        if lowered.endswith((_REVERSE_V4, _REVERSE_V6)):
            hidden = _reverse(name, self.addresses.ipv4, self.addresses.ipv6)
        elif told := _address(name, self.text_address):
            return told
        else:
            labels = name.split(".")
            last = max((place for place, one in enumerate(labels) if one), default=0)
            ends = last and (labels[last].lower() in ENDINGS or len(labels[last]) == 2)
            hidden = ".".join(
                one if ends and place == last else _LABEL.sub(lambda found: self.label(found[0]), one)
                for place, one in enumerate(labels)
            )
        if hidden != name and len(lowered) >= SHORTEST:
            self.meet(lowered, hidden.lower().rstrip("."))
        return hidden

    def meet(self, name: str, hidden: str) -> None:
        """Remembers a name, in lower case; beyond ``MOST_KNOWN`` no more."""
        if name not in self.known and len(self.known) < MOST_KNOWN:
            self.known[name] = hidden
            self.heads.update(_PART.findall(name)[:1])
            if not name.isascii():
                self.foreign.append(name)

    def domain(self, name: str) -> None:
        """Learns a name with the domain it lies in, so that others in it are known, too."""
        name = _PORT.sub("", name)
        self.name(name)
        labels = name.lower().rstrip(".").split(".")
        if len(labels) > 2 and not name.endswith((_REVERSE_V4, _REVERSE_V6)) and not _address(name, self.text_address):
            parent = ".".join(labels[1:])
            self.name(parent)
            self.heads.update(_PART.findall(parent))

    def is_known(self, name: str) -> bool:
        """Whether a name, or a domain it lies in, was met; in lower case."""
        if name.count(".") > MOST_LABELS:
            return False
        while name not in self.known:
            _, dot, name = name.partition(".")
            if "." not in name or not dot:
                return False
        return True

    def _label(self, label: str) -> str:
        """Word by word between dashes, so that names that have a part in common still have one."""
        if _stays(label):
            return label
        dashed = _DASHED.search(label)
        if dashed and all(int(part) < 256 and str(int(part)) == part for part in dashed.groups()):
            hidden = self.addresses.ipv4(int(IPv4Address(".".join(dashed.groups()))))
            parts = label[: dashed.start()], label[dashed.end() :]
            before, behind = (self._label(part) if part else "" for part in parts)
            return before + str(IPv4Address(hidden)).replace(".", "-") + behind
        return _WORD.sub(lambda found: self._word(found[0]), label)

    def _word(self, word: str) -> str:
        if _stays(word) or len(word) < SHORTEST:
            return word
        hidden = (self._rare if word.lower() in COMMON else self._spelling).hide(word)
        while _stays(hidden) or hidden.lower() in COMMON:  # walks on within the permutation until it is free
            hidden = self._spelling.hide(hidden)
        return hidden

    def text_address(self, text: str) -> str:
        """Of an address, a network or a MAC as text; ValueError where it is none."""
        return _text_address(text, self.addresses.ipv4, self.addresses.ipv6, self.addresses.mac)

    def text(self, text: str, more: Iterable[str] = ()) -> str:
        """A text with pseudonyms for every address and every name that is known, or given here."""
        for name in more:
            self.name(name)
        return self._replaced(text, self.known, self.text_address)

    def reveal(self, text: str, names: dict[str, str]) -> str:
        """A text with what its pseudonyms stand for; ``names`` by pseudonym."""
        ways = self.addresses
        return self._replaced(
            text,
            names,
            lambda found: _text_address(found, ways.reveal_ipv4, ways.reveal_ipv6, ways.reveal_mac),
        )

    def _phrases_of(self, names: dict[str, str]) -> list[str]:
        """Names that are no single word, longest first."""
        if self._phrases[0] != (id(names), len(names)):
            found = sorted((one for one in names if not NAME.fullmatch(one)), key=len, reverse=True)
            self._phrases = (id(names), len(names)), found
        return self._phrases[1]

    def _replaced(self, text: str, names: dict[str, str], address: Callable[[str], str]) -> str:
        for pattern in (MAC, IPV4, IPV6):
            text = pattern.sub(
                lambda found, mac=pattern is MAC: (  # type: ignore[misc]  # a MAC replaced looks like one again
                    found[0] if not mac and MAC.fullmatch(found[0]) else _address(found[0], address) or found[0]
                ),
                text,
            )
        for phrase in self._phrases_of(names):
            if phrase not in text.lower():
                continue
            text = re.sub(
                rf"(?<!\w){re.escape(phrase)}(?!\w)",
                lambda found, new=names[phrase]: _as_spelled(new, found[0]),  # type: ignore[misc]  # bound at once
                text,
                flags=re.IGNORECASE,
            )
        return NAME.sub(lambda found: _named(found[0], names), text)


def _stays(label: str) -> bool:
    return label.lower() in KEPT or label.isdigit() or _MEANT.fullmatch(label) is not None


def _named(word: str, names: dict[str, str]) -> str:
    """A word, or the longest end or beginning of it between dots, by its name; capitals as they were."""
    lowered = word.lower()
    if lowered in names:
        return _as_spelled(names[lowered], word)
    labels = lowered.split(".")
    for first in range(len(labels)) if len(labels) <= MOST_LABELS else ():
        for last in range(len(labels), first, -1):
            part = ".".join(labels[first:last])
            if part in names and (last - first > 1 or len(labels) == 1):
                begin = len(".".join(labels[:first])) + (first > 0)
                end = begin + len(part)
                return word[:begin] + _as_spelled(names[part], word[begin:end]) + word[end:]
    return word


def _as_spelled(new: str, old: str) -> str:
    if len(new) != len(old):
        return new
    return "".join(one.upper() if like.isupper() else one for one, like in zip(new, old, strict=True))


def _address(text: str, translate: Callable[[str], str]) -> str | None:
    try:
        return translate(text)
    except ValueError:
        return None


def _text_address(text: str, ipv4: Callable[[int], int], ipv6: Callable[[int], int], mac: Callable[[int], int]) -> str:
    if MAC.fullmatch(text):
        dashes = "-" in text
        hidden = mac_text(mac(mac_int(text.replace("-", ":")))) or text
        hidden = hidden.replace(":", "-") if dashes else hidden
        return hidden.upper() if text != text.lower() else hidden
    told = ip_interface(text)
    length = told.network.prefixlen
    network = "/" in text and told.ip == told.network.network_address
    if isinstance(told.ip, IPv4Address):
        value = ipv4(int(told.ip))
        ip: IPv4Address | IPv6Address = IPv4Address(network_v4(value, length) if network else value)
    else:
        value = ipv6(int(told.ip))
        ip = IPv6Address(network_v6(value, length) if network else value)
    return f"{ip}/{length}" if "/" in text else str(ip)


def _reverse(name: str, ipv4: Callable[[int], int], ipv6: Callable[[int], int]) -> str:
    """A name of the reverse tree; fewer labels than an address has are the network's first ones."""
    labels = name.rstrip(".").split(".")
    dot = name[len(name.rstrip(".")) :]
    told, zone = labels[:-2], labels[-2:]
    try:
        if zone[0].lower() == "ip6":
            nibbles = "".join(reversed(told)).ljust(32, "0")
            if len(nibbles) != 32:
                return name
            fresh = list(f"{ipv6(int(nibbles, 16)):032x}"[: len(told)])
        else:
            octets = [*reversed(told), *["0"] * (4 - len(told))]
            fresh = str(IPv4Address(ipv4(int(IPv4Address(".".join(octets)))))).split(".")[: len(told)]
    except ValueError:
        return name
    return ".".join([*reversed(fresh), *zone]) + dot
