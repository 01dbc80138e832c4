"""Measures pcapdx beside other tools on one generated trunk capture, and prints one Markdown table.

    python -m benchmarks.run [--frames 2000000] [--quick]

All figures are of one run on one machine, best of three, file in the page cache: read the ratios. Tools that are not
installed are left out. Loops in Python are measured on the first 100,000 frames and scaled.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import write

DATA = Path(__file__).parent / "data"
FLOWS = 68_000
PART = 100_000

DPKT = "import dpkt,sys\nfor _,b in dpkt.pcap.UniversalReader(open(sys.argv[1],'rb')): dpkt.ethernet.Ethernet(b)"
SCAPY = "import sys\nfrom scapy.all import PcapReader\nfor _ in PcapReader(sys.argv[1]): pass"
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""As a user has it: an installed package has its byte code beside it."""

NFSTREAM = "import sys\nfrom nfstream import NFStreamer\nfor _ in NFStreamer(source=sys.argv[1]): pass"


@dataclass(frozen=True, slots=True)
class Run:
    """One measured command."""

    seconds: float
    peak_mb: int


def measure(command: Sequence[str], *, times: int = 3) -> Run:
    """Best wall time and highest peak memory of some runs; raises when the command fails."""
    best, peak = float("inf"), 0
    for _ in range(times):
        began = time.perf_counter()
        pid = os.posix_spawnp(
            command[0],
            list(command),
            ENVIRONMENT,
            file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 3):
            raise RuntimeError(f"{command[0]} failed: {os.waitstatus_to_exitcode(status)}")
        best, peak = min(best, time.perf_counter() - began), max(peak, usage.ru_maxrss // 1024)
    return Run(best, peak)


def pcapdx(path: Path) -> list[str]:
    """The whole analysis, all rules, JSON written."""
    return [sys.executable, "-m", "pcapdx", "analyze", str(path), "--format", "json", "-o", os.devnull]


def capture(frames: int) -> Path:
    """The generated capture, made once."""
    DATA.mkdir(exist_ok=True)
    path = DATA / f"trunk-{frames}.pcap"
    if not path.exists():
        write(path, frames, min(FLOWS, frames // 7))
    return path


def rows(frames: int, *, quick: bool) -> list[tuple[str, Run]]:
    """(what, measured) of every tool that is installed."""
    path = capture(frames)
    measure(pcapdx(path), times=1)  # compiles the kernels where that was not done
    found = [
        (
            "`tcpdump -r FILE -w /dev/null 'udp port 9'` (headers only)",
            measure(["tcpdump", "-r", str(path), "-w", "/dev/null", "udp port 9"]),
        ),
        ("**`pcapdx analyze FILE --format json`**", measure(pcapdx(path))),
    ]
    if shutil.which("tshark") and not quick:
        found.append(
            (
                "`tshark -n -q -z expert -r FILE`",
                measure(["tshark", "-n", "-q", "-z", "expert", "-r", str(path)], times=1),
            )
        )
    if shutil.which("ndpiReader") and not quick:
        found.append(("`ndpiReader -i FILE`", measure(["ndpiReader", "-q", "-i", str(path)], times=1)))
    part = capture(PART)
    for name, module, code in (
        ("dpkt objects", "dpkt", DPKT),
        ("scapy packets", "scapy", SCAPY),
        ("nfstream flows", "nfstream", NFSTREAM),
    ):
        if importlib.util.find_spec(module) and not quick:
            run = measure([sys.executable, "-c", code, str(part)], times=1)
            found.append((f"{name}, a bare loop (scaled)", Run(run.seconds * frames / PART, run.peak_mb)))
    return found


def table(frames: int, *, quick: bool) -> str:
    """The table, and the two figures beside it."""
    found = rows(frames, quick=quick)
    base = found[0][1].seconds
    size = capture(frames).stat().st_size
    lines = [
        f"{frames:,} frames, {size / 1e9:.2f} GB, {min(FLOWS, frames // 7):,} TCP flows in 8 VLANs:",
        "",
        "| what | wall time, tcpdump = 1 | peak memory |",
        "|---|---|---|",
        *(f"| {what} | {run.seconds / base:.1f} | {run.peak_mb} MB |" for what, run in found),
        "",
    ]
    third = measure(pcapdx(_same_flows(frames)), times=1)
    whole = next(run for what, run in found if "pcapdx" in what)
    lines.append(f"A third of the frames in as many flows: {third.peak_mb} MB, against {whole.peak_mb} MB.")
    path = capture(frames)
    points = measure([*pcapdx(path)[:4], *(f"{name}:trunk={path}" for name in "abcd"), *pcapdx(path)[5:]], times=1)
    lines.append(
        f"Four captures of {frames:,} frames along a path take {points.seconds / whole.seconds / 4:.2f} times what "
        f"they take one after the other, and {points.peak_mb} MB."
    )
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.pcap"
        write(small, 100, 6)
        ours = measure(pcapdx(small), times=9)
        if shutil.which("tshark"):
            theirs = measure(["tshark", "-n", "-q", "-z", "expert", "-r", str(small)], times=9)
            lines.append(f"On 100 frames pcapdx takes {ours.seconds / theirs.seconds:.2f} times tshark's time.")
    return "\n".join(lines)


def _same_flows(whole: int) -> Path:
    """A capture of a third of the frames with the whole one's number of flows: of shorter ones, and as many lookups."""
    path = DATA / f"trunk-third-of-{whole}.pcap"
    flows = min(FLOWS, whole // 7)
    if not path.exists():
        write(path, whole * 9 // 25, flows, small_every=3)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure pcapdx beside other tools.")
    parser.add_argument("--frames", type=int, default=2_000_000)
    parser.add_argument("--quick", action="store_true", help="pcapdx and tcpdump only")
    options = parser.parse_args()
    print(table(options.frames, quick=options.quick))


if __name__ == "__main__":
    main()
