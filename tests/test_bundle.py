"""The zip for a ticket: what is in it, that its manifest is true, and that equal input gives equal bytes."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from captures.accuracy import HERE
from pcapdx.cli import cli
from pcapdx.errors import PcapdxError
from tests import labelled

FAULTY = "password-delivered-g4"
SEVERAL = "path-vlan-not-on-near-port"


def _bundle(name: str, output: Path, *, ticket: str = "OPS-812") -> zipfile.ZipFile:
    arguments = [
        f"{one.name}{f':{one.role.value}' if one.role else ''}={one.path}" for one in labelled.CASES[name].arguments
    ]
    done = CliRunner().invoke(cli, ["bundle", ticket, *arguments, "-o", str(output)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return zipfile.ZipFile(output)


@pytest.mark.parametrize("name", [FAULTY, SEVERAL])
def test_the_manifest_is_true(name: str, tmp_path: Path) -> None:
    packed = _bundle(name, tmp_path / "a.zip")
    manifest = json.loads(packed.read("OPS-812/manifest.json"))
    assert manifest["ticket"] == "OPS-812"
    told = {f"OPS-812/{one['name']}": one for one in manifest["files"]}
    assert set(packed.namelist()) == {*told, "OPS-812/manifest.json"}
    for entry, one in told.items():
        data = packed.read(entry)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (one["bytes"], one["sha256"])
    for one, argument in zip(manifest["captures"], labelled.CASES[name].arguments, strict=True):
        assert one["sha256"] == hashlib.sha256(Path(argument.path).read_bytes()).hexdigest()
    assert sum(entry.endswith(".pcapng") for entry in told) == len(labelled.CASES[name].arguments)


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _bundle(SEVERAL, tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_no_secret_and_no_folder_of_this_machine_is_in_it(tmp_path: Path) -> None:
    packed = _bundle(FAULTY, tmp_path / "a.zip")
    secrets = labelled.CASES[FAULTY].truth["secrets"]
    assert secrets
    for entry in packed.namelist():
        data = packed.read(entry)
        assert str(HERE).encode() not in data, entry
        for secret in secrets:
            assert secret.encode() not in data, entry


def test_a_ticket_names_no_folder(tmp_path: Path) -> None:
    with pytest.raises(PcapdxError, match="letters"):
        _bundle(FAULTY, tmp_path / "a.zip", ticket="../etc")
