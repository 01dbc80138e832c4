"""Jira by its REST API, version 2 (package ``jira``): each file is a call, then a comment names them.

Data Center takes a personal access token, Cloud an account's address as user and an API token. Jira tells its limit.
Tested against a server that speaks the documented calls, not against a Jira.
"""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from pcapdx.attach.failures import connection_failed, quiet, status_failed
from pcapdx.attach.settings import Settings, SettingsError
from pcapdx.attach.tracker import AttachError, Kind, Limits, LostError, Note, Present, Ticket
from pcapdx.report.escape import jira as escaped

LIMIT = 10 * 1024 * 1024

T = TypeVar("T")


def connect(settings: Settings) -> "JiraTracker":
    """A client; nothing is sent yet. It must not try again by itself: it would post twice."""
    try:
        import jira
    except ImportError:
        raise SettingsError("the package jira is needed: pip install 'pcapdx[attach]'") from None
    quiet("jira", "requests", "urllib3")
    secret = settings.secret.reveal() if settings.secret else ""
    client = jira.JIRA(
        settings.url,
        options={"verify": settings.ca or True},
        basic_auth=(settings.user, secret) if settings.user else None,
        token_auth=None if settings.user else secret,
        get_server_info=False,
        logging=False,
        max_retries=0,
        timeout=settings.timeout,
    )
    return JiraTracker(client, settings)


class JiraTracker:
    """A Jira."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def ticket(self, name: str) -> Ticket:
        """By its key."""
        issue = self._asked(name, lambda: self._client.issue(name, fields="summary"))
        return Ticket(name=name, title=str(issue.fields.summary or ""), link=f"{self._settings.url}/browse/{name}")

    def limits(self) -> Limits:
        """As Jira tells."""
        if self._settings.limit:
            return Limits(file=self._settings.limit, note=None, told_by="as configured")
        told = self._asked("", self._client.attachment_meta)
        if not told.get("enabled", True):
            raise AttachError(f"{self._settings.host} takes no attachments: they are switched off")
        most = told.get("uploadLimit")
        if isinstance(most, int) and most > 0:
            return Limits(file=most, note=None, told_by="as Jira tells")
        return Limits(file=LIMIT, note=None, told_by="the default of Jira")

    def present(self, ticket: Ticket, note: Note) -> Present:
        """The comment by its mark, the files by their names."""
        issue = self._asked(ticket.name, lambda: self._client.issue(ticket.name, fields="attachment"))
        said = self._asked(ticket.name, lambda: self._client.comments(ticket.name))
        ours = [one for one in said if note.signature + "," in _unescaped(str(one.body))]
        names = {one.name for one in note.uploads}
        attached = getattr(issue.fields, "attachment", None)
        if attached is None:
            raise AttachError(f"{self._settings.host} shows no attachments of {ticket.name}: they may be switched off")
        files = [(one.filename, int(one.size)) for one in attached if one.filename in names]
        link = f"{ticket.link}?focusedCommentId={ours[-1].id}" if ours else ""
        return Present(noted=bool(ours), files=files, link=link, notes=len(ours))

    def post(self, ticket: Ticket, note: Note, present: Present) -> None:
        """Files first: the comment says that all is there."""
        for one in present.lacks(note):
            add = partial(self._client.add_attachment, ticket.name, io.BytesIO(one.data), one.name)
            try:
                self._asked(ticket.name, add, attaching=one.name)
            except LostError as error:
                error.what = one.name
                raise
        if not present.noted:
            self._asked(ticket.name, lambda: self._client.add_comment(ticket.name, _markup(note)))

    def shown(self, ticket: Ticket, note: Note) -> Sequence[str]:
        """The requests and the comment."""
        issue = f"{self._settings.url}/rest/api/2/issue/{ticket.name}"
        return (
            f"request      POST {issue}/attachments (X-Atlassian-Token: no-check; multipart: file), for each file",
            f"request      POST {issue}/comment",
            *(f"  {line}" for line in _markup(note).splitlines()),
        )

    def _asked(self, ticket: str, call: Callable[[], T], *, attaching: str = "") -> T:
        import requests
        from jira.exceptions import JIRAError

        where = self._settings.host
        try:
            return call()
        except JIRAError as error:  # as a text it has the headers of the request in it
            said = str(error.text or "") if error.status_code else ""
            if error.status_code == 404 and attaching:  # what Data Center says of both
                raise AttachError(
                    f"{where} refused {attaching}: it is too large there, or you may not attach to {ticket}"
                ) from None
            if error.status_code == 404:
                raise AttachError(f"{where} has no ticket {ticket}, or does not show it to these credentials") from None
            if error.status_code == 403:
                raise AttachError(f"{where} does not let these credentials see or change ticket {ticket}") from None
            status_failed(error.status_code, said, self._settings)
        except requests.RequestException as error:
            connection_failed(error, self._settings)
        except (ValueError, AttributeError, TypeError):
            raise AttachError(f"{where} does not answer as a Jira does") from None


def _markup(note: Note) -> str:
    """Wiki markup that means nothing but its words."""
    return "\n".join(map(escaped, note.lines))


def _unescaped(body: str) -> str:
    return body.replace("\\", "")


KIND = Kind(
    name="jira",
    title="Jira",
    ticket=r"[A-Z][A-Z0-9_]{0,30}-\d{1,12}",
    ticket_words="a key such as OPS-812",
    secret_words="a personal access token (or, with a user, an API token)",
    schemes=("https", "http"),
    connect=connect,
)
