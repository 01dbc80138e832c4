"""Network namespaces, processes in them, and the certainty that all of it is gone afterwards."""

import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


class LabError(Exception):
    """The lab could not build, record or prove what a scenario asked for."""


class Namespace:
    """One machine: a network namespace with its own interfaces, ``/etc/resolv.conf`` and ``/etc/hosts``."""

    def __init__(self, lab: "Workspace", label: str) -> None:
        self.name = f"{lab.prefix}-{label}"
        self.etc = Path("/etc/netns") / self.name
        self._lab = lab
        self.etc.mkdir(parents=True)
        lab.closing(shutil.rmtree, self.etc, True)
        self.resolver(None)
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n")
        command("ip", "netns", "add", self.name)
        lab.closing(command, "ip", "netns", "del", self.name)
        lab.closing(self._end_leftovers)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        """Run ``ip`` here."""
        command("ip", "-n", self.name, *words)

    def mtu(self, size: int) -> None:
        """Set the MTU of every interface here."""
        for line in command("ip", "-n", self.name, "-o", "link").splitlines():
            name = line.split(": ")[1].split("@")[0]
            if name != "lo":
                self.ip("link", "set", name, "mtu", str(size))

    def sysctl(self, key: str, value: int | str) -> None:
        """Set one kernel switch of this namespace."""
        self.run("sysctl", "-qw", f"{key}={value}")

    def resolver(self, server: str | None, search: str = "") -> None:
        """Write the ``resolv.conf`` that processes started from now on (and running ones) see."""
        lines = [f"search {search}\n"] if search else []
        lines += [f"nameserver {server}\n"] if server else []
        (self.etc / "resolv.conf").write_text("".join(lines))

    def run(
        self, *words: str, check: bool = True, seconds: float = 600, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program here to its end; one that takes longer than ``seconds`` is ended with SIGTERM."""
        process = self.spawn(*words, env=env)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            end(process)
            out, err = process.communicate()
            return subprocess.CompletedProcess(words, process.returncode, out, err)
        if check and process.returncode:
            raise LabError(f"{' '.join(words)}: exit {process.returncode}: {err.strip()[-500:]}")
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def spawn(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a program here; it is ended with the lab at the latest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (env or {}),
            start_new_session=True,  # Apache ends its whole process group, which must not be ours
        )
        self._lab.closing(end, process)
        return process

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Move this thread here: a socket made within belongs to this namespace for good."""
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.name}").open() as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def _end_leftovers(self) -> None:
        _kill_inside(self.name)


class Workspace:
    """What one scenario owns: a folder, namespaces, processes, threads. All of it ends with the ``with`` block."""

    def __init__(self) -> None:
        self.prefix = f"px{os.getpid()}-{next(_numbers)}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"pcapdx-lab-{self.prefix}-"))
        self.folder.chmod(0o755)
        self.stopping = threading.Event()
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._stack.close()

    def closing(self, function: Callable[..., object], *arguments: object) -> None:
        """Call ``function`` when the scenario ends, in reverse order of these calls, whatever else fails."""
        self._stack.callback(function, *arguments)

    def namespace(self, label: str) -> Namespace:
        """A new machine; ``label`` needs to be unique in the scenario only."""
        return Namespace(self, label)

    def file(self, name: str, text: str | bytes) -> Path:
        """Write a file of the scenario, such as a daemon's configuration."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def thread(self, function: Callable[[], None]) -> None:
        """Run a service of the lab's own beside the scenario; it has to end when ``stopping`` is set."""
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        self.closing(thread.join, 3)


def command(*words: str) -> str:
    """Run a program of the machine itself and return what it printed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip()[-800:]}")
    return done.stdout


def end(process: subprocess.Popen[str], sign: signal.Signals = signal.SIGTERM) -> None:
    """End a process: politely, and after two seconds not so."""
    if process.poll() is None:
        process.send_signal(sign)
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    """Wait until something is so; ``LabError`` when it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)


def sweep() -> None:
    """Remove what runs of the lab left behind that were killed themselves: what is named for a process that is gone."""
    for line in command("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if _orphaned(name):
            _kill_inside(name)
            command("ip", "netns", "del", name)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
    for folder in Path(tempfile.gettempdir()).glob("pcapdx-lab-px*"):
        if _orphaned(folder.name.removeprefix("pcapdx-lab-")):
            shutil.rmtree(folder, ignore_errors=True)


def safe(name: str) -> str:
    """A name for namespaces, files and captures: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _orphaned(name: str) -> bool:
    owner = re.match(r"px(\d+)-", name)
    return owner is not None and not Path(f"/proc/{owner[1]}").exists()


def _kill_inside(name: str) -> None:
    for pid in command("ip", "netns", "pids", name).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise LabError(os.strerror(ctypes.get_errno()))
