"""All that is known of one incident: the only thing a rule may look at.

A :class:`View` is one capture with its tables and messages; a :class:`Case` is the views of one incident, and merges
with another. Tables stay columns; a row becomes a Python value when a rule asks for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import Any, TypeVar

from pcapdx.capture.records import CaptureFacts
from pcapdx.dissect import Conversation, Dissector, Seen, Traffic, in_time_order
from pcapdx.flowtable import FlowTable
from pcapdx.frame import Segment, ip_text, mac_text, segment_of
from pcapdx.model import Anomaly, InternalError
from pcapdx.path.route import Route
from pcapdx.path.trail import Trail
from pcapdx.sieve.columns import BINDING_COLUMNS, COUNTER_COLUMNS, REPEAT_COLUMNS, TALKER_COLUMNS, Array
from pcapdx.site import Site
from pcapdx.values import dataclass
from pcapdx.vantage import Vantage

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Talker:
    """One MAC in one VLAN (or tunnel), as sender and as unicast receiver."""

    mac: str
    vlan: int
    vni: int | None
    sent: int
    received: int
    broadcasts: int
    short: int
    """Frames below 60 bytes: caught on their way out of their host, before padding."""
    padded: int
    """Small frames that carried padding: they came over a wire."""
    out: int
    into: int
    ip_frames: int
    first_ns: int | None
    last_ns: int | None
    first_received_ns: int | None
    last_received_ns: int | None
    frames: tuple[int, ...]
    """The first eight it sent."""
    last_frame: int | None
    addresses: int
    odd_ttl: int
    """IP frames that had passed a router."""
    tagged: int
    inner_vlan: int | None = None
    """Second VLAN id of double-tagged frames (QinQ)."""

    @property
    def segment(self) -> Segment:
        """Equal for all of one broadcast domain; see :attr:`pcapdx.frame.Frame.segment`."""
        return segment_of(self.vlan, self.inner_vlan, self.vni)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A MAC that used an IP address in one VLAN."""

    mac: str
    ip: str
    vlan: int
    vni: int | None
    arp: int
    """ARP frames that claimed it."""
    packets: int
    """First packets of flow directions from it."""
    first_ns: int
    last_ns: int
    first_frame: int
    last_frame: int
    inner_vlan: int | None = None
    """Second VLAN id of double-tagged frames (QinQ)."""

    @property
    def segment(self) -> Segment:
        """Equal for all of one broadcast domain; see :attr:`pcapdx.frame.Frame.segment`."""
        return segment_of(self.vlan, self.inner_vlan, self.vni)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A group-addressed frame that came again and again within one second."""

    mac: str | None
    vlan: int
    worst: int
    """Most copies within one second."""
    total: int
    worst_ns: int
    frames: tuple[int, ...]
    """The first eight copies of that second."""


@dataclass(slots=True, kw_only=True)
class ViewTables:
    """The sieve's tables of one capture, cut to the rows in use."""

    flows: FlowTable
    talkers: Array
    bindings: Array
    repeats: Array
    counters: Array
    """One row of COUNTERS."""


