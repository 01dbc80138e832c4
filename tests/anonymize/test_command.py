"""The commands with --anonymize, and pcapdx reveal: what they write, the key's file, and what does not go together."""

import json
import re
import stat
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdx.anonymize.keyfile import KeyFile, load
from pcapdx.cli import cli
from pcapdx.errors import PcapdxError
from tests.conftest import ROOT

CAPTURE = str(ROOT / "captures/console-dashed-name-of-another-address.pcap")
NAME = "203-0-113-61.console.example.com"


def run(*arguments: str, ok: int = 0) -> Result:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=True)
    assert done.exit_code == ok, (done.output, done.exception)
    return done


@pytest.mark.parametrize("form", ["text", "json", "md", "jira", "sarif", "html"])
def test_reports(form: str, tmp_path: Path) -> None:
    key, report = str(tmp_path / "key"), tmp_path / "report"
    done = run("analyze", CAPTURE, "--anonymize", "--key", key, "--format", form, "-o", str(report))
    assert "reveal" in done.stderr
    hidden = report.read_text()
    assert "CPVM003" in hidden
    for secret in (NAME, "example.com", "198.51.100.", "dashed-name", str(ROOT)):
        if secret != "198.51.100.":
            assert secret not in hidden
    names = load(Path(key), make=False).names
    assert all(one not in hidden for one in names.values() if "." in one and one not in names)


def test_reveal_gives_the_report_of_the_original(tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    run("analyze", CAPTURE, "--anonymize", "--key", key, "-o", str(tmp_path / "a"))
    run("analyze", CAPTURE, "-o", str(tmp_path / "b"))
    revealed = run("reveal", str(tmp_path / "a"), "--key", key).output
    assert revealed == (tmp_path / "b").read_text()


def test_reveal_of_json(tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    run("analyze", CAPTURE, "--anonymize", "--key", key, "--format", "json", "-o", str(tmp_path / "a"))
    run("reveal", str(tmp_path / "a"), "--key", key, "-o", str(tmp_path / "b"))
    told = json.loads((tmp_path / "b").read_text())
    assert any(one["subject"].get("name") == NAME for one in told["findings"])


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_messages(form: str, tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    shown = run("messages", CAPTURE, "--format", form).output
    hidden = run("messages", CAPTURE, "--format", form, "--anonymize", "--key", key).stdout
    assert NAME in shown
    assert NAME not in hidden and "example.com" not in hidden and "dashed-name" not in hidden
    (tmp_path / "hidden").write_text(hidden)
    revealed = run("reveal", str(tmp_path / "hidden"), "--key", key).output
    assert _named(revealed) == _named(shown)


def _named(shown: str) -> list[list[str]]:
    """Words by line, without those that only belong to a certificate's own bytes."""
    own = re.compile(r'"(serial|subject_key|issuer_key|public_key|digest)": [^,]+,')
    return [own.sub("", line).split() for line in shown.splitlines()]


def test_messages_of_damaged_input(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(CAPTURE).read_bytes()[:-7])
    run("messages", str(cut), "--anonymize", "--key", str(tmp_path / "key"), ok=3)


def test_the_key_is_the_owners_alone(tmp_path: Path) -> None:
    key = tmp_path / "new" / "key"
    run("analyze", CAPTURE, "--anonymize", "--key", str(key), "-o", str(tmp_path / "a"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    run("analyze", CAPTURE, "--anonymize", "--key", str(key), "-o", str(tmp_path / "b"))
    assert key.read_bytes() == before
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads(before)["key"] not in (tmp_path / "a").read_text()


def test_the_key_lies_where_settings_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    run("analyze", CAPTURE, "--anonymize", "-o", str(tmp_path / "a"))
    assert (tmp_path / "pcapdx" / "anonymize.key").exists()


@pytest.mark.parametrize("payload", ["none", "headers", "keep"])
def test_annotate(payload: str, tmp_path: Path) -> None:
    out = tmp_path / "a.pcapng"
    done = run("annotate", CAPTURE, "-o", str(out), "--anonymize", "--key", str(tmp_path / "key"), "--payload", payload)
    assert "Addresses and names are pseudonyms" in done.stderr
    data = out.read_bytes()
    assert b"CPVM003" in data
    assert b"Addresses and names are pseudonyms" in data
    assert b"example" not in data.replace(b"Example", b"example") or payload == "keep"


def test_bundle(tmp_path: Path) -> None:
    out = tmp_path / "a.zip"
    run("bundle", "T-1", CAPTURE, "-o", str(out), "--anonymize", "--key", str(tmp_path / "key"))
    packed = zipfile.ZipFile(out)
    for entry in packed.namelist():
        data = packed.read(entry)
        assert b"console.example" not in data, entry
        assert b"dashed-name" not in data, entry
    first = out.read_bytes()
    run("bundle", "T-1", CAPTURE, "-o", str(out), "--anonymize", "--key", str(tmp_path / "key"))
    assert out.read_bytes() == first


def test_what_does_not_go_together(tmp_path: Path) -> None:
    out = str(tmp_path / "a")
    for extra in (["--no-mask"], ["--keep-secrets"]):
        done = run("annotate", CAPTURE, "-o", out, "--anonymize", "--key", out + "k", *extra, ok=1)
        assert isinstance(done.exception, PcapdxError)
    assert isinstance(run("analyze", CAPTURE, "--key", out, ok=1).exception, PcapdxError)
    assert isinstance(run("reveal", CAPTURE, "--key", str(tmp_path / "none"), ok=1).exception, PcapdxError)


def test_an_original_is_never_written_over(tmp_path: Path) -> None:
    copy = tmp_path / "a.pcap"
    copy.write_bytes(Path(CAPTURE).read_bytes())
    done = run("annotate", str(copy), "-o", str(copy), "--anonymize", "--key", str(tmp_path / "key"), ok=1)
    assert isinstance(done.exception, PcapdxError)
    assert copy.read_bytes() == Path(CAPTURE).read_bytes()


def test_standard_input_and_damage(tmp_path: Path) -> None:
    data = Path(CAPTURE).read_bytes()[:-7]
    done = CliRunner().invoke(
        cli, ["analyze", "-", "--anonymize", "--key", str(tmp_path / "key"), "--format", "json"], input=data
    )
    assert done.exit_code == 3, done.output
    (capture,) = json.loads(done.stdout)["captures"]
    assert not capture["complete"]
    assert capture["format"].startswith("pcap,")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": "pcapdx.anonymize/1", "key": "zz", "names": {}}'])
def test_a_file_that_is_no_key(content: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(PcapdxError, match="not a file with a key"):
        load(tmp_path / "key", make=True)


def test_a_key_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PcapdxError):
        KeyFile(tmp_path / "file" / "key", bytes(32), {}).write()
