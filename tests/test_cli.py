"""The command line as a shell sees it: exit statuses, what goes where, and one line for what went wrong."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pcapdx import __version__
from pcapdx.plugins import Plugins
from tests import labelled
from tests.conftest import ROOT
from tests.live.network import wait_for

FAULTY = str(ROOT / "captures/dhcp-unknown-mac-bridge.pcap.gz")
HEALTHY = str(ROOT / "captures/password-delivered-g1.pcap")
PCAPDX = (sys.executable, "-m", "pcapdx")
HEAVY = (
    "numpy", "numba", "matplotlib", "cryptography", "scapy", "jinja2", "dpkt", "h11", "jira", "redminelib", "rt",
    "requests", "httpx2", "keyring", "smtplib",
)  # fmt: skip


def run(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*PCAPDX, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, **(env or {})},
    )


def complaint(*arguments: str, stdin: bytes = b"") -> str:
    """What a run that could not start says: one line, nothing on standard output, status 2."""
    done = run(*arguments, stdin=stdin)
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture
def cut(tmp_path: Path) -> str:
    """A capture cut within its last frame."""
    path = tmp_path / "cut.pcap"
    path.write_bytes(Path(HEALTHY).read_bytes()[:-5])
    return str(path)


class TestExitStatus:
    def test_0_whatever_was_found(self) -> None:
        done = run("analyze", FAULTY)
        assert done.returncode == 0
        assert b"DHCP002" in done.stdout
        assert not done.stderr

    @pytest.mark.parametrize(
        ("capture", "threshold", "status"),
        [(FAULTY, "error", 1), (FAULTY, "info", 1), (HEALTHY, "warning", 0), (HEALTHY, "error", 0)],
    )
    def test_1_at_the_threshold(self, capture: str, threshold: str, status: int) -> None:
        assert run("analyze", capture, "--fail-on", threshold).returncode == status

    def test_2_where_it_could_not_run(self) -> None:
        assert complaint("analyze", "/no/such.pcap") == "pcapdx: /no/such.pcap does not exist"

    def test_3_on_damaged_input_with_a_report_of_the_rest(self, cut: str) -> None:
        done = run("analyze", cut)
        assert done.returncode == 3
        assert b"only part of the file could be read" in done.stdout
        assert b"lease 10.1.1.55" in done.stdout

    def test_1_goes_before_3(self, tmp_path: Path) -> None:
        path = tmp_path / "cut.pcap"
        data = subprocess.run(["gzip", "-dc", FAULTY], capture_output=True, check=True).stdout
        path.write_bytes(data[:-5])
        assert run("analyze", f"hostA:bridge={path}", "--fail-on", "error").returncode == 1


class TestCouldNotRun:
    def test_a_directory(self, tmp_path: Path) -> None:
        assert complaint("analyze", str(tmp_path)).endswith("is a directory, not a packet capture")

    def test_a_text_file(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("no capture at all, only words\n" * 20)
        assert complaint("analyze", str(path)).startswith(f"pcapdx: {path} is ")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.pcap"
        path.touch()
        assert complaint("analyze", str(path)) == f"pcapdx: {path} is empty"

    def test_nothing_on_standard_input(self) -> None:
        assert complaint("analyze", "-") == "pcapdx: standard input is empty"

    def test_an_unknown_role(self) -> None:
        said = complaint("analyze", f"hostA:switch={HEALTHY}")
        assert "'switch' is no role" in said
        assert "trunk" in said

    def test_a_broken_site_profile(self, tmp_path: Path) -> None:
        path = tmp_path / "site.toml"
        path.write_text("vlans = 3\n")
        assert "unknown key 'vlans'" in complaint("analyze", HEALTHY, "--site", str(path))

    def test_an_output_that_cannot_be_written(self, tmp_path: Path) -> None:
        assert "No such file" in complaint("analyze", HEALTHY, "-o", str(tmp_path / "no" / "report.txt"))

    @pytest.mark.parametrize("command", [("analyze",), ("bundle", "T-1")])
    def test_a_capture_is_never_written_over(self, command: tuple[str, ...], tmp_path: Path) -> None:
        capture = tmp_path / "a.pcap"
        capture.write_bytes(Path(HEALTHY).read_bytes())
        (tmp_path / "link").symlink_to(capture)
        assert "is a capture that is read" in complaint(*command, str(capture), "-o", str(tmp_path / "link"))
        assert capture.read_bytes() == Path(HEALTHY).read_bytes()

    @pytest.mark.parametrize("command", [("rules",), ("analyze", HEALTHY), ("messages", HEALTHY)])
    def test_a_full_disk(self, command: tuple[str, ...]) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*PCAPDX, *command], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60, text=True
            )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "No space left on device" in done.stderr

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_stopped_it_leaves_no_copy_behind(self, number: signal.Signals, status: int, tmp_path: Path) -> None:
        """Standard input is kept in a file while it is read; what was in it is nobody's business afterwards."""
        process = subprocess.Popen(
            # whoever started the tests may have had them ignore Ctrl-C (nohup)
            ["env", "--default-signal=INT", *PCAPDX, "annotate", "-", "-o", str(tmp_path / "a.pcapng")],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(Path(HEALTHY).read_bytes()[:-1])
        process.stdin.flush()
        wait_for(lambda: list(tmp_path.iterdir()))
        process.send_signal(number)
        process.stdin.close()
        said = process.stderr.read()
        assert process.wait(30) == status
        assert b"Traceback" not in said
        assert not list(tmp_path.iterdir())

    def test_a_hostile_name(self) -> None:
        """The message is as harmless as the report."""
        assert "\\x1b[31m" in complaint("analyze", "/no/\x1b[31m.pcap")

    @pytest.mark.parametrize("arguments", [(), ("analyze",), ("nonsense",), ("analyze", HEALTHY, "--format", "pdf")])
    def test_wrong_usage(self, arguments: tuple[str, ...]) -> None:
        done = run(*arguments)
        assert done.returncode == 2
        assert b"Usage:" in done.stdout + done.stderr
        assert b"Traceback" not in done.stderr


class TestAnalyze:
    def test_standard_input(self) -> None:
        done = run("analyze", "-", stdin=Path(HEALTHY).read_bytes())
        assert done.returncode == 0
        assert b"lease 10.1.1.55" in done.stdout

    def test_output_goes_to_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        done = run("analyze", HEALTHY, "--format", "html", "-o", str(path))
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert path.read_text().startswith("<!doctype html>")

    @pytest.mark.parametrize(
        ("form", "begin"), [("json", "{"), ("md", "# "), ("html", "<!doctype"), ("text", "No fault")]
    )
    def test_formats(self, form: str, begin: str) -> None:
        assert run("analyze", HEALTHY, "--format", form).stdout.decode().startswith(begin)

    def test_two_pieces_of_one_name_are_one_capture(self, tmp_path: Path) -> None:
        data = Path(HEALTHY).read_bytes()
        cut, at = 24, 24
        for _ in range(10):
            cut = at = at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        (tmp_path / "first.pcap").write_bytes(data[:cut])
        (tmp_path / "second.pcap").write_bytes(data[:24] + data[cut:])
        done = run(
            "analyze", "--format", "json", *(f"vm:tap={tmp_path / name}" for name in ("first.pcap", "second.pcap"))
        )
        report = json.loads(done.stdout)
        assert [(one["name"], one["frames"]) for one in report["captures"]] == [("vm", 30)]
        password = next(one for one in report["proofs"] if one["code"] == "PWD009")
        assert {Path(piece["file"]).name for piece in password["evidence"]} == {"second.pcap"}
        assert all(number <= 20 for piece in password["evidence"] for number in piece["frames"])

    def test_sha256_only_when_asked(self) -> None:
        plain = json.loads(run("analyze", HEALTHY, "--format", "json").stdout)
        asked = json.loads(run("analyze", HEALTHY, "--format", "json", "--sha256").stdout)
        assert plain["captures"][0]["sha256"] is None
        assert asked["captures"][0]["sha256"] == labelled.CASES["password-delivered-g1"].truth["sha256"]

    @pytest.mark.parametrize(
        ("no_color", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
    )
    def test_colour_only_on_a_terminal_that_wants_it(self, no_color: dict[str, str], coloured: bool) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        environment.update({"TERM": "xterm", "COLUMNS": "100", **no_color})
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*PCAPDX, "analyze", FAULTY], stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        written = b""
        try:
            while chunk := os.read(ours, 65536):
                written += chunk
        except OSError:  # how Linux tells that the other side has closed
            pass
        os.close(ours)
        assert process.wait(60) == 0
        assert (b"\x1b[" in written) is coloured
        assert b"DHCP002" in written

    def test_a_pipe_gets_no_colour(self) -> None:
        assert b"\x1b" not in run("analyze", FAULTY).stdout

    def test_a_closed_pipe_is_no_error(self) -> None:
        """``pcapdx … | head -1`` says nothing on standard error."""
        line = f"{' '.join(PCAPDX)} messages {HEALTHY} | head -1"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, check=False, timeout=60)
        assert done.stdout.startswith(b"   frame")
        assert (done.returncode, done.stderr) == (0, b"")

    def test_decode_without_tshark(self, tmp_path: Path) -> None:
        done = run("analyze", HEALTHY, "--decode", env={"PATH": str(tmp_path)})
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"by pcapdx; tshark is not installed" in done.stdout
        assert b"  dhcp: DHCP DISCOVER" in done.stdout


