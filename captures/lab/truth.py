"""Truth files: what was done to the network while a capture was taken, never what pcapdx says of it.

The recorder writes ``captures/NAME.toml`` from what the scenario declares. Frame numbers are found with tshark at
recording time, by display filters that the scenario declares beside the fault.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from captures.lab.namespaces import LabError, command

TOPICS = {
    "CAP": "capture",
    "VLAN": "vlan-trunk",
    "HYP": "hypervisor-nic",
    "OVS": "ovs",
    "SG": "security-groups",
    "HOST": "host-connectivity",
    "PHYS": "physical-networks",
    "DHCP": "dhcp",
    "PWD": "password-reset",
    "META": "user-metadata",
    "CPVM": "console-proxy-tls",
    "TMPL": "templates",
}
"""The topic of a code, by its letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A fault, consequence or proof of the catalogue: code, whom it is about, and the frames that decide it."""

    code: str
    subject: Mapping[str, str | int]
    decisive: str = ""
    """A display filter; at least one frame of every fault's evidence is among those it shows."""

    @property
    def topic(self) -> str:
        """The topic that the letters of the code stand for."""
        return TOPICS[self.code.rstrip("0123456789")]


@dataclass(slots=True, kw_only=True)
class Stored:
    """One capture as it lies in the repository, and the uncompressed twin that tshark reads."""

    name: str
    file: Path
    readable: Path
    taken_at: str
    role: str | None


@dataclass(slots=True, kw_only=True)
class Truth:
    """All that a scenario declares."""

    scenario: str
    story: str
    faults: list[Label] = field(default_factory=list)
    consequences: list[Label] = field(default_factory=list)
    proofs: list[Label] = field(default_factory=list)
    infos: list[Label] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    site: dict[str, Any] | None = None

    def write(self, folder: Path, name: str, stored: list[Stored]) -> None:
        """Write ``NAME.toml``, and ``NAME.site.toml`` where the scenario has a site profile."""
        document = tomlkit.document()
        if len(stored) == 1:
            _describe(document, stored[0])
        document.update({"scenario": self.scenario, "story": self.story})
        document["healthy"] = not self.faults
        document["secrets"] = self.secrets
        if self.site is not None:
            document["site"] = f"{name}.site.toml"
            (folder / f"{name}.site.toml").write_text(tomlkit.dumps(self.site))
        if len(stored) > 1:
            document["captures"] = _tables(_described(one) for one in stored)
        for key in ("faults", "consequences", "infos", "proofs"):
            if labels := getattr(self, key):
                document[key] = _tables(_label(label, stored) for label in labels)
        (folder / f"{name}.toml").write_text(tomlkit.dumps(document))


def frames(capture: Path, show: str) -> list[int]:
    """The numbers of the frames that a display filter shows."""
    # Linux' own VXLAN port, which tshark does not look at by itself
    ports = ("-o", "vxlan.udp.port:4789,8472")
    out = command("tshark", "-nr", str(capture), *ports, "-Y", show, "-T", "fields", "-e", "frame.number")
    return [int(number) for number in out.split()]


def _describe(target: Any, one: Stored) -> None:
    target["file"] = one.file.name
    target["sha256"] = hashlib.sha256(one.file.read_bytes()).hexdigest()
    target["taken_at"] = one.taken_at
    if one.role:
        target["role"] = one.role


def _described(one: Stored) -> Table:
    table = tomlkit.table()
    table["name"] = one.name
    _describe(table, one)
    return table


def _label(label: Label, stored: list[Stored]) -> Table:
    table = tomlkit.table()
    table["code"] = label.code
    table["topic"] = label.topic
    if label.subject:
        subject = tomlkit.inline_table()
        subject.update(label.subject)
        table["subject"] = subject
    if label.decisive:
        found = {one.name: frames(one.readable, label.decisive) for one in stored}
        if not any(found.values()):
            raise LabError(f"{label.code}: no frame shows {label.decisive!r}")
        table["decisive"] = found if len(stored) > 1 else next(iter(found.values()))
    return table


def _tables(tables: Any) -> tomlkit.items.AoT:
    array = tomlkit.aot()
    for table in tables:
        array.append(table)
    return array
