"""SSH as far as it is in clear (RFC 4253, 4.2 to 8): who greets, and with which host key a server proves itself."""

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

from pcapdx.dissect import Cursor, Dissector, Flow, Malformed, Traffic
from pcapdx.values import dataclass

_GREETING = b"SSH-"
_MOST_GREETING_BYTES = 255
_MOST_PACKET_BYTES = 35_000
_NEW_KEYS = 21
_REPLIES = frozenset({31, 33})
"""Answer of Diffie-Hellman and its elliptic kin, and of group exchange (RFC 4253, 8; 5656, 4; 4419, 5)."""
_ALGORITHM = re.compile(rb"(?:sk-)?(?:ssh|ecdsa|rsa)-[a-z0-9@.-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshGreeting:
    """The first line of a side."""

    software: str
    """Such as ``SSH-2.0-OpenSSH_9.2``."""

    @property
    def label(self) -> str:
        """The line."""
        return self.software


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHostKey:
    """The public key that a server shows in its answer to the key exchange."""

    algorithm: str
    """``ssh-ed25519``, ``ecdsa-sha2-nistp256``, ``ssh-rsa``."""
    fingerprint: str
    """As ``ssh-keygen -l`` writes it: ``SHA256:…``."""

    @property
    def label(self) -> str:
        """``Host key ssh-ed25519 SHA256:…``."""
        return f"Host key {self.algorithm} {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshServer:
    """A server and the key it showed on one connection."""

    flow: Flow
    ip: str | None
    mac: str | None
    key: SshHostKey
    frames: tuple[int, ...]
    ts_ns: int


def read(cursor: Cursor) -> Iterator[SshGreeting | SshHostKey]:
    """Greeting and host key of one direction, up to where encryption begins; nothing where it is no SSH."""
    if cursor.peek(len(_GREETING)) != _GREETING:
        return
    line, end, _ = cursor.peek(_MOST_GREETING_BYTES).partition(b"\n")
    if not end:
        if cursor.left >= _MOST_GREETING_BYTES:
            raise Malformed("greeting without end", cursor.at)
        cursor.take(cursor.left + 1, "greeting")
    cursor.skip(len(line) + 1, "greeting")
    yield SshGreeting(software=line.strip().decode("ascii", "replace"))
    while cursor.left:
        length = cursor.u32("packet length")
        if not 2 <= length <= _MOST_PACKET_BYTES:
            raise Malformed(f"packet of {length} bytes", cursor.at - 4)
        packet = cursor.sub(length, "packet")
        packet.skip(1, "padding length")
        kind = packet.u8("message number")
        if kind == _NEW_KEYS:
            return
        if kind in _REPLIES:
            key = packet.take(packet.u32("key length"), "host key")
            algorithm = _algorithm(key)
            if algorithm is not None:
                fingerprint = b64encode(sha256(key).digest()).decode().rstrip("=")
                yield SshHostKey(algorithm=algorithm, fingerprint=f"SHA256:{fingerprint}")


def _algorithm(key: bytes) -> str | None:
    """The name within a key; None of a group exchange's prime, which comes under the same message number."""
    name = key[4 : 4 + int.from_bytes(key[:4], "big")]
    return name.decode("ascii") if _ALGORITHM.fullmatch(name) else None


def pair(traffic: Traffic) -> Iterator[SshServer]:
    """One exchange a connection on which a host key was shown."""
    for conversation in traffic.conversations:
        for seen in conversation.seen:
            if isinstance(seen.message, SshHostKey):
                server = conversation.flow.originator if seen.from_originator else conversation.flow.responder
                yield SshServer(
                    flow=conversation.flow,
                    ip=server.ip,
                    mac=server.mac,
                    key=seen.message,
                    frames=seen.frames,
                    ts_ns=seen.ts_ns,
                )


DISSECTOR = Dissector(
    name="ssh",
    spec="RFC 4253",
    messages=(SshGreeting, SshHostKey),
    read=read,
    tcp_starts=frozenset({_GREETING[:2]}),
    stream_bytes=8_192,  # a key exchange with the longest lists and an RSA key of 8192 bits
    pair=pair,
    exchanges=(SshServer,),
)
