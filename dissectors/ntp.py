"""NTP as far as a server tells the time (RFC 5905, 7.3)."""

from collections.abc import Iterator

from pcapdx.dissect import Cursor, Dissector, Sample
from pcapdx.values import dataclass

_SERVER = 4
_UNIX_EPOCH = 2_208_988_800
"""Seconds from NTP's first era (1900) to 1970."""
_ERA = 1 << 32
_PIVOT = 1 << 31
"""Seconds below belong to the era that begins in 2036."""
_SECOND = 10**9
_UNSYNCHRONISED = 3
_NO_STRATUM, _LAST_STRATUM = 0, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class NtpAnswer:
    """A server's answer."""

    leap: int
    """3 means that its own clock is not set."""
    version: int
    stratum: int
    """1 has a clock of its own; 0 says "go away", 16 "not set"."""
    transmit_ns: int | None
    """When it was sent, by the server's clock; None where it gives no time."""

    @property
    def synchronised(self) -> bool:
        """The server vouches for its time."""
        return self.leap != _UNSYNCHRONISED and _NO_STRATUM < self.stratum < _LAST_STRATUM

    @property
    def label(self) -> str:
        """``NTP version 4, server, stratum 2``."""
        return f"NTP version {self.version}, server, stratum {self.stratum}"


def read(cursor: Cursor) -> Iterator[NtpAnswer]:
    """A server's answer; what clients ask is passed over."""
    first = cursor.u8("leap, version and mode")
    if first & 7 != _SERVER:
        return
    stratum = cursor.u8("stratum")
    cursor.skip(38, "poll to receive timestamp")
    seconds, fraction = cursor.u32("seconds"), cursor.u32("fraction")
    era = seconds - _UNIX_EPOCH + (0 if seconds >= _PIVOT else _ERA)
    yield NtpAnswer(
        leap=first >> 6,
        version=first >> 3 & 7,
        stratum=stratum,
        transmit_ns=era * _SECOND + (fraction * _SECOND >> 32) if seconds or fraction else None,
    )


DISSECTOR = Dissector(
    name="ntp",
    spec="RFC 5905",
    messages=(NtpAnswer,),
    read=read,
    udp_ports=frozenset({123}),
    sample=Sample(first=8, every_ns=10 * _SECOND),
)
