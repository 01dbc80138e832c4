"""VLAN021, HYP009 and PHYS009: what LLDP and CDP tell of the switch port, and which names are one port's."""

from pathlib import Path

import pytest
from scapy.utils import wrpcap

from pcapdx.diagnose import analyze
from pcapdx.model import Confidence, Severity
from pcapdx.rules.definitions.switch_ports import same_port, same_system
from pcapdx.site import Site, Uplink
from pcapdx.vantage import CaptureArgument, Role
from tests.rules.build import Tape, arp_reply, arp_request, discover, plugins
from tests.rules.control import NIC, cdp, lldp, pvst

GUEST, NEAR, FAR = "02:01:00:cc:00:16", "02:01:00:cd:00:16", "02:01:00:cd:00:17"


def trunk(dead: int = 317, alive: int = 101) -> Tape:
    """A guest asks in vain in one VLAN, another VLAN works."""
    tape = Tape()
    for n in range(12):
        tape.add(5 * n, discover(GUEST), vlan=dead)
        tape.add(n, arp_request(NEAR, "10.2.0.7", f"10.2.0.{20 + n}"), vlan=alive)
        tape.add(n + 0.01, arp_reply(FAR, f"10.2.0.{20 + n}", NEAR, "10.2.0.7"), vlan=alive, wire=True)
    return tape


@pytest.mark.parametrize("role", [Role.NIC, Role.TRUNK, None])
def test_a_vlan_that_is_not_on_the_port(tmp_path: Path, role: Role | None) -> None:
    found = trunk().add(3, lldp(vlans=(1, 101, 205))).finding(tmp_path, "VLAN021", role=role)
    assert (found.severity, found.subject.vlan) == (Severity.ERROR, 317)
    assert "tor-1 port Ethernet1/7" in found.summary


@pytest.mark.parametrize(
    "unit",
    [
        lldp(vlans=(1, 101, 317)),
        lldp(vlans=(1, 205)),
        lldp(),
        lldp(vlans=(1, 101), ttl=0),
        lldp(NIC, system="kvm1", port="eth1", vlans=(1, 101)),
    ],
    ids=["it is", "one that works is missing, too", "no list", "taken back", "the host's own"],
)
def test_lists_that_prove_nothing(tmp_path: Path, unit: object) -> None:
    tape = trunk().add(3, unit)  # type: ignore[arg-type] # scapy's is Any
    assert not tape.findings(tmp_path, "VLAN021", role=Role.NIC)


def test_at_a_tap_no_switch_port_is_near(tmp_path: Path) -> None:
    tape = Tape().add(0, lldp()).add(1, arp_request(GUEST, "10.1.1.7", "10.1.1.1"))
    assert "PHYS009" not in tape.proofs(tmp_path, role=Role.TAP)
    assert "PHYS009" in tape.proofs(tmp_path, role=Role.NIC)


def test_two_strangers_are_no_other_end(tmp_path: Path) -> None:
    """A hub, or a switch without LLDP that passes it on."""
    tape = Tape().add(0, lldp()).add(1, lldp("00:1c:73:00:00:08", system="tor-2", port="Ethernet2/8"))
    assert "PHYS009" not in tape.proofs(tmp_path, role=Role.NIC)


def test_the_host_beside_the_switch(tmp_path: Path) -> None:
    tape = Tape().add(0, lldp(NIC, system="kvm1", port="eth1")).add(1, lldp())
    (proof,) = (one for one in tape.analysis(tmp_path, role=Role.NIC).diagnosed.proofs if one.code == "PHYS009")
    assert proof.summary == "tape is cabled to tor-1 port Ethernet1/7 (LLDP)"


def test_a_port_known_by_its_description(tmp_path: Path) -> None:
    tape = Tape().add(0, lldp(port="527", subtype=7, description="ge-0/0/7"))
    for planned, count in (("ge-0/0/7", 0), ("ge-0/0/8", 1)):
        site = Site(uplink=(Uplink(name="tape", switch="tor-1", port=planned),))
        assert len(tape.findings(tmp_path, "HYP009", role=Role.NIC, site=site)) == count


