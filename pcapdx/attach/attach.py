"""The whole run: files looked at, packed to what the tracker takes, shown or posted."""

import re
from collections.abc import Sequence
from pathlib import Path

from pcapdx.attach.kinds import kinds
from pcapdx.attach.masked import NotMaskedError, known
from pcapdx.attach.once import Posted, once
from pcapdx.attach.parts import Given, Packing, packing
from pcapdx.attach.settings import Settings, SettingsError, variable
from pcapdx.attach.tracker import AttachError, Kind, Limits, LostError, Note, Ticket, Tracker
from pcapdx.attach.words import notes
from pcapdx.errors import PcapdxError
from pcapdx.values import dataclass

MOST_BYTES = 1 << 30
"""All files of a run; they are held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be sent, before anything was."""

    settings: Settings
    tracker: Tracker
    ticket: Ticket
    limits: Limits
    packing: Packing
    notes: Sequence[Note]
    remarks: Sequence[str]
    """What the operator should know."""


def read(paths: Sequence[str], *, unmasked: bool) -> list[Given]:
    """The files; raises NotMaskedError for one that does not show to be masked, unless that is allowed."""
    given: list[Given] = []
    room = MOST_BYTES
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                data = file.read(room + 1)
        except OSError as error:
            raise PcapdxError(f"{path}: {error.strerror or error}") from None
        room -= len(data)
        if room < 0:
            raise PcapdxError(f"{path}: more than {MOST_BYTES >> 20} MiB in all are not attached")
        if not data:
            raise PcapdxError(f"{path} is empty")
        try:
            told = known(path, data)
        except NotMaskedError as error:
            if not unmasked:
                raise NotMaskedError(f"{error}. --i-know-it-is-not-masked attaches it as it is") from None
            told = None
        given.append(Given(name=Path(path).name, data=data, known=told))
    return given


def plan(settings: Settings, name: str, given: Sequence[Given], *, comment: str, evidence_only: bool) -> Plan:
    """Connects, looks at the ticket, and packs; nothing is sent yet. Raises AttachError."""
    kind = _kind(settings)
    if not re.fullmatch(kind.ticket, name, re.ASCII):
        raise AttachError(f"{name!r} names no ticket of {kind.title}: {kind.ticket_words}")
    try:
        tracker = kind.connect(settings)
        ticket = tracker.ticket(name)
        limits = tracker.limits()
    except LostError as error:
        raise AttachError(settings.scrubbed(f"{settings.host}: {error}")) from None
    except PcapdxError as error:
        raise AttachError(settings.scrubbed(str(error))) from None
    packed = packing(given, limits, evidence_only=evidence_only)
    return Plan(
        settings=settings,
        tracker=tracker,
        ticket=ticket,
        limits=limits,
        packing=packed,
        notes=notes(given, packed, comment),
        remarks=[*_other_ticket(name, given), *packed.said],
    )


def attach(planned: Plan) -> list[Posted]:
    """Posts every note of a plan, each once; raises AttachError."""
    posted: list[Posted] = []
    try:
        posted.extend(once(planned.tracker, planned.ticket, note) for note in planned.notes)
    except PcapdxError as error:
        there = f"; {len(posted)} of {len(planned.notes)} comments are on the ticket" if posted else ""
        raise AttachError(planned.settings.scrubbed(f"{error}{there}")) from None
    return posted


def shown(planned: Plan) -> list[str]:
    """All that would be sent, as lines: requests, comments and files; of credentials only where they come from.

    Raises AttachError where the connection breaks.
    """
    settings, ticket, limits = planned.settings, planned.ticket, planned.limits
    secret = settings.secret.source if settings.secret else "none"
    title = f" ({ticket.title})" if ticket.title else ""
    lines = [
        f"ticket       {ticket.name}{title} at {settings.url}",
        f"credentials  {f'user {settings.user}, ' if settings.user else ''}secret {secret}",
        f"limit        {limits.file:,} bytes a file{_of_note(limits)}, {limits.told_by}",
    ]
    for place, note in enumerate(planned.notes, 1):
        try:
            there = planned.tracker.present(ticket, note)
        except LostError as error:
            raise AttachError(settings.scrubbed(f"{settings.host}: {error}")) from None
        lines += ["", f"comment {place} of {len(planned.notes)}"]
        if there.has(note):
            lines.append("is there already: nothing would be sent")
            continue
        lines += planned.tracker.shown(ticket, note)
        missing = there.lacks(note)
        lines += [f"file         {one.name}, {len(one.data):,} bytes, sha256 {one.sha256}" for one in missing]
    return [settings.scrubbed(line) for line in lines]


def told(planned: Plan, posted: Sequence[Posted]) -> list[str]:
    """What was done, as sentences."""
    where = f"{planned.ticket.name} at {planned.settings.host}"
    files = sum(len(note.uploads) for note in planned.notes)
    if all(one.before for one in posted):
        return [f"{where} has it already ({planned.packing.mark}): nothing was sent"]
    comments = "a comment" if len(posted) == 1 else f"{len(posted)} comments"
    lines = [f"{where}: {files} file{'s' if files > 1 else ''} in {comments}, mark {planned.packing.mark}"]
    if any(one.tries > 1 for one in posted):
        lines.append("the connection was lost on the way; what was missing was sent again")
    if any(one.twice for one in posted):
        lines.append("it is there twice all the same: the server took it after all; remove one")
    if not all(one.seen for one in posted):
        lines.append("it was taken, but cannot be seen from here: look there before the same is sent again")
    return lines


def _of_note(limits: Limits) -> str:
    return f", {limits.note:,} a comment" if limits.note is not None else ""


def _kind(settings: Settings) -> Kind:
    kind = kinds()[settings.kind]
    scheme = settings.url.partition("://")[0]
    if scheme not in kind.schemes:
        wanted = " or ".join(f"{one}://" for one in kind.schemes)
        raise SettingsError(f"{settings.url}: an address of {kind.title} begins with {wanted}")
    if settings.secret is None and not kind.anonymous:
        told = variable(settings.name, "SECRET")
        raise SettingsError(
            f"{kind.secret_words} for {settings.name} is expected in {told}, in the keyring "
            f"(keyring set pcapdx {settings.name}), or as secret in a configuration file that only you can read"
        )
    return kind


def _other_ticket(name: str, given: Sequence[Given]) -> list[str]:
    made_for = {str(one.known.bundle.about["ticket"]) for one in given if one.known and one.known.bundle}
    return [f"a bundle was made for {other}, and goes to {name}" for other in sorted(made_for) if other != name]
