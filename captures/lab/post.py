"""Steps between the recorder and the file in the repository: padding, formats, snap lengths, cuts, compression.

A step takes the path of a capture and returns the path of a new one beside it.
"""

import struct
import subprocess
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate, pairwise
from pathlib import Path

from captures.lab.namespaces import command

Step = Callable[[Path], Path]
Record = tuple[int, int, int, bytes]
"""Seconds, fraction (µs or ns, as the file has it), bytes on the wire, bytes captured."""

_NANOSECONDS = b"\x4d\x3c\xb2\xa1"
_COMPRESSORS = {
    "gz": ("gzip", "-9nkf"),
    "zst": ("zstd", "-q19kf"),
    "lz4": ("lz4", "-q9kf", "-m"),
    "xz": ("xz", "-9kf"),
}


def read(path: Path) -> tuple[bytes, list[Record]]:
    """The file header and the records of a classic little-endian pcap of the lab's own recorder."""
    data = path.read_bytes()

    def records() -> Iterator[Record]:
        at = 24
        while at < len(data):
            seconds, fraction, captured, wire = struct.unpack_from("<4I", data, at)
            yield seconds, fraction, wire, data[at + 16 : at + 16 + captured]
            at += 16 + captured

    return data[:24], list(records())


def write(path: Path, header: bytes, records: list[Record]) -> Path:
    """The opposite of `read`."""
    with path.open("wb") as out:
        out.write(header)
        for seconds, fraction, wire, data in records:
            out.write(struct.pack("<4I", seconds, fraction, len(data), wire) + data)
    return path


def plain(path: str, folder: Path) -> Path:
    """Any capture as a classic pcap with nanoseconds, which these steps take, in a folder."""
    source, out = Path(path), folder / "whole.pcap"
    tools = {".gz": "gzip", ".zst": "zstd", ".lz4": "lz4", ".xz": "xz"}
    if source.suffix in tools:
        source = folder / source.stem
        with source.open("wb") as raw:
            subprocess.run([tools[Path(path).suffix], "-dc", path], stdout=raw, check=True)
    subprocess.run(["editcap", "-F", "nsecpcap", str(source), str(out)], check=True, capture_output=True)
    return out


def wire(local: Collection[str], until: Callable[[], float] | None = None) -> Step:
    """Pad what arrived from the physical wire to 60 bytes as the sending NIC does; veth pairs never pad.

    ``local`` are the MACs of this side: what they send is seen before the NIC has padded it; at ``until`` (seconds
    since 1970, asked when the recording is over) they moved to another.
    """
    ours = {bytes.fromhex(mac.replace(":", "")) for mac in local}

    def step(path: Path) -> Path:
        header, records = read(path)
        moved = until() if until else float("inf")
        padded = [
            (sec, frac, size, data)
            if data[6:12] in ours and sec + frac / 1e6 < moved
            else (sec, frac, max(size, 60), data.ljust(60, b"\0"))
            for sec, frac, size, data in records
        ]
        return write(path.with_suffix(".wire.pcap"), header, padded)

    return step


def wire_from(*addresses: str) -> Step:
    """Pad ARP of these senders' addresses, as :func:`wire` does by MAC; for machines that share one."""
    theirs = {bytes(map(int, address.split("."))) for address in addresses}

    def step(path: Path) -> Path:
        header, records = read(path)
        padded = []
        for sec, frac, size, data in records:
            arp = data.find(b"\x08\x06\x00\x01\x08\x00\x06\x04", 12, 24)
            remote = arp >= 0 and data[arp + 16 : arp + 20] in theirs
            padded.append((sec, frac, max(size, 60), data.ljust(60, b"\0")) if remote else (sec, frac, size, data))
        return write(path.with_suffix(".wire.pcap"), header, padded)

    return step


def between(first: int = 1, last: int | None = None) -> Step:
    """Keep the frames from ``first`` to ``last`` (1-based, both included), as if the recorder ran only then."""

    def step(path: Path) -> Path:
        header, records = read(path)
        return write(path.with_suffix(".cut.pcap"), header, records[first - 1 : last])

    return step


def only(keep: str) -> Step:
    """Keep what a BPF filter admits, as if the recorder had been started with it."""

    def step(path: Path) -> Path:
        out = path.with_suffix(".only.pcap")
        precision = "nano" if path.read_bytes()[:4] == _NANOSECONDS else "micro"
        command("tcpdump", "-nr", str(path), f"--time-stamp-precision={precision}", "-Z", "root", "-w", str(out), keep)
        return out

    return step


def snap(length: int) -> Step:
    """Cut every frame, as ``tcpdump -s`` does; the length on the wire stays."""

    def step(path: Path) -> Path:
        header, records = read(path)
        cut = [(sec, frac, size, data[:length]) for sec, frac, size, data in records]
        return write(path.with_suffix(".snap.pcap"), header[:16] + struct.pack("<I", length) + header[20:], cut)

    return step


def _retimed(suffix: str, moved: Callable[[list[int], int], list[int]]) -> Step:
    """New times for all frames: ``moved`` is given the old ones and how many of their units make a second."""

    def step(path: Path) -> Path:
        header, records = read(path)
        unit = 1_000_000_000 if header[:4] == _NANOSECONDS else 1_000_000
        times = moved([seconds * unit + fraction for seconds, fraction, _, _ in records], unit)
        changed = [(*divmod(time, unit), size, data) for time, (_, _, size, data) in zip(times, records, strict=True)]
        return write(path.with_suffix(suffix), header, changed)

    return step


def shifted(seconds: float) -> Step:
    """Move every time stamp, as when the recorder's clock is off by so much."""
    return _retimed(".shift.pcap", lambda times, unit: [one + round(seconds * unit) for one in times])


def drifting(seconds_a_second: float) -> Step:
    """Let the recorder's clock run too fast from the first frame on."""
    return _retimed(
        ".drift.pcap", lambda times, unit: [one + round((one - times[0]) * seconds_a_second) for one in times]
    )


def stretched(by: int, least: float = 0.4) -> Step:
    """Make every pause of ``least`` seconds or more ``by`` times as long, as if the scenario had waited so long.

    What answers what in a moment keeps its time.
    """

    def moved(times: list[int], unit: int) -> list[int]:
        pauses = [later - now for now, later in pairwise(times)]
        added = accumulate((pause * (by - 1) if pause >= least * unit else 0 for pause in pauses), initial=0)
        return [one + more for one, more in zip(times, added, strict=True)]

    return _retimed(".slow.pcap", moved)


def twice(after: float) -> Step:
    """Every frame a second time so many seconds later, as a mirror of both directions of a port gives it."""
    later = shifted(after)

    def step(path: Path) -> Path:
        header, records = read(path)
        both = sorted([*records, *read(later(path))[1]], key=lambda one: one[:2])
        return write(path.with_suffix(".twice.pcap"), header, both)

    return step


def pcapng(path: Path) -> Path:
    """Convert to pcapng."""
    out = path.with_suffix(".pcapng")
    command("editcap", "-F", "pcapng", str(path), str(out))
    return out


def compress(kind: str) -> Step:
    """Compress with ``gz``, ``zst``, ``lz4`` or ``xz``; the suffix is added."""

    def step(path: Path) -> Path:
        subprocess.run([*_COMPRESSORS[kind], str(path)], check=True)
        return path.with_name(f"{path.name}.{kind}")

    return step


def merge(captures: Collection[Path], out: Path) -> Path:
    """Several captures in one file by time, as ``mergecap`` does."""
    command("mergecap", "-F", "pcap", "-w", str(out), *map(str, captures))
    return out
