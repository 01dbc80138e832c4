"""The kernels of the copy: compiled, plain, and what is done for small captures give the same bytes."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.annotate import blocks, copy
from pcapdx.annotate.copy import Copy, Wishes, woven
from pcapdx.annotate.weave import HEAD, pass_over, weave
from pcapdx.capture.open import open_capture
from pcapdx.capture.pcapng_walk import OLD_PACKET, PACKET, STATISTICS
from pcapdx.capture.source import FAST_BYTES
from pcapdx.compiled import compiled
from tests.capture.writing import Packet, enhanced, interface, option, pcap, section

sizes = st.lists(st.integers(0, 70), min_size=1, max_size=12)


@settings(deadline=None)
@given(sizes, st.binary(min_size=1000, max_size=1000), st.data())
def test_frames_between_heads_and_ends(lengths: list[int], data: bytes, chosen: st.DataObject) -> None:
    heads = np.frombuffer((data * 2)[: HEAD * len(lengths)], np.uint8)
    starts = np.array([chosen.draw(st.integers(0, 900)) for _ in lengths], np.int64)
    captured, array = np.array(lengths, np.int64), np.frombuffer(data, np.uint8)
    first = chosen.draw(st.integers(0, len(lengths)))
    last = chosen.draw(st.integers(first, len(lengths)))
    expected = b"".join(woven(array, starts, captured, heads, first, last, fast=False))
    for kernel in (weave, compiled(weave)):
        out = np.full(len(expected), 7, np.uint8)
        assert kernel(array, starts, captured, heads, first, last, out) == len(expected)
        assert out.tobytes() == expected


@settings(deadline=None)
@given(
    order=st.sampled_from("<>"),
    kinds=st.lists(st.sampled_from([PACKET, PACKET, PACKET, OLD_PACKET, STATISTICS]), min_size=1, max_size=12),
    skipped=st.integers(0, 2),
    chosen=st.data(),
)
def test_runs_of_packet_blocks(order: str, kinds: list[int], skipped: int, chosen: st.DataObject) -> None:
    made = [blocks.block(kind, bytes(20) + bytes(4 * place), order) for place, kind in enumerate(kinds)]
    ends = np.cumsum([len(one) for one in made]).tolist()
    begins = [end - len(one) for end, one in zip(ends, made, strict=True)]
    packets = [begin + HEAD for begin, kind in zip(begins, kinds, strict=True) if kind != STATISTICS][skipped:]
    starts, last = np.array(packets, np.int64), chosen.draw(st.integers(0, len(packets)))
    data = np.frombuffer(b"".join(made), np.uint8)
    run = 0
    for begin, kind in zip(begins, kinds, strict=True):
        if kind == STATISTICS or run >= last or packets[run] != begin + HEAD:
            break
        run += 1
    twins: list[tuple[Any, Any]] = [(pass_over, data.data), (compiled(pass_over), data)]
    for kernel, given_data in twins:
        at, place = kernel(given_data, 0, len(data), int(order == ">"), starts, 0, last)
        assert (at, place) == ((begins + ends[-1:])[run], run)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("keep", [None, frozenset({2, 3, 5, 40})])
@pytest.mark.parametrize("ng", [False, True])
def test_large_captures_are_copied_like_small_ones(
    order: str, keep: frozenset[int] | None, ng: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = [Packet(10**15 + n, bytes([n]) * (n * 37 % 200), 1500) for n in range(60)]
    source = pcap(packets, order=order)
    if ng:
        parts = [enhanced(one, order, options=option(1, b"old", order) if one.data[:1] == b"\7" else b"")
                 for one in packets]  # fmt: skip
        source = section(order=order) + interface(b"", order) + b"".join(parts)
    wishes = Wishes(remarks={1: ["a"], 5: ["b", "c"], 6: ["d"], 60: ["e"]}, section="s", vantage="v", keep=keep)
    made = []
    for limit in (FAST_BYTES, -1):
        monkeypatch.setattr(copy, "FAST_BYTES", limit)
        monkeypatch.setattr(copy, "FEW", 2)
        one = Copy(wishes)
        reader = open_capture("-", name="t", stdin=io.BytesIO(source))
        made.append(b"".join(bytes(part) for stretch in reader.stretches() for part in one.of(stretch)))
    assert made[0] == made[1]
    assert len(made[0]) > (200 if keep else len(source))
