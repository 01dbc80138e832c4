"""What is kept of very many packets: the same ones at every point."""

import numpy as np
import pytest

from pcapdx.path import trail as module
from pcapdx.path.pair import Pair
from pcapdx.path.trail import Trail, in_sample
from tests.path.rows import rows


def _many(count: int, seed: int) -> Trail:
    dice = np.random.default_rng(seed)
    made = rows([n * 0.001 for n in range(count)], prints=dice.integers(0, 1 << 62, count).tolist())
    one = Trail()
    for part in np.array_split(made, 7):
        one.take(part)
    return one


def test_a_sample_is_consistent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture thinned out by four and one by two: what both would keep is found, and nothing seems lost."""
    monkeypatch.setattr(module, "MOST_ROWS", 500)
    few, many = _many(900, 1), _many(900, 1)
    few.take(rows([2.0 + n for n in range(900)], prints=np.random.default_rng(2).integers(0, 1 << 62, 900).tolist()))
    assert few.sampled
    assert few.mask > many.mask > 0
    assert len(few.rows) <= 500
    pair = Pair(few, many)
    assert np.all(pair.back >= 0)
    assert np.array_equal(pair.rows, few.rows[in_sample(few.rows, few, many)])


def test_rows_all_alike_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    one = Trail()
    for n in range(20):
        one.take(rows([n + 0.01 * k for k in range(40)], prints=[0] * 40))
    assert len(one.rows) <= 100


def test_what_tells_most_is_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DHCP message among ten thousand packets of another kind is kept."""
    monkeypatch.setattr(module, "MOST_ROWS", 64)
    one = _many(10_000, 3)
    dhcp = rows([4.2], prints=[0x7FFF_FFFF])
    dhcp["service"] = 67
    one.take(dhcp)
    assert np.any(one.rows["service"] == 67)
