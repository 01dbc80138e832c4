"""What a tracker is to the rest: a limit, a ticket that is there, notes that can be posted and found again."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol

from pcapdx.attach.settings import Settings
from pcapdx.errors import PcapdxError
from pcapdx.values import dataclass


class AttachError(PcapdxError):
    """It cannot be put on the ticket; what is there already is said."""


class LostError(Exception):
    """The connection broke, or a gateway answered in place of the server; what was sent may have arrived or not."""

    def __init__(self, why: str, *, waiting: bool = False) -> None:
        super().__init__(why)
        self.waiting = waiting
        """Nothing broke, but no answer came in time: the server may still be at work."""
        self.what = ""
        """The file that was on its way; empty for the comment with all its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as it goes to the ticket; its name holds the mark of the whole post."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Hexadecimal digest."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One comment with its files."""

    lines: tuple[str, ...]
    """What it says, for people; strings of captures in it are not escaped for any markup yet."""
    uploads: tuple[Upload, ...]
    mark: str
    """In the name of every file."""
    signature: str
    """The mark and which of how many notes this is; is found again in the comment."""
    subject: str
    """The comment in a line, for trackers that need one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket that is there."""

    name: str
    title: str
    """Empty where nobody can tell."""
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the tracker takes, in bytes."""

    file: int
    note: int | None
    """All files of one comment; None where only each file is limited."""
    told_by: str
    """Who says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What of a note is on the ticket."""

    noted: bool
    """The comment itself."""
    files: Sequence[tuple[str, int]] = ()
    """Names and bytes of files that have a name of this note."""
    link: str = ""
    """To the comment, where it has an address."""
    notes: int = 1
    """How often the comment is there, where files do not tell it."""

    def has(self, note: Note) -> bool:
        """Whether all of the note is there."""
        return self.noted and not self.lacks(note)

    def lacks(self, note: Note) -> tuple[Upload, ...]:
        """The files that are not there."""
        names = {name for name, _ in self.files}
        return tuple(one for one in note.uploads if one.name not in names)


class Tracker(Protocol):
    """A tracker. Every call raises AttachError for what is final and LostError for what is not."""

    def ticket(self, name: str) -> Ticket:
        """The ticket; raises AttachError where it is missing or not to be seen with these credentials."""
        ...

    def limits(self) -> Limits:
        """The largest file and comment."""
        ...

    def present(self, ticket: Ticket, note: Note) -> Present:
        """What of the note is there already."""
        ...

    def post(self, ticket: Ticket, note: Note, present: Present) -> None:
        """Posts what is not there yet."""
        ...

    def shown(self, ticket: Ticket, note: Note) -> Sequence[str]:
        """The requests that :meth:`post` would make, as lines: address, headers, text; without credentials."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of tracker."""

    name: str
    title: str
    ticket: str
    """Regular expression of a ticket's name."""
    ticket_words: str
    secret_words: str
    """What the secret is there."""
    schemes: tuple[str, ...]
    connect: Callable[[Settings], Tracker]
    anonymous: bool = False
    """Works without a secret."""