class View:
    """One capture, as rules see it."""

    def __init__(
        self,
        *,
        capture: CaptureFacts,
        vantage: Vantage,
        tables: ViewTables,
        dissectors: Sequence[Dissector],
        traffic: Mapping[str, Traffic],
        site: Site,
        anomalies: tuple[Anomaly, ...] = (),
        left_out: Mapping[str, int] | None = None,
        trail: Trail | None = None,
    ) -> None:
        self.capture = capture
        self.vantage = vantage
        self.site = site
        self.flows = tables.flows
        self.anomalies = anomalies
        self.left_out: Mapping[str, int] = left_out or {}
        """Frames that a dissector would have read but that were only counted, by dissector; see Sample."""
        self.trail = trail
        """What tells its packets apart, where there is another capture to find them in."""
        self._tables = tables
        self._dissectors = tuple(dissectors)
        self.traffic = traffic
        """All messages, by dissector name; rules ask :meth:`messages`."""
        self._exchanges: dict[str, tuple[Any, ...]] = {}
        self._of_kind: dict[type, tuple[Any, ...]] = {}

    @property
    def name(self) -> str:
        """The name frames are cited by."""
        return self.vantage.name

    @property
    def frames(self) -> int:
        """Frames in the capture."""
        return self.capture.frames

    @property
    def first_ns(self) -> int:
        """Time of the earliest frame; 0 in a capture without frames or times."""
        return self.capture.first_ns or 0

    @property
    def last_ns(self) -> int:
        """Time of the latest frame."""
        return self.capture.last_ns or 0

    @property
    def duration_ns(self) -> int:
        """From the earliest to the latest frame."""
        return self.last_ns - self.first_ns

    def let_go(self) -> None:
        """Drops messages and tables, most of a large case's memory, where nothing more will be asked of them."""
        self.flows = FlowTable(self.flows.rows[:0].copy(), self.flows.sides[:0].copy())
        self._tables = replace(
            self._tables,
            flows=self.flows,
            talkers=self._tables.talkers[:0].copy(),
            bindings=self._tables.bindings[:0].copy(),
        )
        self.traffic, self.trail = {}, None
        self._exchanges, self._of_kind = {}, {}

    def remains_ns(self, ts_ns: int) -> int:
        """How long the capture ran on after a moment: without that, silence is no proof."""
        return self.last_ns - ts_ns

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """The capture-wide counters by name; see COUNTER_COLUMNS."""
        return {column.name: int(self._tables.counters[column.name]) for column in COUNTER_COLUMNS}

    @cached_property
    def talkers(self) -> tuple[Talker, ...]:
        """MACs by VLAN, in order of appearance."""
        return tuple(_talker(row) for row in self._tables.talkers.tolist())

    @cached_property
    def bindings(self) -> tuple[Binding, ...]:
        """IP to MAC by VLAN, in order of appearance."""
        return tuple(_binding(row) for row in self._tables.bindings.tolist())

    @cached_property
    def repeats(self) -> tuple[Repeat, ...]:
        """Group-addressed frames that came twice or more within a second, worst first."""
        rows = self._tables.repeats
        rows = rows[rows["worst"] > 1]
        found = [_repeat(row) for row in rows.tolist()]
        return tuple(sorted(found, key=lambda one: (-one.worst, one.frames)))

    @cached_property
    def vlans(self) -> tuple[int, ...]:
        """VLAN ids in which any MAC was seen as sender, ascending; 0 is untagged."""
        return tuple(sorted({one.vlan for one in self.talkers if one.sent}))

    def messages(self, kind: type[M]) -> tuple[Seen[M], ...]:
        """Messages of one class, in time order, twins left out."""
        if kind not in self._of_kind:
            dissector = self._dissector_of(kind, "messages")
            every = () if dissector is None else self._traffic_of(dissector).seen
            self._of_kind[kind] = tuple(one for one in every if isinstance(one.message, kind))
        return self._of_kind[kind]

    def conversations(self, kind: type[Any]) -> tuple[Conversation, ...]:
        """TCP flows that the dissector of this message class was given."""
        dissector = self._dissector_of(kind, "messages")
        return self._traffic_of(dissector).conversations if dissector else ()

    def exchanges(self, kind: type[M]) -> tuple[M, ...]:
        """Exchanges of one class, in the order its dissector pairs them."""
        if kind not in self._of_kind:
            dissector = self._dissector_of(kind, "exchanges")
            every = () if dissector is None else self._paired(dissector)
            self._of_kind[kind] = tuple(one for one in every if isinstance(one, kind))
        return self._of_kind[kind]

    def _paired(self, dissector: Dissector) -> tuple[Any, ...]:
        """All exchanges of a dissector, which may build on those of another."""
        if dissector.pair is None:
            return ()
        if dissector.name not in self._exchanges:
            traffic = self._traffic_of(dissector)
            base = next((one for one in self._dissectors if one.name == dissector.builds_on), None)
            if base is not None:
                traffic = replace(traffic, exchanges=self._paired(base))
            self._exchanges[dissector.name] = tuple(dissector.pair(traffic))
        return self._exchanges[dissector.name]

    @property
    def dissectors(self) -> tuple[Dissector, ...]:
        """Those that read this capture."""
        return self._dissectors

    @cached_property
    def all_messages(self) -> tuple[Seen[Any], ...]:
        """Every dissector's messages, in time order."""
        return in_time_order([one for traffic in self.traffic.values() for one in traffic.seen])

    def has_dissector(self, name: str) -> bool:
        """Whether a dissector of this name was loaded."""
        return any(one.name == name for one in self._dissectors)

    def _dissector_of(self, kind: type[Any], where: str) -> Dissector | None:
        return next((one for one in self._dissectors if kind in getattr(one, where)), None)

    def _traffic_of(self, dissector: Dissector) -> Traffic:
        return self.traffic.get(dissector.name, Traffic())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All captures of one incident."""

    views: tuple[View, ...]
    """In the order of the path, client side first."""
    site: Site = field(default_factory=Site)
    errors: tuple[InternalError, ...] = ()
    ordered_by: str = ""
    """What the order was read off; empty where it was given."""
    route: Route | None = None
    """The views against each other, at the same places; None for a single one."""

    def merged(self, other: "Case") -> "Case":
        """Both cases as one: file with file, host with host. Order of the views is kept; the site is this case's."""
        views = self.views + other.views
        return Case(views=views, site=self.site, errors=self.errors + other.errors, route=route_of(views))

    def view(self, name: str) -> View:
        """The view of this name; KeyError when there is none."""
        for one in self.views:
            if one.name == name:
                return one
        raise KeyError(name)


