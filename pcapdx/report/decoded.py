"""Wireshark's tree of the evidence frames, by pyshark, where tshark is installed.

Wireshark shows everything, secrets too, so only layers that hold none are shown whole; of HTTP the harmless header
fields, of anything else its name. Whoever needs more has the frame numbers.
"""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from pcapdx.diagnose import vantages
from pcapdx.errors import PcapdxError
from pcapdx.report.document import Document
from pcapdx.report.escape import plain
from pcapdx.vantage import CaptureArgument

MOST_FRAMES = 24
MOST_FIELDS = 120

WHOLE_LAYERS = frozenset(
    [
        "frame",
        "eth",
        "vlan",
        "ieee8021ad",
        "sll",
        "arp",
        "ip",
        "ipv6",
        "icmp",
        "icmpv6",
        "udp",
        "tcp",
        "dhcp",
        "dns",
        "tls",
        "lldp",
        "cdp",
        "stp",
        "vrrp",
        "lacp",
        "gre",
        "vxlan",
        "geneve",
    ]
)
HARMLESS = {
    "http": frozenset(
        [
            "http.request.method",
            "http.request.version",
            "http.host",
            "http.user_agent",
            "http.response.code",
            "http.response.version",
            "http.response.phrase",
            "http.server",
            "http.content_type",
            "http.content_length_header",
        ]
    )
}
HIDDEN_FIELDS = (
    "payload",
    "segment_data",
    "reassembled.data",
    "app_data",
    "option.value",
    "authentication",
    "vendor",
    "random",
    "session_id",
    "md5",
)


def decoded(document: Document, arguments: Sequence[CaptureArgument]) -> str:
    """The trees as text, evidence of the first diagnoses first, 24 frames at most.

    Raises PcapdxError where tshark is not installed. A capture in pieces is left out: its frame numbers are not tshark's.
    """
    if shutil.which("tshark") is None:
        raise PcapdxError("--decode needs tshark; apt install tshark")
    wanted = _wanted(document)
    blocks: list[str] = []
    for group in vantages(arguments):
        frames = wanted.get(group[0].name, [])
        if frames and len(group) == 1 and group[0].path != "-":
            blocks.extend(_trees(group[0].name, group[0].path, frames))
    return "\n".join(blocks) + "\n" if blocks else ""


def _wanted(document: Document) -> dict[str, list[int]]:
    """Evidence frames by capture, in order of rank, ``MOST_FRAMES`` in all."""
    wanted: dict[str, list[int]] = {}
    left = MOST_FRAMES
    findings = [piece for one in document.findings for piece in one.evidence]
    proofs = [piece for one in document.proofs for piece in one.evidence]
    for piece in (*findings, *proofs):
        frames = wanted.setdefault(piece.capture, [])
        for number in piece.frames:
            if left and number not in frames:
                frames.append(number)
                left -= 1
    return wanted


def _trees(name: str, path: str, frames: list[int]) -> Iterator[str]:
    import pyshark

    condition = f"frame.number in {{{', '.join(map(str, sorted(frames)))}}}"
    capture = pyshark.FileCapture(path, display_filter=condition, keep_packets=False, custom_parameters=["-n"])
    try:
        for packet in capture:
            yield f"{plain(name)} frame {packet.number}"
            for layer in (packet.frame_info, *packet.layers):
                yield from _layer(layer)
    except Exception as error:  # pyshark raises what asyncio, lxml and tshark's exit bring
        yield f"{plain(name)}: tshark could not decode: {plain(str(error).splitlines()[0] if str(error) else repr(error))}"
    finally:
        capture.close()


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
                yield f"    {plain(str(one.showname))}"
