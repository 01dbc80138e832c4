"""Puts a note on a ticket once, however often the connection breaks: before every try the ticket is looked at."""

import time
from collections import Counter

from pcapdx.attach.tracker import AttachError, LostError, Note, Present, Ticket, Tracker
from pcapdx.values import dataclass

PAUSES_S = (3.0, 6.0, 12.0)
"""Before each further try; time enough for a server to finish what it had in hand when the connection broke."""
LOOKS = 6
"""How often a ticket is looked at after a server has not answered in time, a pause apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A note that is on the ticket, whole."""

    link: str
    before: bool
    """It was there before anything was sent."""
    tries: int
    twice: bool
    """It, or some file of it, is there more than once all the same."""
    seen: bool
    """It was seen on the ticket; else the tracker took it, and shows it to nobody with these credentials."""


def once(tracker: Tracker, ticket: Ticket, note: Note) -> Posted:
    """Posts what is not there yet; raises AttachError where it cannot, or where nobody knows whether it did."""
    lost: LostError | None = None
    unsure: LostError | None = None
    sent, taken = 0, False
    for pause in (0.0, *PAUSES_S):
        time.sleep(pause)
        try:
            there = _looked(tracker, ticket, note) if unsure is None else _waited(tracker, ticket, note, unsure.what)
            unsure = None
            if there.has(note) or taken:
                return _posted(note, there, sent)
            sent += 1
            try:
                tracker.post(ticket, note, there)
            except LostError as error:
                unsure = error if error.waiting else None
                raise
            taken = True
            return _posted(note, _looked(tracker, ticket, note), sent)
        except LostError as error:
            lost = error
    again = "; the same command again posts what is not there yet, and nothing twice"
    raise AttachError(f"the connection was lost {1 + len(PAUSES_S)} times, last: {lost}{again}")


def _waited(tracker: Tracker, ticket: Ticket, note: Note, what: str) -> Present:
    """What is there once a slow server is ready; until then nothing is sent again, for it might be there twice."""
    for look in range(LOOKS):
        time.sleep(PAUSES_S[-1] if look else 0)
        there = _looked(tracker, ticket, note)
        if there.noted or (what and what in {name for name, _ in there.files}):
            return there
    raise AttachError(
        f"the server did not answer in time, and {what or 'the comment'} is not on the ticket; it may still come, "
        "so look there before the same command is run again"
    )


def _looked(tracker: Tracker, ticket: Ticket, note: Note) -> Present:
    """What is there; raises AttachError where the tracker kept less of a file than was sent."""
    there = tracker.present(ticket, note)
    sizes = {one.name: len(one.data) for one in note.uploads}
    for name, size in there.files:
        if name in sizes and size != sizes[name]:
            raise AttachError(
                f"the tracker kept {size:,} of the {sizes[name]:,} bytes of {name}: it takes no such large files; "
                f"set limit below {sizes[name]} for this tracker, remove that comment and run it again"
            )
    return there


def _posted(note: Note, there: Present, sent: int) -> Posted:
    counts = Counter(name for name, _ in there.files)
    twice = there.notes > 1 or any(counts[one.name] > 1 for one in note.uploads)
    return Posted(link=there.link, before=not sent, tries=sent, twice=twice, seen=there.has(note))
