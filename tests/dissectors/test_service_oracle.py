"""RPC, MySQL, iSCSI, NTP and OpenFlow say of our captures, frame by frame, what tshark says."""

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dissectors.iscsi import IscsiLogin, IscsiLoginResponse
from dissectors.mysql import MysqlGreeting, MysqlLogin, MysqlResult
from dissectors.ntp import NtpAnswer
from dissectors.openflow import OpenFlow
from dissectors.rpc import Program, RpcCall, RpcExchange, RpcReply
from pcapdx.case import View
from tests.dissectors.oracle import dissect

OWN = Path(__file__).resolve().parents[2] / "captures"
PATTERNS = ("host-nfs-*.pcap*", "host-database-*.pcap*", "host-iscsi-*.pcap*", "host-controller-*.pcap*")
READABLE = sorted(path for each in PATTERNS for path in OWN.glob(each) if path.suffix != ".xz")
READABLE += [OWN / "host-services-work.pcap.zst"]

Facts = dict[int, dict[str, list[str]]]


def tshark(path: Path, show: str, *fields: str) -> Facts:
    """Values by frame and field."""
    words = ["tshark", "-nr", str(path), "-Y", show, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"]
    words += [word for field in ("frame.number", *fields) for word in ("-e", field)]
    run = subprocess.run(words, capture_output=True, check=True, text=True)
    found: Facts = {}
    for line in run.stdout.splitlines():
        number, *values = line.split("\t")
        found[int(number)] = {
            field: [one.lower() for one in value.split("|")]
            for field, value in zip(fields, values, strict=True)
            if value
        }
    return found


def told(view: View, *kinds: type) -> Iterator[tuple[int, str, str]]:
    """(frame, field, value) of what our dissectors say."""
    for seen in view.all_messages:
        message = seen.message
        if not isinstance(message, kinds):
            continue
        for field, value in _fields(message):
            yield seen.number, field, value.lower()


def _fields(message: object) -> Iterator[tuple[str, str]]:
    match message:
        case RpcCall():
            yield "rpc.xid", f"0x{message.xid:08x}"
            yield "rpc.msgtyp", "0"
            yield "rpc.program", str(message.program)
            yield "rpc.programversion", str(message.version)
            if message.path is not None and message.program == Program.MOUNT:
                yield "mount.path", message.path
        case RpcReply():
            yield "rpc.xid", f"0x{message.xid:08x}"
            yield "rpc.msgtyp", "1"
        case MysqlGreeting():
            yield "mysql.version", message.version
            yield "mysql.thread_id", str(message.thread)
        case MysqlLogin():
            if message.user:
                yield "mysql.user", message.user
            if message.database:
                yield "mysql.schema", message.database
        case MysqlResult() if message.code:
            yield "mysql.error_code", str(message.code)
        case IscsiLogin():
            yield "iscsi.opcode", "0x03"
        case IscsiLoginResponse():
            yield "iscsi.opcode", "0x23"
            yield "iscsi.login.status", f"0x{message.status:04x}"
        case _:
            return


def ours(view: View, *kinds: type) -> Facts:
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for number, field, value in told(view, *kinds):
        found[number][field].append(value)
    return {number: dict(fields) for number, fields in found.items()}


needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark")
each = pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)


@needs_tshark
@each
def test_rpc(path: Path) -> None:
    view = dissect(path).view
    wanted = tshark(path, "rpc", "rpc.xid", "rpc.msgtyp")
    assert {
        number: {key: fields[key] for key in ("rpc.xid", "rpc.msgtyp")}
        for number, fields in ours(view, RpcCall, RpcReply).items()
    } == wanted
    calls = tshark(path, "rpc.msgtyp == 0", "rpc.program", "rpc.programversion", "mount.path")
    mine = ours(view, RpcCall)
    for number, fields in calls.items():
        # tshark names a program and version twice: in the head and with what follows
        assert {key: set(mine[number].get(key, ())) for key in fields} == {key: set(fields[key]) for key in fields}


@needs_tshark
@each
def test_results_of_rpc(path: Path) -> None:
    """What the first words of a reply mean."""
    exchanges = [one for one in dissect(path).view.exchanges(RpcExchange) if one.reply is not None]
    for field, name, show in (
        ("mount.status", "mount_status", "mount.status && mount.procedure_v3 == 1"),
        ("portmap.port", "port_given", "portmap.port && rpc.msgtyp == 1"),
        ("nfs.nfsstat4", "nfs4_status", "nfs.nfsstat4"),
    ):
        wanted = {number: int(fields[field][0]) for number, fields in tshark(path, show, field).items()}
        mine = {one.reply.number: getattr(one, name) for one in exchanges if one.reply is not None}
        assert {number: value for number, value in mine.items() if value is not None} == wanted, field


@needs_tshark
@each
def test_mysql(path: Path) -> None:
    fields = ("mysql.version", "mysql.thread_id", "mysql.user", "mysql.schema", "mysql.error_code")
    wanted = tshark(path, "mysql.version || mysql.user || mysql.error_code", *fields)
    assert ours(dissect(path).view, MysqlGreeting, MysqlLogin, MysqlResult) == wanted


@needs_tshark
@each
def test_iscsi(path: Path) -> None:
    wanted = tshark(path, "iscsi.opcode == 0x03 || iscsi.opcode == 0x23", "iscsi.opcode", "iscsi.login.status")
    assert ours(dissect(path).view, IscsiLogin, IscsiLoginResponse) == wanted


@needs_tshark
@pytest.mark.parametrize("path", sorted(OWN.glob("host-time-server-*.pcap*")), ids=lambda path: path.name)
def test_ntp(path: Path) -> None:
    found = tshark(path, "ntp.flags.mode == 4", "ntp.stratum", "ntp.xmt")
    mine = {one.number: one.message for one in dissect(path).view.messages(NtpAnswer)}
    assert set(mine) == set(found)
    for number, message in mine.items():
        assert [str(message.stratum)] == found[number]["ntp.stratum"]
        whole, _, nanoseconds = found[number]["ntp.xmt"][0].removesuffix(" utc").partition(".")
        moment = datetime.strptime(whole.title(), "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
        assert message.transmit_ns is not None
        assert abs(message.transmit_ns - int(moment.timestamp()) * 10**9 - int(nanoseconds)) <= 1


@needs_tshark
@pytest.mark.parametrize("path", sorted(OWN.glob("host-controller-*.pcap*")), ids=lambda path: path.name)
def test_openflow(path: Path) -> None:
    """Versions, as far as tshark knows them."""
    names = ("openflow", "openflow_v4", "openflow_v5", "openflow_v6")
    wanted = " || ".join(f"{name}.version" for name in names)
    found = tshark(path, wanted, *(f"{name}.version" for name in names))
    mine = dissect(path).view.messages(OpenFlow)
    assert {one.number for one in mine} <= set(found)
    for one in mine:
        assert one.message.version in {int(value, 0) for values in found[one.number].values() for value in values}