def plan(port: str, switch: str = "tor-1", name: str = "tape") -> Site:
    return Site(
        uplink=(Uplink(name=name, switch=switch, port=port), Uplink(name="other", switch="tor-1", port="Eth1/8"))
    )


@pytest.mark.parametrize("packet", [lldp(port="Ethernet1/8"), cdp(port="Ethernet1/8")], ids=["LLDP", "CDP"])
def test_the_port_of_another_nic(tmp_path: Path, packet: object) -> None:
    tape = Tape().add(0, packet)  # type: ignore[arg-type] # scapy's is Any
    found = tape.finding(tmp_path, "HYP009", role=Role.NIC, site=plan("Ethernet1/7"))
    assert found.confidence is Confidence.CERTAIN
    assert "which is planned for other" in found.summary
    assert "PHYS009" not in {
        one.code for one in tape.analysis(tmp_path, role=Role.NIC, site=plan("Eth1/7")).diagnosed.proofs
    }


def test_another_switch(tmp_path: Path) -> None:
    tape = Tape().add(0, lldp(system="tor-2"))
    assert tape.finding(tmp_path, "HYP009", role=Role.NIC, site=plan("Ethernet1/7")).confidence is Confidence.LIKELY


@pytest.mark.parametrize(
    ("unit", "site"),
    [
        (lldp(system="TOR-1.example.com"), plan("Eth1/7")),
        (lldp(port="527", subtype=7), plan("Eth1/7")),
        (lldp(port="Ethernet1/9"), plan("Eth1/7", name="kvm9-eth1")),
        (lldp(port="Ethernet1/9"), Site()),
        (lldp(NIC, system="kvm1", port="ens3f0"), plan("Eth1/7")),
    ],
    ids=["another spelling", "an index", "planned for another capture", "no plan", "the host's own"],
)
def test_no_difference(tmp_path: Path, unit: object, site: Site) -> None:
    tape = Tape().add(0, unit)  # type: ignore[arg-type] # scapy's is Any
    assert not tape.findings(tmp_path, "HYP009", role=Role.NIC, site=site)


def two_nics(first: Tape, second: Tape, folder: Path, names: tuple[str, str], role: Role = Role.NIC) -> set[str]:
    """Codes found in captures of two NICs."""
    arguments = []
    for name, tape in zip(names, (first, second), strict=True):
        wrpcap(str(folder / name), tape.packets, linktype=1)
        arguments.append(CaptureArgument(name=name, role=role, path=str(folder / name), named=True))
    found = analyze(arguments, plugins(), strict=True).diagnosed.findings
    return {one.finding.code for one in found if one.finding.severity is not Severity.INFO}


def asking_in_vain() -> Tape:
    """The host itself asks for its gateway at a NIC where another network is heard."""
    tape = Tape()
    for n in range(5):
        tape.add(n, arp_request(NIC, "10.0.0.11", "10.0.0.1"))
        tape.add(n + 0.5, arp_request(FAR, "10.9.0.7", f"10.9.0.{20 + n}"), wire=True)
        tape.add(n + 0.6, arp_reply(FAR, "10.9.0.7", "b8:59:9f:00:00:02", "10.9.0.8"), wire=True)
        tape.add(n + 0.7, arp_reply("b8:59:9f:00:00:02", "10.9.0.8", FAR, "10.9.0.7"))
    return tape.add(9, arp_request(FAR, "10.9.0.7", "10.9.0.99"), wire=True)


def hearing(*, gateway: bool = True, network: str = "10.0.0") -> Tape:
    """At the other NIC the gateway asks for others."""
    tape = Tape()
    for n in range(6):
        who = 1 if gateway else 3
        tape.add(n, arp_request("00:1c:73:00:00:99", f"{network}.{who}", f"{network}.{60 + n}"), wire=True)
    return tape


