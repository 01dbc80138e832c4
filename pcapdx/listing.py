"""Dissected messages as rows, for ``pcapdx messages``: a table, JSON lines or CSV."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from pcapdx.case import Case, View
from pcapdx.dissect import Seen
from pcapdx.report.escape import cell, plain
from pcapdx.report.timeline import label_of
from pcapdx.report.words import moment

FORMATS = ("table", "jsonl", "csv")
_COLUMNS = ("capture", "frame", "time", "vlan", "source", "destination", "protocol", "message")


def render(case: Case, form: str, protocols: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines without their newline; ``protocols`` keeps only those dissectors' messages."""
    if form == "csv":
        yield _csv_line(_COLUMNS)
    elif form == "table":
        ends = f"{'source':<22} {'destination':<22}"
        yield f"{'frame':>8}  {'time (UTC)':<27}{'vlan':>5}  {ends} {'protocol':<16} message"
    for view in case.views:
        if form == "table" and len(case.views) > 1:
            yield f"# {plain(view.name)}"
        for protocol, one in _messages(view, protocols):
            if form == "jsonl":
                yield json.dumps({"capture": view.name, "protocol": protocol, **row(one)}, ensure_ascii=True)
            elif form == "csv":
                yield _csv_line((view.name, *(str(value) for value in _short(protocol, one))))
            else:
                number, when, vlan, source, destination, name, message = _short(protocol, one)
                yield f"{number:>8}  {when:<27}{vlan or '-':>5}  {source:<22} {destination:<22} {name:<16} {message}"


def _messages(view: View, protocols: tuple[str, ...]) -> Iterator[tuple[str, Seen[Any]]]:
    found = [
        (name, one)
        for name, traffic in view.traffic.items()
        if not protocols or name in protocols
        for one in traffic.seen
    ]
    yield from sorted(found, key=lambda pair: (pair[1].frame.number, pair[0]))


def _short(protocol: str, one: Seen[Any]) -> tuple[int, str, int, str, str, str, str]:
    frame = one.frame
    return (
        frame.number,
        moment(frame.ts_ns),
        frame.vlan,
        plain(_endpoint(frame.src or frame.eth_src, frame.sport)),
        plain(_endpoint(frame.dst or frame.eth_dst, frame.dport)),
        protocol,
        plain(label_of(one.message)),
    )


def _endpoint(address: str | None, port: int) -> str:
    if address is None:
        return "-"
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _csv_line(values: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([cell(value) for value in values])
    return line.getvalue()


def row(one: Seen[Any]) -> dict[str, Any]:
    """A message with its frame as plain JSON values."""
    frame = one.frame
    return {
        "frame": frame.number,
        "frames": list(one.frames),
        "ts_ns": frame.ts_ns,
        "eth_src": frame.eth_src,
        "eth_dst": frame.eth_dst,
        "vlan": [tag.vid for tag in frame.tags],
        "src": frame.src,
        "dst": frame.dst,
        "sport": frame.sport or None,
        "dport": frame.dport or None,
        "message": type(one.message).__name__,
        "fields": as_plain(one.message),
    }


def as_plain(value: Any) -> Any:
    """Dataclasses, enums, tuples and bytes as JSON has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_plain(one) for name, one in value._asdict().items()}
    if isinstance(value, (tuple, list, frozenset)):
        return [as_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return value
