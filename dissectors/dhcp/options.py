"""The option fields of a DHCP packet (RFC 2132; overloading, and long options by RFC 3396).

An option with a length that its definition rules out is treated as absent: the rest of the packet still says a lot.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import TypedDict

from dissectors.dhcp.message import DhcpType, Route
from dissectors.dns import name as dns_name
from pcapdx.dissect import Cursor, Malformed
from pcapdx.values import dataclass

_PAD, _END, _OVERLOAD = 0, 255, 52
_FILE_HOLDS_OPTIONS, _SNAME_HOLDS_OPTIONS = 1, 2
_CIRCUIT_ID, _REMOTE_ID = 1, 2
_FQDN_WIRE_FORMAT = 0x04
_TYPES = tuple(DhcpType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All options of a packet before their meaning."""

    codes: tuple[int, ...]
    values: Mapping[int, bytes]
    """By code; the parts of a split option joined."""
    sname: str | None
    file: str | None
    """The header's fields, None where they are empty or hold options."""


class Typed(TypedDict):
    """The fields of :class:`~dissectors.dhcp.message.Dhcp` that come from options, by the same names."""

    type: DhcpType | None
    type_code: int | None
    boot_file: str | None
    server_id: str | None
    requested_ip: str | None
    lease_s: int | None
    t1_s: int | None
    t2_s: int | None
    subnet_mask: str | None
    routers: tuple[str, ...]
    dns: tuple[str, ...]
    hostname: str | None
    domain: str | None
    mtu: int | None
    broadcast_address: str | None
    overload: int | None
    parameters: tuple[int, ...]
    message: str | None
    max_bytes: int | None
    vendor_class: str | None
    client_id: str | None
    tftp_server: str | None
    user_class: str | None
    fqdn: str | None
    relay_agent: bool
    circuit_id: str | None
    remote_id: str | None
    search: tuple[str, ...]
    routes: tuple[Route, ...]


def collect(field: Cursor | None, file: Cursor, sname: Cursor, *, cut: bool = False) -> Options:
    """Reads the options field (None: plain BOOTP), then ``file`` and ``sname`` where option 52 says they hold more.

    Of a field that was ``cut`` the options before the cut are read.
    """
    values: dict[int, bytes] = {}
    codes: list[int] = []
    try:
        if field is not None:
            _walk(field, values, codes)
    except Malformed:
        if not cut:
            raise
        codes = list(values)
    overload = _number(values.get(_OVERLOAD), 1) or 0
    if overload & _FILE_HOLDS_OPTIONS:
        _walk(file, values, [])
    if overload & _SNAME_HOLDS_OPTIONS:
        _walk(sname, values, [])
    return Options(
        codes=tuple(codes),
        values=values,
        file=None if overload & _FILE_HOLDS_OPTIONS else _text(file.rest()),
        sname=None if overload & _SNAME_HOLDS_OPTIONS else _text(sname.rest()),
    )


def typed(options: Options) -> Typed:
    """The options' values by their meaning."""
    get = options.values.get
    type_code = _number(get(53), 1)
    relay = _sub_options(get(82, b""))
    return Typed(
        type=None if type_code is None else _TYPES[type_code - 1] if 1 <= type_code <= 8 else DhcpType.OTHER,
        type_code=type_code,
        boot_file=options.file or _text(get(67)),
        server_id=_address(get(54)),
        requested_ip=_address(get(50)),
        lease_s=_number(get(51), 4),
        t1_s=_number(get(58), 4),
        t2_s=_number(get(59), 4),
        subnet_mask=_address(get(1)),
        routers=_addresses(get(3)),
        dns=_addresses(get(6)),
        hostname=_text(get(12)),
        domain=_text(get(15)),
        mtu=_number(get(26), 2),
        broadcast_address=_address(get(28)),
        overload=_number(get(_OVERLOAD), 1),
        parameters=tuple(get(55, b"")),
        message=_text(get(56)),
        max_bytes=_number(get(57), 2),
        vendor_class=_text(get(60)),
        client_id=_hex(get(61)),
        tftp_server=_text(get(66)),
        user_class=_user_class(get(77)),
        fqdn=_fqdn(get(81)),
        relay_agent=82 in options.values,
        circuit_id=_hex(relay.get(_CIRCUIT_ID)),
        remote_id=_hex(relay.get(_REMOTE_ID)),
        search=_names(get(119)),
        routes=_routes(get(121)),
    )


