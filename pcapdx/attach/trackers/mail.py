"""By mail, for trackers without a client here that read mail (RFC 5321, STARTTLS of RFC 3207, SIZE of RFC 1870).

Nobody can look whether a mail has arrived. So a mail is sent again only where the connection broke before its last
line, when no server may have taken it; its Message-ID comes from the mark, so that a repeat can be recognised.
"""

import re
import select
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import NoReturn
from urllib.parse import urlsplit

from pcapdx.attach.failures import connection_failed
from pcapdx.attach.settings import Settings, SettingsError
from pcapdx.attach.tracker import AttachError, Kind, Limits, LostError, Note, Present, Ticket

LIMIT = 10_000_000
OVERHEAD = 20_000
"""Bytes of a mail that are no file: headers and text."""
GRACE_S = 0.3
"""Between a mail and its last line: time for a connection that broke to show it."""
LINE = 57, 78
"""Bytes of a file in a line of base64, and of that line."""
SUBMISSION, SMTPS = 587, 465
SUBJECT = "[{ticket}] {subject}"
POLICY = SMTP.clone(cte_type="7bit")
_SAFE = re.compile(r"[^A-Za-z0-9.-]+")


def connect(settings: Settings) -> "MailTracker":
    """A sender; nothing is sent yet. Raises SettingsError where sender or recipient are missing."""
    for key in ("from", "to"):
        if key not in settings.mail:
            raise SettingsError(f"{key} is expected for {settings.name} in the configuration file: a mail address")
    try:
        sender, recipient = (Address(addr_spec=settings.mail[key]) for key in ("from", "to"))
        plain = all(one.isascii() and one.isprintable() for one in (sender.addr_spec, recipient.addr_spec))
    except (ValueError, LookupError):
        plain = False
    if not plain or not settings.mail.get("subject", SUBJECT).isprintable():
        wanted = "plain mail addresses, and subject a line"
        raise SettingsError(f"from and to of {settings.name} are to be {wanted}")
    return MailTracker(settings, sender, recipient)


