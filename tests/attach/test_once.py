"""The order of looking and sending, against a tracker that fails as it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pcapdx.attach import once
from pcapdx.attach.tracker import AttachError, Limits, LostError, Note, Present, Ticket, Upload

TICKET = Ticket(name="1", title="", link="")
NOTE = Note(
    lines=("x",), uploads=(Upload(name="a-1.zip", data=b"12345"),), mark="1", signature="pcapdx mark 1", subject="x"
)


@dataclass(slots=True)
class Fake:
    """``lost`` tells of each post whether it breaks before the server has it, or after."""

    lost: list[str] = field(default_factory=list)
    late: int = 0
    """After so many looks a late comment is there."""
    there: list[tuple[str, int]] = field(default_factory=list)
    posts: int = 0
    keeps: int = 5
    hidden: bool = False
    blind: list[str] = field(default_factory=list)
    """How looks fail, one after the other."""

    def ticket(self, name: str) -> Ticket:
        return TICKET

    def limits(self) -> Limits:
        return Limits(file=10, note=None, told_by="")

    def present(self, ticket: Ticket, note: Note) -> Present:
        if self.blind and (how := self.blind.pop(0)):
            raise LostError(how, waiting=how == "slow")
        if self.late:
            self.late -= 1
            if not self.late:
                self.there.append(("a-1.zip", self.keeps))
        return Present(noted=bool(self.there) and not self.hidden, files=() if self.hidden else tuple(self.there))

    def post(self, ticket: Ticket, note: Note, present: Present) -> None:
        self.posts += 1
        how = self.lost.pop(0) if self.lost else ""
        if how == "before":
            raise LostError("broke")
        if how in ("slow", "never"):
            self.late = 3 if how == "slow" else 0
            raise LostError("no answer", waiting=True)
        self.there.append(("a-1.zip", self.keeps))
        if how == "after":
            raise LostError("broke")

    def shown(self, ticket: Ticket, note: Note) -> Sequence[str]:
        return ()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "PAUSES_S", (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("lost", "posts"),
    [
        ((), 1),
        (("before",), 2),
        (("after",), 1),
        (("before", "after"), 2),
        (("before", "before", "before"), 4),
        (("slow",), 1),
    ],
)
def test_whatever_breaks_it_is_there_once(lost: tuple[str, ...], posts: int) -> None:
    tracker = Fake(list(lost))
    posted = once.once(tracker, TICKET, NOTE)
    assert len(tracker.there) == 1
    assert tracker.posts == posts
    assert posted.seen
    assert not posted.twice
    assert not posted.before


def test_what_is_there_is_not_sent() -> None:
    tracker = Fake(there=[("a-1.zip", 5)])
    assert once.once(tracker, TICKET, NOTE).before
    assert tracker.posts == 0


def test_after_four_times_it_is_given_up() -> None:
    tracker = Fake(["before"] * 9)
    with pytest.raises(AttachError, match="lost 4 times"):
        once.once(tracker, TICKET, NOTE)
    assert tracker.posts == 4


def test_what_may_still_be_at_work_is_not_sent_again() -> None:
    tracker = Fake(["never"])
    with pytest.raises(AttachError, match="it may still come"):
        once.once(tracker, TICKET, NOTE)
    assert tracker.posts == 1


def test_a_look_that_fails_hinders_nothing() -> None:
    """Nothing was sent yet when it failed, so it is sent; after it was sent it is not sent again."""
    tracker = Fake(blind=["slow", "broke"])
    assert once.once(tracker, TICKET, NOTE).seen
    assert tracker.posts == 1
    tracker = Fake(blind=["", "slow", "broke"])
    assert once.once(tracker, TICKET, NOTE).seen
    assert tracker.posts == 1


def test_a_server_that_is_slow_and_then_away_is_still_waited_for() -> None:
    tracker = Fake(["slow"], blind=["", "broke"])
    assert once.once(tracker, TICKET, NOTE).seen
    assert tracker.posts == 1


def test_a_file_that_was_cut_is_told() -> None:
    with pytest.raises(AttachError, match="kept 3 of the 5 bytes"):
        once.once(Fake(keeps=3), TICKET, NOTE)


def test_two_of_them_are_told() -> None:
    assert once.once(Fake(there=[("a-1.zip", 5), ("a-1.zip", 5)]), TICKET, NOTE).twice


def test_what_nobody_can_see_is_sent_once_and_said() -> None:
    tracker = Fake(hidden=True)
    assert not once.once(tracker, TICKET, NOTE).seen
    assert tracker.posts == 1
