"""The evidence frames decoded: Wireshark's tree by pyshark, where tshark is installed, else as pcapdx reads them.

Wireshark shows everything, secrets too, so only layers that hold none are shown whole; of HTTP the harmless header
fields, of anything else its name. Whoever needs more has the frame numbers.
"""

import bz2
import lzma
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pcapdx.capture.decompress import compression_of
from pcapdx.case import Case
from pcapdx.report.document import Document, FindingEntry, ProofEntry
from pcapdx.report.escape import plain
from pcapdx.report.frames import MOST_FRAMES, read_frames
from pcapdx.report.words import source

MOST_FIELDS = 120
MOST_CHARACTERS = 240
MOST_UNPACKED_BYTES = 1 << 30

WHOLE_LAYERS = frozenset([
    "frame", "eth", "vlan", "ieee8021ad", "sll", "arp", "ip", "ipv6", "icmp", "icmpv6", "udp", "tcp", "dhcp", "dhcpv6",
    "igmp", "llc", "dns", "tls", "lldp", "cdp", "stp", "vrrp", "lacp", "slow", "gre", "vxlan", "geneve",
])  # fmt: skip
HARMLESS = {
    "http": frozenset([
        "http.request.method", "http.request.version", "http.host", "http.user_agent", "http.response.code",
        "http.response.version", "http.response.phrase", "http.server", "http.content_type",
        "http.content_length_header",
    ])
}  # fmt: skip
HIDDEN_FIELDS = (
    "app_data",
    "auth_string",
    "authentication",
    "comment",
    "dns.txt",
    "md5",
    "option.value",
    "padding",
    "payload",
    "random",
    "reassembled.data",
    "segment_data",
    "session_id",
    "ticket",
    "trailer",
    "vendor",
)
"""Parts of field names of the whole layers that may hold bytes of anything."""
_NOT_BY_TSHARK: dict[str, Callable[..., IO[bytes]]] = {"xz": lzma.open, "bzip2": bz2.open}


def decoded(document: Document, case: Case, *, by_tshark: bool = True) -> str:
    """The trees as text with who made them, evidence of the first diagnoses first, 24 frames at most.

    Of what came by a pipe there is nothing left for tshark to decode.
    """
    there = shutil.which("tshark") is not None
    if by_tshark and there and (trees := by_wireshark(document)):
        return f"by Wireshark\n\n{trees}"
    own = read_frames(case, document)
    told = "" if there or not by_tshark else "; tshark is not installed"
    return f"by pcapdx{told}\n\n{own}" if own else ""


def by_wireshark(document: Document) -> str:
    """Wireshark's trees."""
    blocks: list[str] = []
    for (name, path), frames in _wanted(document).items():
        if frames and path != "-":
            # in the main thread pyshark would change for good how the process waits for its children
            with ThreadPoolExecutor(1) as thread:
                blocks += thread.submit(list, _trees(name, path, frames)).result()
    return "\n".join(blocks) + "\n" if blocks else ""


def _wanted(document: Document) -> dict[tuple[str, str], list[int]]:
    """Evidence frames by what they are cited by and file, in order of rank, ``MOST_FRAMES`` in all."""
    files = {one.name: one.file for one in document.captures}
    entries: tuple[FindingEntry | ProofEntry, ...] = (*document.findings, *document.proofs)
    wanted: dict[tuple[str, str], list[int]] = {}
    left = MOST_FRAMES
    for piece in (piece for one in entries for piece in one.evidence):
        frames = wanted.setdefault((source(piece), piece.file or files[piece.capture]), [])
        for number in piece.frames:
            if left and number not in frames:
                frames.append(number)
                left -= 1
    return wanted


def _trees(name: str, path: str, frames: list[int]) -> Iterator[str]:
    import pyshark

    condition = f"frame.number in {{{', '.join(map(str, sorted(frames)))}}}"
    with for_tshark(path) as readable:
        capture = pyshark.FileCapture(readable, display_filter=condition, keep_packets=False, custom_parameters=["-n"])
        try:
            for packet in capture:
                yield f"{plain(name)} frame {packet.number}"
                for layer in (packet.frame_info, *packet.layers):
                    yield from _layer(layer)
        except Exception as error:  # pyshark raises what asyncio, lxml and tshark's exit bring
            first = next(iter(str(error).splitlines()), "") or repr(error)
            yield f"{plain(name)}: tshark read no further: {plain(first)}"
        finally:
            try:
                capture.close()
            except pyshark.capture.capture.TSharkCrashException:
                # tshark ends with an error where a file is cut short; else the destructor would complain once more
                capture._running_processes.clear()
            capture.eventloop.close()


@contextmanager
def for_tshark(path: str) -> Iterator[str]:
    """The file itself, or unpacked beside it where tshark does not know the compression."""
    with Path(path).open("rb") as file:
        unpack = _NOT_BY_TSHARK.get(compression_of(file.read(16)) or "")
    if unpack is None:
        yield path
        return
    with unpack(path) as packed, tempfile.NamedTemporaryFile(suffix=".pcap") as plain_file:
        left = MOST_UNPACKED_BYTES
        try:
            while left > 0 and (data := packed.read(1 << 20)):
                plain_file.write(data)
                left -= len(data)
        except (OSError, EOFError, lzma.LZMAError):
            pass  # cut or damaged: what came out before is shown
        plain_file.flush()
        yield plain_file.name


def _layer(layer: Any) -> Iterator[str]:
    title = str(layer.layer_name)
    harmless = HARMLESS.get(title)
    if title not in WHOLE_LAYERS and harmless is None:
        yield f"  {plain(title)}: content left out"
        return
    yield f"  {plain(title)}"
    shown = 0
    for name, field in layer._all_fields.items():
        if not name or any(part in name for part in HIDDEN_FIELDS) or (harmless is not None and name not in harmless):
            continue
        for one in field.all_fields:
            if one.showname and shown < MOST_FIELDS:
                shown += 1
                yield f"    {plain(str(one.showname))[:MOST_CHARACTERS]}"