class MailTracker:
    """A mail server that takes mail for a tracker."""

    def __init__(self, settings: Settings, sender: Address, recipient: Address) -> None:
        self._settings = settings
        self._sender, self._recipient = sender, recipient
        self._most = 0
        """What the server says it takes; 0 where it does not."""

    def ticket(self, name: str) -> Ticket:
        """Only a name in a subject; that the server can be reached and takes these credentials is tried."""
        with self._session() as session:
            told = session.esmtp_features.get("size", "").strip()
            self._most = int(told) if told.isascii() and told.isdecimal() else 0
        return Ticket(name=name, title="", link=f"mailto:{self._recipient.addr_spec}")

    def limits(self) -> Limits:
        """Of all files of a mail, before they grow by their encoding."""
        if self._settings.limit:
            return Limits(file=self._settings.limit, note=self._settings.limit, told_by="as configured")
        most = max((self._most or LIMIT) - OVERHEAD, LINE[1]) * LINE[0] // LINE[1]
        return Limits(file=most, note=most, told_by="as the server tells" if self._most else "as most servers take")

    def present(self, ticket: Ticket, note: Note) -> Present:
        """Nobody can look into the mailbox."""
        return Present(noted=False, link=f"mid:{self._identity(ticket, note)[1:-1]}")

    def post(self, ticket: Ticket, note: Note, present: Present) -> None:
        """One mail."""
        data = self._message(ticket, note).as_bytes()
        with self._session() as session:
            self._said(session.mail(self._sender.addr_spec, [f"size={len(data)}"] if self._most else []))
            self._said(session.rcpt(self._recipient.addr_spec))
            self._said(session.docmd("DATA"), 354)
            session.send(re.sub(rb"(?m)^\.", b"..", data))
            # a server says nothing here unless it goes; then it has no last line, and the mail was not taken
            if session.sock is None or select.select([session.sock], [], [], GRACE_S)[0]:
                raise LostError(f"{self._settings.host} closed the connection within the mail")
            try:
                session.send(b".\r\n")
                answer = session.getreply()
            except (OSError, smtplib.SMTPException):
                raise AttachError(
                    f"{self._settings.host} took the whole mail and did not answer: it may arrive or not; "
                    f"look for Message-ID {self._identity(ticket, note)} before it is sent again"
                ) from None
            self._said(answer)

    def shown(self, ticket: Ticket, note: Note) -> Sequence[str]:
        """The mail without its files."""
        message = self._message(ticket, note)
        body = message.get_body(("plain",))
        return (
            f"request      mail from {self._sender.addr_spec} to {self._recipient.addr_spec} by {self._settings.url}",
            *(f"  {name}: {value}" for name, value in message.items() if not name.startswith("MIME")),
            *(f"  {line}" for line in (body.get_content() if body else "").splitlines()),
        )

    def _message(self, ticket: Ticket, note: Note) -> EmailMessage:
        message = EmailMessage(policy=POLICY)
        message["From"], message["To"] = self._sender, self._recipient
        form = self._settings.mail.get("subject", SUBJECT)
        message["Subject"] = form.replace("{ticket}", ticket.name).replace("{subject}", note.subject)
        message["Message-ID"] = self._identity(ticket, note)
        message.set_content("\n".join(note.lines) + "\n")
        for one in note.uploads:
            message.add_attachment(one.data, maintype="application", subtype="octet-stream", filename=one.name)
        return message

    def _identity(self, ticket: Ticket, note: Note) -> str:
        parts = (_SAFE.sub("-", part) for part in (note.signature.removeprefix("pcapdx mark "), ticket.name))
        return f"<pcapdx.{'.'.join(parts)}@{self._sender.domain}>"

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A session that is encrypted and logged in as far as was told."""
        parts, settings = urlsplit(self._settings.url), self._settings
        context = ssl.create_default_context(cafile=settings.ca or None)
        host, wait = parts.hostname or "", settings.timeout
        try:
            session: smtplib.SMTP
            if parts.scheme == "smtps":
                session = smtplib.SMTP_SSL(host, parts.port or SMTPS, timeout=wait, context=context)
            else:
                session = smtplib.SMTP(host, parts.port or SUBMISSION, timeout=wait)
            try:
                if parts.scheme != "smtps":
                    self._encrypt(session, context)
                session.ehlo_or_helo_if_needed()
                if settings.secret is not None:
                    session.login(settings.user or self._sender.addr_spec, settings.secret.reveal())
                yield session
                with suppress(OSError, smtplib.SMTPException):
                    session.quit()
            finally:
                session.close()
        except AttachError:
            raise
        except smtplib.SMTPAuthenticationError:
            raise AttachError(f"{settings.host} does not know these credentials") from None
        except smtplib.SMTPResponseException as error:
            self._refused(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError as error:
            raise AttachError(f"{settings.host}: {error}") from None
        except smtplib.SMTPException as error:
            raise LostError(f"{settings.host}: {error}") from None
        except OSError as error:
            connection_failed(error, settings)

    def _encrypt(self, session: smtplib.SMTP, context: ssl.SSLContext) -> None:
        session.ehlo()
        if session.has_extn("starttls"):
            session.starttls(context=context)
            session.ehlo()
        elif not self._settings.is_local and not self._settings.plaintext:
            raise AttachError(
                f"{self._settings.host} offers no encryption (STARTTLS); plaintext = true in the file allows it"
            )

    def _said(self, answer: tuple[int, bytes], expected: int = 250) -> None:
        if answer[0] != expected:
            self._refused(*answer)

    def _refused(self, code: int, words: bytes | str) -> NoReturn:
        text = words.decode(errors="replace") if isinstance(words, bytes) else words
        said = f"{self._settings.host} refused it ({code}): {' '.join(text.split())[:200]}"
        if 400 <= code < 500:
            raise LostError(said)
        if code == 552:
            said += "; set a smaller limit for it"
        raise AttachError(said)


KIND = Kind(
    name="mail",
    title="mail",
    ticket=r"[A-Za-z0-9][A-Za-z0-9 #:._-]{0,63}",
    ticket_words="letters, digits, dots, dashes, 64 at most",
    secret_words="a password",
    schemes=("smtp", "smtps"),
    connect=connect,
    anonymous=True,
)
