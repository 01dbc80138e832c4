"""The child that captures: tcpdump, else dumpcap, else scapy's sniffer, whichever is installed.

What it writes on its standard output is a pcap or pcapng stream. Stopping takes care that what the kernel still holds
is written first: tcpdump's block time-out is a second, and a SIGINT before that loses the block.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import BinaryIO, cast

from pcapdx.errors import CaptureError

BUFFER_KIB = 65536
FLUSH_S = 1.3
"""tcpdump hands a partly filled block on after one second."""
STOP_S = 5.0

_DROPPED = re.compile(r"^(\d+) packets? dropped by kernel", re.MULTILINE)
_COUNTS = re.compile(r"\d+ packets? |Packets ")
_SNIFFER = """
import os, sys
from scapy.all import conf, sniff
from scapy.utils import PcapWriter
out = PcapWriter(os.fdopen(1, "wb", buffering=0), linktype=1, nano=True, sync=True)
out.write_header(None)
try:
    sniff(iface=sys.argv[1], filter=sys.argv[2] or None, store=False, prn=out.write_packet)
except PermissionError:
    sys.exit("You don't have permission to perform this capture")
except (OSError, ValueError) as error:
    sys.exit(str(error))
"""


def tool() -> str:
    """Which program would capture: ``tcpdump``, ``dumpcap`` or ``scapy``."""
    return next((name for name in ("tcpdump", "dumpcap") if shutil.which(name)), "scapy")


def command(interface: str, expression: str) -> list[str]:
    """The child's command line; an empty ``expression`` captures everything."""
    name = tool()
    if name == "tcpdump":
        user = ["-Z", "nobody"] if os.geteuid() == 0 else []
        options = ["-U", "-s0", "-n", "-B", str(BUFFER_KIB), "--time-stamp-precision=nano", *user]
        return ["tcpdump", "-i", interface, *options, "-w", "-", *([expression] if expression else [])]
    if name == "dumpcap":
        return ["dumpcap", "-q", "-i", interface, "-w", "-", *(["-f", expression] if expression else [])]
    return [sys.executable, "-c", _SNIFFER, interface, expression]


class Child:
    """A capturing process. ``stdout`` is the stream to read; :meth:`stop` ends it and tells how it went."""

    def __init__(self, arguments: Sequence[str], *, ends_with_input: bool = False) -> None:
        """``ends_with_input``: it is stopped by the end of its standard input, as one on another host must be."""
        self._ends_with_input = ends_with_input
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 # read until the very end
        # a session of its own: Ctrl-C must reach us alone, so that the child can be stopped in order
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE if ends_with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    @property
    def stdout(self) -> BinaryIO:
        """Where the capture comes from."""
        return cast(BinaryIO, self._process.stdout)

    @property
    def running(self) -> bool:
        """Whether the child is still there."""
        return self._process.poll() is None

    def messages(self) -> str:
        """What the child wrote to its standard error."""
        self._errors.seek(0)
        return self._errors.read(65536).decode("utf-8", "replace")

    def stop(self) -> None:
        """Ends the child after it has flushed; kills it when it does not go."""
        if self.running:
            time.sleep(FLUSH_S)
            if self._ends_with_input:
                self._close_input()
            else:
                self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends the child at once, if it is still there."""
        self._close_input()
        if self.running:
            self._process.kill()
            self._process.wait()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def dropped(self) -> int | None:
        """Packets the kernel dropped, by tcpdump's last words; None where the tool does not say."""
        match = _DROPPED.search(self.messages())
        return int(match[1]) if match else None

    @property
    def last_words(self) -> str:
        """The last line it wrote to its standard error, counts left out."""
        lines = [line.strip() for line in self.messages().splitlines() if line.strip() and not _COUNTS.match(line)]
        return lines[-1] if lines else "the capturing program said nothing"

    def failure(self, interface: str) -> CaptureError:
        """The error for a child that never began to write a capture."""
        text = self.last_words
        if "permission to" in text.lower() or "not permitted" in text.lower():
            text = "this user may not capture; run as root, or give tcpdump the capabilities cap_net_raw,cap_net_admin"
        return CaptureError(f"{interface}: {text}")
