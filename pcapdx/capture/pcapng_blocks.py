"""What pcapng blocks say beside the frames: section, interface, names, statistics, secrets, comments.

Source: draft-ietf-opsawg-pcapng, sections 3.5 (options) and 4 (blocks). A block comes as its body, without the type and
length before and the length after it.
"""

import struct
from collections.abc import Iterator
from ipaddress import ip_address

from pcapdx.capture.notes import note
from pcapdx.capture.records import CaptureFacts, Interface

TEXT_LIMIT = 4096
"""Bytes kept of a text."""
TEXTS_LIMIT = 10_000
"""Comments (on sections and on frames each), names and secrets that are kept."""

END_OF_OPTIONS, COMMENT = 0, 1
SECTION_HARDWARE, SECTION_OS, SECTION_APPLICATION = 2, 3, 4
IF_NAME, IF_DESCRIPTION, IF_RESOLUTION, IF_FILTER, IF_OS, IF_OFFSET, IF_HARDWARE = 2, 3, 9, 11, 12, 14, 15
STATS_RECEIVED, STATS_DROPPED, STATS_OS_DROPPED = 4, 5, 7
NAME_IPV4, NAME_IPV6 = 1, 2


def options(body: bytes, order: str, facts: CaptureFacts, offset: int) -> Iterator[tuple[int, bytes]]:
    """(code, value) of each option. An option that runs over the end of the list is damage and ends it."""
    at = 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == END_OF_OPTIONS:
            return
        if at + 4 + length > len(body):
            what = "An option of a block is longer than the block; the rest of the block's options was not read."
            note(facts, "pcapng", "option-overrun", what, offset)
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def text(value: bytes) -> str:
    """A text of the file, bounded. What reaches a terminal or a page is escaped there."""
    return value[:TEXT_LIMIT].rstrip(b"\0").decode("utf-8", "replace")


def section(body: bytes, order: str, facts: CaptureFacts, offset: int) -> None:
    """What a section header tells of the writer; the first section's word stands."""
    for code, value in options(body[16:], order, facts, offset):
        if code == COMMENT:
            if _room(facts, len(facts.comments), "comments", offset):
                facts.comments.append(text(value))
        elif code == SECTION_HARDWARE:
            facts.hardware = facts.hardware or text(value)
        elif code == SECTION_OS:
            facts.os = facts.os or text(value)
        elif code == SECTION_APPLICATION:
            facts.application = facts.application or text(value)


def interface(body: bytes, order: str, facts: CaptureFacts, offset: int) -> Interface:
    """An interface description; ``body`` has its 8 fixed bytes at least."""
    link_type, _, snap_length = struct.unpack_from(order + "HHI", body)
    result = Interface(link_type=link_type, snap_length=snap_length or None)
    for code, value in options(body[8:], order, facts, offset):
        if code == IF_NAME:
            result.name = text(value)
        elif code == IF_DESCRIPTION:
            result.description = text(value)
        elif code == IF_FILTER and value[:1] == b"\0":  # 1 is compiled BPF
            result.filter = text(value[1:])
        elif code == IF_OS:
            result.os = text(value)
        elif code == IF_HARDWARE:
            result.hardware = text(value)
        elif code == IF_RESOLUTION and len(value) == 1:
            result.resolution_binary = value[0] >= 0x80
            result.resolution_exponent = -(value[0] & 0x7F)
        elif code == IF_OFFSET and len(value) == 8:
            result.offset_s = struct.unpack(order + "q", value)[0]
    return result


def statistics(body: bytes, order: str, facts: CaptureFacts, offset: int, known: list[Interface]) -> None:
    """Counters of one interface since the capture began: a later block of the same replaces them."""
    index = struct.unpack_from(order + "I", body)[0] if len(body) >= 12 else len(known)
    if index >= len(known):
        note(facts, "pcapng", "bad-statistics", "A statistics block is of no interface of its section.", offset)
        return
    counters = {
        code: struct.unpack(order + "Q", value)[0]
        for code, value in options(body[12:], order, facts, offset)
        if len(value) == 8
    }
    known[index].received = counters.get(STATS_RECEIVED, known[index].received)
    if counters.keys() & {STATS_DROPPED, STATS_OS_DROPPED}:
        known[index].dropped = counters.get(STATS_DROPPED, 0) + counters.get(STATS_OS_DROPPED, 0)


def names(body: bytes, order: str, facts: CaptureFacts, offset: int) -> None:
    """Addresses and their (first) names."""
    for kind, value in options(body, order, facts, offset):  # records have the form of options
        size = {NAME_IPV4: 4, NAME_IPV6: 16}.get(kind, 0)
        if not size or len(value) <= size:
            continue
        address = str(ip_address(value[:size]))
        if address not in facts.names and _room(facts, len(facts.names), "names", offset):
            facts.names[address] = text(value[size:].split(b"\0", 1)[0])


def secrets(body: bytes, order: str, facts: CaptureFacts, offset: int) -> None:
    """Type and length of secrets; they themselves are left where they are."""
    if len(body) >= 8 and _room(facts, len(facts.secrets), "secrets", offset):
        facts.secrets.append(struct.unpack_from(order + "II", body))


def frame_comments(body: bytes, order: str, facts: CaptureFacts, offset: int, frame: int) -> None:
    """The comments in the options of a packet block."""
    captured = struct.unpack_from(order + "I", body, 12)[0]
    list_at = 20 + (captured + 3) // 4 * 4
    at = list_at
    for code, value in options(body[at:], order, facts, offset):
        if code == COMMENT and _room(facts, len(facts.frame_comments), "comments on frames", offset):
            facts.frame_comments.append((frame, text(value)))


def _room(facts: CaptureFacts, have: int, things: str, offset: int) -> bool:
    """Whether one more of ``things`` is kept; when not, that is told."""
    if have < TEXTS_LIMIT:
        return True
    what = f"The capture holds more than {TEXTS_LIMIT} {things}; the rest is not kept."
    note(facts, "pcapng", f"too-many-{things.replace(' ', '-')}", what, offset, lost=False)
    return False
