"""Looks through what was written for originals: addresses and names that should have become pseudonyms."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import BinaryIO

import numpy as np

from pcapdx.annotate.annotate import CHECKED_BYTES, LeakError
from pcapdx.annotate.needles import Needles
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.case import View
from pcapdx.frame import ip_text, mac_int

FEWEST_DIFFERENT = 4
"""Bytes of an address that may not stand anywhere by chance."""
MOST = 20_000
"""Originals that are looked for; what comes first is enough to show a hole."""
_DISTINCT = re.compile(r"[^.]*[\w-]{2,}\.[\w.-]{4,}|(?=.*\d)(?=.*[a-z])[\w-]{6,}|[\w]+-[\w-]{5,}")
"""Names that are no word of any protocol."""
_WORD = re.compile(rb"[A-Za-z0-9]")
_DIGIT = re.compile(rb"[0-9.]")


class Originals:
    """What captures held before."""

    def __init__(self, told: Pseudonyms) -> None:
        self._told = told
        self._addresses: dict[str, str] = {}

    def learn(self, view: View) -> None:
        """Takes the addresses of a capture's tables."""
        for talker in view.talkers:
            self._note(talker.mac)
        for binding in view.bindings:
            self._note(binding.mac)
            self._note(binding.ip)
        rows = view.flows.rows
        for side in ("src", "dst"):
            columns = [rows[name].tolist() for name in ("ip_version", *(f"{side}{word}" for word in range(4)))]
            for words in set(zip(*columns, strict=True)):
                self._note(ip_text(*words) or "")

    def _note(self, text: str) -> None:
        if text and text not in self._addresses and len(self._addresses) < MOST:
            self._addresses[text] = self._told.text_address(text)

    def check(self, file: BinaryIO) -> None:
        """Raises LeakError where one is left."""
        needles, bounded = self._needles()
        file.seek(0)
        tail = b""
        while piece := file.read(CHECKED_BYTES):
            data = tail + piece
            for begin, end in needles.find(np.frombuffer(data, np.uint8)):
                value = data[begin:end]
                edge = bounded.get(value)
                around = data[max(begin - 1, 0) : begin], data[end : end + 1]
                if edge is None or not any(edge.match(one) for one in around):
                    raise LeakError("an address or name is left where a pseudonym should stand; nothing was written")
            tail = data[-needles.longest - 1 :]

    def _needles(self) -> tuple[Needles, dict[bytes, re.Pattern[bytes]]]:
        """All forms, and by form what may not stand beside it."""
        needles, bounded = Needles(()), {}
        hidden = set(self._addresses.values())
        for text, pseudonym in self._addresses.items():
            if text == pseudonym or text in hidden:
                continue
            for form in _forms(text):
                needles.exactly(form)
            if "." in text:
                bounded[text.encode()] = _DIGIT
        known = self._told.known
        names = set(known.values())
        for name, pseudonym in list(known.items())[:MOST]:
            if name != pseudonym and name not in names and _DISTINCT.fullmatch(name):
                for form in _spelled(name):
                    needles.exactly(form)
                    bounded[form] = _WORD
        return needles, bounded


def _forms(text: str) -> Iterable[bytes]:
    """An address as it may stand; four bytes may be anything."""
    if text.count(":") == 5 and "::" not in text and len(text) == 17:
        packed = mac_int(text).to_bytes(6, "big")
        if len(set(packed)) >= FEWEST_DIFFERENT:
            yield packed
    elif ":" in text:
        yield ip_address(text).packed
    yield text.encode()


def _spelled(name: str) -> Iterator[bytes]:
    raw = name.encode("utf-8", "surrogatepass")
    yield raw
    if raw.upper() != raw:
        yield raw.upper()
    labels = raw.split(b".")
    if len(labels) > 1 and all(0 < len(one) < 64 for one in labels):
        yield b"".join(bytes([len(one)]) + one for one in labels)