def _walk(field: Cursor, values: dict[int, bytes], codes: list[int]) -> None:
    """Adds the options of one field to ``values``, and their codes."""
    while field.left:
        code = field.u8("option code")
        if code == _PAD:
            continue
        codes.append(code)
        if code == _END:
            break
        value = field.take(field.u8(f"length of option {code}"), f"option {code}")
        values[code] = values.get(code, b"") + value


def _number(value: bytes | None, count: int) -> int | None:
    return int.from_bytes(value, "big") if value is not None and len(value) == count else None


def _address(value: bytes | None) -> str | None:
    return str(IPv4Address(value)) if value is not None and len(value) == 4 else None


def _addresses(value: bytes | None) -> tuple[str, ...]:
    whole = len(value) // 4 * 4 if value else 0
    return tuple(str(IPv4Address(value[at : at + 4])) for at in range(0, whole, 4)) if value else ()


def _hex(value: bytes | None) -> str | None:
    return value.hex() if value else None


def _text(value: bytes | None) -> str | None:
    """Text up to its NUL; RFC 2132 knows ASCII only, anything else becomes U+FFFD as in Wireshark."""
    return value.split(b"\0", 1)[0].decode("ascii", "replace") or None if value else None


def _user_class(value: bytes | None) -> str | None:
    """RFC 3004 wants each class with its length before it; iPXE and Windows send bare text."""
    if value and value[0] == len(value) - 1:
        return _text(value[1:])
    return _text(value)


def _fqdn(value: bytes | None) -> str | None:
    """The name of RFC 4702: after flags and two result codes, in ASCII or in DNS wire format."""
    if value is None or len(value) < 4:
        return None
    if not value[0] & _FQDN_WIRE_FORMAT:
        return _text(value[3:])
    cursor = Cursor(value, closed=True)
    cursor.skip(3, "flags and result codes")
    try:
        # A partial name ends with its field instead of the root label.
        return dns_name(cursor) or None
    except Malformed:
        return None


def _names(value: bytes | None) -> tuple[str, ...]:
    """The search list of RFC 3397: compressed DNS names; those before a broken one."""
    names: list[str] = []
    cursor = Cursor(value or b"", closed=True)
    try:
        while cursor.left:
            names.append(dns_name(cursor))
    except Malformed:
        pass
    return tuple(names)


def _routes(value: bytes | None) -> tuple[Route, ...]:
    """Routes of RFC 3442, each prefix as short as its length allows; those before a broken one."""
    routes: list[Route] = []
    cursor = Cursor(value or b"", closed=True)
    try:
        while cursor.left:
            prefix = cursor.u8("prefix length")
            if prefix > 32:
                break
            network = cursor.take((prefix + 7) // 8, "destination").ljust(4, b"\0")
            gateway = cursor.take(4, "gateway")
            routes.append(Route(destination=f"{IPv4Address(network)}/{prefix}", gateway=str(IPv4Address(gateway))))
    except Malformed:
        pass
    return tuple(routes)


def _sub_options(value: bytes) -> dict[int, bytes]:
    """Sub-options of the relay agent's option (RFC 3046); those before a broken one."""
    found: dict[int, bytes] = {}
    cursor = Cursor(value, closed=True)
    try:
        while cursor.left:
            code = cursor.u8("sub-option code")
            found[code] = cursor.take(cursor.u8("sub-option length"), "sub-option")
    except Malformed:
        pass
    return found