class TestOtherCommands:
    def test_rules(self, plugins: Plugins) -> None:
        lines = run("rules").stdout.decode().splitlines()
        assert [line.split()[0] for line in lines] == [rule.code for rule in plugins.rules]

    @pytest.mark.parametrize("name", ["DHCP001", "dhcp001", "dhcp"])
    def test_explain(self, name: str) -> None:
        words = run("explain", name).stdout.decode()
        assert len(words.splitlines()) > 2
        assert "DHCP" in words

    def test_explain_something_unknown(self) -> None:
        assert "no rule or dissector named NOPE" in complaint("explain", "NOPE")

    def test_dissectors(self, plugins: Plugins) -> None:
        lines = run("dissectors").stdout.decode().splitlines()
        assert [line.split()[:2] for line in lines] == [
            [one.name, plugins.modules[one.name]] for one in plugins.dissectors
        ]

    def test_messages(self) -> None:
        rows = list(csv.DictReader(run("messages", HEALTHY, "--format", "csv").stdout.decode().splitlines()))
        assert [row["frame"] for row in rows[:4]] == ["1", "2", "3", "4"]
        lines = run("messages", HEALTHY, "--format", "jsonl", "--protocol", "dhcp").stdout.splitlines()
        assert {json.loads(line)["protocol"] for line in lines} == {"dhcp"}

    def test_messages_of_an_unknown_protocol(self) -> None:
        assert "no dissector named smtp" in complaint("messages", HEALTHY, "--protocol", "smtp")

    def test_messages_of_a_damaged_capture(self, cut: str) -> None:
        assert run("messages", cut).returncode == 3

    def test_doctor(self) -> None:
        done = run("doctor")
        assert done.returncode == 0
        lines = done.stdout.decode().splitlines()
        assert all(re.match(r"(ok|no) ", line) for line in lines)
        assert f"{__version__}, Python {sys.version.split()[0]}" in lines[0]

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion(self, shell: str) -> None:
        assert b"_PCAPDX_COMPLETE" in run("completion", shell).stdout

    def test_version_imports_nothing_heavy(self) -> None:
        """Nor does ``--help``: a shell's completion must not wait for compilers and plotting."""
        for argument in ("--version", "--help"):
            command = [sys.executable, "-X", "importtime", "-m", "pcapdx", argument]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
            assert "click" in loaded
            assert not loaded & set(HEAVY)

    def test_version(self) -> None:
        assert run("--version").stdout.decode() == f"pcapdx {__version__}\n"
