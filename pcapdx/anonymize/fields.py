"""Fields of messages over which pseudonyms are written: each function takes bytes and says what goes where.

Whatever else is found, the length of what is there stays.
"""

import re
from collections.abc import Iterator

from pcapdx.anonymize.packet import Change
from pcapdx.anonymize.pseudonyms import IPV4, IPV6, LONGEST, MAC, SHORTEST, Pseudonyms

CROSS = b"x"
TOKEN = re.compile(r"[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?", re.ASCII)
_IQN = re.compile(r"(?<![\w.])(?:iqn\.\d{4}-\d\d\.[\w.:-]+)", re.ASCII)
_POINTERS = 126
"""Labels and pointers of one name that are followed."""


def fitted(new: bytes, old: bytes) -> bytes:
    """A pseudonym of the old one's length: an address of another length gives crosses."""
    return new if len(new) == len(old) else CROSS * len(old)


def named(value: bytes, told: Pseudonyms) -> bytes:
    """A name, or several, or a name among words; what is no text becomes other bytes."""
    try:
        return fitted(told.name(value.decode("utf-8")).encode("utf-8", "surrogatepass"), value)
    except UnicodeError:
        return told.opaque(value)


def text_field(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """A field that is a name up to its NUL."""
    value = data[begin:end].split(b"\0", 1)[0]
    if value:
        yield begin, named(value, told)


def addresses(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """IPv4 addresses in a row."""
    for at in range(begin, min(end, len(data)) - 3, 4):
        yield at, told.ipv4(data[at : at + 4])


def addresses_v6(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """IPv6 addresses in a row."""
    for at in range(begin, min(end, len(data)) - 15, 16):
        yield at, told.ipv6(data[at : at + 16])


def zeros(data: bytes, begin: int, end: int) -> Iterator[Change]:
    """What nobody knows."""
    end = min(end, len(data))
    if begin < end:
        yield begin, bytes(end - begin)


def opaque(data: bytes, begin: int, end: int, told: Pseudonyms) -> Iterator[Change]:
    """An identifier without a meaning."""
    if data[begin:end].strip(b"\0"):
        yield begin, told.opaque(data[begin:end])


def wire_name(data: bytes, at: int, end: int, base: int, told: Pseudonyms) -> tuple[list[Change], int]:
    """A name in DNS wire format: its changes, and where it ends; -1 where it is broken (changes up to there)."""
    labels: list[tuple[int, bytes]] = []
    after = -1
    for _ in range(_POINTERS):
        if at >= end:
            return _labels(labels, told), -1
        length = data[at]
        if not length:
            return _labels(labels, told), at + 1 if after < 0 else after
        if length >= 192:
            if at + 1 >= end:
                return _labels(labels, told), -1
            after = at + 2 if after < 0 else after
            target = base + ((length & 63) << 8 | data[at + 1])
            if target >= at:
                return _labels(labels, told), -1
            at = target
        elif length >= 64 or at + 1 + length > end:
            cut = [(at + 1, bytes(max(end - at - 1, 0)))] if length < 64 else []
            return [*_labels(labels, told), *cut], -1
        else:
            labels.append((at + 1, data[at + 1 : at + 1 + length]))
            at += 1 + length
    return _labels(labels, told), -1


def _labels(labels: list[tuple[int, bytes]], told: Pseudonyms) -> list[Change]:
    if not labels:
        return []
    try:
        words = [one.decode("utf-8") for _, one in labels]
    except UnicodeDecodeError:
        return [(at, named(one, told)) for at, one in labels]
    hidden = told.name(".".join(words)).split(".")
    if len(hidden) != len(words):  # a label with a dot in it
        hidden = [told.name(word.replace(".", "-")) for word in words]
    return [(at, fitted(new.encode("utf-8", "surrogatepass"), old))
            for (at, old), new in zip(labels, hidden, strict=True)]  # fmt: skip


def words(data: bytes, told: Pseudonyms) -> Iterator[Change]:
    """Addresses and known names anywhere in bytes that are text, or hold some."""
    text = data.decode("latin-1")
    colons, dots = data.count(b":") > 1, data.count(b".") > 2
    likely = [pattern for pattern, may in ((MAC, colons or b"-" in data), (IPV4, dots), (IPV6, colons)) if may]
    for pattern in likely:
        for match in pattern.finditer(text):
            try:
                yield match.start(), fitted(told.text_address(match[0]).encode(), match[0].encode())
            except ValueError:
                continue
    for match in _IQN.finditer(text) if "iqn." in text else ():
        yield match.start(), fitted(told.name(match[0]).encode(), match[0].encode())
    for match in TOKEN.finditer(text):
        yield from _token(match[0], match.start(), told)
    for name in list(told.foreign):
        yield from _places(data, name.encode("utf-8", "surrogatepass"), told)


def _places(data: bytes, name: bytes, told: Pseudonyms) -> Iterator[Change]:
    at = data.find(name)
    while at >= 0:
        yield at, named(name, told)
        at = data.find(name, at + len(name))


def _token(word: str, begin: int, told: Pseudonyms) -> Iterator[Change]:
    """A name that is known, or below a domain that is; a length before or a tag behind it may look like a letter."""
    if len(word) <= LONGEST and not told.heads.isdisjoint(_parts(word.lower())):
        for first, last in ((0, 0), (1, 0), (0, 1), (1, 1)):
            part = word[first : len(word) - last]
            if len(part) >= SHORTEST and told.is_known(part.lower().strip(".:-")):
                yield begin + first, fitted(told.name(part).encode(), part.encode())
                return
        taken = 0
        for at, part in _pieces(word):
            if at < taken:
                continue
            if len(part) >= SHORTEST and told.is_known(part.lower().strip(".-")):
                yield begin + at, fitted(told.name(part).encode(), part.encode())
                taken = at + len(part)


_PIECE = re.compile(r"[^:_-]+")
_MOST_PIECES = 8
_PART = re.compile(r"[a-z0-9]+")


def _parts(word: str) -> set[str]:
    parts = _PART.findall(word)
    return {*parts, *(part[1:] for part in parts[:1]), *(part[:-1] for part in parts[-1:])}


def _pieces(word: str) -> Iterator[tuple[int, str]]:
    """Parts between colons, dashes and underscores, and runs of such parts, longer ones first."""
    parts = [match.span() for match in _PIECE.finditer(word)][:_MOST_PIECES]
    for first, (begin, _) in enumerate(parts):
        for _, end in reversed(parts[first:]):
            yield begin, word[begin:end]
