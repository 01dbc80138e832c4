"""The site profile: every key and value is checked, and what is wrong is said with file, key and what is expected."""

from pathlib import Path

import pytest

from pcapdx.errors import SiteError
from pcapdx.site import Console, Guest, Network, Router, Site, Uplink, load_site

WHOLE = """
name = "lab"
security_groups = true
trunk_vlans = [101, 1204]

[[network]]
name = "guests"
cidr = "10.1.1.0/24"
gateway = "10.1.1.1"
vlan = 101
type = "isolated"
redundant = true
dns = ["10.1.1.1", "2001:DB8::1"]

[[network]]
cidr = "2001:db8:1::/64"

[[router]]
name = "r-12-VM"
mac = "02-00-4C-9F-00-0A"
ips = ["10.1.1.1", "203.0.113.1"]

[[guest]]
name = "i-2-10-VM"
mac = "2:0:4c:9f:0:b"
ip = "10.1.1.57"
secondary_ips = ["10.1.1.58"]
password_reset = true

[[uplink]]
name = "kvm1-eth1"
switch = "tor-1"
port = "Ethernet1/7"
native_vlan = 1

[management]
servers = ["192.0.2.10"]
networks = ["192.0.2.0/24"]

[console]
domain = "console.example.com"
addresses = ["203.0.113.9"]
[console.nat]
"203.0.113.9" = "10.9.0.9"
"""


def load(folder: Path, text: str) -> Site:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)


def test_a_whole_profile(tmp_path: Path) -> None:
    """Addresses and MACs come out in the spelling that captures have."""
    site = load(tmp_path, WHOLE)
    assert site.trunk_vlans == (101, 1204)
    assert site.network[0].dns == ("10.1.1.1", "2001:db8::1")
    assert site.router == (Router(name="r-12-VM", mac="02:00:4c:9f:00:0a", ips=("10.1.1.1", "203.0.113.1")),)
    assert site.guest[0].mac == "02:00:4c:9f:00:0b"
    assert site.uplink == (Uplink(name="kvm1-eth1", switch="tor-1", port="Ethernet1/7", native_vlan=1),)
    assert site.console == Console(
        domain="console.example.com", addresses=("203.0.113.9",), nat={"203.0.113.9": "10.9.0.9"}
    )


def test_an_empty_profile_is_as_good_as_none(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Site()


def test_who_is_who(tmp_path: Path) -> None:
    site = load(tmp_path, WHOLE)
    guest = site.guest_of("02:00:4c:9f:00:0b")
    assert guest is not None
    assert guest.password_reset
    assert site.guest_of(None) is site.guest_of("02:00:00:00:00:00") is None
    network = site.network_of("10.1.1.200")
    assert network is not None
    assert network.vlan == 101
    assert site.network_of("2001:db8:1::5") == Network(cidr="2001:db8:1::/64")
    assert site.network_of("10.1.2.1") is site.network_of(None) is site.network_of("") is None
    assert site.is_router(ip="203.0.113.1")
    assert site.is_router(mac="02:00:4c:9f:00:0a")
    assert not site.is_router(ip="10.1.1.57", mac="02:00:4c:9f:00:0b")
    assert not Site(router=(Router(name="r"),), guest=(Guest(name="g"),)).is_router(mac="", ip="")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vlans = 3", "unknown key 'vlans'; known are console, guest,"),
        ("[[network]]\nvlan = 4095", "network[0]: vlan: a VLAN id from 0 (untagged) to 4094 is expected, not 4095"),
        ("[[network]]\nvlan = -1", "not -1"),
        ("[[network]]\nvlan = true", "int expected, not True"),
        ("[[network]]\nvlan = '101'", "int expected, not '101'"),
        ("[[network]]\ntype = 'flat'", "one of isolated, shared, vpc, l2 is expected, not 'flat'"),
        ("[[network]]\ncidr = '10.1.1.1/24'", "a network such as 10.1.1.0/24 is expected"),
        ("[[network]]\ngateway = '10.1.1'", "an IP address is expected, not '10.1.1'"),
        ("[[guest]]\nmac = '02:00'", "a MAC such as 02:00:4c:9f:00:0a is expected, not '02:00'"),
        ("[[guest]]\nmac = 'zz:00:4c:9f:00:0a'", "a MAC such as"),
        ("[[guest]]\n[[guest]]\nsecondary_ips = [1]", "guest[1]: secondary_ips[0]: str expected, not 1"),
        ("[network]\nname = 'x'", "network: a list is expected"),
        ("network = ['x']", "network[0]: a table is expected"),
        ("trunk_vlans = [5000]", "trunk_vlans[0]: a VLAN id"),
        ("security_groups = 'yes'", "bool expected, not 'yes'"),
        ("[[uplink]]\nport = 'Eth1/7'", "uplink[0]: name expected"),
        ("console = 3", "console: a table is expected"),
        ("[console]\nnat = ['x']", "a table of addresses is expected"),
        ("[console]\nnat = {x = '10.0.0.1'}", "an IP address is expected, not 'x'"),
        ("name = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SiteError) as error:
        load(tmp_path, text)
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "site.toml"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="No such file"):
        load_site(tmp_path / "none.toml")
    with pytest.raises(SiteError, match="Is a directory"):
        load_site(tmp_path)
    (tmp_path / "site.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(SiteError, match="not valid TOML"):
        load_site(tmp_path / "site.toml")