def route_of(views: Sequence[View]) -> Route | None:
    """Views along a path; None unless there are two or more with trails."""
    trails = [one.trail for one in views if one.trail is not None]
    if len(views) < 2 or len(trails) < len(views):
        return None
    filters = [[nic.filter or "" for nic in one.capture.interfaces] for one in views]
    return Route([one.name for one in views], [one.vantage.role for one in views], trails, filters)


def _seen(value: int) -> int | None:
    return None if value < 0 else value


def _inner(key: int) -> int | None:
    """The second VLAN id in a ``vlan_key``; a second tag of id 0 is none."""
    return key >> 12 & 0xFFF or None


_TALKER = {column.name: place for place, column in enumerate(TALKER_COLUMNS)}
_BINDING = {column.name: place for place, column in enumerate(BINDING_COLUMNS)}
_REPEAT = {column.name: place for place, column in enumerate(REPEAT_COLUMNS)}


def _talker(row: tuple[Any, ...]) -> Talker:
    def at(name: str) -> Any:
        return row[_TALKER[name]]

    return Talker(
        mac=mac_text(at("mac")) or "",
        vlan=at("vlan"),
        vni=_seen(at("vni")),
        sent=at("sent"),
        received=at("received"),
        broadcasts=at("broadcasts"),
        short=at("short"),
        padded=at("padded"),
        out=at("out"),
        into=at("into"),
        ip_frames=at("ip_frames"),
        first_ns=at("first_ns") if at("sent") else None,
        last_ns=at("last_ns") if at("sent") else None,
        first_received_ns=at("first_received_ns") if at("received") else None,
        last_received_ns=at("last_received_ns") if at("received") else None,
        frames=tuple(at("frames").tolist()[: min(at("sent"), 8)]),
        last_frame=at("last_frame") if at("sent") else None,
        addresses=at("addresses"),
        odd_ttl=at("odd_ttl"),
        tagged=at("tagged"),
        inner_vlan=_inner(at("vlan_key")),
    )


def _binding(row: tuple[Any, ...]) -> Binding:
    def at(name: str) -> Any:
        return row[_BINDING[name]]

    return Binding(
        mac=mac_text(at("mac")) or "",
        ip=ip_text(at("ip_version"), *at("ip").tolist()) or "",
        vlan=at("vlan"),
        vni=_seen(at("vni")),
        arp=at("arp"),
        packets=at("packets"),
        first_ns=at("first_ns"),
        last_ns=at("last_ns"),
        first_frame=at("first_frame"),
        last_frame=at("last_frame"),
        inner_vlan=_inner(at("vlan_key")),
    )


def _repeat(row: tuple[Any, ...]) -> Repeat:
    def at(name: str) -> Any:
        return row[_REPEAT[name]]

    return Repeat(
        mac=mac_text(at("mac")),
        vlan=at("vlan"),
        worst=at("worst"),
        total=at("total"),
        worst_ns=at("worst_ns"),
        frames=tuple(at("frames").tolist()[: min(at("worst"), 8)]),
    )