@pytest.mark.parametrize("names", [("kvm1-eth0", "kvm1-eth1"), ("eth0", "eth1"), ("kvm1.ens3f0", "kvm1.ens3f1")])
def test_what_a_nic_asks_for_is_at_the_other_one(tmp_path: Path, names: tuple[str, str]) -> None:
    assert two_nics(asking_in_vain(), hearing(), tmp_path, names) == {"HYP009"}


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (hearing(), ("kvm1-eth0", "kvm2-eth0")),
        (hearing(), ("first", "second")),
        (hearing(gateway=False), ("eth0", "eth1")),
        (hearing(network="10.7.0"), ("eth0", "eth1")),
    ],
    ids=["two hosts", "who knows", "not the one asked for", "another network"],
)
def test_nics_that_are_not_swapped(tmp_path: Path, other: Tape, names: tuple[str, str]) -> None:
    assert "HYP009" not in two_nics(asking_in_vain(), other, tmp_path, names)


def test_a_network_that_is_on_both(tmp_path: Path) -> None:
    both = asking_in_vain().add(3, arp_request("00:1c:73:00:00:98", "10.0.0.7", "10.0.0.8"), wire=True)
    assert "HYP009" not in two_nics(both, hearing(), tmp_path, ("eth0", "eth1"))


@pytest.mark.parametrize(
    ("first", "second", "role", "count"),
    [
        (lldp(native=1), lldp("00:1c:73:00:00:08", port="Ethernet1/8", native=5), Role.BOND, 1),
        (lldp(native=1), lldp("00:1c:73:00:00:08", port="Ethernet1/8", native=1), Role.BOND, 0),
        (lldp(native=1), lldp("00:1c:73:00:00:08", port="Ethernet1/8", native=5), Role.NIC, 0),
        (cdp(native=1), pvst(5), Role.BOND, 1),
    ],
    ids=["they differ", "they are alike", "no bond", "by CDP and PVST+"],
)
def test_native_vlans_of_a_bond(tmp_path: Path, first: object, second: object, role: Role, count: int) -> None:
    one, other = (Tape().add(0, unit).add(1, unit) for unit in (first, second))  # type: ignore[arg-type] # scapy's is Any
    assert len(two_nics(one, other, tmp_path, ("eth0", "eth1"), role)) == count


@pytest.mark.parametrize(
    ("planned", "told", "same"),
    [
        ("GigabitEthernet1/0/7", "Gi1/0/7", True),
        ("Ethernet1/7", "Eth1/7", True),
        ("ge-0/0/3", "ge-0/0/3", True),
        ("A7", "A7", True),
        ("7", "7", True),
        ("Gi1/0/7", "Gi1/0/8", False),
        ("Gi1/0/7", "Gi2/0/7", False),
        ("swp7", "swp17", False),
        ("Gi1/0/7", "TenGigabitEthernet1/1/1", False),
        ("swp7", "Ethernet7", None),
        ("port 7", "1/7", None),
        ("Ethernet7", "Ethernet7/1", None),
        ("Ethernet7", "uplink to kvm1", None),
        ("", "Gi1/0/7", None),
    ],
)
def test_names_of_ports(planned: str, told: str, same: bool | None) -> None:
    assert same_port(planned, (told,)) is same


def test_any_name_of_the_port_will_do() -> None:
    assert same_port("ge-0/0/7", ("528", "ge-0/0/7")) is True
    assert same_port("ge-0/0/7", ()) is None


def test_a_name_that_is_no_ports_stays_out_of_commands(tmp_path: Path) -> None:
    found = trunk().add(3, lldp(port="x; reboot", vlans=(1, 101))).finding(tmp_path, "VLAN021", role=Role.NIC)
    assert found.next_steps[0].command.startswith("show interfaces PORT trunk")


def test_names_of_systems() -> None:
    assert same_system("tor-1", "TOR-1.example.com")
    assert same_system("tor-1", "tor-1(FOC1234X0YZ)")
    assert not same_system("tor-1", "tor-10")
    assert not same_system(None, "tor-1")
