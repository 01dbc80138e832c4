"""Profiles made by the command line: the template, and one filled from an API that answers as CloudStack does."""

import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from click.testing import CliRunner

from pcapdx.cli import cli
from pcapdx.errors import SiteError
from pcapdx.profile.cloudstack import KEY, SECRET, connect, fetch
from pcapdx.profile.toml import dumps, template
from pcapdx.site import Guest, Site, load_site
from tests.profile.server import api

pytest.importorskip("cs", reason="the package cs is not installed")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "plgWJfZK4gyS3mOMTVmjUVg-X-jlWlnfaUJ9GAbBbf9EdM-kAYMmAiLqzzq1ElZLYq_u38zCm0bewzGUdP66mg")
    monkeypatch.setenv(SECRET, "VDaACYb0LV9eNjTetIOElcVQkvJck_J_QljX_FcHRj87ZKiy0z0ty0ZsYBkoXkY9b7eq1EhwJaw7FF3akA3KBQ")


def _filled(text: str) -> str:
    """The template with everything filled in."""
    return re.sub(r"^# (?=\[|[a-z_\"0-9.]+ = )", "", text, flags=re.MULTILINE)


def test_the_template_is_a_profile_and_so_is_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(template())
    assert load_site(path) == Site()
    path.write_text(_filled(template()))
    site = load_site(path)
    assert site.network[0].vlan == 1204
    assert site.console.nat == {"203.0.113.9": "10.9.8.7"}


def _keys(kind: type, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for one in fields(kind):
        hint = get_type_hints(kind)[one.name]
        inner = next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
        found |= _keys(inner, f"{one.name}.") if isinstance(inner, type) else {f"{prefix}{one.name}"}
    return found


def _told(table: dict[str, Any]) -> set[str]:
    """Keys of a TOML table, those of its tables behind a dot."""
    found: set[str] = set()
    for name, value in table.items():
        inner = value[0] if isinstance(value, list) and isinstance(value[0], dict) else value
        found |= {f"{name}.{key}" for key in inner} if isinstance(inner, dict) else {name}
    return found


def test_the_template_explains_every_key() -> None:
    assert _told(tomllib.loads(_filled(template()))) == _keys(Site)


def test_the_api_fills_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    with api() as (url, asked):
        done = CliRunner().invoke(cli, ["site", "from-cloudstack", url, "-o", str(path)])
    assert done.exit_code == 0, done.output
    site = load_site(path)
    web, common, overlay = site.network
    assert (web.name, web.cidr, web.vlan, web.type) == ("web", "10.1.1.0/24", 1204, "isolated")
    assert (web.redundant, web.dhcp_server, web.dns) == (True, "", ("10.1.1.1",))
    assert (web.mtu, common.mtu) == (1450, None)
    assert (common.type, common.vlan, common.dhcp_server) == ("shared", 0, "10.7.0.9")
    assert (overlay.type, overlay.vlan) == ("l2", None)
    assert site.guest == (
        Guest(
            name="i-2-34-VM", mac="02:01:00:cc:00:16", ip="10.1.1.57", secondary_ips=("10.1.1.200",),
            password_reset=True, os="Debian GNU/Linux 12", default_nic=True,
        ),
    )  # fmt: skip
    assert site.is_router(mac="1e:00:6b:00:00:0a")
    assert site.security_groups is False
    assert site.trunk_vlans == (1204,)
    assert site.public.vlan == 30
    assert site.public.networks == ("203.0.113.0/24",)
    assert site.management.servers == ("192.168.10.5", "192.168.10.4")
    assert site.console.domain == "console.example.com"
    assert all("signature" in one for one in asked)


def test_keys_are_stored_nowhere(tmp_path: Path) -> None:
    with api() as (url, _):
        text = CliRunner().invoke(cli, ["site", "from-cloudstack", url]).output
    assert "plgWJfZK" not in text
    assert "VDaACYb0" not in text


def test_a_refused_call_is_left_out_and_said(tmp_path: Path) -> None:
    with api("listEvents", "listConfigurations") as (url, _):
        fetched = fetch(connect(url))
        done = CliRunner().invoke(cli, ["site", "from-cloudstack", url])
    assert any(one.startswith("listEvents") for one in fetched.refused)
    assert not fetched.site.guest[0].password_reset
    assert fetched.site.network
    assert "# not answered, left out: listEvents" in done.stdout


def test_what_is_no_api_is_an_error() -> None:
    with api("listZones") as (url, _), pytest.raises(SiteError, match="listZones"):
        fetch(connect(url))
    with pytest.raises(SiteError, match="listZones"):
        fetch(connect("http://127.0.0.1:9/client/api"))


def test_an_unknown_zone_names_those_there_are() -> None:
    with api() as (url, _), pytest.raises(SiteError, match="zone-1"):
        fetch(connect(url), "zone-9")


def test_keys_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET)
    with pytest.raises(SiteError, match=SECRET):
        connect("http://127.0.0.1:9/client/api")


def test_a_profile_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(_filled(template()))
    site = load_site(path)
    path.write_text(dumps(site, ("a remark",)))
    assert load_site(path) == site
