"""Rotated sets: known by their names, put in order by their times, read as one capture."""

import gzip
from pathlib import Path

import pytest

from pcapdx.capture.rotated import open_captures, rotated_sets
from pcapdx.errors import CaptureError
from tests.capture.writing import Packet, drain, enhanced, interface, option, pcap, read, rich_pcapng, section

SETS = [
    ["x.pcap", "x.pcap1", "x.pcap2", "x.pcap10"],
    ["/tmp/ring.pcap08", "/tmp/ring.pcap09", "/tmp/ring.pcap00"],
    ["x.pcap1.gz", "x.pcap2.gz", "x.pcap3"],
    ["tap-20260131-120000.pcap", "tap-20260131-130000.pcap"],
    ["tap_2026-01-31_12.00.00.pcap", "tap_2026-01-31_12.10.00.pcap"],
    ["tap.1769860000", "tap.1769860600"],
    ["d/vm-20260131120000.pcap", "d/vm-20260131120000.pcap1", "d/vm-20260131130000.pcap"],
    ["q_00001_20260131120000.pcapng", "q_00002_20260131120500.pcapng", "q_00003_20260131121000.pcapng.gz"],
    ["q_20260131120000_00001.pcapng", "q_20260131120500_00002.pcapng"],
]
NO_SETS = [
    ["a.pcap", "b.pcap"],
    ["vm1.pcap", "vm2.pcap"],
    ["host-1", "host-2"],
    ["a/x.pcap1", "b/x.pcap2"],
    ["a/q_00001_20260131120000.pcap", "b/q_00002_20260131120500.pcap"],
    ["vlan100-20260131-120000.pcap", "vlan200-20260131-120000.pcap"],
    ["kvm1_00001_20260131120000.pcap", "kvm2_00001_20260131120000.pcap"],
    ["x.pcap", "x.pcap"],
    ["x.pcap", "x.pcap.gz"],
    ["-", "-"],
    ["x.pcap", "x.pcapng"],
]


@pytest.mark.parametrize("paths", SETS, ids=lambda paths: paths[0])
def test_names_of_one_set(paths: list[str]) -> None:
    assert rotated_sets(paths) == [paths]
    assert rotated_sets(["other.pcap", *paths, "last.pcap"]) == [["other.pcap"], paths, ["last.pcap"]]


@pytest.mark.parametrize("paths", NO_SETS, ids=lambda paths: paths[0])
def test_names_of_no_set(paths: list[str]) -> None:
    assert rotated_sets(paths) == [[path] for path in paths]


def test_only_what_follows_one_another_is_a_set() -> None:
    assert rotated_sets(["x.pcap1", "y.pcap", "x.pcap2"]) == [["x.pcap1"], ["y.pcap"], ["x.pcap2"]]
    assert rotated_sets([]) == []


def seconds(*times: int) -> list[Packet]:
    return [Packet(time * 10**6, bytes([time])) for time in times]


def write(folder: Path, **contents: bytes) -> list[str]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in contents]


def test_a_ring_that_wrapped_around(tmp_path: Path) -> None:
    contents = {"r.pcap0": seconds(70, 71), "r.pcap1": seconds(20, 21), "r.pcap2": seconds(30), "r.pcap10": seconds(40)}
    paths = write(tmp_path, **{name: pcap(packets) for name, packets in contents.items()})
    assert rotated_sets(paths) == [paths]
    reading = drain(open_captures(paths, name="ring"))
    facts = reading.facts
    assert [frame.data[0] for frame in reading.frames] == [20, 21, 30, 40, 70, 71]
    assert [frame.number for frame in reading.frames] == [1, 2, 3, 4, 5, 6]
    assert [(Path(piece.path).name, piece.before, piece.frames) for piece in facts.pieces] == [
        ("r.pcap1", 0, 2),
        ("r.pcap2", 2, 1),
        ("r.pcap10", 3, 1),
        ("r.pcap0", 4, 2),
    ]
    assert (facts.first_ns, facts.last_ns, facts.frames) == (20 * 10**9, 71 * 10**9, 6)
    assert facts.bytes == sum(Path(path).stat().st_size for path in paths) == sum(piece.bytes for piece in facts.pieces)
    assert facts.complete and not facts.anomalies


