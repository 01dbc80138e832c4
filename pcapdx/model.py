"""What a run finds: severities, evidence, findings, proofs, doubts and anomalies.

All values are frozen and know nothing of how they were found. Times are whole nanoseconds since 1970, frames are
numbered from 1 as Wireshark numbers them, ``None`` means "not seen".
"""

from dataclasses import field
from enum import StrEnum

from pcapdx.values import dataclass


class Severity(StrEnum):
    """How much a finding matters to the people behind the network, apart from how sure it is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the gravest, growing with mildness."""
        return ("error", "warning", "info").index(self.value)


class Confidence(StrEnum):
    """How sure a finding is of its cause, apart from how much it matters."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """0 for the surest, growing with doubt."""
        return ("certain", "likely", "possible").index(self.value)


class Topic(StrEnum):
    """The ten classic CloudStack network issues, and the two that every capture has: DHCP and the capture itself."""

    VLAN_TRUNK = "vlan-trunk"
    HYPERVISOR_NIC = "hypervisor-nic"
    OVS = "ovs"
    SECURITY_GROUPS = "security-groups"
    HOST_CONNECTIVITY = "host-connectivity"
    PHYSICAL_NETWORKS = "physical-networks"
    CONSOLE_PROXY_TLS = "console-proxy-tls"
    TEMPLATES = "templates"
    PASSWORD_RESET = "password-reset"
    USER_METADATA = "user-metadata"
    DHCP = "dhcp"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom or what a finding is about; equal (code, subject) is one finding with more evidence.

    Diagnosis links a cause with a consequence only where the fields that both name agree.
    """

    vlan: int | None = None
    """Outermost VLAN id, 0 for untagged where that is the point, None where no VLAN is meant."""
    mac: str | None = None
    """The client, guest or host, ``aa:bb:cc:dd:ee:ff``."""
    ip: str | None = None
    """Its address."""
    server: str | None = None
    """The address asked."""
    port: int | None = None
    """The server's port."""
    name: str | None = None
    """A host name, certificate name or interface."""

    def as_dict(self) -> dict[str, str | int]:
        """The fields that are set, in declaration order."""
        pairs = ((key, getattr(self, key)) for key in self.__slots__)
        return {key: value for key, value in pairs if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence and the frames of one capture that prove it; no frames where the point is that none came."""

    capture: str
    """Name of the capture (its vantage)."""
    frames: tuple[int, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A command, where to run it, and what its answer will mean."""

    where: str
    command: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault (or a limit of the capture) that a rule saw, with its proof."""

    code: str
    name: str
    topic: Topic
    severity: Severity
    confidence: Confidence
    subject: Subject
    summary: str
    """One sentence a tired person can read aloud, with the addresses and names of this case."""
    evidence: tuple[Evidence, ...]
    filter: str
    """A Wireshark display filter that shows the evidence; empty where none can."""
    first_ns: int | None = None
    """When it began; None for what holds of the whole capture."""
    last_ns: int | None = None
    alternatives: tuple[str, ...] = ()
    """What else it could be, and what speaks for or against it here."""
    limits: tuple[str, ...] = ()
    """What of this capture limits the claim."""
    next_steps: tuple[NextStep, ...] = ()
    known: tuple[int, ...] = ()
    """Numbers of published issues of apache/cloudstack with this signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Something that worked, in these frames."""

    code: str
    name: str
    topic: Topic
    subject: Subject
    summary: str
    evidence: tuple[Evidence, ...]
    filter: str
    first_ns: int | None = None
    last_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a topic of which something was seen cannot be judged from this capture."""

    topic: Topic
    why: str


Verdict = Finding | Proof | Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Bytes that are odd or cut. Data, never an exception: the run goes on.

    ``frame`` is None for damage of the container, whose ``offset`` counts from the start of the (decompressed) file;
    otherwise ``offset`` counts from the start of the frame, or of the stream where ``protocol`` rides on TCP.
    """

    capture: str
    frame: int | None
    protocol: str
    kind: str
    """Short and stable: ``truncated`` (by the snap length), ``malformed``, ``cut-short`` (file ends in a record), …"""
    what: str = ""
    """A sentence for people, with nothing of the payload in it."""
    offset: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalError:
    """A plug-in raised: a bug of ours or of a pack's, told in the report. Tests raise it instead."""

    plugin: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """All that the rules said of a case."""

    findings: tuple[Finding, ...] = ()
    proofs: tuple[Proof, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    errors: tuple[InternalError, ...] = field(default=())
