"""Redmine by its REST API (package ``python-redmine``): files are uploaded, then one request adds the note with them.

An upload that no note followed is thrown away by Redmine after a day, so only the note counts. The limit is the one
that Redmine ships with; it tells nobody its own, and refuses larger files before anything is on the ticket.
"""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from pcapdx.attach.failures import connection_failed, quiet, status_failed
from pcapdx.attach.settings import Settings, SettingsError
from pcapdx.attach.tracker import AttachError, Kind, Limits, Note, Present, Ticket

LIMIT = 5120 * 1024
BINARY = "application/octet-stream"

T = TypeVar("T")


def connect(settings: Settings) -> "RedmineTracker":
    """A client; nothing is sent yet."""
    try:
        import redminelib
        from redminelib.engines.sync import SyncEngine
    except ImportError:
        raise SettingsError("the package python-redmine is needed: pip install 'pcapdx[attach]'") from None
    quiet("requests", "urllib3", "redminelib")

    class Engine(SyncEngine):  # type: ignore[misc]  # the client has no types
        """Waits only so long, asks no other address than the one given, and trusts what it was told to trust."""

        @staticmethod
        def create_session(**params: Any) -> Any:
            """With what each request needs."""
            session = SyncEngine.create_session(**params)
            session.request = partial(
                session.request, timeout=settings.timeout, verify=settings.ca or True, allow_redirects=False
            )
            return session

    secret = settings.secret.reveal() if settings.secret else ""
    told = {"username": settings.user, "password": secret} if settings.user else {"key": secret}
    client = redminelib.Redmine(settings.url, engine=Engine, raise_attr_exception=False, **told)
    return RedmineTracker(client, settings)


class RedmineTracker:
    """A Redmine."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def ticket(self, name: str) -> Ticket:
        """By its number."""
        number = name.removeprefix("#")
        issue = self._asked(number, lambda: self._client.issue.get(number))
        return Ticket(name=number, title=str(issue.subject or ""), link=f"{self._settings.url}/issues/{number}")

    def limits(self) -> Limits:
        """Of a file; files are uploaded one by one."""
        told_by = "as configured" if self._settings.limit else "the default of Redmine"
        return Limits(file=self._settings.limit or LIMIT, note=None, told_by=told_by)

    def present(self, ticket: Ticket, note: Note) -> Present:
        """The note by its mark, the files by their names."""
        issue = self._asked(
            ticket.name, lambda: self._client.issue.get(ticket.name, include=["journals", "attachments"])
        )
        names = {one.name for one in note.uploads}
        files = [(one.filename, int(one.filesize)) for one in issue.attachments if one.filename in names]
        said = [one for one in issue.journals if note.signature + "," in (one.notes or "")]
        return Present(
            noted=bool(said), files=files, link=f"{ticket.link}#change-{said[-1].id}" if said else "", notes=len(said)
        )

    def post(self, ticket: Ticket, note: Note, present: Present) -> None:
        """Uploads what is not there, then notes it."""
        files = [
            {"path": io.BytesIO(one.data), "filename": one.name, "content_type": BINARY} for one in present.lacks(note)
        ]
        self._asked(ticket.name, lambda: self._client.issue.update(ticket.name, notes=_markup(note), uploads=files))

    def shown(self, ticket: Ticket, note: Note) -> Sequence[str]:
        """The requests and the note."""
        return (
            f"request      POST {self._settings.url}/uploads.json?filename=NAME, for each file",
            f"request      PUT {self._settings.url}/issues/{ticket.name}.json (notes, uploads)",
            *(f"  {line}" for line in _markup(note).splitlines()),
        )

    def _asked(self, ticket: str, call: Callable[[], T]) -> T:
        import requests
        from redminelib import exceptions as wrong

        where = self._settings.host
        try:
            return call()
        except requests.RequestException as error:
            connection_failed(error, self._settings)
        except wrong.ResourceNotFoundError:
            raise AttachError(f"{where} has no ticket {ticket}") from None
        except wrong.AuthError:
            status_failed(401, "", self._settings)
        except wrong.ForbiddenError:
            raise AttachError(f"{where} does not let these credentials see or change ticket {ticket}") from None
        except wrong.RequestEntityTooLargeError:
            status_failed(413, "", self._settings)
        except wrong.ValidationError as error:
            said = " ".join(str(error).split())[:200]
            smaller = "; set a smaller limit for this tracker" if "exceeds" in said else ""
            raise AttachError(f"{where} refused it: {said}{smaller}") from None
        except wrong.UnknownError as error:
            status_failed(error.status_code, "", self._settings)
        except wrong.ServerError:
            status_failed(500, "", self._settings)
        except (wrong.BaseRedmineError, ValueError, LookupError, TypeError):
            raise AttachError(f"{where} does not answer as a Redmine does") from None


def _markup(note: Note) -> str:
    """As preformatted text, which is nothing else in Textile and in Markdown; no word of a capture may end it."""
    return "\n".join(["<pre>", *(line.replace("<", "‹") for line in note.lines), "</pre>"])


KIND = Kind(
    name="redmine",
    title="Redmine",
    ticket=r"#?\d{1,12}",
    ticket_words="a number",
    secret_words="an API key (or, with a user, a password)",
    schemes=("https", "http"),
    connect=connect,
)
