"""Many values looked for at once: both twins of the kernel find what a search for each one finds."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.annotate import needles
from pcapdx.annotate.needles import MOST_HITS, Needles, seek
from pcapdx.compiled import compiled

short = st.text("ab", min_size=4, max_size=6).map(str.encode)
values = st.lists(short | st.text("ab", min_size=8, max_size=20).map(str.encode), min_size=1, max_size=12)


def one_by_one(wanted: Sequence[bytes], data: bytes) -> list[tuple[int, int]]:
    return sorted((at, at + len(one)) for one in set(wanted) for at in range(len(data)) if data.startswith(one, at))


@settings(deadline=None)
@given(values, st.text("ab", max_size=80).map(str.encode), st.integers(4, 9))
def test_every_place_is_found(wanted: list[bytes], data: bytes, least: int) -> None:
    wanted = [one.ljust(least, b"a") for one in wanted]
    looked_for = Needles(())
    for one in wanted:
        looked_for.exactly(one)
    expected = one_by_one(wanted, data)
    array = np.frombuffer(data, np.uint8)
    assert list(looked_for.find(array)) == expected
    assert list(looked_for.find(array, kernel=seek)) == expected
    assert sorted(looked_for.find(array, kernel=compiled(seek))) == expected


@settings(deadline=None)
@given(st.lists(st.binary(min_size=8, max_size=70), max_size=6), st.data())
def test_disguises_are_found_wherever_they_stand(secrets: list[bytes], chosen: st.DataObject) -> None:
    looked_for = Needles(secrets)
    forms = [form for one in secrets for piece in needles._pieces(one.strip()) for form in needles.disguises(piece)]
    parts = st.lists(st.binary(max_size=9) | (st.sampled_from(forms) if forms else st.nothing()), max_size=8)
    data = b"".join(chosen.draw(parts))
    array = np.frombuffer(data, np.uint8)
    assert sorted(looked_for.find(array, kernel=compiled(seek))) == one_by_one(forms, data)


def test_more_hits_than_one_call_takes() -> None:
    looked_for = Needles(())
    looked_for.exactly(b"a" * 9)
    data = np.full(3 * MOST_HITS, 97, np.uint8)
    assert len(list(looked_for.find(data, kernel=compiled(seek)))) == len(data) - 8


def test_values_within_each_other_are_all_found() -> None:
    looked_for = Needles(())
    for size in range(8, 60):
        looked_for.exactly(b"z" * size)
    assert len(list(looked_for.find(np.full(59, 122, np.uint8), kernel=seek))) == sum(range(1, 53))
