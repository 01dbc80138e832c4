"""``pcapdx live ssh://...`` through a real sshd in a namespace, and what makes no such address."""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcapdx.errors import PcapdxError
from pcapdx.live.remote import remote, remote_command
from pcapdx.live.session import interface_argument
from tests.live.network import Network, ip, network, stop, wait_for, why_not
from tests.live.running import PCAPDX, Live

PORT = 2222


class Far:
    """A host that is reached by ssh: the namespace with the bridge. Nothing of the user's own ssh is touched."""

    def __init__(self, net: Network, folder: Path) -> None:
        self.net = net
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ("host", "own"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        public = (folder / "host.pub").read_text().split()[:2]
        (folder / "known").write_text(f"[127.0.0.1]:{PORT} {' '.join(public)}\n")
        (folder / "keys").write_text((folder / "own.pub").read_text())
        (folder / "server").write_text(
            f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/keys\n"
            f"PidFile {folder}/pid\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        )
        (folder / "client").write_text(
            f"IdentityFile {folder}/own\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\n"
            "GlobalKnownHostsFile none\nStrictHostKeyChecking yes\n"
        )
        ssh = self.programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {shlex.quote(str(folder / "client"))} "$@"\n')
        ssh.chmod(0o755)
        self.log = folder / "log"
        Path("/run/sshd").mkdir(exist_ok=True)
        ip("-n", net.host, "link", "set", "lo", "up")
        net.start(net.host, str(shutil.which("sshd")), "-D", "-f", str(folder / "server"), "-E", str(self.log))
        wait_for(lambda: self.log.exists() and "listening" in self.log.read_text())

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"}

    def live(self, *arguments: str) -> "subprocess.Popen[str]":
        return self.net.start(self.net.host, *PCAPDX, "live", *arguments, env=self.environment)

    def capturing(self) -> bool:
        """Whether a tcpdump is still there."""
        found = subprocess.run(["ip", "netns", "pids", self.net.host], capture_output=True, text=True, check=True)
        names = (Path(f"/proc/{one}/comm") for one in found.stdout.split())
        return any(name.exists() and name.read_text().strip() == "tcpdump" for name in names)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    missing = [program for program in ("ssh", "sshd", "ssh-keygen") if not shutil.which(program)]
    if reason := why_not() or (f"not installed: {', '.join(missing)}" if missing else None):
        pytest.skip(reason)
    with network(tmp_path_factory.mktemp("live")) as made:
        yield Far(made, tmp_path_factory.mktemp("ssh"))


@pytest.mark.xdist_group("live")
def test_a_lease_on_another_host(far: Far) -> None:
    server = far.net.dhcp_server()
    live = Live(far.live(f"hostA:bridge=ssh://root@127.0.0.1:{PORT}/br0"))
    wait_for(lambda: live.says("capturing on"))
    wait_for(far.capturing)
    time.sleep(1.5)  # until it has its socket
    far.net.ask_for_address(tries=4)
    stop(server)
    report = live.interrupt()
    assert live.process.returncode == 0, live.said
    assert "lease 10.9.0." in report
    assert "interface br0" in report
    assert not far.capturing()


@pytest.mark.xdist_group("live")
@pytest.mark.parametrize("interface", ["lo", "any"])
def test_its_own_connection_is_left_out(far: Far, interface: str) -> None:
    """Else it would carry itself, faster and faster. No packet comes, and the far tcpdump ends all the same."""
    live = far.live(f"ssh://root@127.0.0.1:{PORT}/{interface}", "--duration", "4", "--filter", f"tcp port {PORT}")
    report, said = live.communicate(timeout=40)
    assert live.returncode == 0, said
    assert ", 0 frames" in report or "no frame" in report.lower(), report
    assert not far.capturing()


@pytest.mark.xdist_group("live")
def test_killed_it_leaves_nothing_behind(far: Far) -> None:
    live = far.live(f"ssh://root@127.0.0.1:{PORT}/br0", "--filter", "udp port 9")
    wait_for(far.capturing)
    live.kill()
    live.wait()
    wait_for(lambda: not far.capturing())


@pytest.mark.xdist_group("live")
@pytest.mark.parametrize(
    ("address", "options", "words"),
    [
        (f"ssh://root@127.0.0.1:{PORT}/nosuch0", (), "No such device"),
        (f"ssh://root@127.0.0.1:{PORT}/br0", ("--filter", "porrt 67"), "syntax error"),
        ("ssh://root@127.0.0.1:2223/br0", (), "Connection refused"),
        (f"ssh://nobody@127.0.0.1:{PORT}/br0", (), "Permission denied"),
    ],
)
def test_what_goes_wrong_there_is_told(far: Far, address: str, options: tuple[str, ...], words: str) -> None:
    live = far.live(address, *options)
    report, said = live.communicate(timeout=40)
    assert live.returncode == 2
    assert words in said
    assert "Traceback" not in said
    assert not report


def test_addresses() -> None:
    assert remote("cloudbr0") is None
    assert remote("-") is None
    where = remote("ssh://root@[fd00::1%eth0]:2222/bond0.12")
    assert where is not None
    assert where.destination == "ssh://root@[fd00::1%eth0]:2222"
    assert (where.host, where.interface) == ("fd00::1%eth0", "bond0.12")
    argument = interface_argument("ssh://kvm-1.example.com/cloudbr0")
    assert (argument.name, argument.named) == ("kvm-1.example.com-cloudbr0", True)


@pytest.mark.parametrize(
    "address",
    ["ssh://", "ssh://host", "ssh://host/", "ssh:///eth0", "ssh://-oProxyCommand=x/eth0", "ssh://a b/eth0",
     "ssh://host/eth0;reboot", "ssh://host/eth0 x", "ssh://host:x/eth0"],
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(PcapdxError, match="not ssh://"):
        remote(address)


def test_a_filter_cannot_leave_its_quotes(tmp_path: Path) -> None:
    """Run as the far shell would, with a tcpdump that only tells its arguments."""
    where = remote("ssh://host/eth0")
    assert where is not None
    tcpdump = tmp_path / "tcpdump"
    tcpdump.write_text('#!/bin/sh\nfor one in "$@"; do echo "$one"; done\n')
    tcpdump.chmod(0o755)
    hostile = 'port 67"; touch gone; $(touch gone) `touch gone` \\"$HOME'
    *_, script = remote_command(where, hostile)
    reading, writing = os.pipe()  # open as long as ssh would be
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, check=False, text=True, stdin=reading,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"},
    )  # fmt: skip
    os.close(reading)
    os.close(writing)
    own = "tcp and host 192.0.2.1 and port 50000 and host 192.0.2.2 and port 22"
    expected = f"({hostile}) and not (({own}) or (vlan and (({own}) or (vlan and {own}))))"
    assert done.stdout.splitlines()[-1] == expected
    assert not (tmp_path / "gone").exists()
