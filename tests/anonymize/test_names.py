"""Pseudonyms of names and of texts: length and shape kept, one to one, translated back by the key."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pcapdx.anonymize.keyfile import KeyFile
from pcapdx.anonymize.pseudonyms import Pseudonyms
from pcapdx.anonymize.reveal import revealed
from pcapdx.anonymize.spelling import Spelling
from pcapdx.anonymize.vocabulary import COMMON
from tests.anonymize.disguising import KEY, pseudonyms

SPELLING = Spelling(KEY)
labels = st.from_regex(re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII), fullmatch=True)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
@example("Müller-7")
def test_spelling_keeps_the_shape(word: str) -> None:
    hidden = SPELLING.hide(word)
    assert SPELLING.reveal(hidden) == word
    assert len(hidden.encode()) == len(word.encode())
    for old, new in zip(word.encode(), hidden.encode(), strict=True):
        if old < 0x80:
            old_kind, new_kind = (chr(one).isalnum() and (chr(one).isdigit(), chr(one).isupper()) for one in (old, new))
            assert new_kind == old_kind
            assert old_kind or old == new


@given(labels, labels)
def test_spelling_is_one_to_one(one: str, other: str) -> None:
    assert (SPELLING.hide(one) == SPELLING.hide(other)) is (one == other)


@given(st.lists(labels, max_size=6, unique=True))
@example(["the", "mail", "mail-2", "hat"])
@example(["0-a-0a0"])
@example(["ip-10-1-1-57", "10-1-1-57", "10-1-1-58", "r-12-vm"])
def test_labels(names: list[str]) -> None:
    told = pseudonyms()
    hidden = [told.label(name) for name in names]
    assert len(set(hidden)) == len(names)
    for old, new in zip(names, hidden, strict=True):
        assert len(new) == len(old)
        changed = {hidden for shown, hidden in zip(old.split("-"), new.split("-"), strict=True) if hidden != shown}
        assert not {word for word in changed if len(word) > 2} & COMMON


@pytest.mark.parametrize(
    "name", ["data-server", "realhostip.com", "localhost.localdomain", "r-12-VM", "v-2-vm", "ubuntu", "kvm-eth0.local"]
)
def test_names_with_a_meaning_stay(name: str) -> None:
    assert pseudonyms().name(name) == name


def test_the_address_in_a_name_is_that_address() -> None:
    told = pseudonyms()
    hidden = told.name("203-0-113-57.console.example.com")
    first, _, domain = hidden.partition(".")
    assert first.replace("-", ".") == told.text_address("203.0.113.57")
    assert f"*.{domain}" == told.name("*.console.example.com")
    assert hidden.endswith(".com")


def test_names_of_the_reverse_tree() -> None:
    told = pseudonyms()
    hidden = told.name("57.1.1.10.in-addr.arpa")
    assert ".".join(reversed(hidden.removesuffix(".in-addr.arpa").split("."))) == told.text_address("10.1.1.57")
    assert hidden.endswith(told.name("1.1.10.in-addr.arpa"))
    nibbles = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"
    packed = bytes.fromhex("".join(reversed(told.name(f"{nibbles}.ip6.arpa").removesuffix(".ip6.arpa").split("."))))
    assert packed == told.ipv6(bytes.fromhex("20010db8000100000000000000000005"))


TEXTS = (
    "web-1 (02:01:00:cc:00:16, 10.1.1.57/24 of 10.1.1.0/24) asks fd00:1::5: nothing at 12:30:45.",
    "source 52:54:00:aa:00:07: 7 frames; 10.1.1.1-10.1.1.9; http://203-0-113-57.console.example.com:8080/x",
    "The issuer Example Public CA G2 of WEB-1 and mail.example.com is not ours",
    "ip.addr == 10.1.1.57 && eth.addr == 02:01:00:cc:00:16 || dns.qry.name == \"web-1\"",
)  # fmt: skip
NAMES = ("web-1", "203-0-113-57.console.example.com", "mail.example.com", "Example Public CA G2")


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back(text: str) -> None:
    told = pseudonyms()
    hidden = told.text(text, NAMES)
    for secret in ("web-1", "10.1.1.57", "cc:00:16", "fd00:1::5", "example.com", "Public CA"):
        assert secret not in hidden
    key = KeyFile.__new__(KeyFile)
    key.key, key.names = KEY, {new: old for old, new in told.known.items()}
    assert revealed(hidden.encode(), key) == text


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    told = pseudonyms()
    told.text(text, NAMES)
    told.reveal(text, {new: old for old, new in told.known.items()})


def test_other_keys_give_other_pseudonyms() -> None:
    one, other = pseudonyms(), Pseudonyms(KEY[::-1])
    for text in ("accounting.example.com", "198.51.200.77", "02:01:00:cc:00:16"):
        assert one.text(text, [text]) != other.text(text, [text])
