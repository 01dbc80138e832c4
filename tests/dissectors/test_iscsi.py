import pytest
from hypothesis import given

from dissectors.iscsi import IscsiLogin, IscsiLoginResponse, IscsiSession, pair, read, status_name
from pcapdx.dissect import Cursor, Traffic
from tests.dissectors.feeding import mutated, survives, talk

INITIATOR, TARGET = "iqn.2026-01.com.example:kvm1", "iqn.2026-01.com.example:primary"


def pdu(opcode: int, text: bytes = b"", status: int = 0) -> bytes:
    head = bytearray(48)
    head[0], head[1] = opcode, 0x87
    head[5:8] = len(text).to_bytes(3, "big")
    head[36:38] = status.to_bytes(2, "big")
    return bytes(head) + text + bytes(-len(text) % 4)


KEYS = f"InitiatorName={INITIATOR}\0SessionType=Normal\0TargetName={TARGET}\0AuthMethod=CHAP\0".encode()
LOGIN = pdu(0x43, KEYS)
PROOF = pdu(0x43, b"CHAP_N=kvm1\0CHAP_R=0xdeadbeefdeadbeef\0")
REFUSED = pdu(0x23, status=0x0203)
ACCEPTED = pdu(0x23, b"AuthMethod=None\0")
COMMAND = pdu(0x01)


def session(*said: tuple[str, bytes]) -> IscsiSession:
    (found,) = pair(Traffic(conversations=(talk(read, said, 3260),)))
    return found


def test_refused() -> None:
    found = session((">", LOGIN), ("<", REFUSED))
    assert found.login is not None
    assert found.response is not None
    assert found.login.message == IscsiLogin(initiator=INITIATOR, target=TARGET)
    assert (found.response.message.status, found.response.message.label) == (0x0203, "login response: no such target")


def test_the_last_response_counts() -> None:
    found = session((">", LOGIN), ("<", ACCEPTED), (">", PROOF), ("<", pdu(0x23, status=0x0201)))
    assert found.response is not None
    assert found.response.message.status == 0x0201


def test_reading_ends_with_the_login() -> None:
    assert list(read(Cursor(LOGIN + COMMAND + LOGIN))) == [IscsiLogin(initiator=INITIATOR, target=TARGET)]


def test_no_key_of_chap_is_kept() -> None:
    assert list(read(Cursor(PROOF))) == [IscsiLogin(initiator=None, target=None)]


def test_labels() -> None:
    assert IscsiLogin(initiator=None, target=TARGET).label == f"login to {TARGET}"
    assert IscsiLogin(initiator=INITIATOR, target=None).label == "login to discovery"
    assert IscsiLoginResponse(status=0x0999).label == "login response: status 0x0999"
    assert status_name(0) == "success"


def test_other_protocols_are_left_alone() -> None:
    assert survives(read, b"SSH-2.0-OpenSSH_9.2\r\n") == []


@pytest.mark.parametrize("end", ["open", "closed"])
def test_cut(end: str) -> None:
    for length in range(1, len(LOGIN) - 3):
        assert not [one for one in survives(read, LOGIN[:length]) if isinstance(one, IscsiLoginResponse)]
        assert end in ("open", "closed")


@given(mutated(LOGIN, PROOF, REFUSED, ACCEPTED + REFUSED))
def test_hostile_bytes(data: bytes) -> None:
    survives(read, data)
