import struct
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given

from dissectors.ssh import SshGreeting, SshHostKey, pair, read
from pcapdx.dissect import Cursor, Malformed, Traffic, Truncated
from tests.dissectors.feeding import SERVER, mutated, survives, talk

GREETING = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def packet(number: int, body: bytes) -> bytes:
    """A binary packet in clear (RFC 4253, 6)."""
    payload = bytes((number,)) + body
    padding = 16 - (len(payload) + 5) % 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


KEY = text(b"ssh-ed25519") + text(bytes(range(32)))
FINGERPRINT = "SHA256:" + b64encode(sha256(KEY).digest()).decode().rstrip("=")
INIT = packet(20, bytes(400))
REPLY = packet(31, text(KEY) + text(bytes(32)) + text(bytes(83)))
NEW_KEYS = packet(21, b"")
SERVED = GREETING + INIT + REPLY + NEW_KEYS + bytes(range(200))


def test_host_key() -> None:
    greeting, key = read(Cursor(SERVED))
    assert greeting == SshGreeting(software="SSH-2.0-OpenSSH_9.2p1 Debian-2")
    assert key == SshHostKey(algorithm="ssh-ed25519", fingerprint=FINGERPRINT)
    assert (greeting.label, key.label) == ("SSH-2.0-OpenSSH_9.2p1 Debian-2", f"Host key ssh-ed25519 {FINGERPRINT}")


def test_group_exchange_sends_its_prime_under_the_same_number() -> None:
    said = GREETING + INIT + packet(31, text(bytes(257)) + text(b"\x02")) + packet(33, text(KEY) + text(bytes(64)))
    assert [type(one) for one in read(Cursor(said))] == [SshGreeting, SshHostKey]


def test_server_of_a_connection() -> None:
    said = ((">", GREETING), ("<", SERVED), (">", INIT))
    (server,) = pair(Traffic(conversations=(talk(read, said, 22),)))
    assert (server.ip, server.key.fingerprint, server.frames) == (SERVER, FINGERPRINT, (2,))


def test_other_protocols_are_left_alone() -> None:
    assert survives(read, b"SIP/2.0 200 OK\r\n") == []


def test_broken() -> None:
    for said in (GREETING + struct.pack(">I", 1 << 20), b"SSH-" + b"x" * 300, GREETING + struct.pack(">IB", 1, 0)):
        with pytest.raises(Malformed):
            list(read(Cursor(said)))


def test_cut_at_every_byte() -> None:
    whole = len(GREETING + INIT + REPLY)
    boundaries = {len(GREETING), len(GREETING + INIT)}
    for length in set(range(4, whole)) - boundaries:
        with pytest.raises(Truncated):
            list(read(Cursor(SERVED[:length])))


@given(mutated(SERVED, GREETING, GREETING + REPLY))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
