"""``pcapdx live`` on a real bridge between namespaces, on a pipe, and where it may not or cannot capture."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcapdx.live.child import command
from tests import labelled
from tests.live.network import Network, network, stop, wait_for, why_not
from tests.live.running import PCAPDX, Live


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    if reason := why_not():
        pytest.skip(reason)
    with network(tmp_path_factory.mktemp("live")) as made:
        yield made


@pytest.mark.xdist_group("live")
def test_a_dhcp_server_that_dies(bridge: Network) -> None:
    """A lease, then the server's death: the finding comes while the client still asks, the report at Ctrl-C."""
    server = bridge.dhcp_server()
    live = Live(bridge.start(bridge.host, *PCAPDX, "live", "br0"))
    wait_for(lambda: live.says("capturing on br0"))
    time.sleep(1.5)  # until tcpdump has its socket
    bridge.ask_for_address(tries=4)
    assert not live.says("DHCP001")
    stop(server)
    bridge.ask_for_address(tries=9)
    wait_for(lambda: live.says("error DHCP001"))
    assert live.process.poll() is None, "it went on capturing"
    report = live.interrupt()
    assert live.process.returncode == 0
    assert "and nobody answered" in report.replace("\n", " ")
    assert "DHCP001" in report
    assert "lease 10.9.0." in report
    assert "interface br0" in report
    assert not any("Traceback" in line for line in live.said)
    assert not live.says("ended by itself")


@pytest.mark.xdist_group("live")
@pytest.mark.parametrize("tool", ["tcpdump", "dumpcap", "scapy"])
def test_every_way_to_capture(tool: str, bridge: Network, tmp_path: Path) -> None:
    """With one program installed, or none: the same lease is seen."""
    programs = tmp_path / "bin"
    programs.mkdir()
    if tool != "scapy":
        path = shutil.which(tool)
        if path is None:
            pytest.skip(f"{tool} is not installed")
        (programs / tool).symlink_to(path)
    server = bridge.dhcp_server()
    environment = {**os.environ, "PATH": str(programs)}
    live = Live(bridge.start(bridge.host, *PCAPDX, "live", "hostA:bridge=br0", env=environment))
    wait_for(lambda: live.says("capturing on"))
    time.sleep(4.0 if tool == "scapy" else 1.5)
    bridge.ask_for_address(tries=4)
    stop(server)
    report = live.interrupt()
    assert live.process.returncode == 0, live.said
    assert "No fault found" in report
    assert "lease 10.9.0." in report


@pytest.mark.xdist_group("live")
def test_duration_and_filter(bridge: Network) -> None:
    """It stops by itself, and says what its filter leaves out."""
    live = bridge.start(bridge.host, *PCAPDX, "live", "br0", "--duration", "2", "--filter", "port 67 or port 68")
    report, said = live.communicate(timeout=30)
    assert live.returncode == 0, said
    assert "ended by itself" not in said
    assert 'captured with the filter "port 67 or port 68"' in report


@pytest.mark.xdist_group("live")
def test_an_interface_that_vanishes(bridge: Network) -> None:
    """The report still comes, and why the capture ended."""
    subprocess.run(["ip", "-n", bridge.host, "link", "add", "gone0", "type", "bridge"], check=True)
    subprocess.run(["ip", "-n", bridge.host, "link", "set", "gone0", "up"], check=True)
    live = bridge.start(bridge.host, *PCAPDX, "live", "gone0")
    time.sleep(3)
    subprocess.run(["ip", "-n", bridge.host, "link", "del", "gone0"], check=True)
    report, said = live.communicate(timeout=30)
    assert "the capture ended by itself: " in said
    assert "disappeared" in said or "went down" in said
    assert "Traceback" not in said
    assert report


def run(*arguments: str, stdin: bytes = b"", before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*before, *PCAPDX, *arguments], input=stdin, capture_output=True, check=False, timeout=60)


def test_a_pipe() -> None:
    """A capture on standard input is read to its end; its times, long past, are not held against our clock."""
    data = Path(labelled.CASES["password-delivered-g1"].arguments[0].path).read_bytes()
    done = run("live", "-", stdin=data)
    assert done.returncode == 0, done.stderr
    assert b"lease 10.1.1.55" in done.stdout
    assert b"No fault found" in done.stdout


def test_a_pipe_that_falls_silent() -> None:
    """Ctrl-C ends it though no byte comes; silence counts from the last frame, by our own clock."""
    data = Path(labelled.CASES["dhcp-capture-ends-early"].arguments[0].path).read_bytes()
    process = subprocess.Popen(
        [*PCAPDX, "live", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(data)
    process.stdin.flush()
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    report = process.stdout.read()
    assert process.wait(20) == 0
    assert b"frames, complete" in report
    process.stdin.close()


def test_nothing_on_a_pipe() -> None:
    done = run("live", "-")
    assert done.returncode == 2
    assert b"pcapdx: standard input is empty" in done.stderr


def test_no_such_interface() -> None:
    if not shutil.which("tcpdump") or os.geteuid():
        pytest.skip("needs tcpdump and root")
    done = run("live", "nosuch0")
    assert done.returncode == 2
    assert b"pcapdx: nosuch0: " in done.stderr
    assert b"No such device" in done.stderr
    assert not done.stdout


def test_no_permission() -> None:
    """As an ordinary user: one line that says what to do."""
    if os.geteuid() or not shutil.which("setpriv") or not shutil.which("tcpdump"):
        pytest.skip("needs root to give it away, setpriv and tcpdump")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
    if subprocess.run([*nobody, *PCAPDX, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("an ordinary user cannot read this installation")
    done = run("live", "lo", before=nobody)
    assert done.returncode == 2
    assert b"pcapdx: lo: this user may not capture" in done.stderr


def test_a_broken_filter_is_told() -> None:
    if not shutil.which("tcpdump") or os.geteuid():
        pytest.skip("needs tcpdump and root")
    done = run("live", "lo", "--filter", "porrt 67")
    assert done.returncode == 2
    assert b"syntax error" in done.stderr or b"can't parse" in done.stderr


def test_command_keeps_tags_and_nanoseconds() -> None:
    """What the measurements of live capture ask for."""
    if not shutil.which("tcpdump"):
        pytest.skip("tcpdump is not installed")
    words = command("eth0", "port 67")
    assert words[:3] == ["tcpdump", "-i", "eth0"]
    assert {"-U", "-s0", "--time-stamp-precision=nano"} < set(words)
    assert words[-3:] == ["-w", "-", "port 67"]
    assert command("eth0", "")[-2:] == ["-w", "-"]
