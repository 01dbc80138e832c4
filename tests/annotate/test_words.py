"""The kernel that looks for telling words finds what a plain search finds, compiled and not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdx.annotate import words
from pcapdx.annotate.spots import MOST_HITS, Words, spot, tells
from pcapdx.compiled import compiled

telling = st.sampled_from([*words._WORDS, *words._HEADER_WORDS]).flatmap(
    lambda word: st.sampled_from(
        [word, word.upper(), word.title(), word[:-1], word + b"=value&", word + b": value\r\n"]
    )
)
texts = st.lists(telling | st.binary(max_size=12), max_size=30).map(b"".join)


@settings(deadline=None)
@given(texts)
def test_kernel_finds_what_a_search_finds(data: bytes) -> None:
    expected = words._one_by_one(data)
    assert words.ALL.spots(data, kernel=spot) == expected
    assert words.ALL.spots(data) == expected


@settings(deadline=None)
@given(texts)
def test_compiled_and_plain_give_the_same(data: bytes) -> None:
    data += bytes(words.FEW)
    assert list(words.find(data, fast=True)) == list(words.find(data))


@settings(deadline=None)
@given(texts | st.binary(max_size=40), st.integers(0, 9), st.integers(0, 9))
def test_whether_any_word_stands_within(data: bytes, first: int, last: int) -> None:
    end = max(len(data) - last, 0)
    part = data[first:end].lower()
    expected = any(word in part for word in words.ALL.words)
    array = np.frombuffer(data, np.uint8)
    for kernel in (tells, compiled(tells)):
        assert bool(kernel(array, first, end, words.ALL.layout, 1)) == expected
        assert not kernel(array, first, end, words.ALL.layout, 2)


@pytest.mark.parametrize("count", [MOST_HITS - 1, MOST_HITS, 3 * MOST_HITS])
def test_more_hits_than_one_call_takes(count: int) -> None:
    assert Words([b"abc", b"bc#"]).spots(b"aBc9" * count) == [
        [4 * at for at in range(count)],
        [4 * at + 1 for at in range(count)],
    ]


def test_nothing() -> None:
    assert Words([b"abc"]).spots(b"") == [[]]
