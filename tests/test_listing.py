"""``pcapdx messages``: rows of what the dissectors saw."""

import csv
import json
from dataclasses import dataclass
from enum import StrEnum

from pcapdx.case import Case
from pcapdx.frame import Tag
from pcapdx.listing import as_plain, render
from tests import labelled


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    colour: Colour
    tags: tuple[Tag, ...]
    raw: bytes


def case(name: str) -> Case:
    return labelled.analysis(name).case


def test_table_of_two_captures_names_them() -> None:
    lines = list(render(case("dhcp-lease-seen-twice"), "table"))
    assert lines[0].split() == ["frame", "time", "(UTC)", "vlan", "source", "destination", "protocol", "message"]
    assert [line for line in lines if line.startswith("#")] == ["# guest-host", "# router-host"]


def test_protocols_are_chosen() -> None:
    rows = list(csv.DictReader(render(case("password-delivered-g1"), "csv", ("dhcp",))))
    assert {row["protocol"] for row in rows} == {"dhcp"}
    assert [row["message"].split()[1] for row in rows] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    assert rows[0]["source"] == "0.0.0.0:68"


def test_json_lines_have_every_field() -> None:
    rows = [json.loads(line) for line in render(case("dhcp-lease-trunk"), "jsonl", ("dhcp",))]
    assert rows
    for row in rows:
        assert row["message"] == "Dhcp"
        assert row["vlan"]
        assert row["frame"] in row["frames"]
        assert {"xid", "chaddr", "type"} <= set(row["fields"])


def test_rows_are_in_frame_order() -> None:
    numbers = [int(row["frame"]) for row in csv.DictReader(render(case("metadata-crawl-complete"), "csv"))]
    assert numbers == sorted(numbers)


def test_as_plain() -> None:
    tag = Tag(tpid=0x8100, pcp=1, dei=0, vid=101)
    assert as_plain(Inner(colour=Colour.RED, tags=(tag,), raw=b"\x00\xff")) == {
        "colour": "red",
        "tags": [{"tpid": 0x8100, "pcp": 1, "dei": 0, "vid": 101}],
        "raw": "00ff",
    }
