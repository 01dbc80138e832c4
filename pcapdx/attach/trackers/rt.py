"""Request Tracker 5 by REST2 (package ``rt``): a comment, which requestors do not see, with its files in one request.

A comment and its files come in one transaction, so the names of its files tell that the whole is there. The limit is
that of ``MaxAttachmentSize`` as RT ships it; RT does not tell it, and may cut or drop what is larger without a word, so
what was kept is read back. Needed rights: ShowTicket, ShowTicketComments, CommentOnTicket.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pcapdx.attach.failures import connection_failed, quiet, status_failed
from pcapdx.attach.settings import Settings, SettingsError
from pcapdx.attach.tracker import AttachError, Kind, Limits, Note, Present, Ticket

LIMIT = 7_500_000
"""``MaxAttachmentSize`` is 10,000,000, and counts most databases' files as base64."""
BINARY = "application/octet-stream"

T = TypeVar("T")


def connect(settings: Settings) -> "RequestTracker":
    """A client; nothing is sent yet."""
    try:
        import httpx2
        import rt.rest2
    except ImportError:
        raise SettingsError("the package rt is needed: pip install 'pcapdx[attach]'") from None
    quiet("rt", "httpx2", "httpcore2", "httpx", "httpcore")
    secret = settings.secret.reveal() if settings.secret else ""
    client = rt.rest2.Rt(
        f"{settings.url}/REST/2.0/",
        verify_cert=settings.ca or True,
        token=None if settings.user else secret,
        http_auth=httpx2.BasicAuth(settings.user, secret) if settings.user else None,
        http_timeout=settings.timeout,
    )
    return RequestTracker(client, settings)


class RequestTracker:
    """A Request Tracker."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def ticket(self, name: str) -> Ticket:
        """By its number."""
        told = self._asked(name, lambda: self._client.get_ticket(name))
        link = f"{self._settings.url}/Ticket/Display.html?id={name}"
        return Ticket(name=name, title=str(told.get("Subject") or ""), link=link)

    def limits(self) -> Limits:
        """Of a file and of all files of a comment, which are one request."""
        most = self._settings.limit or LIMIT
        told_by = "as configured" if self._settings.limit else "the default of Request Tracker"
        return Limits(file=most, note=most, told_by=told_by)

    def present(self, ticket: Ticket, note: Note) -> Present:
        """By the names of files."""
        names = {one.name for one in note.uploads}
        wanted = [{"field": "Filename", "operator": "LIKE", "value": note.mark}]
        found = [(self._name(one["Filename"], names), one) for one in self._attachments(ticket.name, wanted)]
        ours = [(name, one) for name, one in found if name in names]
        files = [(name, self._kept(ticket.name, str(one["id"]))) for name, one in ours]
        link = f"{ticket.link}#txn-{ours[-1][1]['TransactionId']}" if ours else ""
        return Present(noted=bool(files), files=files, link=link)

    def post(self, ticket: Ticket, note: Note, present: Present) -> None:
        """One request."""
        import rt.rest2

        files = [rt.rest2.Attachment(one.name, BINARY, one.data) for one in present.lacks(note)]
        self._asked(
            ticket.name, lambda: self._client.comment(ticket.name, content="\n".join(note.lines), attachments=files)
        )

    def shown(self, ticket: Ticket, note: Note) -> Sequence[str]:
        """The request and the comment."""
        request = f"POST {self._settings.url}/REST/2.0/ticket/{ticket.name}/comment"
        return (f"request      {request} (multipart: JSON, Attachments)", *(f"  {line}" for line in note.lines))

    def _kept(self, ticket: str, attachment: str) -> int:
        """Bytes of a file as it is there: the length that RT tells is that of the file as it was sent."""
        whole = self._asked(ticket, lambda: self._client.get_attachment(attachment))
        return len(base64.b64decode(whole.get("Content") or ""))

    def _attachments(self, ticket: str, wanted: Sequence[Any]) -> list[dict[str, Any]]:
        import rt.exceptions

        def ask() -> list[dict[str, Any]]:
            try:
                return list(self._client.get_attachments(ticket, wanted, "Filename,ContentLength,TransactionId"))
            except rt.exceptions.NotFoundError:  # how the client says of some versions that there are none
                return []

        return self._asked(ticket, ask)

    def _asked(self, ticket: str, call: Callable[[], T]) -> T:
        import rt.exceptions as wrong

        where = f"{self._settings.host}"
        try:
            return call()
        except wrong.NotFoundError:
            raise AttachError(f"{where} has no ticket {ticket}") from None
        except wrong.AuthorizationError:
            status_failed(401, "", self._settings)
        except wrong.BadRequestError as error:
            said = " ".join(str(error).split())[:200]
            if "permission" in said.lower():
                raise AttachError(f"{where} does not let these credentials comment on ticket {ticket}") from None
            raise AttachError(f"{where} refused the comment on ticket {ticket}: {said}") from None
        except wrong.UnexpectedResponseError as error:
            if error.status_code == 403:
                raise AttachError(f"{where} does not show ticket {ticket} to these credentials") from None
            status_failed(error.status_code, error.response_message or "", self._settings)
        except (ConnectionError, wrong.ConnectionError) as error:
            connection_failed(error, self._settings)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise AttachError(f"{where} does not answer as a Request Tracker does") from None

    @staticmethod
    def _name(there: str, names: set[str]) -> str:
        """The name as it was sent; a file that was dropped for its size has ``.txt`` behind its name."""
        return there if there in names else there.removesuffix(".txt")


KIND = Kind(
    name="rt",
    title="Request Tracker",
    ticket=r"\d{1,12}",
    ticket_words="a number",
    secret_words="a token (or, with a user, a password)",
    schemes=("https", "http"),
    connect=connect,
)