def test_pieces_without_frames_or_times_keep_the_order_of_their_names(tmp_path: Path) -> None:
    paths = write(tmp_path, **{"x.pcap10": pcap(), "x.pcap9": pcap(), "x.pcap": pcap(seconds(5))})
    facts = drain(open_captures(paths, name="x")).facts
    assert [Path(piece.path).name for piece in facts.pieces] == ["x.pcap9", "x.pcap10", "x.pcap"]
    assert (facts.frames, facts.complete) == (1, True)


def test_pieces_of_many_blocks_and_of_several_containers(tmp_path: Path) -> None:
    whole = rich_pcapng()
    paths = write(tmp_path, **{"x.pcap0": whole, "x.pcap1": gzip.compress(pcap([Packet(2 * 10**15)]))})
    reading = drain(open_captures(paths, name="x", block_bytes=64))
    alone = read(whole)
    assert reading.frames[:7] == alone.frames
    last = reading.frames[-1]
    assert (last.number, last.interface, reading.facts.interfaces[3].section) == (10, 3, 2)
    assert [known.section for known in reading.facts.interfaces] == [0, 0, 1, 2]
    assert reading.facts.interfaces[:3] == alone.facts.interfaces
    assert (reading.facts.format, reading.facts.compression) == ("pcapng", "none")
    assert (reading.facts.comments, reading.facts.names) == (alone.facts.comments, alone.facts.names)
    assert reading.facts.cut_frames == alone.facts.cut_frames


def test_comments_keep_their_frames(tmp_path: Path) -> None:
    def piece(time: int) -> bytes:
        return section() + interface() + enhanced(Packet(time), options=option(1, b"at %d" % time))

    paths = write(tmp_path, **{"x.pcap0": piece(9), "x.pcap1": piece(4)})
    assert drain(open_captures(paths, name="x")).facts.frame_comments == [(1, "at 4"), (2, "at 9")]


def test_damage_in_one_piece_does_not_end_the_capture(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        **{
            "x.pcap0": pcap(seconds(1, 2))[:-1],
            "x.pcap1": pcap(seconds(3))[:-1],
            "x.pcap2": b"",
            "x.pcap3": pcap(seconds(4)),
        },
    )
    reading = drain(open_captures(paths, name="x"))
    assert [frame.data[0] for frame in reading.frames] == [1, 4]
    told = [(anomaly.kind, anomaly.count) for anomaly in reading.facts.anomalies]
    assert told == [("unreadable-piece", 1), ("cut-short", 2)]
    assert reading.facts.anomalies[0].what == f"{paths[2]} is empty."
    assert reading.facts.anomalies[1].what == f"{paths[1]}: The file ends within a record, after frame 0."
    assert not reading.facts.complete


def test_pieces_that_overlap_in_time_are_told(tmp_path: Path) -> None:
    paths = write(tmp_path, **{"x.pcap0": pcap(seconds(10, 50)), "x.pcap1": pcap(seconds(20))})
    reading = drain(open_captures(paths, name="x"))
    assert (reading.kinds, reading.facts.complete) == (["pieces-overlap"], True)


def test_no_piece_can_be_read(tmp_path: Path) -> None:
    paths = write(tmp_path, **{"x.pcap0": b"text", "x.pcap1": b""})
    with pytest.raises(CaptureError, match=r"x\.pcap0 is a text file"):
        open_captures(paths, name="x")


def test_a_piece_that_goes_away(tmp_path: Path) -> None:
    paths = write(tmp_path, **{"x.pcap0": pcap(seconds(1)), "x.pcap1": pcap(seconds(2))})
    reader = open_captures(paths, name="x")
    Path(paths[0]).unlink()
    reading = drain(reader)
    assert ([frame.number for frame in reading.frames], reading.kinds) == ([1], ["unreadable-piece"])


def test_one_file_is_no_set(tmp_path: Path) -> None:
    (path,) = write(tmp_path, **{"x.pcap": pcap(seconds(1))})
    reader = open_captures([path], name="x")
    assert not reader.fast
    assert drain(reader).facts.pieces[0].path == path


def test_fast_from_the_first_large_piece_on(tmp_path: Path) -> None:
    paths = write(
        tmp_path, **{"x.pcap0": pcap(seconds(1)), "x.pcap1": pcap(seconds(2) * 20_000), "x.pcap2": pcap(seconds(3))}
    )
    reader = open_captures(paths, name="x")
    assert [reader.fast for _ in reader.blocks()] == [False, True, True]
    reader.close()
